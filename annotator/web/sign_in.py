"""The sign-in page, the page behind an invitation, and the way out: plain forms without a script."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from annotator.errors import AnnotatorError, BadInputError, ForbiddenError, TooManyError
from annotator.services import accounts
from annotator.services.accounts import SignedIn
from annotator.web import signing
from annotator.web.bodies import read_body
from annotator.workspace import current

MOST_BYTES = 10_000
PAGE = files("annotator.web").joinpath("sign_in.html").read_text(encoding="utf-8")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # An invitation's address is its secret; without any referrer browsers would not say either that a form is ours.
    "Referrer-Policy": "same-origin",
}


async def sign_in(request: Request) -> Response:
    """GET and POST /sign-in: name and password for the cookie that says who asks."""

    def enter(form: dict[str, str]) -> SignedIn:
        return accounts.sign_in(current(), form.get("name", ""), form.get("password", ""), _address(request))

    return await _form(request, "Sign in", "", enter, {})


async def invitation(request: Request) -> Response:
    """GET and POST /invitation/{token}: make the account that an admin offered."""
    token = request.path_params["token"]
    try:
        offered = await run_in_threadpool(accounts.invited_as, current(), token, _address(request))
    except ForbiddenError as error:
        return _page("Invitation", str(error), "", {}, _status(error), has_form=False)

    def enter(form: dict[str, str]) -> SignedIn:
        if form.get("password") != form.get("again"):
            raise BadInputError("the two passwords differ")
        name, password = form.get("name", ""), form.get("password", "")
        return accounts.accept_invitation(current(), token, name, password, _address(request))

    return await _form(request, "Welcome", f"You are invited as {offered['role']}.", enter, {"name": offered["name"]})


async def sign_out(request: Request) -> Response:
    """POST /sign-out. Where an identity provider is asked, its sign-in ends too, by way of Streamlit's route."""
    if not signing.is_same_site(current(), request):
        return _page("Sign in", "this address serves its own pages only", "", {}, 403, has_form=False)
    await run_in_threadpool(signing.end, current(), request.cookies.get(signing.COOKIE, ""))
    response = RedirectResponse("/auth/logout" if current().settings.oidc else "/sign-in", 303)
    response.delete_cookie(signing.COOKIE, path="/")
    return response


async def _form(
    request: Request, title: str, text: str, enter: Callable[[dict[str, str]], SignedIn], values: dict[str, str]
) -> Response:
    again = title != "Sign in"
    if request.method == "GET":
        return _page(title, "", text, values, 200, again=again)
    if not signing.is_same_site(current(), request):
        return _page(title, "this address serves its own pages only", text, {}, 403, has_form=False)
    form: dict[str, str] = {}
    try:
        form = await _fields(request)
        who = await run_in_threadpool(enter, form)
    except AnnotatorError as error:
        return _page(title, str(error), text, {"name": form.get("name", "")}, _status(error), again=again)
    response = RedirectResponse("/", 303)
    signing.give_cookie(response, current(), who, secure=request.url.scheme == "https")
    return response


def _status(error: AnnotatorError) -> int:
    return 429 if isinstance(error, TooManyError) else 403 if isinstance(error, ForbiddenError) else 400


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


async def _fields(request: Request) -> dict[str, str]:
    try:
        fields = parse_qs((await read_body(request, MOST_BYTES)).decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError as error:
        raise BadInputError(f"the form cannot be read: {error}") from error
    return {name: values[0] for name, values in fields.items()}


def _page(
    title: str, problem: str, text: str, values: dict[str, str], status: int, *, again: bool = False,
    has_form: bool = True,
) -> Response:  # fmt: skip
    parts: dict[str, Any] = {
        "title": escape(title),
        "problem": f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else "",
        "text": f"<p>{escape(text)}</p>" if text else "",
        "form": _inputs(values, again=again) if has_form else "",
    }
    html = PAGE
    for name, value in parts.items():
        html = html.replace("{" + name + "}", value)
    return HTMLResponse(html, status, HEADERS)


def _inputs(values: dict[str, str], *, again: bool) -> str:
    kind = "new-password" if again else "current-password"
    repeat = (
        f'<label>Password again<input name="again" type="password" required autocomplete="{kind}"></label>'
        if again
        else ""
    )
    return (
        '<form method="post"><label>Name<input name="name" required maxlength="100" autofocus autocomplete="username" '
        f'value="{escape(values.get("name", ""))}"></label>'
        f'<label>Password<input name="password" type="password" required autocomplete="{kind}"></label>{repeat}'
        f"<button>{'Make my account' if again else 'Sign in'}</button></form>"
    )


ROUTES = [
    Route("/sign-in", sign_in, methods=["GET", "POST"]),
    Route("/invitation/{token}", invitation, methods=["GET", "POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
]
