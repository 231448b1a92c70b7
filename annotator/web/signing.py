"""Who asks: the page hands the browser a short-lived token, the browser trades it for a cookie only we can read."""

from urllib.parse import unquote, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request

from annotator.workspace import Workspace

COOKIE = "annotator_session"
COOKIE_SECONDS = 14 * 24 * 3600
DOWNLOAD_SECONDS = 24 * 3600
TOKEN_SECONDS = 120
LOCAL_HOSTS = {"127.0.0.1", "localhost", "[::1]", "testserver"}


def page_token(workspace: Workspace, name: str) -> str:
    """A token that says: the page knows this person as `name`. Valid for two minutes."""
    return _signer(workspace, "page").dumps(name)


def trade(workspace: Workspace, token: str) -> tuple[str, str] | None:
    """(name, cookie value) for a page's token; None when it is not ours or too old."""
    name = _load(workspace, "page", token, TOKEN_SECONDS)
    return None if name is None else (name, _signer(workspace, "session").dumps(name))


def download_token(workspace: Workspace, name: str) -> str:
    """A token that says: a page of ours offers the export `name`. Valid for a day."""
    return _signer(workspace, "download").dumps(name)


def download(workspace: Workspace, token: str) -> str | None:
    """The name of the export that a token offers; None when it is not ours or too old."""
    return _load(workspace, "download", token, DOWNLOAD_SECONDS)


def person(workspace: Workspace, request: Request) -> str | None:
    """The name in the request's cookie; None for somebody who never opened a page."""
    return _load(workspace, "session", request.cookies.get(COOKIE, ""), COOKIE_SECONDS)


def names_another(request: Request, name: str) -> bool:
    """Whether the page that asks is for somebody else than the cookie: another tab signed in under another name."""
    expected = request.headers.get("x-annotator-person")
    return expected is not None and unquote(expected) != name


def is_same_site(request: Request) -> bool:
    """Whether the request comes from our own pages, on a name this server is known by.

    The second part keeps a foreign page away whose name was pointed at 127.0.0.1 after it was loaded.
    """
    host = request.headers.get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    origin = request.headers.get("origin")
    return name in LOCAL_HOSTS and (origin is None or urlsplit(origin).netloc == host)


def _signer(workspace: Workspace, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(workspace.secret, salt=purpose)


def _load(workspace: Workspace, purpose: str, value: str, seconds: int) -> str | None:
    try:
        loaded = _signer(workspace, purpose).loads(value, max_age=seconds)
    except BadSignature:
        return None
    return str(loaded)
