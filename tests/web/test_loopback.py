import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from annotator.web.loopback import LoopbackOnly


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
def test_only_this_machine_gets_in(address: str, status: int) -> None:
    app = LoopbackOnly(Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))]))
    assert TestClient(app, client=(address, 5000)).get("/").status_code == status
