"""Questions: handed out under a lease that ends, never to two people at once."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from annotator.services.people import annotator_called
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Label, Task

MOST_AT_ONCE = 200
MOST_RENEWED = 500
BAND_SIZE = 100_000_000
SHOWN_TAGS = 24  # chips beside a picture; a vocabulary up to this size is asked whole


class Band(IntEnum):
    """What a question expects; a page of questions never mixes bands, because its default answer follows from it."""

    ACCEPT = 0  # audits of what is proposed as present
    REJECT = 1  # audits of what is proposed as absent
    PICK = 2

    def position(self, place: int) -> int:
        """The position of the `place`-th question of the band; -1 is its last possible one."""
        return self * BAND_SIZE + (place if place >= 0 else BAND_SIZE + place)

    @classmethod
    def of(cls, position: int) -> "Band":
        return cls(position // BAND_SIZE)


def claim(
    workspace: Workspace, annotator: str, tag_id: int | None, count: int, have: Collection[int] = ()
) -> list[Task]:
    """The annotator's open questions first, then free ones, up to `count`; each is theirs until the lease ends.

    `tag_id` None asks for whole images, else for images of that one tag, all of one band. Those in `have` are on the
    person's screen already and are not among the answers.
    """
    count = max(0, min(count, MOST_AT_ONCE))
    project = workspace.project
    until = datetime.now(UTC) + timedelta(minutes=project.lease_minutes)
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        held = [task for task in _held(session, person.id, tag_id) if task.id not in have]
        conditions = [_of_sort(tag_id), Task.done_at.is_(None), _is_free()]
        if project.overlap > 1 or project.audit_votes > 1:
            conditions += [~_is_a_twin(person.id), ~_is_answered_by(person.id)]
        band = _band(session, held, tag_id, conditions)
        held = [task for task in held if band is None or Band.of(task.position) == band][:count]
        for task in held:
            task.leased_until = until
        conditions += _in_band(band)
        return held + _claim_free(session, person.id, conditions, count - len(held), until)


def renew(workspace: Workspace, annotator: str, task_ids: Collection[int]) -> set[int]:
    """Lease the questions on a person's screen anew; those that are lost: others hold or answered them meanwhile."""
    until = datetime.now(UTC) + timedelta(minutes=workspace.project.lease_minutes)
    wanted = set(list(task_ids)[:MOST_RENEWED])
    if not wanted:
        return set()
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        mine_or_free = or_(Task.annotator_id == person.id, _is_free())
        renewal = (
            update(Task)
            .where(Task.id.in_(wanted), Task.done_at.is_(None), mine_or_free)
            .values(annotator_id=person.id, leased_until=until)
            .returning(Task.id)
        )
        kept = set(session.scalars(renewal))
        answered = select(Task.id).where(Task.id.in_(wanted), Task.done_at.is_not(None), Task.annotator_id == person.id)
        return wanted - kept - set(session.scalars(answered))


def held_by(workspace: Workspace, annotator: str) -> list[int]:
    """The unanswered questions somebody holds, in their order."""
    with workspace.reading() as session:
        query = select(Task.id).join(Annotator, Annotator.id == Task.annotator_id)
        mine = (Annotator.name == annotator, Task.done_at.is_(None), Task.leased_until >= datetime.now(UTC))
        return list(session.scalars(query.where(*mine).order_by(Task.position, Task.id)))


def release(workspace: Workspace, annotator: str, task_ids: Collection[int]) -> int:
    """Give questions back unanswered; how many were given back."""
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        mine = (Task.id.in_(list(task_ids)), Task.annotator_id == person.id, Task.done_at.is_(None))
        given_back = update(Task).where(*mine).values(annotator_id=None, leased_until=None).returning(Task.id)
        return len(session.scalars(given_back).all())


def replace_picks(session: Session, picks: list[Task]) -> None:
    """Put `picks` in the place of all picks that nobody holds.

    An image that some people answered and others still should (overlap) stays in the queue.
    """
    twin = aliased(Task)
    begun = exists().where(
        twin.image_row == Task.image_row, twin.tag_id.is_(None), twin.id != Task.id, twin.annotator_id.is_not(None)
    )
    free = (Task.done_at.is_(None), Task.annotator_id.is_(None) | (Task.leased_until < datetime.now(UTC)), ~begun)
    session.execute(delete(Task).where(Task.round_number.is_(None), Task.tag_id.is_(None), *free))
    # Between the picking and now somebody may have answered an image or got it as another question.
    rows = [pick.image_row for pick in picks]
    answered = select(Label.image_row).where(Label.image_row.in_(rows), Label.kind != TaskKind.BULK)
    taken = set(session.scalars(answered))
    taken |= set(
        session.scalars(
            select(Task.image_row).where(Task.image_row.in_(rows), Task.tag_id.is_(None), Task.done_at.is_(None))
        )
    )
    session.add_all(pick for pick in picks if pick.image_row not in taken)


