"""Send a stretch back: a person's answers between two times are taken back in one step, and asked of others.

Every label becomes what the person's newest answer that stands says, or goes; the journal keeps everything. Answers to
gold stay: they are why. So do answers about tags that the vocabulary has changed since, and labels that came by the
command line or an import, which no question was behind.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from annotator.errors import ConflictError, MissingError, UsageError
from annotator.services.known_answers import SENT_BACK
from annotator.services.label_store import UNDO, Pair, alike, parts, restore
from annotator.services.people import required
from annotator.services.rights import Right, needs
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, JournalEntry, Skip, Submission, Task, VocabularyChange

CLIENT = "send-back:"  # begins the client of the submission that stands for one


@dataclass(frozen=True)
class Stretch:
    """What sending back would take, or took: counts of it."""

    person: str
    since: datetime
    until: datetime
    screens: int
    """answers as they were sent: a picture, or a page"""
    pictures: int
    labels: int
    questions: int
    """asked again, of others"""
    kept: int
    """screens left out, because the vocabulary changed since"""
    number: int | None = None
    """what `undo` takes; None in a preview"""


@dataclass
class _Found:
    ids: list[int] = field(default_factory=list)
    pairs: set[Pair] = field(default_factory=set)
    kept: int = 0


def preview(workspace: Workspace, person: str, since: datetime, until: datetime | None = None) -> Stretch:
    """What `send_back` would do; nothing is changed. Raises MissingError for a name nobody has."""
    until = _checked(since, until)
    with workspace.reading() as session:
        who = required(session, person)
        found = _find(session, who.id, since, until)
        questions = len(_questions(session, who.id, found.ids))
        return _counted(who.name, since, until, found, questions, None)


@needs(Right.REVIEW)
def send_back(workspace: Workspace, person: str, since: datetime, until: datetime | None = None) -> Stretch:
    """Take back what `person` answered from `since` to `until` (now), and ask others.

    Raises MissingError where nothing was answered then.
    """
    until = _checked(since, until)
    at = datetime.now(UTC)
    with workspace.transaction() as session:
        who = required(session, person)
        found = _find(session, who.id, since, until)
        if not found.ids:
            raise MissingError(f"{who.name} answered nothing from {since} to {until} that could be sent back")
        step = Submission(
            client=f"{CLIENT}{uuid.uuid4().hex}", seq=1, annotator_id=who.id, seconds=None, at=at, session_id=None,
            mode=None, tag_id=None, pictures=0, labels=0, undone=False,
        )  # fmt: skip
        session.add(step)
        session.flush()
        asked = _questions(session, who.id, found.ids)
        for part in parts(found.ids):
            gone = update(Submission).where(Submission.id.in_(part))
            session.execute(gone.values(undone=True, problem=f"{SENT_BACK}{step.id}"))
        restore(session, who.id, found.pairs, at, submission_id=step.id)
        for task in asked:
            task.done_at = task.annotator_id = task.leased_until = task.for_id = None
            session.add(
                Skip(
                    image_row=task.image_row, tag_id=task.tag_id, annotator_id=who.id, at=at,
                    reason=f"{SENT_BACK}{step.id}",
                )
            )  # fmt: skip
        return _counted(who.name, since, until, found, len(asked), step.id)


@needs(Right.REVIEW)
def undo(workspace: Workspace, number: int) -> Stretch:
    """Put back what the step `number` took; what others answered meanwhile stays beside it.

    Raises MissingError for another number, ConflictError where it was undone already.
    """
    at = datetime.now(UTC)
    with workspace.transaction() as session:
        step = session.scalar(select(Submission).where(Submission.id == number).with_for_update())
        if step is None or not step.client.startswith(CLIENT):
            raise MissingError(f"no stretch was sent back as number {number}")
        if step.undone:
            raise ConflictError(f"stretch {number} was put back already")
        step.undone = True
        mark = f"{SENT_BACK}{number}"
        taken = session.scalars(select(Submission).where(Submission.problem == mark)).all()
        found = _Found([one.id for one in taken], _pairs(session, [one.id for one in taken]))
        for one in taken:
            one.undone, one.problem = False, None
        session.flush()
        restore(session, step.annotator_id, found.pairs, at, submission_id=step.id)
        skips = session.scalars(select(Skip).where(Skip.reason == mark, Skip.annotator_id == step.annotator_id)).all()
        given = _times(session, [one.id for one in taken])
        asked = {(skip.image_row, skip.tag_id): given.get(skip.image_row, at) for skip in skips}
        closed = _close(session, step.annotator_id, asked, at)
        session.execute(delete(Skip).where(Skip.reason == mark, Skip.annotator_id == step.annotator_id))
        person = session.get_one(Annotator, step.annotator_id).name
        times = [one.at for one in taken]
        return _counted(person, min(times), max(times), found, closed, number)


def people_at_work(workspace: Workspace) -> list[str]:
    """Whoever answered anything in the browser."""
    query = (
        select(Annotator.name).join(Submission, Submission.annotator_id == Annotator.id).where(Submission.labels > 0)
    )
    with workspace.reading() as session:
        return sorted(set(session.scalars(query.distinct())))


def history(workspace: Workspace) -> list[dict[str, Any]]:
    """The stretches that were sent back, the newest first."""
    query = (
        select(Submission, Annotator.name).join(Annotator, Annotator.id == Submission.annotator_id)
        .where(Submission.client.startswith(CLIENT)).order_by(Submission.id.desc())
    )  # fmt: skip
    with workspace.reading() as session:
        rows = []
        for step, person in session.execute(query):
            mine = Submission.problem == f"{SENT_BACK}{step.id}"
            counts = select(func.count(Submission.id), func.min(Submission.at), func.max(Submission.at)).where(mine)
            screens, since, until = session.execute(counts).one()
            rows.append(
                {
                    "number": step.id, "person": person, "at": step.at, "since": since, "until": until,
                    "screens": screens, "put back": step.undone,
                }
            )  # fmt: skip
    return rows


def _find(session: Session, person_id: int, since: datetime, until: datetime) -> _Found:
    """The person's answers of the stretch that stand, with the pairs they are about."""
    chosen = (
        Submission.annotator_id == person_id, Submission.at >= since, Submission.at <= until,
        Submission.undone.is_(False), Submission.labels > 0,
    )  # fmt: skip
    ids = set(session.scalars(select(Submission.id).where(*chosen)))
    moved = set(session.scalars(select(Submission.id).where(*chosen, _was_moved())))
    kept = sorted(ids - moved)
    return _Found(kept, _pairs(session, kept), len(moved))


