"""One person, no password: then nobody but this machine may reach the app, however it was started."""

from ipaddress import ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LoopbackOnly:
    """Refuses every request and WebSocket that does not come from a loopback address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or _is_local(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            message = "This app has no sign-in and serves its own machine only: open it on 127.0.0.1.\n"
            await PlainTextResponse(message, 403)(scope, receive, send)


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
