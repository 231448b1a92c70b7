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

from annotator.errors import (
    AnnotatorError,
    BadInputError,
    ConflictError,
    ForbiddenError,
    MissingError,
    TooManyError,
)
from annotator.services import (
    comments,
    explaining,
    export_shelf,
    labelling,
    pictures,
    questions,
    reviewing,
    sessions,
    skipping,
    tasks,
    vocabulary,
)
from annotator.services.answers import Answer
from annotator.services.reviewing import Filter
from annotator.services.rights import Right
from annotator.terms import WorkMode
from annotator.web import signing
from annotator.web.bodies import read_body
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
    workspace = current()
    who = await run_in_threadpool(signing.trade, workspace, str(body.get("token", "")))
    if who is None:
        return _refused(401, "this page is too old to sign in; reload it")
    response = JSONResponse({"name": who.name})
    signing.give_cookie(response, workspace, who, secure=request.url.scheme == "https")
    return response


async def picture(request: Request) -> Response:
    """GET /api/pictures/{size}/{row}."""
    found, tag = await _call(request, pictures.file_of, request.path_params["row"], request.path_params["size"])
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
    return JSONResponse(await _call(request, questions.claim, request.state.person, tag, count, _numbers(body, "have")))


async def release(request: Request) -> Response:
    """POST /api/release {tasks}: give questions back unanswered."""
    ids = _numbers(await _json(request), "tasks")
    return JSONResponse({"released": await _call(request, tasks.release, request.state.person, ids)})


async def skip(request: Request) -> Response:
    """POST /api/skip {task, reason, text}: give a question up for good; it goes to others."""
    body = await _json(request)
    task, reason, text = _number(body, "task"), body.get("reason", ""), body.get("text", "")
    if task is None or not isinstance(reason, str) or not isinstance(text, str):
        raise BadInputError("skip needs the number of a task, and reason and text as words")
    await _call(request, skipping.skip, request.state.person, task, reason, text)
    return JSONResponse({"skipped": task})


async def begin_session(request: Request) -> Response:
    """POST /api/sessions/begin {mode, tag, page_size}: go on with the person's labelling session, or start one.

    Answers with the session, what was done in it, and the pictures answered last, for going back and undo.
    """
    body = await _json(request)
    if body.get("mode") not in list(WorkMode):
        raise BadInputError(f"mode must be one of {', '.join(WorkMode)}, not {body.get('mode')!r:.40}")
    mode, tag, size = WorkMode(body["mode"]), _number(body, "tag"), _number(body, "page_size")
    person = request.state.person
    begun = await _call(request, sessions.begin, person, mode, tag, size)
    if mode == WorkMode.LABEL:
        begun["recent"] = await _call(request, sessions.recent, person, begun["session"])
    return JSONResponse(begun)


def leave_session(leave: Callable[..., dict[str, Any]]) -> "Handler":
    """POST /api/sessions/pause and /end {session, tasks}: rest or end a labelling session; its report."""

    async def handler(request: Request) -> Response:
        body = await _json(request)
        number = _number(body, "session")
        if number is None:
            raise BadInputError("session must be the number of a labelling session")
        return JSONResponse(await _call(request, leave, request.state.person, number, _numbers(body, "tasks")))

    return handler


async def tag_list(request: Request) -> Response:
    """GET /api/tags: [id, name, synonyms] of every tag, and the groups of which exactly one is present."""
    body = json.dumps(await _call(request, vocabulary.browser_list), ensure_ascii=False).encode()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def one_tag(request: Request) -> Response:
    """GET /api/tags/{id}: definition, synonyms, parent, example pictures."""
    return JSONResponse(await _call(request, vocabulary.described, request.path_params["tag"]))


async def why(request: Request) -> Response:
    """GET /api/why/{row}: what each source says of a picture, and the labelled pictures nearest to it."""
    return JSONResponse(await _call(request, explaining.why, request.path_params["row"]))


async def answers(request: Request) -> Response:
    """POST /api/answers {client, answers}: write once, in order, and acknowledge."""
    body = await _json(request)
    items = body.get("answers")
    if not isinstance(items, list) or len(items) > MOST_ANSWERS:
        raise BadInputError(f"answers must be a list of at most {MOST_ANSWERS}")
    parsed = [Answer.received(item) for item in items]
    receipt = await _call(request, labelling.record, request.state.person, str(body.get("client", "")), parsed)
    return JSONResponse(asdict(receipt))


async def export_file(request: Request) -> Response:
    """GET /api/exports/{token}: a file of the Export page, from the disk."""
    name = signing.download(current(), request.path_params["token"])
    if name is None:
        return _refused(401, "this link is too old; open the Export page again")
    file = await run_in_threadpool(export_shelf.file_of, current(), name)
    return FileResponse(file, filename=file.name, headers={"Cache-Control": "private, no-store"})


async def review(request: Request) -> Response:
    """POST /api/review {cause, tag, person, count, have, held}: what a reviewer should look at next.

    `have`: [image, tag] of what is on the screen or was dealt with there; `held`: of what is on the screen.
    """
    body = await _json(request)
    asked = Filter(_text(body, "cause"), _number(body, "tag"), _text(body, "person"))
    have, held = _pairs(body, "have"), _pairs(body, "held")
    return JSONResponse(await _call(request, reviewing.queue, asked, _number(body, "count", 24), 0, have, held))


