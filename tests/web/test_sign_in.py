from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.testclient import TestClient

from annotator.services import accounts
from annotator.settings import Settings
from annotator.terms import Role
from annotator.web import sign_in, signing
from annotator.workspace import Workspace
from db.models import Invitation

PASSWORD = "correct horse"
NO_LENGTHS = ["x", "-1", "1.5", "1e9", "", " ", "0x10", "²", "9" * 5000]
pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def client(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(sign_in, "current", lambda: workspace)
    accounts.add(workspace, "Ada", Role.ADMIN, PASSWORD)
    with TestClient(Starlette(routes=sign_in.ROUTES), follow_redirects=False) as made:
        yield made


def test_name_and_password_are_traded_for_a_cookie_no_script_can_read(client: TestClient, workspace: Workspace) -> None:
    answer = client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie
    assert signing.person_of(workspace, client.cookies[signing.COOKIE]) == "Ada"


def test_behind_tls_the_cookie_never_travels_in_the_clear(workspace: Workspace, client: TestClient) -> None:
    client.base_url = "https://testserver"  # type: ignore[assignment]
    answer = client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_password_is_told_without_a_hint_and_shown_as_text(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": '"><script>alert(1)</script>', "password": "x"})
    assert answer.status_code == 403 and "do not go together" in answer.text
    assert "<script>" not in answer.text and signing.COOKIE not in client.cookies


def test_guessing_is_stopped(client: TestClient) -> None:
    for _ in range(5):
        assert client.post("/sign-in", data={"name": "Ada", "password": "x"}).status_code == 403
    assert client.post("/sign-in", data={"name": "Ada", "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize("header", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
def test_forms_of_other_sites_are_refused(client: TestClient, header: dict[str, str], path: str) -> None:
    answer = client.post(path, data={"name": "Ada", "password": PASSWORD}, headers=header)
    assert answer.status_code == 403 and signing.COOKIE not in client.cookies


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a=1&" * 20, b"x" * 20_000, b""])
def test_a_form_that_is_none_gets_a_clear_answer(client: TestClient, content: bytes) -> None:
    answer = client.post("/sign-in", content=content)
    assert answer.status_code in (400, 403) and "Traceback" not in answer.text


def test_pages_run_no_script_and_stay_in_no_frame(client: TestClient) -> None:
    policy = client.get("/sign-in").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy


def test_an_invitation_makes_an_account_and_signs_in(client: TestClient, workspace: Workspace) -> None:
    address = f"/invitation/{accounts.invite(workspace, Role.REVIEWER, 'Eve <b>')}"
    page = client.get(address)
    assert "reviewer" in page.text and "Eve &lt;b&gt;" in page.text
    form = {"name": "Eve", "password": "battery staple", "again": "battery stable"}
    assert client.post(address, data=form).status_code == 400
    assert client.post(address, data={**form, "again": form["password"]}).status_code == 303
    assert signing.person_of(workspace, client.cookies[signing.COOKIE]) == "Eve"
    assert client.get(address).status_code == 403


def test_signing_out_takes_the_cookie_away(client: TestClient) -> None:
    client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    assert client.post("/sign-out").headers["location"] == "/sign-in"
    assert signing.COOKIE not in client.cookies


def test_signing_out_ends_every_cookie_and_page_of_this_sign_in_and_no_other(
    client: TestClient, workspace: Workspace
) -> None:
    client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    first = client.cookies[signing.COOKIE]
    token = signing.page_token(workspace, "Ada", signing.sitting_of(workspace, first))
    traded = signing.trade(workspace, token)
    assert traded is not None
    renewed = signing.cookie_of(workspace, traded)
    client.cookies.clear()
    client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    elsewhere = client.cookies[signing.COOKIE]
    client.cookies.clear()
    client.post("/sign-out", headers={"cookie": f"{signing.COOKIE}={first}"})
    assert signing.person_of(workspace, first) is None and signing.person_of(workspace, renewed) is None
    assert signing.trade(workspace, token) is None
    assert signing.person_of(workspace, elsewhere) == "Ada"


def test_a_server_that_starts_again_knows_who_signed_out(client: TestClient, workspace: Workspace) -> None:
    client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    cookie = client.cookies[signing.COOKIE]
    for who in ("Ada", None):
        with Workspace.open(workspace.folder, workspace.settings) as started_again:
            assert signing.person_of(started_again, cookie) == who
        client.post("/sign-out")


def test_signing_out_ends_the_sign_in_at_the_provider_too(client: TestClient, workspace: Workspace) -> None:
    workspace.settings = Settings(oidc=True)
    client.post("/sign-in", data={"name": "Ada", "password": PASSWORD})
    assert client.post("/sign-out").headers["location"] == "/auth/logout"
    assert signing.COOKIE not in client.cookies


def test_guessing_invitations_is_stopped(client: TestClient, workspace: Workspace) -> None:
    token = accounts.invite(workspace, Role.REVIEWER)
    assert {client.get(f"/invitation/guess-{number}").status_code for number in range(30)} == {403}
    answer = client.get(f"/invitation/{token}")
    assert answer.status_code == 429 and "15 minutes" in answer.text and "reviewer" not in answer.text


def test_guessing_names_from_one_address_is_stopped(client: TestClient) -> None:
    for number in range(30):
        assert client.post("/sign-in", data={"name": f"name {number}", "password": "x"}).status_code == 403
    assert client.post("/sign-in", data={"name": "Ada", "password": PASSWORD}).status_code == 429


def test_an_invitation_that_has_ended_opens_nothing(client: TestClient, workspace: Workspace) -> None:
    address = f"/invitation/{accounts.invite(workspace, Role.REVIEWER)}"
    with workspace.transaction() as session:
        session.execute(update(Invitation).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    form = {"name": "Eve", "password": "battery staple", "again": "battery staple"}
    for answer in (client.get(address), client.post(address, data=form)):
        assert answer.status_code == 403 and "has ended" in answer.text
    assert signing.COOKIE not in client.cookies


@pytest.mark.parametrize("length", NO_LENGTHS)
def test_a_length_that_is_no_number_is_refused(client: TestClient, length: str) -> None:
    answer = client.post("/sign-in", content=b"name=Ada", headers={"content-length": length.encode("latin-1")})
    assert answer.status_code == 400 and "Content-Length" in answer.text
