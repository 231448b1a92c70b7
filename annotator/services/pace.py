"""Which way of working gives a person more correct answers a minute, tag by tag, from their own measured seconds."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from annotator.services.status import waiting_by_tag
from annotator.terms import LabelState, WorkMode
from annotator.workspace import Workspace
from db.models import Annotator, JournalEntry, Label, Review, Submission, Tag, Task

LONGEST_SECONDS = 300.0  # a longer screen was a break
ENOUGH = 40  # answers in a mode before it is compared
BORROWED = 60  # answers' worth of the person's mean in the mode, against chance in a tag's first pages
PRIOR_RIGHT, PRIOR_CHECKED = 19.0, 20.0  # accuracy before any check: 0.95, as if 20 answers had been checked
LOOK_AGAIN = 10  # every tenth stretch is worked in the slower mode, so that the comparison stays true
STRETCH = {WorkMode.LABEL: 10, WorkMode.VERIFY: 2}  # pictures, pages: then the way of working is chosen anew
DEFAULT_PAGE = 24
PAGE_ENOUGH = 3  # pages of a size before it is compared


@dataclass(frozen=True)
class Pace:
    """One mode for one tag: answers a minute, the share of them that is right, and from how much that is known."""

    mode: WorkMode
    answers: int
    per_minute: float
    checked: int
    """Answers that somebody else (a review, other people) decided too."""
    accuracy: float

    @property
    def correct_per_minute(self) -> float:
        return self.per_minute * self.accuracy


@dataclass(frozen=True)
class Turn:
    """What a person is served next, and why."""

    mode: WorkMode
    tag_id: int | None
    page_size: int
    reason: str
    paces: tuple[Pace, ...] = ()


def capped_seconds() -> ColumnElement[Any]:
    """A submission's seconds, a break counted as `LONGEST_SECONDS`."""
    return case((Submission.seconds > LONGEST_SECONDS, LONGEST_SECONDS), else_=Submission.seconds)


def paces(workspace: Workspace, annotator: str, tag_id: int) -> list[Pace]:
    """Label and Verify for one tag, as far as they were tried by this person."""
    with workspace.reading() as session:
        person = session.scalar(select(Annotator.id).where(Annotator.name == annotator))
        if person is None:
            return []
        checks = _checked(session, person, tag_id)
        found = []
        for mode in (WorkMode.LABEL, WorkMode.VERIFY):
            answers, seconds = _worked(session, person, mode, None)
            if not answers:
                continue
            mean = seconds / answers
            if mode == WorkMode.VERIFY:
                # In Label all tags of a screen share its seconds; in Verify each tag has its own.
                answers, own = _worked(session, person, mode, tag_id)
                mean = (own + BORROWED * mean) / (answers + BORROWED)
            right, checked = checks.get(mode, (0, 0))
            accuracy = (right + PRIOR_RIGHT) / (checked + PRIOR_CHECKED)
            found.append(Pace(mode, answers, 60 / max(mean, 1e-3), checked, accuracy))
    return found


def best_page_size(workspace: Workspace, annotator: str) -> int:
    """The page size at which the person answered most a minute in Verify; the default before sizes were tried."""
    with workspace.reading() as session:
        size = Submission.pictures
        rows = session.execute(
            select(size, func.sum(capped_seconds()), func.sum(Submission.labels))
            .join(Annotator, Annotator.id == Submission.annotator_id)
            .where(Annotator.name == annotator, *_kept(WorkMode.VERIFY))
            .group_by(size).having(func.count(Submission.id) >= PAGE_ENOUGH)
        ).all()  # fmt: skip
    speeds = {pictures: labels / seconds for pictures, seconds, labels in rows if seconds and pictures >= 12}
    return max(speeds, key=lambda pictures: speeds[pictures]) if speeds else DEFAULT_PAGE


def serve(workspace: Workspace, annotator: str, tag_id: int | None = None) -> Turn:
    """The mode for the person's next stretch: the faster one for the tag, now and then the other.

    Without a tag it is the one with most audits waiting; where none waits, whole pictures.
    """
    if tag_id is None:
        waiting = waiting_by_tag(workspace)
        if not waiting:
            return Turn(WorkMode.LABEL, None, DEFAULT_PAGE, "no tag waits for an audit: whole pictures teach most")
        tag_id = max(waiting, key=lambda tag: waiting[tag])
    size = best_page_size(workspace, annotator)
    known = paces(workspace, annotator, tag_id)
    with workspace.reading() as session:
        tag = session.get(Tag, tag_id)
        name = tag.name if tag else f"#{tag_id}"
        only_verify = _only_verify_answers(session, tag_id)
        tried = {pace.mode: pace for pace in known if pace.answers >= ENOUGH}
        slow_is_due = {mode: _stretches_since(session, annotator, mode) >= LOOK_AGAIN - 1 for mode in tried}
    if only_verify:
        return Turn(
            WorkMode.VERIFY, tag_id, size, f"{name}: its audits wait, and only pages of it answer them", tuple(known)
        )
    untried = [mode for mode in (WorkMode.VERIFY, WorkMode.LABEL) if mode not in tried]
    if untried:
        reason = f"{name}: not measured yet in this way of working"
        return Turn(untried[0], tag_id, size, reason, tuple(known))
    fast, slow = sorted(tried.values(), key=lambda pace: -pace.correct_per_minute)
    figures = f"{fast.correct_per_minute:.0f} correct answers a minute against {slow.correct_per_minute:.0f}"
    if slow_is_due[slow.mode]:
        return Turn(slow.mode, tag_id, size, f"{name}: measured again, so that the comparison stays true", tuple(known))
    return Turn(fast.mode, tag_id, size, f"{name}: you gave {figures} in {_title(slow.mode)}", tuple(known))


