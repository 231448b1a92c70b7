"""Questions: handed out under a lease that ends, never to two people at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from annotator.errors import ForbiddenError
from annotator.services import gold_questions
from annotator.services.label_store import alike
from annotator.services.overlap import asks_several
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.terms import TaskKind, WorkMode
from annotator.workspace import Project, Workspace
from db.models import Annotator, JournalEntry, Label, Skip, Submission, Task

NO_ANSWER = (TaskKind.BULK, TaskKind.GOLD)  # kinds of labels that leave an image to be asked about
MOST_AT_ONCE = 200
MOST_RENEWED = 500
BAND_SIZE = 100_000_000
SHOWN_TAGS = 24  # chips beside a picture; a vocabulary up to this size is asked whole


class Band(IntEnum):
    """What a question expects; a page of questions never mixes bands, because its default answer follows from it."""

    PERSONAL = -1  # for one person alone, before all else
    ACCEPT = 0  # audits of what is proposed as present
    REJECT = 1  # audits of what is proposed as absent
    PICK = 2

    def position(self, place: int) -> int:
        """The position of the `place`-th question of the band; -1 is its last possible one."""
        return self * BAND_SIZE + (place if place >= 0 else BAND_SIZE + place)

    @classmethod
    def of(cls, position: int) -> "Band":
        return cls(position // BAND_SIZE)


@needs(Right.LABEL, own="annotator")
def claim(
    workspace: Workspace, annotator: str, tag_id: int | None, count: int, have: Collection[int] = ()
) -> list[Task]:
    """The annotator's open questions first, then free ones, up to `count`; each is theirs until the lease ends.

    `tag_id` None asks for whole images, else for images of that one tag, all of one band. Those in `have` are on the
    person's screen already and are not among the answers. Questions for this person alone come first, those about one
    tag among their whole images too; nobody gets one twice, one that they skipped, or more than their quota of the day.
    Raises ForbiddenError for a paused person.
    """
    count = max(0, min(count, MOST_AT_ONCE))
    project = workspace.project
    until = datetime.now(UTC) + timedelta(minutes=project.lease_minutes)
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        if person.paused:
            raise ForbiddenError(f"{person.name} is paused; an admin can resume the account")
        held = [task for task in _held(session, person.id, tag_id) if task.id not in have]
        conditions = claimable(project, person.id, tag_id)
        band = _band(session, held, tag_id, conditions)
        held = [task for task in held if band is None or Band.of(task.position) == band][:count]
        for task in held:
            task.leased_until = until
        room = left_today(session, person)
        wanted = count - len(held) if room is None else min(count - len(held), room)
        gold = gold_questions.how_many(session, project, person.id, wanted)
        fresh = _claim_free(session, person.id, [*conditions, *_in_band(band)], wanted - gold, until)
        return held + sorted(fresh + gold_questions.mixed(session, project, person.id, fresh, gold, until), key=_place)


def left_today(session: Session, person: Annotator) -> int | None:
    """How many more pictures the person's quota allows since midnight UTC, those in hand counted; None without one."""
    if person.daily_quota is None:
        return None
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    today = (
        Submission.annotator_id == person.id, Submission.at >= midnight, Submission.undone.is_(False),
        Submission.mode.is_distinct_from(WorkMode.BULK), Submission.labels > 0,
    )  # fmt: skip
    answered = session.scalar(select(func.sum(Submission.pictures)).where(*today)) or 0
    if answered >= person.daily_quota:  # a picture whose answer was changed counts once
        rows = select(func.count(JournalEntry.image_row.distinct())).join(
            Submission, Submission.id == JournalEntry.submission_id
        )
        answered = session.scalar(rows.where(*today)) or 0
    mine = (Task.annotator_id == person.id, Task.done_at.is_(None), Task.leased_until >= datetime.now(UTC))
    in_hand = session.scalar(select(func.count(Task.id)).where(*mine)) or 0
    return max(0, person.daily_quota - answered - in_hand)


