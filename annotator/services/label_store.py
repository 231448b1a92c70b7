"""Labels and their journal as rows: written in bulk, and taken back to what stands without an answer."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from annotator.terms import LabelState, TaskKind
from db.models import JournalEntry, Label, Submission, Task, VocabularyChange

IN_A_QUERY = 500  # parameters; SQLite builds differ in how many they bear
UNDO = "undo"  # the kind of a change of the vocabulary that takes back another one
Pair = tuple[int, int]
"""(image row, tag id)"""


@dataclass(frozen=True)
class Change:
    """One label to be set, with why it was asked. `because`: the tag whose label it follows from, where nobody said it.

    A change that nobody asked for (`asked` False) keeps the kind and round of the label it changes: what was drawn at
    random, or for an audit, still was.
    """

    row: int
    tag_id: int
    state: LabelState
    kind: TaskKind = TaskKind.PICK
    round_number: int | None = None
    asked: bool = False
    because: int | None = None


@dataclass(frozen=True)
class Standing:
    """What an annotator says of one tag on one image now."""

    id: int
    state: LabelState
    kind: TaskKind
    round_number: int | None
    because: int | None = None


def parts(wanted: Collection[int]) -> Iterator[list[int]]:
    """`wanted` in lists that one query bears."""
    ordered = sorted(wanted)
    for start in range(0, len(ordered), IN_A_QUERY):
        yield ordered[start : start + IN_A_QUERY]


def write(
    session: Session, annotator_id: int, changes: Sequence[Change], submission_id: int | None, at: datetime
) -> int:
    """Make `changes` what the annotator says now and note each in the journal; how many changed a state.

    In bulk, because one image can carry answers on every tag of a large vocabulary.
    """
    present = standing(session, annotator_id, {change.row for change in changes})
    latest = {(change.row, change.tag_id): change for change in changes}
    journal, fresh, changed = [], [], []
    for (row, tag_id), change in latest.items():
        before = present.get((row, tag_id))
        keeps = before is not None and not change.asked
        why = {
            "kind": before.kind if before and keeps else change.kind,
            "round_number": before.round_number if before and keeps else change.round_number,
            "because_id": change.because,
        }
        key = {"image_row": row, "tag_id": tag_id, "annotator_id": annotator_id}
        if before is None:
            fresh.append({**key, "state": change.state, **why, "at": at})
        else:
            changed.append({"id": before.id, "state": change.state, **why, "at": at})
        previous = before.state if before else None
        entry = {**key, "state": change.state, "previous": previous, **why, "submission_id": submission_id, "at": at}
        journal.append(entry)
    _execute(session, fresh, changed, [], journal)
    counted = {pair for pair, change in latest.items() if change.kind != TaskKind.GOLD}
    _close_questions(session, annotator_id, counted, at)
    return sum(entry["previous"] != entry["state"] for entry in journal)


def standing(session: Session, annotator_id: int, rows: Collection[int]) -> dict[Pair, Standing]:
    """What the annotator says on `rows`."""
    found: dict[Pair, Standing] = {}
    for part in parts(rows):
        query = select(
            Label.image_row, Label.tag_id, Label.id, Label.state, Label.kind, Label.round_number, Label.because_id
        ).where(Label.annotator_id == annotator_id, Label.image_row.in_(part))
        for row, tag, number, state, kind, round_number, because in session.execute(query):
            found[row, tag] = Standing(number, state, kind, round_number, because)
    return found


def take_back(session: Session, undone: Submission, by: Submission, lease: timedelta) -> set[int]:
    """Undo the answer `undone` for the submission `by`: each of its labels becomes what the newest answer that stands
    says, or goes; its questions are in the person's hands again for `lease`. The images it was about."""
    undone.undone = True
    session.flush()
    of_it = select(JournalEntry.image_row, JournalEntry.tag_id).where(JournalEntry.submission_id == undone.id)
    pairs = {(row, tag) for row, tag in session.execute(of_it)}
    rows = {row for row, _ in pairs}
    restore(session, undone.annotator_id, pairs, by.at, submission_id=by.id)
    for part in parts(rows):
        reopened = (
            update(Task)
            .where(Task.image_row.in_(part), Task.done_at == undone.at, Task.annotator_id == undone.annotator_id)
            .values(done_at=None, leased_until=by.at + lease)
        )
        session.execute(reopened)
    return rows


def restore(
    session: Session,
    annotator_id: int,
    pairs: Collection[Pair],
    at: datetime,
    *,
    submission_id: int | None = None,
    change_id: int | None = None,
) -> int:
    """Make each of `pairs` what the annotator's newest answer that stands says, or nothing where none does; how many
    that changed."""
    rows = {row for row, _ in pairs}
    now = standing(session, annotator_id, rows)
    wanted = _answers_that_stand(session, annotator_id, rows)
    fresh, changed, gone, journal = [], [], [], []
    for row, tag in sorted(pairs):
        label, entry = now.get((row, tag)), wanted.get((row, tag))
        if _agrees(label, entry):
            continue
        key = {"image_row": row, "tag_id": tag, "annotator_id": annotator_id}
        values = {"at": at, **_why(entry, label)}
        state = entry.state if entry else None
        if label is None:
            fresh.append({**key, "state": state, **values})
        elif entry is None:
            gone.append(label.id)
        else:
            changed.append({"id": label.id, "state": state, **values})
        noted = {"state": state, "previous": label.state if label else None}
        journal.append({**key, **noted, **values, "submission_id": submission_id, "change_id": change_id})
    _execute(session, fresh, changed, gone, journal)
    return len(journal)