def _only_verify_answers(session: Session, tag_id: int) -> bool:
    """Whether audits of a tag wait, and none of whole images, which would answer them too."""
    waiting = select(Task.id).where(Task.done_at.is_(None), Task.round_number.is_not(None))
    of_tag = session.scalar(waiting.where(Task.tag_id == tag_id).limit(1))
    return of_tag is not None and session.scalar(waiting.where(Task.tag_id.is_(None)).limit(1)) is None


def _stretches_since(session: Session, annotator: str, mode: WorkMode) -> int:
    """Stretches of work of a person since their last answer in a mode."""
    mine = (
        select(Submission.mode, func.count(Submission.id))
        .join(Annotator, Annotator.id == Submission.annotator_id)
        .where(Annotator.name == annotator, Submission.labels > 0)
        .group_by(Submission.mode)
    )
    last = select(func.max(Submission.id)).join(Annotator, Annotator.id == Submission.annotator_id)
    since = session.scalar(last.where(Annotator.name == annotator, Submission.mode == mode)) or 0
    counts = dict(session.execute(mine.where(Submission.id > since)).all())
    return sum(counts.get(other, 0) // length for other, length in STRETCH.items())


def table(workspace: Workspace, annotator: str) -> list[dict[str, Any]]:
    """The person's pace by mode, tag and page size, as measured."""
    size = case((Submission.mode == WorkMode.VERIFY, Submission.pictures), else_=None)
    query = (
        select(Submission.mode, Tag.name, size, func.sum(Submission.labels), func.sum(capped_seconds()))
        .join(Annotator, Annotator.id == Submission.annotator_id)
        .outerjoin(Tag, Tag.id == Submission.tag_id)
        .where(Annotator.name == annotator, *_kept())
        .group_by(Submission.mode, Tag.name, size)
    )
    with workspace.reading() as session:
        rows = session.execute(query).all()
    return [
        {
            "mode": mode.value, "tag": name or "all shown", "pictures a page": pages, "answers": answers,
            "minutes": round(seconds / 60, 2), "answers a minute": round(60 * answers / seconds, 1),
        }
        for mode, name, pages, answers, seconds in rows
    ]  # fmt: skip


def _kept(mode: WorkMode | None = None) -> tuple[ColumnElement[bool], ...]:
    """Answers that stand and were timed, in one mode or in any."""
    chosen = Submission.mode.is_not(None) if mode is None else Submission.mode == mode
    return chosen, Submission.undone.is_(False), Submission.labels > 0, Submission.seconds > 0


def _worked(session: Session, person: int, mode: WorkMode, tag_id: int | None) -> tuple[int, float]:
    """(answers, seconds) of a person in a mode, on one tag or on all."""
    query = select(func.sum(Submission.labels), func.sum(capped_seconds())).where(
        Submission.annotator_id == person, *_kept(mode)
    )
    if tag_id is not None:
        query = query.where(Submission.tag_id == tag_id)
    answers, seconds = session.execute(query).one()
    return int(answers or 0), float(seconds or 0)


def _checked(session: Session, person: int, tag_id: int) -> dict[WorkMode, tuple[int, int]]:
    """By mode (right, checked): the person's answers on a tag against a review, or else the others' majority."""
    balance = func.sum(case((Label.state == LabelState.POSITIVE, 1), (Label.state == LabelState.NEGATIVE, -1), else_=0))
    others = (
        select(Label.image_row, balance.label("balance"))
        .where(Label.tag_id == tag_id, Label.annotator_id != person)
        .group_by(Label.image_row).having(balance != 0).subquery()
    )  # fmt: skip
    truth = case(
        (Review.state.is_not(None), Review.state),
        (others.c.balance > 0, int(LabelState.POSITIVE)),
        else_=int(LabelState.NEGATIVE),
    )
    query = (
        select(Submission.mode, func.sum(case((JournalEntry.state == truth, 1), else_=0)), func.count(JournalEntry.id))
        .join(Submission, Submission.id == JournalEntry.submission_id)
        .outerjoin(Review, (Review.image_row == JournalEntry.image_row) & (Review.tag_id == JournalEntry.tag_id))
        .outerjoin(others, others.c.image_row == JournalEntry.image_row)
        .where(
            JournalEntry.annotator_id == person, JournalEntry.tag_id == tag_id, *_kept(),
            JournalEntry.because_id.is_(None),
            JournalEntry.state != LabelState.UNKNOWN,  # "cannot tell" is neither right nor wrong
            (Review.state.is_not(None)) | (others.c.balance.is_not(None)),
        )
        .group_by(Submission.mode)
    )  # fmt: skip
    return {mode: (int(right), int(checked)) for mode, right, checked in session.execute(query)}


def _title(mode: WorkMode) -> str:
    return mode.value.capitalize()