def add_verify_picks(session: Session, tag_id: int, rows: list[int], reason: str) -> None:
    """Questions about one tag, in the order of `rows`, leaving out images asked about the tag or answered already."""
    asked = set(session.scalars(select(Task.image_row).where(Task.tag_id == tag_id, Task.done_at.is_(None))))
    answered = set(session.scalars(select(Label.image_row).where(Label.tag_id == tag_id)))
    for position, row in enumerate(rows):
        if row not in asked and row not in answered:
            session.add(
                Task(
                    kind=TaskKind.PICK,
                    image_row=row,
                    tag_id=tag_id,
                    position=Band.PICK.position(position),
                    reason=reason,
                )
            )
    session.flush()


def free_count(session: Session, tag_id: int | None) -> int:
    """Open questions of this sort that nobody holds."""
    query = select(func.count(Task.id)).where(_of_sort(tag_id), Task.done_at.is_(None), _is_free())
    return session.scalar(query) or 0


def _is_a_twin(person_id: int) -> ColumnElement[bool]:
    """Whether a question asks the same as one this person has or had, or as an earlier one that is free too."""
    twin = aliased(Task)
    same_tag = or_(twin.tag_id == Task.tag_id, and_(twin.tag_id.is_(None), Task.tag_id.is_(None)))
    free = or_(twin.annotator_id.is_(None), twin.leased_until < datetime.now(UTC))
    earlier = and_(twin.id < Task.id, twin.done_at.is_(None), free)
    return exists().where(
        twin.image_row == Task.image_row, same_tag, twin.id != Task.id, or_(twin.annotator_id == person_id, earlier)
    )


def _is_answered_by(person_id: int) -> ColumnElement[bool]:
    """Whether a question is about a tag that this person labelled on its image, also unasked: no second vote."""
    return exists().where(
        Label.image_row == Task.image_row, Label.tag_id == Task.tag_id, Label.annotator_id == person_id
    )


def _of_sort(tag_id: int | None) -> ColumnElement[bool]:
    return Task.tag_id.is_(None) if tag_id is None else Task.tag_id == tag_id


def _in_band(band: Band | None) -> list[ColumnElement[bool]]:
    return [] if band is None else [Task.position.between(band.position(0), band.position(-1))]


def _is_free() -> ColumnElement[bool]:
    return or_(Task.annotator_id.is_(None), Task.leased_until.is_(None), Task.leased_until < datetime.now(UTC))


def _held(session: Session, person_id: int, tag_id: int | None) -> list[Task]:
    mine = (Task.annotator_id == person_id, Task.leased_until >= datetime.now(UTC), Task.done_at.is_(None))
    return list(session.scalars(select(Task).where(*mine, _of_sort(tag_id)).order_by(Task.position, Task.id)))


def _band(session: Session, held: list[Task], tag_id: int | None, conditions: list[ColumnElement[bool]]) -> Band | None:
    """The band of the next page about a tag, of the questions that meet the conditions; whole images know no bands."""
    if tag_id is None:
        return None
    if held:
        return Band.of(held[0].position)
    first = session.scalar(select(func.min(Task.position)).where(*conditions))
    return None if first is None else Band.of(first)


def _claim_free(
    session: Session, person_id: int, conditions: list[ColumnElement[bool]], count: int, until: datetime
) -> list[Task]:
    """Claim in one statement: select-then-update hands the same question to two people."""
    if count <= 0:
        return []
    free = (
        select(Task.id)
        .where(*conditions)
        .order_by(Task.position, Task.id)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    claimed = update(Task).where(Task.id.in_(free)).values(annotator_id=person_id, leased_until=until).returning(Task)
    found = session.scalars(claimed.execution_options(synchronize_session=False, populate_existing=True)).all()
    return sorted(found, key=lambda task: (task.position, task.id))
