"""Answers into the store: each written once, with its history, and taken back on request."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, TableError, UnknownNameError, UsageError
from annotator.importers.addresses import local_uri
from annotator.importers.delimited import Table, open_text
from annotator.services.people import annotator_called
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import Image, ImageFile, JournalEntry, Label, Submission, Tag, Task

STATES = {"positive": LabelState.POSITIVE, "negative": LabelState.NEGATIVE, "unknown": LabelState.UNKNOWN}
COLUMNS = {"image": ("image", "file"), "tag": ("tag",), "state": ("state",), "annotator": ("annotator",)}
IN_A_QUERY = 500  # parameters; SQLite builds differ in how many they bear
MOST_LABELS = 10_000  # in one item: a page of pictures or an image with every tag of a large vocabulary


@dataclass(frozen=True)
class Change:
    """One label to be set, with why it was asked."""

    row: int
    tag_id: int
    state: LabelState
    kind: TaskKind = TaskKind.PICK
    round_number: int | None = None


@dataclass(frozen=True)
class Answer:
    """One item of a client's outbox: labels as (image row, tag id, state), or the `undo` of an earlier item."""

    seq: int
    labels: tuple[tuple[int, int, LabelState], ...] = ()
    tasks: tuple[int, ...] = ()
    seconds: float | None = None
    undo: int | None = None
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
        if not isinstance(tasks, list) or len(tasks) > IN_A_QUERY or not all(_is_count(task) for task in tasks):
            raise BadInputError(f"seq {seq}: tasks must be a list of task numbers, not {tasks!r:.80}")
        if undo is not None and not _is_count(undo):
            raise BadInputError(f"seq {seq}: undo must be the seq of an earlier answer, not {undo!r:.80}")
        seconds = item.get("seconds")
        if not isinstance(seconds, int | float | None) or isinstance(seconds, bool):
            raise BadInputError(f"seq {seq}: seconds must be a number, not {seconds!r:.80}")
        return cls(seq, tuple(_label(seq, label) for label in labels), tuple(tasks), seconds, undo)


@dataclass
class Receipt:
    """What the client learns: everything up to `acked` is safe; `problems` says what could not be used and why."""

    acked: int
    problems: list[dict[str, Any]] = field(default_factory=list)


def record(workspace: Workspace, annotator: str, client: str, answers: Sequence[Answer]) -> Receipt:
    """Write `answers` of one client once, in the order of their numbers, and acknowledge them.

    An answer that names an unknown image, tag or task is acknowledged too, with its problem: sending it again
    would not make it better, and the ones behind it must not wait.
    """
    if not client or len(client) > 64:
        raise BadInputError(f"client id {client[:80]!r}: give 1 to 64 characters")
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        seen = set(session.scalars(select(Submission.seq).where(Submission.client == client)))
        receipt = Receipt(0)
        for answer in sorted(answers, key=lambda answer: answer.seq):
            if answer.seq in seen:
                continue
            seen.add(answer.seq)
            submission = Submission(
                client=client, seq=answer.seq, annotator_id=person.id, seconds=answer.seconds, at=datetime.now(UTC)
            )
            session.add(submission)
            session.flush()
            submission.problem = _apply(session, submission, answer)
            if submission.problem:
                receipt.problems.append({"seq": answer.seq, "message": submission.problem})
        receipt.acked = _without_hole(seen)
    return receipt


def set_labels(
    workspace: Workspace, annotator: str, labels: Iterable[tuple[int, int, LabelState]], kind: TaskKind = TaskKind.PICK
) -> int:
    """Set `labels` (image row, tag id, state) as `annotator`; how many changed something."""
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        changes = [Change(row, tag_id, state, kind) for row, tag_id, state in labels]
        return _write(session, person.id, changes, None, datetime.now(UTC))


def label_by_name(workspace: Workspace, image: str, tag: str, state: str, annotator: str) -> dict[str, Any]:
    """`annotator label`: one label by names. An image is named by its row, its path or the start of its sha256."""
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    with workspace.transaction() as session:
        row, tag_id = find_image(session, image), find_tag(session, tag).id
        person = annotator_called(session, annotator)
        changed = _write(session, person.id, [Change(row, tag_id, STATES[state])], None, datetime.now(UTC))
    return {"image": row, "tag": tag, "state": state, "changed": bool(changed)}


@dataclass
class FileReport:
    written: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)


