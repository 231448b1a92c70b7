"""Answers into the store: each written once, with its history, and taken back on request."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from annotator.errors import BadInputError
from annotator.services.answers import MOST_CLIENT, Answer, Receipt
from annotator.services.people import annotator_called
from annotator.terms import LabelState, TaskKind, WorkMode
from annotator.workspace import Workspace
from db.models import Image, JournalEntry, Label, LabellingSession, Submission, Tag, Task

IN_A_QUERY = 500  # parameters; SQLite builds differ in how many they bear
ATTEMPTS = 4


@dataclass(frozen=True)
class Change:
    """One label to be set, with why it was asked."""

    row: int
    tag_id: int
    state: LabelState
    kind: TaskKind = TaskKind.PICK
    round_number: int | None = None


def record(workspace: Workspace, annotator: str, client: str, answers: Sequence[Answer]) -> Receipt:
    """Write `answers` of one client once, in the order of their numbers, and acknowledge them.

    An answer that names an unknown image, tag or task is acknowledged too, with its problem: sending it again
    would not make it better, and the ones behind it must not wait.
    """
    if not client or len(client) > MOST_CLIENT:
        raise BadInputError(f"client id {client[:80]!r}: give 1 to {MOST_CLIENT} characters")
    for attempt in range(ATTEMPTS):
        try:
            with workspace.transaction() as session:
                return _record(session, annotator, client, sorted(answers, key=lambda answer: answer.seq))
        except IntegrityError:
            # A store with several writers: the same answer, label or name was written between our look and our write.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _record(session: Session, annotator: str, client: str, answers: Sequence[Answer]) -> Receipt:
    person = annotator_called(session, annotator)
    first = answers[0].seq if answers else 1
    mine = Submission.client == client
    seen = set(session.scalars(select(Submission.seq).where(mine, Submission.seq >= first)))
    receipt = Receipt(0)
    for answer in answers:
        if answer.seq in seen:
            continue
        seen.add(answer.seq)
        submission = _submission(session, person.id, client, answer)
        submission.problem = _apply(session, submission, answer, receipt)
        if submission.problem:
            receipt.problems.append({"seq": answer.seq, "message": submission.problem})
    before = session.scalar(select(func.count(Submission.id)).where(mine, Submission.seq < first)) or 0
    if before < first - 1:
        first, seen = 1, set(session.scalars(select(Submission.seq).where(mine)))
    receipt.acked = _without_hole(first, seen)
    return receipt


def _submission(session: Session, annotator_id: int, client: str, answer: Answer) -> Submission:
    """The answer as it came, with how it was given; a session or tag that is not there is left out."""
    labelling_session = session.get(LabellingSession, answer.session) if answer.session else None
    at = datetime.now(UTC)
    if labelling_session is not None and labelling_session.annotator_id == annotator_id:
        labelling_session.seen_at = at
    else:
        labelling_session = None
    submission = Submission(
        client=client, seq=answer.seq, annotator_id=annotator_id, seconds=answer.seconds, at=at,
        session_id=labelling_session.id if labelling_session else None, mode=answer.mode,
        tag_id=answer.tag if answer.tag and session.get(Tag, answer.tag) else None,
        pictures=len({row for row, _, _ in answer.labels}), labels=len(answer.labels), undone=False,
    )  # fmt: skip
    session.add(submission)
    session.flush()
    return submission


def set_labels(
    workspace: Workspace, annotator: str, labels: Iterable[tuple[int, int, LabelState]], kind: TaskKind = TaskKind.PICK
) -> int:
    """Set `labels` (image row, tag id, state) as `annotator`; how many changed something."""
    with workspace.transaction() as session:
        return write_labels(session, annotator, labels, kind)


def write_labels(
    session: Session, annotator: str, labels: Iterable[tuple[int, int, LabelState]], kind: TaskKind = TaskKind.PICK
) -> int:
    """`set_labels` inside a transaction that is open already."""
    person = annotator_called(session, annotator)
    changes = [Change(row, tag_id, state, kind) for row, tag_id, state in labels]
    return _write(session, person.id, changes, None, datetime.now(UTC))


def answered_count(session: Session) -> int:
    """Images on which at least one person answered."""
    return session.scalar(select(func.count(Label.image_row.distinct()))) or 0


def _apply(session: Session, submission: Submission, answer: Answer, receipt: Receipt) -> str | None:
    """Write one answer; the problem in words when it names something that is not there."""
    if answer.problem:
        return answer.problem
    if answer.undo is not None:
        return _undo(session, submission, answer.undo_client or submission.client, answer.undo)
    tasks = list(session.scalars(select(Task).where(Task.id.in_(answer.tasks))))
    missing = _absent(session, Image.row, {row for row, _, _ in answer.labels})
    unknown = _absent(session, Tag.id, {tag for _, tag, _ in answer.labels})
    if missing or unknown:
        return f"no image {missing[:5]} or no tag {unknown[:5]} in this workspace; nothing was written"
    asked = {(task.image_row, task.tag_id): task for task in tasks}
    unasked = TaskKind.BULK if answer.mode == WorkMode.BULK else TaskKind.PICK
    changes = []
    for row, tag, state in answer.labels:
        task = asked.get((row, tag)) or asked.get((row, None))
        kind, number = (task.kind, task.round_number) if task else (unasked, None)
        changes.append(Change(row, tag, state, kind, number))
    _write(session, submission.annotator_id, changes, submission.id, submission.at)
    taken = [task for task in tasks if _is_somebody_elses(task, submission)]
    if taken:
        message = f"the lease had ended and somebody else got {len(taken)} of these questions; both answers are kept"
        receipt.notes.append({"seq": answer.seq, "message": message})
    for task in tasks:
        if task.done_at is None:
            task.done_at, task.annotator_id = submission.at, submission.annotator_id
    return None


def _is_somebody_elses(task: Task, submission: Submission) -> bool:
    if task.annotator_id in (None, submission.annotator_id):
        return False
    return task.done_at is not None or (task.leased_until is not None and task.leased_until > submission.at)


def _absent(session: Session, column: InstrumentedAttribute[int], wanted: Collection[int]) -> list[int]:
    """Those of `wanted` that `column` does not hold."""
    found: set[int] = set()
    for part in parts(wanted):
        found.update(session.scalars(select(column).where(column.in_(part))))
    return sorted(set(wanted) - found)


def parts(wanted: Collection[int]) -> Iterator[list[int]]:
    """`wanted` in lists that one query bears."""
    ordered = sorted(wanted)
    for start in range(0, len(ordered), IN_A_QUERY):
        yield ordered[start : start + IN_A_QUERY]


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
    for part in parts({row for row, _ in pairs}):
        waiting = select(Task).where(Task.image_row.in_(part), Task.tag_id.is_not(None), Task.done_at.is_(None))
        for task in session.scalars(waiting):
            if (task.image_row, task.tag_id) in pairs:
                task.done_at, task.annotator_id = at, annotator_id


def _present(
    session: Session, annotator_id: int, rows: Collection[int]
) -> dict[tuple[int, int], tuple[int, LabelState]]:
    """(label id, state) by (image row, tag id) of what the annotator said on `rows`."""
    found: dict[tuple[int, int], tuple[int, LabelState]] = {}
    for part in parts(rows):
        query = select(Label.id, Label.image_row, Label.tag_id, Label.state).where(
            Label.annotator_id == annotator_id, Label.image_row.in_(part)
        )
        found.update({(row.image_row, row.tag_id): (row.id, row.state) for row in session.execute(query)})
    return found


def _undo(session: Session, submission: Submission, client: str, seq: int) -> str | None:
    """Put back what stood before the answer `seq` of `client`, and its questions into the person's hands."""
    undone = session.scalar(select(Submission).where(Submission.client == client, Submission.seq == seq))
    if undone is None or undone.annotator_id != submission.annotator_id:
        return f"there is no answer {seq} of this client to take back"
    if undone.undone:
        return None  # another tab was first
    undone.undone = True
    entries = list(
        session.scalars(select(JournalEntry).where(JournalEntry.submission_id == undone.id).order_by(JournalEntry.id))
    )
    for entry in reversed(entries):
        _put_back(session, submission, entry)
    for part in parts({entry.image_row for entry in entries}):
        reopened = select(Task).where(
            Task.image_row.in_(part), Task.done_at == undone.at, Task.annotator_id == undone.annotator_id
        )
        for task in session.scalars(reopened):
            task.done_at = None
    return None


