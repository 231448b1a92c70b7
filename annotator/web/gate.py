"""Who gets in at all, before Streamlit or a route sees the request.

Without accounts: this machine only, however the app was started. With accounts: everybody who signed in; a page asked
for without is answered with the way to the sign-in page.
"""

from ipaddress import ip_address

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from annotator.web import signing
from annotator.workspace import Workspace, current

OPEN = ("/api/", "/sign-in", "/invitation/", "/_stcore/health")
"""Paths that check for themselves who asks."""
CLOSED = ("/_stcore/upload_file/", "/_stcore/metrics")
"""Paths of Streamlit that nobody needs before the sign-in at an identity provider, which its other paths lead to."""
POLICY_VIOLATION = 1008


class Gate:
    """Refuses what may not come in; lets everything else through unchanged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if scope["type"] == "lifespan" else _refusal(current(), scope)
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await refusal(scope, receive, send)


def _refusal(workspace: Workspace, scope: Scope) -> Response | None:
    request = HTTPConnection(scope)
    if not signing.people_sign_in(workspace):
        if _is_local(scope):
            return None
        return PlainTextResponse(
            "This app has no sign-in and serves its own machine only: open it on 127.0.0.1, or give people accounts: "
            "annotator people add NAME --role admin\n",
            403,
        )
    if not signing.is_known_host(workspace, request):
        message = "This server is not known by that name; set ANNOTATOR_HOSTS to the names it is known by.\n"
        return PlainTextResponse(message, 403)
    path = request.url.path
    is_open = path.startswith(OPEN) or (workspace.settings.oidc and not path.startswith(CLOSED))
    if is_open or signing.person(workspace, request) is not None:
        return None
    if scope["type"] == "http" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/sign-in", 303)
    return PlainTextResponse("sign in first\n", 401)


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if client is None:
        return True  # a Unix socket: its file's permissions decide
    try:
        address = ip_address(client[0].split("%")[0])
    except ValueError:
        return False
    # A socket for both kinds of addresses shows 127.0.0.1 as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
