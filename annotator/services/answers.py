"""What a browser sends: items of its outbox, checked one by one."""

from dataclasses import dataclass, field
from typing import Any

from annotator.errors import BadInputError
from annotator.services.judgements import Judgement
from annotator.terms import LabelState, WorkMode

MOST_LABELS = 10_000  # in one item: a page of pictures or an image with every tag of a large vocabulary
MOST_TASKS = 500
MOST_CLIENT = 64


@dataclass(frozen=True)
class Answer:
    """One item of a client's outbox: labels as (image row, tag id, state), or the `undo` of an earlier item."""

    seq: int
    labels: tuple[tuple[int, int, LabelState], ...] = ()
    tasks: tuple[int, ...] = ()
    seconds: float | None = None
    undo: int | None = None
    undo_client: str | None = None
    """The client that gave the answer to be taken back, where it was another one: an earlier visit, another machine."""
    mode: WorkMode | None = None
    tag: int | None = None
    """The one tag that was asked about; None where all tags on the screen were."""
    session: int | None = None
    verdict: Judgement | None = None
    """A reviewer's decision instead of labels."""
    problem: str | None = None
    """What is wrong with it; such an answer is noted and acknowledged, so that those behind it do not wait."""

    @classmethod
    def received(cls, item: Any) -> "Answer":
        """An answer from decoded JSON, with its `problem` when only its number can be used.

        Raises BadInputError when even the number cannot.
        """
        if not isinstance(item, dict):
            raise BadInputError(f"an answer must be an object, not {item!r:.80}")
        if not _is_count(item.get("seq")):
            raise BadInputError(f"seq must be a whole number from 1 on, not {item.get('seq')!r:.80}")
        try:
            return cls._parsed(item["seq"], item)
        except BadInputError as error:
            return cls(item["seq"], problem=str(error))

    @classmethod
    def _parsed(cls, seq: int, item: dict[str, Any]) -> "Answer":
        labels, tasks, undo = item.get("labels", []), item.get("tasks", []), item.get("undo")
        if not isinstance(labels, list) or len(labels) > MOST_LABELS:
            raise BadInputError(f"seq {seq}: labels must be a list of at most {MOST_LABELS} [image, tag, state]")
        if not isinstance(tasks, list) or len(tasks) > MOST_TASKS or not all(_is_count(task) for task in tasks):
            raise BadInputError(f"seq {seq}: tasks must be a list of task numbers, not {tasks!r:.80}")
        if undo is not None and not _is_count(undo):
            raise BadInputError(f"seq {seq}: undo must be the seq of an earlier answer, not {undo!r:.80}")
        seconds = item.get("seconds")
        if not isinstance(seconds, int | float | None) or isinstance(seconds, bool):
            raise BadInputError(f"seq {seq}: seconds must be a number, not {seconds!r:.80}")
        return cls(
            seq, tuple(_label(seq, label) for label in labels), tuple(tasks), seconds, undo, **_circumstances(seq, item)
        )


@dataclass
class Receipt:
    """What the client learns: everything up to `acked` is safe; `problems` says what could not be used and why."""

    acked: int
    received: list[int] = field(default_factory=list)
    """Those of this request, all of them safe, also behind a hole in the numbers."""
    problems: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What the person should know of answers that were written: {seq, message}; somebody else had the question
    meanwhile, or, with the row of the `image`, what is known of a picture that was answered otherwise."""


def _circumstances(seq: int, item: dict[str, Any]) -> dict[str, Any]:
    """How the answer was given: mode, tag, session, and whose answer an undo means."""
    mode, client = item.get("mode"), item.get("undo_client")
    if mode is not None and mode not in list(WorkMode):
        raise BadInputError(f"seq {seq}: mode must be one of {', '.join(WorkMode)}, not {mode!r:.80}")
    if client is not None and not (isinstance(client, str) and 0 < len(client) <= MOST_CLIENT):
        raise BadInputError(f"seq {seq}: undo_client must be a client id, not {client!r:.80}")
    for name in ("tag", "session"):
        if item.get(name) is not None and not _is_count(item[name]):
            raise BadInputError(f"seq {seq}: {name} must be a number, not {item[name]!r:.80}")
    return {
        "undo_client": client, "tag": item.get("tag"), "session": item.get("session"),
        "mode": None if mode is None else WorkMode(mode),
        "verdict": None if item.get("verdict") is None else Judgement.received(item["verdict"]),
    }  # fmt: skip


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _label(seq: int, label: Any) -> tuple[int, int, LabelState]:
    states = {int(state) for state in LabelState}
    whole = isinstance(label, list) and len(label) == 3 and all(type(part) is int for part in label)
    if not whole or not 0 <= label[0] < 2**31 or not 0 <= label[1] < 2**31 or label[2] not in states:
        raise BadInputError(f"seq {seq}: a label must be [image row, tag id, 1 | 0 | -1], not {label!r:.80}")
    return label[0], label[1], LabelState(label[2])
