"""Who asks: signed cookies and page tokens, and what they allow.

Where people have accounts, the sign-in page gives the cookie. Where one person works alone on this machine, a page of
the app hands the browser a short-lived token, and the browser trades it for the cookie.
"""

import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection
from starlette.responses import Response

from annotator.services import accounts, rights
from annotator.services.accounts import SignedIn
from annotator.services.rights import Right
from annotator.workspace import Workspace

COOKIE = "annotator_session"
DOWNLOAD_SECONDS = 24 * 3600
TOKEN_SECONDS = 120
# A sign-in that was ended elsewhere may go on for so long; without it each picture would ask the store.
FRESH_SECONDS = 3
LOCAL_HOSTS = {"127.0.0.1", "localhost", "[::1]", "testserver"}


def page_token(workspace: Workspace, name: str, sitting: str = "") -> str:
    """A token that says: the page knows this person as `name`, since this sitting. Valid for two minutes."""
    return _signer(workspace, "page").dumps([name, accounts.stamp_of(workspace, name), sitting])


def trade(workspace: Workspace, token: str) -> SignedIn | None:
    """Whom a page's token names; None when it is not ours or too old, or its sitting was ended by a sign-out."""
    who = _load(workspace, "page", token, TOKEN_SECONDS)
    return None if who is None or accounts.has_ended(workspace, who.sitting) else who


def cookie_of(workspace: Workspace, who: SignedIn) -> str:
    """The cookie of a sitting; of a new one where `who` has none yet."""
    return _signer(workspace, "session").dumps([who.name, who.stamp, who.sitting or secrets.token_hex(8)])


def sitting_of(workspace: Workspace, cookie: str) -> str:
    """The sitting a cookie belongs to; "" where it is not ours or too old."""
    who = _load(workspace, "session", cookie, _cookie_seconds(workspace))
    return "" if who is None else who.sitting


def end(workspace: Workspace, cookie: str) -> None:
    """End the sitting of a cookie: pages that stay open elsewhere in the browser must not sign in again by themselves.

    This process knows of it at once, others within `FRESH_SECONDS`.
    """
    sitting = sitting_of(workspace, cookie)
    if sitting:
        accounts.end_sitting(workspace, sitting)
        _stands.cache_clear()


def download_token(workspace: Workspace, name: str) -> str:
    """A token that says: a page of ours offers the export `name`. Valid for a day."""
    return _signer(workspace, "download").dumps(name)


def download(workspace: Workspace, token: str) -> str | None:
    """The name of the export that a token offers; None when it is not ours or too old."""
    name = _read(workspace, "download", token, DOWNLOAD_SECONDS)
    return name if isinstance(name, str) else None


def give_cookie(response: Response, workspace: Workspace, who: SignedIn, *, secure: bool) -> None:
    """Make the browser show from now on that it is `who`."""
    response.set_cookie(
        COOKIE, cookie_of(workspace, who), max_age=_cookie_seconds(workspace), path="/",
        httponly=True, samesite="strict", secure=secure,
    )  # fmt: skip


def person_of(workspace: Workspace, cookie: str) -> str | None:
    """The name a cookie stands for; None where it is not ours, too old, or its sign-in was ended."""
    who = _load(workspace, "session", cookie, _cookie_seconds(workspace))
    return who.name if who is not None and _stands(workspace, who, _moment()) else None


def person(workspace: Workspace, request: HTTPConnection) -> str | None:
    """The name in the request's cookie; None for somebody who has not signed in, or never opened a page."""
    return person_of(workspace, request.cookies.get(COOKIE, ""))


def rights_of(workspace: Workspace, name: str) -> frozenset[Right]:
    """What the person may do, as of a few seconds ago."""
    return _rights_of(workspace, name, _moment())


def people_sign_in(workspace: Workspace) -> bool:
    """Whether anybody has an account here, as of a few seconds ago."""
    return _people_sign_in(workspace, _moment())


def names_another(request: HTTPConnection, name: str) -> bool:
    """Whether the page that asks is for somebody else than the cookie: another tab signed in under another name."""
    expected = request.headers.get("x-annotator-person")
    return expected is not None and unquote(expected) != name


def is_known_host(workspace: Workspace, request: HTTPConnection) -> bool:
    """Whether the address in the browser is one this server is known by.

    It keeps a foreign page away whose name was pointed at 127.0.0.1 after it was loaded.
    """
    host = request.headers.get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name in LOCAL_HOSTS.union(workspace.settings.host_names)


def is_same_site(workspace: Workspace, request: HTTPConnection) -> bool:
    """Whether the request comes from our own pages."""
    origin = request.headers.get("origin")
    same = origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    return same and is_known_host(workspace, request)


def _cookie_seconds(workspace: Workspace) -> int:
    return round(workspace.settings.sign_in_hours * 3600)


def _moment() -> int:
    return int(time.monotonic() / FRESH_SECONDS)


@lru_cache(maxsize=1024)
def _rights_of(workspace: Workspace, name: str, _when: int) -> frozenset[Right]:
    with workspace.reading() as session:
        return rights.rights_of(session, name)


@lru_cache(maxsize=16)
def _people_sign_in(workspace: Workspace, _when: int) -> bool:
    with workspace.reading() as session:
        return rights.has_accounts(session)


@lru_cache(maxsize=1024)
def _stands(workspace: Workspace, who: SignedIn, _when: int) -> bool:
    return accounts.stands(workspace, who)


def _signer(workspace: Workspace, purpose: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(workspace.secret, salt=purpose)


def _load(workspace: Workspace, purpose: str, value: str, seconds: int) -> SignedIn | None:
    loaded = _read(workspace, purpose, value, seconds)
    if isinstance(loaded, list) and [type(part) for part in loaded] == [str, int, str]:
        return SignedIn(*loaded)
    return None  # of an earlier version


def _read(workspace: Workspace, purpose: str, value: str, seconds: int) -> Any:
    try:
        return _signer(workspace, purpose).loads(value, max_age=seconds)
    except BadSignature:
        return None
