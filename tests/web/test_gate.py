import time
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from annotator.services import accounts
from annotator.services.accounts import SignedIn
from annotator.settings import Settings
from annotator.terms import Role
from annotator.web import gate, signing
from annotator.web.gate import Gate
from annotator.workspace import Workspace

PASSWORD = "correct horse"
pytestmark = pytest.mark.usefixtures("cheap_hashes")
Browser = Callable[..., TestClient]


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("in")
    await socket.close()


@pytest.fixture
def browser(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr(gate, "current", lambda: workspace)
    monkeypatch.setattr(signing, "FRESH_SECONDS", 1e-9)
    app = Gate(
        Starlette(
            routes=[
                Route("/{path:path}", lambda request: PlainTextResponse("in")),
                WebSocketRoute("/_stcore/stream", echo),
            ]
        )
    )

    def opened(address: str = "127.0.0.1", who: SignedIn | None = None) -> TestClient:
        client = TestClient(app, client=(address, 5000), follow_redirects=False)
        if who is not None:
            client.cookies.set(signing.COOKIE, signing.cookie_of(workspace, who))
        return client

    return opened


@pytest.fixture
def admin(workspace: Workspace) -> SignedIn:
    accounts.add(workspace, "Ada", Role.ADMIN, PASSWORD)
    return accounts.sign_in(workspace, "Ada", PASSWORD)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("::ffff:192.0.2.7", 403),
        ("192.0.2.7", 403),
        ("10.0.0.1", 403),
        ("somebody", 403),
    ],
)
def test_without_accounts_only_this_machine_gets_in(browser: Browser, address: str, status: int) -> None:
    assert browser(address).get("/").status_code == status


def test_with_accounts_who_signed_in_gets_in_from_anywhere(browser: Browser, admin: SignedIn) -> None:
    assert browser("192.0.2.7", admin).get("/").status_code == 200
    assert browser("192.0.2.7").get("/").status_code == 401
    assert browser("127.0.0.1").get("/").status_code == 401


def test_a_page_asked_for_without_a_sign_in_shows_the_way_to_it(browser: Browser, admin: SignedIn) -> None:
    answer = browser().get("/", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


def test_streamlits_socket_is_closed_to_who_has_not_signed_in(browser: Browser, admin: SignedIn) -> None:
    with browser(who=admin).websocket_connect("/_stcore/stream") as socket:
        assert socket.receive_text() == "in"
    with pytest.raises(WebSocketDisconnect), browser().websocket_connect("/_stcore/stream"):
        pass


def test_a_name_this_server_is_not_known_by_is_refused(browser: Browser, admin: SignedIn, workspace: Workspace) -> None:
    theirs = browser(who=admin)
    assert theirs.get("/", headers={"host": "evil.example"}).status_code == 403
    workspace.settings = Settings(hosts="labels.example, other.example")
    assert theirs.get("/", headers={"host": "labels.example:8501"}).status_code == 200


def test_a_changed_password_ends_every_sign_in(browser: Browser, admin: SignedIn, workspace: Workspace) -> None:
    accounts.set_password(workspace, "Ada", "another horse")
    assert browser(who=admin).get("/").status_code == 401


def test_a_sign_in_ends_after_its_time(browser: Browser, admin: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = int(time.time() - Settings().sign_in_hours * 3600 - 60)
    with monkeypatch.context() as then:
        then.setattr("itsdangerous.TimestampSigner.get_timestamp", lambda signer: long_ago)
        theirs = browser(who=admin)
    assert theirs.get("/").status_code == 401


def test_a_name_used_before_there_were_accounts_does_not_sign_in(browser: Browser, workspace: Workspace) -> None:
    before = SignedIn("Ada", accounts.stamp_of(workspace, "Ada"))
    accounts.add(workspace, "Ada", Role.ADMIN, PASSWORD)
    assert browser(who=before).get("/").status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200), ("/auth/login", 200), ("/oauth2callback", 200), ("/static/app.js", 200),
        ("/_stcore/upload_file/session/file", 401), ("/_stcore/metrics", 401),
    ],
)  # fmt: skip
def test_only_the_way_to_the_provider_is_open_before_the_sign_in(
    browser: Browser, admin: SignedIn, workspace: Workspace, path: str, status: int
) -> None:
    workspace.settings = Settings(oidc=True)
    assert browser().get(path).status_code == status
    assert browser(who=admin).get(path).status_code == 200