def _was_moved() -> ColumnElement[bool]:
    """Whether a change of the vocabulary that stands touched a label of the submission after it was given."""
    answer, later = aliased(JournalEntry), aliased(JournalEntry)
    return exists().where(
        answer.submission_id == Submission.id, later.image_row == answer.image_row, later.tag_id == answer.tag_id,
        later.annotator_id == answer.annotator_id, later.id > answer.id, later.change_id == VocabularyChange.id,
        VocabularyChange.undone.is_(False), VocabularyChange.kind != UNDO,
    )  # fmt: skip


def _pairs(session: Session, ids: list[int]) -> set[Pair]:
    """What the submissions said, answers to gold left out."""
    found: set[Pair] = set()
    for part in parts(ids):
        query = select(JournalEntry.image_row, JournalEntry.tag_id).where(
            JournalEntry.submission_id.in_(part), JournalEntry.kind != TaskKind.GOLD
        )
        found.update((row, tag) for row, tag in session.execute(query))
    return found


def _questions(session: Session, person_id: int, ids: list[int]) -> list[Task]:
    """The questions that the submissions answered; gold is not asked again."""
    found: list[Task] = []
    for part in parts(ids):
        query = (
            select(Task)
            .where(Task.annotator_id == person_id, Task.kind != TaskKind.GOLD)
            .where(Task.done_at.in_(select(Submission.at).where(Submission.id.in_(part))))
        )
        found += session.scalars(query).all()
    return found


def _times(session: Session, ids: list[int]) -> dict[int, datetime]:
    """When each image of the submissions was answered."""
    found: dict[int, datetime] = {}
    for part in parts(ids):
        query = select(JournalEntry.image_row, Submission.at).join(Submission).where(Submission.id.in_(part))
        found.update(dict(session.execute(query).all()))
    return found


def _close(session: Session, person_id: int, asked: dict[tuple[int, int | None], datetime], at: datetime) -> int:
    """End what was asked again and nobody took yet, as of when the person answered it; how many that are."""
    closed = 0
    for (row, tag_id), given in asked.items():
        free = or_(Task.annotator_id.is_(None), Task.leased_until < at)
        waiting = select(Task).where(
            Task.image_row == row, alike(Task.tag_id, tag_id), Task.done_at.is_(None), free,
            Task.kind != TaskKind.GOLD,
        )  # fmt: skip
        task = session.scalar(waiting.order_by(Task.id).limit(1))
        if task is not None:
            task.done_at, task.annotator_id = given, person_id
            session.flush()
            closed += 1
    return closed


def _counted(
    person: str, since: datetime, until: datetime, found: _Found, questions: int, number: int | None
) -> Stretch:
    pictures = len({row for row, _ in found.pairs})
    return Stretch(person, since, until, len(found.ids), pictures, len(found.pairs), questions, found.kept, number)


def _checked(since: datetime, until: datetime | None) -> datetime:
    until = datetime.now(UTC) if until is None else until
    if since.tzinfo is None or until.tzinfo is None:
        raise UsageError("times of a stretch need a time zone, such as 2026-05-04T09:00+00:00")
    if until < since:
        raise UsageError(f"the stretch ends at {until}, before it begins at {since}")
    return until