@needs(Right.LABEL, own="annotator")
def renew(workspace: Workspace, annotator: str, task_ids: Collection[int]) -> set[int]:
    """Lease the questions on a person's screen anew; those that are lost: others hold or answered them meanwhile."""
    until = datetime.now(UTC) + timedelta(minutes=workspace.project.lease_minutes)
    wanted = set(list(task_ids)[:MOST_RENEWED])
    if not wanted:
        return set()
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        mine_or_free = or_(Task.annotator_id == person.id, and_(_is_free(), _is_for(person.id)))
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


@needs(Right.LABEL, own="annotator")
def release(workspace: Workspace, annotator: str, task_ids: Collection[int]) -> int:
    """Give questions back unanswered; how many were given back."""
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        mine = (Task.id.in_(list(task_ids)), Task.annotator_id == person.id, Task.done_at.is_(None))
        given_back = update(Task).where(*mine).values(annotator_id=None, leased_until=None).returning(Task.id)
        return len(session.scalars(given_back).all())


def replace_picks(session: Session, picks: list[Task], partly: Collection[int] = ()) -> None:
    """Put `picks` in the place of all picks that nobody holds; `partly`: those of their images that may have labels.

    An image that some people answered and others still should (overlap) stays in the queue.
    """
    twin = aliased(Task)
    begun = exists().where(
        twin.image_row == Task.image_row, twin.tag_id.is_(None), twin.id != Task.id, twin.annotator_id.is_not(None)
    )
    free = (Task.done_at.is_(None), Task.annotator_id.is_(None) | (Task.leased_until < datetime.now(UTC)), ~begun)
    session.execute(
        delete(Task).where(Task.round_number.is_(None), Task.tag_id.is_(None), Task.for_id.is_(None), *free)
    )
    # Between the picking and now somebody may have answered an image or got it as another question.
    rows = [pick.image_row for pick in picks]
    answered = select(Label.image_row).where(Label.image_row.in_(rows), Label.kind.not_in(NO_ANSWER))
    taken = set(session.scalars(answered)).difference(partly)
    whole = select(Task.image_row).where(Task.tag_id.is_(None))
    taken |= set(session.scalars(whole.where(Task.image_row.in_(rows), Task.done_at.is_(None))))
    taken |= set(session.scalars(whole.where(Task.image_row.in_(list(partly)), Task.done_at.is_not(None))))
    session.add_all(pick for pick in picks if pick.image_row not in taken)


def add_verify_picks(
    session: Session, tag_id: int, rows: list[int], reason: str, votes: Mapping[int, int] | None = None
) -> None:
    """Questions about one tag, in the order of `rows`, leaving out images asked about the tag or answered already.

    `votes`: how many people each row is asked of, one where it is not named.
    """
    waiting = select(Task.image_row).where(Task.tag_id == tag_id, Task.done_at.is_(None), Task.kind != TaskKind.GOLD)
    asked = set(session.scalars(waiting))
    said = select(Label.image_row).where(Label.tag_id == tag_id, Label.kind != TaskKind.GOLD)
    fresh = [row for row in rows if row not in asked | set(session.scalars(said))]
    for place, row in copies(fresh, votes or {}):
        position = Band.PICK.position(place)
        session.add(Task(kind=TaskKind.PICK, image_row=row, tag_id=tag_id, position=position, reason=reason))
    session.flush()


