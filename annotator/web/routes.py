"""The routes beside Streamlit: pictures, questions and answers. Each is one service call; no key needs a rerun."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from annotator.errors import AnnotatorError, BadInputError, ConflictError, MissingError
from annotator.services import labelling, pictures, questions, tasks
from annotator.web import signing
from annotator.workspace import current

MOST_BYTES = 4_000_000  # of one request: 500 answers on pages of 100 pictures
MOST_ANSWERS = 500
FOR_EVER = "private, max-age=31536000, immutable"  # the address names the content
COMPONENTS = Path(__file__).parent.parent / "ui" / "components"
KINDS = {".js": "text/javascript", ".css": "text/css"}


async def start_session(request: Request) -> Response:
    """POST /api/session {token}: trade the page's token for the session cookie."""
    body = await _json(request)
    traded = signing.trade(current(), str(body.get("token", "")))
    if traded is None:
        return _refused(401, "this page is too old to sign in; reload it")
    name, cookie = traded
    response = JSONResponse({"name": name})
    response.set_cookie(
        signing.COOKIE, cookie, max_age=signing.COOKIE_SECONDS, path="/api", httponly=True, samesite="strict"
    )
    return response


async def picture(request: Request) -> Response:
    """GET /api/pictures/{size}/{row}."""
    found, tag = await run_in_threadpool(
        pictures.file_of, current(), request.path_params["row"], request.path_params["size"]
    )
    headers = {"ETag": tag, "Cache-Control": FOR_EVER}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return FileResponse(found, media_type="image/jpeg", headers=headers)


async def claim(request: Request) -> Response:
    """POST /api/claim {tag, count}: the person's questions, with what is shown beside each."""
    body = await _json(request)
    tag, count = body.get("tag"), body.get("count", 10)
    if not isinstance(count, int) or not isinstance(tag, int | None):
        raise BadInputError(f"claim takes a tag number or null and a count, not {tag!r:.40} and {count!r:.40}")
    return JSONResponse(await run_in_threadpool(questions.claim, current(), request.state.person, tag, count))


async def release(request: Request) -> Response:
    """POST /api/release {tasks}: give questions back unanswered."""
    body = await _json(request)
    ids = [task for task in body.get("tasks", []) if isinstance(task, int)]
    return JSONResponse({"released": await run_in_threadpool(tasks.release, current(), request.state.person, ids)})


async def answers(request: Request) -> Response:
    """POST /api/answers {client, answers}: write once, in order, and acknowledge."""
    body = await _json(request)
    items = body.get("answers")
    if not isinstance(items, list) or len(items) > MOST_ANSWERS:
        raise BadInputError(f"answers must be a list of at most {MOST_ANSWERS}")
    parsed = [labelling.Answer.received(item) for item in items]
    receipt = await run_in_threadpool(
        labelling.record, current(), request.state.person, str(body.get("client", "")), parsed
    )
    return JSONResponse({"acked": receipt.acked, "problems": receipt.problems})


async def component(request: Request) -> Response:
    """GET /api/ui/{file}: scripts and styles of our components; the same for everybody."""
    file = COMPONENTS / Path(request.path_params["file"]).name
    if file.suffix not in KINDS or not file.is_file():
        return _refused(404, f"there is no {file.name}")
    return FileResponse(file, media_type=KINDS[file.suffix], headers={"Cache-Control": "no-cache"})


async def health(_request: Request) -> Response:
    """GET /api/health: the server answers and its store can be read."""
    await run_in_threadpool(lambda: current().project)
    return JSONResponse({"ok": True})


Handler = Callable[[Request], Any]


def _guarded(handler: Handler, *, signed_in: bool = True) -> Handler:
    """Our own pages only, a known person, and errors as one readable line."""

    async def answer(request: Request) -> Response:
        if not signing.is_same_site(request):
            return _refused(403, "this address serves its own pages only")
        if signed_in:
            request.state.person = signing.person(current(), request)
            if request.state.person is None:
                return _refused(401, "open a page of the app first")
        try:
            response: Response = await handler(request)
        except MissingError as error:
            return _refused(404, str(error))
        except ConflictError as error:
            return _refused(409, str(error))
        except AnnotatorError as error:
            return _refused(400, str(error))
        return response

    answer.__doc__ = handler.__doc__
    return answer


async def _json(request: Request) -> dict[str, Any]:
    if int(request.headers.get("content-length") or 0) > MOST_BYTES:
        raise BadInputError(f"a request holds at most {MOST_BYTES} bytes; send fewer answers at once")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise BadInputError(f"a request holds at most {MOST_BYTES} bytes; send fewer answers at once")
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise BadInputError(f"the request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadInputError("the request must be a JSON object")
    return body


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


ROUTES = [
    Route("/api/session", _guarded(start_session, signed_in=False), methods=["POST"]),
    Route("/api/pictures/{size}/{row:int}", _guarded(picture)),
    Route("/api/claim", _guarded(claim), methods=["POST"]),
    Route("/api/release", _guarded(release), methods=["POST"]),
    Route("/api/answers", _guarded(answers), methods=["POST"]),
    Route("/api/ui/{file}", _guarded(component, signed_in=False)),
    Route("/api/health", _guarded(health, signed_in=False)),
]
