"""`annotator watch`: new pictures come in by themselves, new labels go out to a webhook, each until it is heard.

A delivery is the journal's entries from the last acknowledged one on. What is being sent is written down first, so that
after a restart the very same delivery, under the same name, is tried again: a receiver that remembers the name of the
last one it took never takes a label twice.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from filelock import FileLock, Timeout
from sqlalchemy import func, select

from annotator.arrays import write_whole
from annotator.errors import ConflictError, MissingError, UsageError
from annotator.services import embedding, suggesting
from annotator.services.importing import import_pictures
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Annotator, Image, JournalEntry, Tag

PART = 256  # images looked at together
MOST = 500  # labels of one delivery: about 150 kB
TIMEOUT = 30.0  # seconds a receiver may take to answer
LONGEST_WAIT = 300.0  # seconds between two tries
FIRST_WAIT = 1.0
NAME, SIGNATURE = "X-Annotator-Delivery", "X-Annotator-Signature"


@dataclass(frozen=True)
class Plan:
    """What to watch.

    folder: pictures are imported from it. webhook: labels are posted to it, signed with `secret` where there is one;
    those from before the first watching only with `all_labels`.
    """

    folder: Path | None = None
    webhook: str | None = None
    secret: str | None = None
    all_labels: bool = False


@dataclass
class Watched:
    """What a watcher did since it began. `problem`: why the last delivery did not arrive; "" after one that did."""

    turns: int = 0
    images: int = 0
    embedded: int = 0
    refused: int = 0
    deliveries: int = 0
    labels: int = 0
    failures: int = 0
    problem: str = ""


@needs(Right.IMPORT)
def watch(
    workspace: Workspace,
    plan: Plan,
    pause: Callable[[], bool],
    tell: Callable[[Watched], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> Watched:
    """Turn after turn, until `pause` says that it is enough; `pause` waits between two turns, `tell` hears of each.

    Raises UsageError for a plan with nothing in it or an address that cannot be posted to, MissingError for a folder
    that is not there, ConflictError where another watcher is at work.
    """
    _check(plan)
    lock = FileLock(workspace.folder / "watch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConflictError(f"another `annotator watch` is at work in {workspace.folder}; end it first") from error
    with lock:
        watched = Watched()
        post = Post(workspace, plan.webhook, plan.secret, all_labels=plan.all_labels) if plan.webhook else None
        while True:
            if plan.folder is not None:
                _bring_in(workspace, plan.folder, watched)
            if post is not None:
                post.deliver(watched, clock())
            watched.turns += 1
            tell(watched)
            if pause():
                return watched


def _check(plan: Plan) -> None:
    if plan.folder is None and plan.webhook is None:
        raise UsageError("nothing to watch; give --folder, --webhook or both")
    if plan.folder is not None and not plan.folder.is_dir():
        raise MissingError(f"{plan.folder} is no folder; make it, or name another one")
    if plan.webhook is not None:
        parts = urlsplit(plan.webhook)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"webhook {plan.webhook!r}: give an address that begins with http:// or https://")


def _bring_in(workspace: Workspace, folder: Path, watched: Watched) -> None:
    """New pictures of the folder, with their vectors and suggestions where a backbone is in use.

    A picture that is still being copied is refused as cut off, and taken once it is whole.
    """
    report = import_pictures(workspace, [folder])
    watched.images += report.added
    watched.refused += len(report.refused)
    spec = embedding.current_spec(workspace)
    if report.added and spec is not None:
        watched.embedded += embedding.embed(workspace, spec).new
        suggesting.refresh(workspace)


@dataclass
class _State:
    """How far a webhook is: entries up to `acknowledged` arrived; those up to `sending` are on their way."""

    url: str
    acknowledged: int = 0
    sending: int = 0


@dataclass
class Post:
    """Labels on their way to one address."""

    workspace: Workspace
    url: str
    secret: str | None = None
    all_labels: bool = False
    _wait: float = 0.0
    _not_before: float = 0.0
    _opener: OpenerDirector = field(default_factory=lambda: build_opener(_NoRedirect))

    def deliver(self, watched: Watched, now: float) -> None:
        """Send what is new until it all arrived or something goes wrong; then nothing for a while, longer each time."""
        if now < self._not_before:
            return
        while (delivery := self._next()) is not None:
            state, body = delivery
            problem = self._post(f"{state.acknowledged + 1}-{state.sending}", body)
            watched.problem = problem
            if problem:
                watched.failures += 1
                self._wait = min(max(2 * self._wait, FIRST_WAIT), LONGEST_WAIT)
                self._not_before = now + self._wait
                return
            self._write(_State(self.url, state.sending, state.sending))
            self._wait = 0.0
            watched.deliveries += 1
            watched.labels += len(json.loads(body)["labels"])

    @property
    def file(self) -> Path:
        return self.workspace.folder / "watch" / f"{hashlib.sha256(self.url.encode()).hexdigest()[:16]}.json"

    def _next(self) -> tuple[_State, bytes] | None:
        """The delivery that was begun and did not arrive, or the next one; None when all arrived."""
        state = self._read()
        with self.workspace.reading() as session:
            query = select(JournalEntry.id).where(JournalEntry.id > state.acknowledged).order_by(JournalEntry.id)
            if state.sending > state.acknowledged:
                query = query.where(JournalEntry.id <= state.sending)
            ids = list(session.scalars(query.limit(MOST)))
        if not ids:
            return None
        state.sending = ids[-1]
        self._write(state)
        return state, self._body(state, ids)

    def _body(self, state: _State, ids: list[int]) -> bytes:
        with self.workspace.reading() as session:
            entries = session.execute(
                select(
                    JournalEntry.id, JournalEntry.image_row, Image.sha256, JournalEntry.tag_id, Tag.name,
                    Annotator.name, JournalEntry.state, JournalEntry.previous, JournalEntry.at,
                )
                .join(Image, Image.row == JournalEntry.image_row)
                .join(Tag, Tag.id == JournalEntry.tag_id)
                .join(Annotator, Annotator.id == JournalEntry.annotator_id)
                .where(JournalEntry.id >= ids[0], JournalEntry.id <= ids[-1])
                .order_by(JournalEntry.id)
            ).all()  # fmt: skip
        accepted = _Accepted(self.workspace)
        labels = [
            {
                "id": number, "image": row, "file": accepted.file(row), "sha256": sha256, "tag": tag, "by": by,
                "state": _name(said), "previous": _name(before), "accepted": accepted.state(row, tag_id),
                "at": at.isoformat(),
            }
            for number, row, sha256, tag_id, tag, by, said, before, at in entries
        ]  # fmt: skip
        name = f"{state.acknowledged + 1}-{state.sending}"
        return json.dumps({"delivery": name, "labels": labels}, ensure_ascii=False).encode()

    def _post(self, name: str, body: bytes) -> str:
        """What went wrong, in words; "" where the receiver answered with a status from 200 to 299."""
        headers = {"Content-Type": "application/json", "User-Agent": "annotator", NAME: name}
        if self.secret:
            headers[SIGNATURE] = signature(self.secret, body)
        try:
            with self._opener.open(Request(self.url, body, headers, method="POST"), timeout=TIMEOUT) as answer:
                answer.read(1 << 16)
            return ""
        except HTTPError as error:
            with error:
                return f"delivery {name} to {_shown(self.url)}: the answer was {error.code} {error.reason}"
        except (URLError, HTTPException, OSError, ValueError) as error:
            return f"delivery {name} to {_shown(self.url)}: {error}"

    def _read(self) -> _State:
        if self.file.exists():
            return _State(**json.loads(self.file.read_text()))
        state = _State(self.url)
        if not self.all_labels:
            with self.workspace.reading() as session:
                state.acknowledged = state.sending = session.scalar(select(func.max(JournalEntry.id))) or 0
        self._write(state)
        return state

    def _write(self, state: _State) -> None:
        write_whole(self.file, json.dumps(asdict(state)).encode())


class _Accepted:
    """What the vote policy makes of pairs, as a snapshot sees it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.parts: dict[int, Snapshot] = {}

    def file(self, row: int) -> str:
        return self._part(row).files[row % PART]

    def state(self, row: int, tag_id: int) -> str | None:
        """None where nothing is accepted (any more), or the tag is in use no longer."""
        part = self._part(row)
        column = next((place for place, tag in enumerate(part.tags) if tag.id == tag_id), None)
        if column is None or part.origins[row % PART, column] == Origin.NOBODY:
            return None
        return _name(LabelState(part.labels[row % PART, column]))

    def _part(self, row: int) -> Snapshot:
        """The snapshot of the images around one: labels come in clusters, and all images are too many to look at."""
        start = row - row % PART
        if start not in self.parts:
            self.parts[start] = take(self.workspace, range(start, start + PART))
        return self.parts[start]


class _NoRedirect(HTTPRedirectHandler):
    """A receiver that moved is told of, not followed: the labels were meant for this address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def signature(secret: str, body: bytes) -> str:
    """The value of the header X-Annotator-Signature: HMAC-SHA256 of the body, in hexadecimal digits."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _name(state: LabelState | None) -> str | None:
    return None if state is None else state.name.lower()


def _shown(url: str) -> str:
    """An address without the name, password and question in it, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