def copies(rows: Sequence[int], votes: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """(place, row) of every question about `rows`: what is asked of several people is asked of the second one when all
    were asked once."""
    for copy in range(max((votes.get(row, 1) for row in rows), default=0)):
        for place, row in enumerate(rows):
            if copy < votes.get(row, 1):
                yield place + copy * len(rows), row


def done_count(session: Session) -> int:
    """Questions about whole images that were answered."""
    return session.scalar(select(func.count(Task.id)).where(Task.tag_id.is_(None), Task.done_at.is_not(None))) or 0


def free_count(session: Session, tag_id: int | None) -> int:
    """Open questions of this sort that nobody holds."""
    query = select(func.count(Task.id)).where(
        _of_sort(tag_id), Task.for_id.is_(None), Task.done_at.is_(None), _is_free()
    )
    return session.scalar(query) or 0


def free_for(workspace: Workspace, session: Session, annotator: str, tag_id: int | None, most: int) -> int:
    """Open questions of this sort that the annotator could be given, counted up to `most`."""
    person_id = session.scalar(select(Annotator.id).where(Annotator.name == annotator)) or 0
    query = select(Task.id).where(*claimable(workspace.project, person_id, tag_id)).order_by(Task.position, Task.id)
    return len(session.scalars(query.limit(most)).all())


def claimable(project: Project, person_id: int, tag_id: int | None) -> list[ColumnElement[bool]]:
    """What makes a question one that this person can be given now."""
    several = asks_several(project)
    conditions = [
        _of_sort(tag_id, person_id), Task.done_at.is_(None), _is_free(), _is_for(person_id),
        ~_is_a_twin(person_id, several), ~_was_skipped(person_id),
    ]  # fmt: skip
    if several:
        conditions.append(or_(Task.for_id == person_id, ~_is_answered_by(person_id)))
    return conditions


def _is_a_twin(person_id: int, several: bool) -> ColumnElement[bool]:
    """Whether a question asks the same as one this person has or had, or as an earlier one that is free too.

    Where each question is asked of one person only, or one that a person answered long ago is asked again for another
    cause, answered ones are no twins.
    """
    twin = aliased(Task)
    asks_the_same = and_(
        twin.image_row == Task.image_row, alike(twin.tag_id, Task.tag_id), twin.id != Task.id,
        alike(twin.round_number, Task.round_number),
    )  # fmt: skip
    theirs = twin.annotator_id == person_id
    if not several:
        theirs = and_(theirs, or_(twin.done_at.is_(None), Task.round_number.is_not(None)))
    free = or_(twin.annotator_id.is_(None), twin.leased_until < datetime.now(UTC))
    for_them = or_(twin.for_id.is_(None), twin.for_id == person_id)
    # Of two that are free the one for this person alone goes first, then the older one.
    both = twin.for_id.is_(None) == Task.for_id.is_(None)
    sooner = or_(and_(twin.for_id.is_not(None), Task.for_id.is_(None)), and_(twin.id < Task.id, both))
    earlier = and_(sooner, twin.done_at.is_(None), free, for_them)
    return exists().where(asks_the_same, or_(theirs, earlier))


def _is_answered_by(person_id: int) -> ColumnElement[bool]:
    """Whether a question is about a tag that this person labelled on its image, also unasked: no second vote."""
    return exists().where(
        Label.image_row == Task.image_row, Label.tag_id == Task.tag_id, Label.annotator_id == person_id
    )


def _was_skipped(person_id: int) -> ColumnElement[bool]:
    same_tag = alike(Skip.tag_id, Task.tag_id)
    return exists().where(Skip.image_row == Task.image_row, Skip.annotator_id == person_id, same_tag)


def _of_sort(tag_id: int | None, person_id: int | None = None) -> ColumnElement[bool]:
    """Questions of one sort; those for `person_id` alone count as whole images too."""
    if tag_id is not None:
        return Task.tag_id == tag_id
    whole = Task.tag_id.is_(None)
    return whole if person_id is None else or_(whole, Task.for_id == person_id)


def _is_for(person_id: int) -> ColumnElement[bool]:
    return or_(Task.for_id.is_(None), Task.for_id == person_id)


def _in_band(band: Band | None) -> list[ColumnElement[bool]]:
    return [] if band is None else [Task.position.between(band.position(0), band.position(-1))]


def _is_free() -> ColumnElement[bool]:
    return or_(Task.annotator_id.is_(None), Task.leased_until.is_(None), Task.leased_until < datetime.now(UTC))


def _held(session: Session, person_id: int, tag_id: int | None) -> list[Task]:
    mine = (Task.annotator_id == person_id, Task.leased_until >= datetime.now(UTC), Task.done_at.is_(None))
    query = select(Task).where(*mine, _of_sort(tag_id, person_id)).order_by(Task.position, Task.id)
    return list(session.scalars(query))


def _band(session: Session, held: list[Task], tag_id: int | None, conditions: list[ColumnElement[bool]]) -> Band | None:
    """The band of the next page about a tag, of the questions that meet the conditions; whole images know no bands."""
    if tag_id is None:
        return None
    if held:
        return Band.of(held[0].position)
    first = session.scalar(select(Task.position).where(*conditions).order_by(Task.position, Task.id).limit(1))
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
    return sorted(found, key=_place)


def _place(task: Task) -> tuple[int, int]:
    return task.position, task.id
