"""The routes beside Streamlit: pictures, questions and answers. Each is one service call; no key needs a rerun."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from annotator.errors import AnnotatorError, BadInputError, ConflictError, MissingError
from annotator.services import explaining, labelling, pictures, questions, sessions, skipping, tasks, vocabulary
from annotator.services.answers import Answer
from annotator.terms import WorkMode
from annotator.web import signing
from annotator.workspace import current

MOST_BYTES = 4_000_000  # of one request: 500 answers on pages of 100 pictures
MOST_ANSWERS = 500
MOST_NUMBERS = 1000
FOR_EVER = "private, max-age=31536000, immutable"  # the address names the content
COMPONENTS = Path(__file__).parent.parent / "ui" / "components"
KINDS = {".js": "text/javascript", ".css": "text/css"}


async def sign_in(request: Request) -> Response:
    """POST /api/sign-in {token}: trade the page's token for the cookie that says who asks."""
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
    """POST /api/claim {tag, count, have}: further questions of the person, with what is shown beside each.

    `have`: the questions on the screen, which are leased anew.
    """
    body = await _json(request)
    tag, count = _number(body, "tag"), _number(body, "count", 10)
    return JSONResponse(
        await run_in_threadpool(questions.claim, current(), request.state.person, tag, count, _numbers(body, "have"))
    )


async def release(request: Request) -> Response:
    """POST /api/release {tasks}: give questions back unanswered."""
    ids = _numbers(await _json(request), "tasks")
    return JSONResponse({"released": await run_in_threadpool(tasks.release, current(), request.state.person, ids)})


async def skip(request: Request) -> Response:
    """POST /api/skip {task, reason, text}: give a question up for good; it goes to others."""
    body = await _json(request)
    task, reason, text = _number(body, "task"), body.get("reason", ""), body.get("text", "")
    if task is None or not isinstance(reason, str) or not isinstance(text, str):
        raise BadInputError("skip needs the number of a task, and reason and text as words")
    await run_in_threadpool(skipping.skip, current(), request.state.person, task, reason, text)
    return JSONResponse({"skipped": task})


async def begin_session(request: Request) -> Response:
    """POST /api/sessions/begin {mode, tag, page_size}: go on with the person's labelling session, or start one.

    Answers with the session, what was done in it, and the pictures answered last, for going back and undo.
    """
    body = await _json(request)
    if body.get("mode") not in list(WorkMode):
        raise BadInputError(f"mode must be one of {', '.join(WorkMode)}, not {body.get('mode')!r:.40}")
    mode, tag, size = WorkMode(body["mode"]), _number(body, "tag"), _number(body, "page_size")
    workspace, person = current(), request.state.person
    begun = await run_in_threadpool(sessions.begin, workspace, person, mode, tag, size)
    if mode == WorkMode.LABEL:
        begun["recent"] = await run_in_threadpool(sessions.recent, workspace, person, begun["session"])
    return JSONResponse(begun)


def leave_session(leave: Callable[..., dict[str, Any]]) -> "Handler":
    """POST /api/sessions/pause and /end {session, tasks}: rest or end a labelling session; its report."""

    async def handler(request: Request) -> Response:
        body = await _json(request)
        number = _number(body, "session")
        if number is None:
            raise BadInputError("session must be the number of a labelling session")
        return JSONResponse(
            await run_in_threadpool(leave, current(), request.state.person, number, _numbers(body, "tasks"))
        )

    return handler


async def tag_list(request: Request) -> Response:
    """GET /api/tags: [id, name, synonyms] of every tag, and the groups of which exactly one is present."""
    body = json.dumps(await run_in_threadpool(vocabulary.browser_list, current()), ensure_ascii=False).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def one_tag(request: Request) -> Response:
    """GET /api/tags/{id}: definition, synonyms, parent, example pictures."""
    return JSONResponse(await run_in_threadpool(vocabulary.described, current(), request.path_params["tag"]))


async def why(request: Request) -> Response:
    """GET /api/why/{row}: what each source says of a picture, and the labelled pictures nearest to it."""
    return JSONResponse(await run_in_threadpool(explaining.why, current(), request.path_params["row"]))


async def answers(request: Request) -> Response:
    """POST /api/answers {client, answers}: write once, in order, and acknowledge."""
    body = await _json(request)
    items = body.get("answers")
    if not isinstance(items, list) or len(items) > MOST_ANSWERS:
        raise BadInputError(f"answers must be a list of at most {MOST_ANSWERS}")
    parsed = [Answer.received(item) for item in items]
    receipt = await run_in_threadpool(
        labelling.record, current(), request.state.person, str(body.get("client", "")), parsed
    )
    return JSONResponse(asdict(receipt))


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
            if signing.names_another(request, request.state.person):
                return _refused(401, "somebody else signed in here; sign in again")
        if any(isinstance(value, int) and value >= 2**31 for value in request.path_params.values()):
            return _refused(404, "there is no such number")
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


def _number(body: dict[str, Any], name: str, default: int | None = None) -> Any:
    value = body.get(name, default)
    if not isinstance(value, int | None) or isinstance(value, bool) or (value is not None and abs(value) >= 2**31):
        raise BadInputError(f"{name} must be a whole number, not {value!r:.40}")
    return value


def _numbers(body: dict[str, Any], name: str) -> list[int]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > MOST_NUMBERS or not all(type(one) is int for one in value):
        raise BadInputError(f"{name} must be a list of at most {MOST_NUMBERS} whole numbers, not {value!r:.40}")
    return [one for one in value if 0 <= one < 2**31]


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


ROUTES = [
    Route("/api/sign-in", _guarded(sign_in, signed_in=False), methods=["POST"]),
    Route("/api/pictures/{size}/{row:int}", _guarded(picture)),
    Route("/api/claim", _guarded(claim), methods=["POST"]),
    Route("/api/release", _guarded(release), methods=["POST"]),
    Route("/api/skip", _guarded(skip), methods=["POST"]),
    Route("/api/sessions/begin", _guarded(begin_session), methods=["POST"]),
    Route("/api/sessions/pause", _guarded(leave_session(sessions.pause)), methods=["POST"]),
    Route("/api/sessions/end", _guarded(leave_session(sessions.end)), methods=["POST"]),
    Route("/api/tags", _guarded(tag_list)),
    Route("/api/tags/{tag:int}", _guarded(one_tag)),
    Route("/api/why/{row:int}", _guarded(why)),
    Route("/api/answers", _guarded(answers), methods=["POST"]),
    Route("/api/ui/{file}", _guarded(component, signed_in=False)),
    Route("/api/health", _guarded(health, signed_in=False)),
]