def label_from_file(workspace: Workspace, file: Path, annotator: str) -> FileReport:
    """`annotator label --from`: a CSV with image,tag,state[,annotator]; bad lines are listed, the others written."""
    report = FileReport()
    errors: list[TableError] = []
    uri = local_uri(file)
    with open_text(uri) as stream, workspace.transaction() as session:
        at = datetime.now(UTC)
        table = Table(uri, stream, COLUMNS, optional=("annotator",))
        for line, cells in table.records(errors):
            image, tag, state = (table.cell(cells, column).strip() for column in ("image", "tag", "state"))
            try:
                if state not in STATES:
                    raise UnknownNameError("state", state, STATES)
                change = Change(find_image(session, image), find_tag(session, tag).id, STATES[state])
                person = annotator_called(session, table.cell(cells, "annotator") or annotator)
            except (UsageError, BadInputError) as error:
                errors.append(TableError(str(file), line, str(error)))
                continue
            changed = _write(session, person.id, [change], None, at)
            report.written += changed
            report.unchanged += 1 - changed
    report.refused = [str(error) for error in errors]
    return report


def find_image(session: Session, name: str) -> int:
    """The row of the image called `name`: its row, its path (or the end of it), or the start of its sha256."""
    if name.isdigit() and len(name) < 10 and session.get(Image, int(name)) is not None:
        return int(name)
    path = str(Path(name).expanduser().absolute())
    exact = session.scalar(select(ImageFile.image_row).where(ImageFile.uri.in_([name, path])))
    if exact is not None:
        return exact
    query = select(ImageFile.image_row).where(ImageFile.uri.endswith("/" + name, autoescape=True)).distinct()
    found = list(session.scalars(query.limit(2)))
    if not found and len(name) >= 8:
        found = list(session.scalars(select(Image.row).where(Image.sha256.startswith(name, autoescape=True)).limit(2)))
    if len(found) == 1:
        return found[0]
    problem = "fits several images; give more of its path" if found else "is not in this workspace; give a row or path"
    raise BadInputError(f"image {name!r} {problem}")


def find_tag(session: Session, name: str) -> Tag:
    """The tag called `name`, in any case, or with it as a synonym."""
    key = " ".join(name.split()).casefold()
    tag = session.scalar(select(Tag).where(Tag.key == key, Tag.archived.is_(False)))
    if tag is not None:
        return tag
    tags = list(session.scalars(select(Tag).where(Tag.archived.is_(False))))
    for tag in tags:
        if key in (synonym.casefold() for synonym in tag.synonyms):
            return tag
    raise UnknownNameError("tag", name, [tag.name for tag in tags])


def answered_count(session: Session) -> int:
    """Images on which at least one person answered."""
    return session.scalar(select(func.count(Label.image_row.distinct()))) or 0


def _apply(session: Session, submission: Submission, answer: Answer) -> str | None:
    """Write one answer; the problem in words when it names something that is not there."""
    if answer.problem:
        return answer.problem
    if answer.undo is not None:
        return _undo(session, submission, answer.undo)
    tasks = list(session.scalars(select(Task).where(Task.id.in_(answer.tasks))))
    kinds = {(task.image_row, task.tag_id): task for task in tasks}
    rows = {row for row, _, _ in answer.labels}
    tags = {tag for _, tag, _ in answer.labels}
    missing = rows - set(session.scalars(select(Image.row).where(Image.row.in_(rows))))
    unknown = tags - set(session.scalars(select(Tag.id).where(Tag.id.in_(tags))))
    if missing or unknown:
        return f"no image {sorted(missing)[:5]} or no tag {sorted(unknown)[:5]} in this workspace; nothing was written"
    changes = []
    for row, tag, state in answer.labels:
        task = kinds.get((row, tag)) or kinds.get((row, None))
        kind, number = (task.kind, task.round_number) if task else (TaskKind.PICK, None)
        changes.append(Change(row, tag, state, kind, number))
    _write(session, submission.annotator_id, changes, submission.id, submission.at)
    for task in tasks:
        if task.done_at is None:
            task.done_at, task.annotator_id = submission.at, submission.annotator_id
    return None