def withdraw(
    session: Session, annotator_id: int, gone: dict[Pair, Standing], submission_id: int | None, at: datetime
) -> None:
    """Take labels away that follow from nothing any more."""
    journal = [
        {
            "image_row": row, "tag_id": tag, "annotator_id": annotator_id, "state": None, "previous": label.state,
            "kind": label.kind, "round_number": label.round_number, "because_id": label.because,
            "submission_id": submission_id, "at": at,
        }
        for (row, tag), label in sorted(gone.items())
    ]  # fmt: skip
    _execute(session, [], [], [label.id for label in gone.values()], journal)


def _why(entry: JournalEntry | None, label: Standing | None) -> dict[str, Any]:
    if entry is not None:
        return {"kind": entry.kind, "round_number": entry.round_number, "because_id": entry.because_id}
    if label is not None:
        return {"kind": label.kind, "round_number": label.round_number, "because_id": label.because}
    return {}


def _answers_that_stand(session: Session, annotator_id: int, rows: Collection[int]) -> dict[Pair, JournalEntry]:
    """The entry of an annotator about each pair on `rows` that its label goes by: the newest answer, or change of the
    vocabulary, that was not taken back; without one what followed last from others."""
    said: dict[Pair, JournalEntry] = {}
    implied: dict[Pair, JournalEntry] = {}
    answered = or_(
        JournalEntry.submission_id.is_(None),
        (Submission.labels > 0) & Submission.undone.is_(False),
        # What follows is worked out anew at every answer and undo: the newest holds, whoever made it.
        JournalEntry.because_id.is_not(None),
    )
    changed = or_(
        JournalEntry.change_id.is_(None), VocabularyChange.undone.is_(False) & (VocabularyChange.kind != UNDO)
    )
    for part in parts(rows):
        query = (
            select(JournalEntry)
            .outerjoin(Submission, Submission.id == JournalEntry.submission_id)
            .outerjoin(VocabularyChange, VocabularyChange.id == JournalEntry.change_id)
            .where(JournalEntry.annotator_id == annotator_id, JournalEntry.image_row.in_(part), answered, changed)
            .order_by(JournalEntry.id)
        )
        for entry in session.scalars(query):
            pair = entry.image_row, entry.tag_id
            (said if entry.because_id is None else implied)[pair] = entry
            if entry.state is None and entry.because_id is None:
                implied.pop(pair, None)  # its labels were moved to another tag
    stands = {pair: entry for pair, entry in implied.items() if entry.state is not None}
    return {**stands, **{pair: entry for pair, entry in said.items() if entry.state is not None}}


def _agrees(label: Standing | None, entry: JournalEntry | None) -> bool:
    if label is None or entry is None:
        return label is None and entry is None
    return (label.state, label.kind, label.round_number, label.because) == (
        entry.state, entry.kind, entry.round_number, entry.because_id,
    )  # fmt: skip


def _execute(
    session: Session,
    fresh: list[dict[str, Any]],
    changed: list[dict[str, Any]],
    gone: list[int],
    journal: list[dict[str, Any]],
) -> None:
    if fresh:
        session.execute(insert(Label), fresh)
    if changed:
        session.execute(update(Label), changed)
    for part in parts(gone):
        session.execute(delete(Label).where(Label.id.in_(part)))
    if journal:
        session.execute(insert(JournalEntry), journal)


def _close_questions(session: Session, annotator_id: int, pairs: set[Pair], at: datetime) -> None:
    """End one open question about each of just these tags on these images: whoever asked, it is answered now.

    One, because of several people each is asked with a question of their own; the person's own before a free one before
    one that somebody else holds.
    """
    for part in parts({row for row, _ in pairs}):
        about = (Task.image_row.in_(part), Task.tag_id.is_not(None))
        mine = select(Task).where(*about, Task.annotator_id == annotator_id, Task.done_at.is_not(None))
        ended = {_asking(task) for task in session.scalars(mine)}
        open_to_them = or_(Task.for_id.is_(None), Task.for_id == annotator_id)
        waiting = session.scalars(select(Task).where(*about, Task.done_at.is_(None), open_to_them)).all()
        for task in sorted(waiting, key=lambda task: (task.annotator_id != annotator_id, is_held(task, at), task.id)):
            if (task.image_row, task.tag_id) in pairs and _asking(task) not in ended:
                task.done_at, task.annotator_id = at, annotator_id
                ended.add(_asking(task))


def alike(column: Any, other: Any) -> ColumnElement[bool]:
    """Whether two numbers of rows (from 1 on) are the same, or both missing.

    Not IS: SQLite would look all rows without a number up by an index on that column, thousands for one image.
    """
    same: ColumnElement[bool] = func.coalesce(column, 0) == func.coalesce(other, 0)
    return same


def is_held(task: Task, at: datetime) -> bool:
    """Whether somebody's lease of the question runs."""
    return task.annotator_id is not None and task.leased_until is not None and task.leased_until > at


def _asking(task: Task) -> tuple[int, int | None, int | None]:
    """What questions for several people have in common."""
    return task.image_row, task.tag_id, task.round_number