def _put_back(session: Session, submission: Submission, entry: JournalEntry) -> None:
    """Make one label what it was before the journal's `entry`; a newer answer on it stands."""
    triple = (entry.image_row, entry.tag_id, entry.annotator_id)
    label = session.scalar(select(Label).where(*_of(Label, triple)))
    if label is None or label.state != entry.state:
        return
    session.add(
        JournalEntry(
            image_row=entry.image_row, tag_id=entry.tag_id, annotator_id=entry.annotator_id, state=entry.previous,
            previous=entry.state, kind=entry.kind, submission_id=submission.id, at=submission.at,
        )
    )  # fmt: skip
    if entry.previous is None:
        session.delete(label)
        return
    earlier = select(JournalEntry.kind).where(*_of(JournalEntry, triple), JournalEntry.id < entry.id)
    kind = session.scalar(earlier.order_by(JournalEntry.id.desc()).limit(1))
    label.state, label.at, label.kind = entry.previous, submission.at, kind or label.kind


def _of(table: type[Label] | type[JournalEntry], triple: tuple[int, int, int]) -> tuple[ColumnElement[bool], ...]:
    row, tag_id, annotator_id = triple
    return table.image_row == row, table.tag_id == tag_id, table.annotator_id == annotator_id


def _without_hole(first: int, seen: set[int]) -> int:
    """The highest number up to which every number from `first` on was seen."""
    highest = first - 1
    while highest + 1 in seen:
        highest += 1
    return highest