def _write(
    session: Session, annotator_id: int, changes: Sequence[Change], submission_id: int | None, at: datetime
) -> int:
    """Make `changes` what the annotator says now and note each in the journal; how many changed a state.

    In bulk, because one image can carry answers on every tag of a large vocabulary.
    """
    present = _present(session, annotator_id, {change.row for change in changes})
    latest = {(change.row, change.tag_id): change for change in changes}
    journal, fresh, changed = [], [], []
    for (row, tag_id), change in latest.items():
        label_id, previous = present.get((row, tag_id), (None, None))
        values = {"state": change.state, "kind": change.kind, "round_number": change.round_number, "at": at}
        if label_id is None:
            fresh.append({"image_row": row, "tag_id": tag_id, "annotator_id": annotator_id, **values})
        else:
            changed.append({"id": label_id, **values})
        journal.append(
            {
                "image_row": row, "tag_id": tag_id, "annotator_id": annotator_id, "state": change.state,
                "previous": previous, "kind": change.kind, "submission_id": submission_id, "at": at,
            }
        )  # fmt: skip
    if fresh:
        session.execute(insert(Label), fresh)
    if changed:
        session.execute(update(Label), changed)
    if journal:
        session.execute(insert(JournalEntry), journal)
    _close_questions(session, annotator_id, set(latest), at)
    return sum(entry["previous"] != entry["state"] for entry in journal)


def _close_questions(session: Session, annotator_id: int, pairs: set[tuple[int, int]], at: datetime) -> None:
    """End the open questions about just these tags on these images: whoever asked, they are answered now."""
    rows = sorted({row for row, _ in pairs})
    for start in range(0, len(rows), IN_A_QUERY):
        waiting = select(Task).where(
            Task.image_row.in_(rows[start : start + IN_A_QUERY]), Task.tag_id.is_not(None), Task.done_at.is_(None)
        )
        for task in session.scalars(waiting):
            if (task.image_row, task.tag_id) in pairs:
                task.done_at, task.annotator_id = at, annotator_id


def _present(
    session: Session, annotator_id: int, rows: Collection[int]
) -> dict[tuple[int, int], tuple[int, LabelState]]:
    """(label id, state) by (image row, tag id) of what the annotator said on `rows`."""
    found: dict[tuple[int, int], tuple[int, LabelState]] = {}
    ordered = sorted(rows)
    for start in range(0, len(ordered), IN_A_QUERY):
        query = select(Label.id, Label.image_row, Label.tag_id, Label.state).where(
            Label.annotator_id == annotator_id, Label.image_row.in_(ordered[start : start + IN_A_QUERY])
        )
        found.update({(row.image_row, row.tag_id): (row.id, row.state) for row in session.execute(query)})
    return found


def _undo(session: Session, submission: Submission, seq: int) -> str | None:
    """Put back what stood before the client's answer `seq`, and its tasks into the person's hands."""
    undone = session.scalar(select(Submission).where(Submission.client == submission.client, Submission.seq == seq))
    if undone is None or undone.annotator_id != submission.annotator_id:
        return f"there is no answer {seq} of this client to take back"
    entries = list(
        session.scalars(select(JournalEntry).where(JournalEntry.submission_id == undone.id).order_by(JournalEntry.id))
    )
    for entry in reversed(entries):
        label = session.scalar(
            select(Label).where(
                Label.image_row == entry.image_row,
                Label.tag_id == entry.tag_id,
                Label.annotator_id == entry.annotator_id,
            )
        )
        if label is None or label.state != entry.state:
            continue  # answered anew since: the newer answer stands
        session.add(
            JournalEntry(
                image_row=entry.image_row, tag_id=entry.tag_id, annotator_id=entry.annotator_id, state=entry.previous,
                previous=entry.state, kind=entry.kind, submission_id=submission.id, at=submission.at,
            )
        )  # fmt: skip
        if entry.previous is None:
            session.delete(label)
        else:
            label.state, label.at = entry.previous, submission.at
    rows = {entry.image_row for entry in entries}
    reopened = select(Task).where(
        Task.image_row.in_(rows), Task.done_at == undone.at, Task.annotator_id == undone.annotator_id
    )
    for task in session.scalars(reopened):
        task.done_at = None
    return None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _label(seq: int, label: Any) -> tuple[int, int, LabelState]:
    states = {int(state) for state in LabelState}
    whole = isinstance(label, list) and len(label) == 3 and all(type(part) is int for part in label)
    if not whole or not 0 <= label[0] < 2**31 or not 0 <= label[1] < 2**31 or label[2] not in states:
        raise BadInputError(f"seq {seq}: a label must be [image row, tag id, 1 | 0 | -1], not {label!r:.80}")
    return label[0], label[1], LabelState(label[2])


def _without_hole(seen: set[int]) -> int:
    """The highest number up to which every number from 1 on was seen."""
    highest = 0
    while highest + 1 in seen:
        highest += 1
    return highest