async def comment_list(request: Request) -> Response:
    """GET /api/comments/{row}: the talk about a picture and its tags."""
    return JSONResponse({"comments": await _call(request, comments.thread, request.path_params["row"])})


async def comment(request: Request) -> Response:
    """POST /api/comments {image, tag, text}: say something about a picture, or about one tag on it."""
    body = await _json(request)
    image, tag, text = _number(body, "image", -1), _number(body, "tag"), _text(body, "text") or ""
    return JSONResponse({"comment": await _call(request, comments.add, request.state.person, image, text, tag)})


async def resolve(request: Request) -> Response:
    """POST /api/comments/resolve {image, tag}: end an open thread."""
    body = await _json(request)
    image, tag = _number(body, "image", -1), _number(body, "tag")
    return JSONResponse({"resolved": await _call(request, comments.resolve, image, tag)})


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
STATUS = {MissingError: 404, ConflictError: 409, TooManyError: 429, ForbiddenError: 403, AnnotatorError: 400}
"""The first that fits."""


def _guarded(handler: Handler, right: Right | None = Right.LABEL) -> Handler:
    """Our own pages only, a known person with this right, and errors as one readable line. `right` None: anybody."""

    async def answer(request: Request) -> Response:
        if not signing.is_same_site(current(), request):
            return _refused(403, "this address serves its own pages only")
        if any(isinstance(value, int) and value >= 2**31 for value in request.path_params.values()):
            return _refused(404, "there is no such number")
        try:
            if right is not None:
                refusal = await run_in_threadpool(_admit, request, right)
                if refusal is not None:
                    return refusal
            response: Response = await handler(request)
        except AnnotatorError as error:
            return _refused(next(status for kind, status in STATUS.items() if isinstance(error, kind)), str(error))
        return response

    answer.__doc__ = handler.__doc__
    return answer


def _admit(request: Request, right: Right) -> Response | None:
    """Let in who signed in and has this right, with the workspace acting for the person; else the refusal."""
    workspace = current()
    person = signing.person(workspace, request)
    if person is None:
        return _refused(401, "open a page of the app first")
    if signing.names_another(request, person):
        return _refused(401, "somebody else signed in here; sign in again")
    if right not in signing.rights_of(workspace, person):
        return _refused(403, f"{person} may not {right.value}, or is paused")
    request.state.person, request.state.workspace = person, workspace.acting_for(person)
    return None


async def _call(request: Request, service: Callable[..., Any], *arguments: Any) -> Any:
    """What `service` answers the person who asks; off the event loop."""
    return await run_in_threadpool(service, request.state.workspace, *arguments)


async def _json(request: Request) -> dict[str, Any]:
    raw = await read_body(request, MOST_BYTES, "; send fewer answers at once")
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


def _text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise BadInputError(f"{name} must be text, not {value!r:.40}")
    return value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(one) is int or one is None for one in value)


def _pairs(body: dict[str, Any], name: str) -> set[tuple[int, int | None]]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > MOST_NUMBERS or not all(_is_pair(one) for one in value):
        raise BadInputError(f"{name} must be a list of at most {MOST_NUMBERS} [image, tag], not {value!r:.40}")
    return {(row, tag) for row, tag in value}


def _numbers(body: dict[str, Any], name: str) -> list[int]:
    value = body.get(name, [])
    if not isinstance(value, list) or len(value) > MOST_NUMBERS or not all(type(one) is int for one in value):
        raise BadInputError(f"{name} must be a list of at most {MOST_NUMBERS} whole numbers, not {value!r:.40}")
    return [one for one in value if 0 <= one < 2**31]


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status_code=status)


ROUTES = [
    Route("/api/sign-in", _guarded(sign_in, right=None), methods=["POST"]),
    Route("/api/pictures/{size}/{row:int}", _guarded(picture, Right.LOOK)),
    Route("/api/claim", _guarded(claim), methods=["POST"]),
    Route("/api/release", _guarded(release), methods=["POST"]),
    Route("/api/skip", _guarded(skip), methods=["POST"]),
    Route("/api/sessions/begin", _guarded(begin_session), methods=["POST"]),
    Route("/api/sessions/pause", _guarded(leave_session(sessions.pause)), methods=["POST"]),
    Route("/api/sessions/end", _guarded(leave_session(sessions.end)), methods=["POST"]),
    Route("/api/tags", _guarded(tag_list, Right.LOOK)),
    Route("/api/tags/{tag:int}", _guarded(one_tag, Right.LOOK)),
    Route("/api/why/{row:int}", _guarded(why, Right.LOOK)),
    Route("/api/answers", _guarded(answers), methods=["POST"]),
    Route("/api/exports/{token}", _guarded(export_file, right=None)),
    Route("/api/review", _guarded(review, Right.REVIEW), methods=["POST"]),
    Route("/api/comments/{row:int}", _guarded(comment_list)),
    Route("/api/comments/resolve", _guarded(resolve), methods=["POST"]),
    Route("/api/comments", _guarded(comment), methods=["POST"]),
    Route("/api/ui/{file}", _guarded(component, right=None)),
    Route("/api/health", _guarded(health, right=None)),
]
