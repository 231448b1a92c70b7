"""Labelling sessions: stretches of a person's work that can be paused, resumed elsewhere, and reported on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, MissingError
from annotator.services import questions, tasks
from annotator.services.pace import capped_seconds
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.services.status import answers_today
from annotator.terms import LabelState, SessionState, WorkMode
from annotator.workspace import Workspace
from db.models import Annotator, JournalEntry, LabellingSession, Submission, Tag, Task

IDLE = timedelta(hours=12)  # an open session nobody came back to by then has ended by itself; a paused one waits
BESIDE = (WorkMode.BULK, WorkMode.REVIEW)  # ways of working that join a session without moving it or setting a pace
REMEMBERED = 30  # answered pictures that can be gone back to after a reload or on another machine


@needs(Right.LABEL, own="annotator")
def begin(
    workspace: Workspace, annotator: str, mode: WorkMode, tag_id: int | None = None, page_size: int | None = None
) -> dict[str, Any]:
    """Go on with the person's open or paused session in this mode, or start one.

    In the mode it stood in, its tag and page size go on where none is given, and the questions it was paused with are
    the person's again where nobody else took them. Work in bulk and reviews join a session without moving it.
    """
    now = datetime.now(UTC)
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        found = _unfinished(session, person.id)
        if found is not None and found.state == SessionState.OPEN and now - found.seen_at > IDLE:
            found.state, found.ended_at = SessionState.ENDED, found.seen_at
            found = None
        resumed = found is not None
        if found is None:
            found = LabellingSession(annotator_id=person.id, mode=mode, in_hand=[], started_at=now, ended_at=None)
            session.add(found)
        if mode in BESIDE and resumed:
            mode, tag_id, page_size, in_hand = found.mode, found.tag_id, found.page_size, []
        else:
            in_hand, found.in_hand = found.in_hand, []
            if mode == found.mode and resumed:
                tag_id, page_size = tag_id or found.tag_id, page_size or found.page_size
        found.state, found.mode, found.page_size, found.seen_at = SessionState.OPEN, mode, page_size, now
        found.tag_id = tag_id if tag_id is not None and session.get(Tag, tag_id) is not None else None
        session.flush()
        number, tag_id = found.id, found.tag_id
    tasks.renew(workspace, annotator, in_hand)
    begun = {"session": number, "resumed": resumed, "tag": tag_id, "page_size": page_size}
    return {**begun, **standing(workspace, annotator, number)}


@needs(Right.LABEL, own="annotator")
def pause(workspace: Workspace, annotator: str, number: int, in_hand: Sequence[int] | None = None) -> dict[str, Any]:
    """Rest a session: its unanswered questions are free for others, and are asked first when it goes on.

    Without `in_hand` these are all that the person holds.
    """
    in_hand = tasks.held_by(workspace, annotator) if in_hand is None else in_hand
    with workspace.transaction() as session:
        found = _mine(session, annotator, number)
        found.state, found.in_hand, found.seen_at = SessionState.PAUSED, list(in_hand), datetime.now(UTC)
    tasks.release(workspace, annotator, in_hand)
    return report(workspace, number)


@needs(Right.LABEL, own="annotator")
def end(workspace: Workspace, annotator: str, number: int, in_hand: Sequence[int] | None = None) -> dict[str, Any]:
    """End a session and give its unanswered questions back; its report."""
    in_hand = tasks.held_by(workspace, annotator) if in_hand is None else in_hand
    with workspace.transaction() as session:
        found = _mine(session, annotator, number)
        if found.state != SessionState.ENDED:
            found.state, found.in_hand, found.ended_at = SessionState.ENDED, [], datetime.now(UTC)
    tasks.release(workspace, annotator, in_hand)
    return report(workspace, number)


def standing(workspace: Workspace, annotator: str, number: int) -> dict[str, Any]:
    """What the status line begins with: timed answers and seconds of the session, and today's answers of the person."""
    timed = (Submission.session_id == number, Submission.undone.is_(False), Submission.mode.not_in(BESIDE))
    with workspace.reading() as session:
        answers, seconds = session.execute(
            select(func.sum(Submission.labels), func.sum(capped_seconds())).where(*timed)
        ).one()
    today = answers_today(workspace, annotator)
    return {"answers": answers or 0, "seconds": float(seconds or 0), "today": today}


def recent(workspace: Workspace, annotator: str, number: int, count: int = REMEMBERED) -> list[dict[str, Any]]:
    """The last pictures answered one by one in a session, the oldest first, each with its answer and its place in
    the client's outbox: what going back and undo need after a reload or on another machine."""
    with workspace.reading() as session:
        _mine(session, annotator, number)
        given = list(
            session.scalars(
                select(Submission)
                .where(
                    Submission.session_id == number, Submission.mode == WorkMode.LABEL,
                    Submission.undone.is_(False), Submission.labels > 0,
                )
                .order_by(Submission.id.desc()).limit(count)
            )
        )[::-1]  # fmt: skip
        asked: dict[int, tuple[Submission, Task, dict[int, int]]] = {}
        for submission in given:
            of_it = (JournalEntry.submission_id == submission.id, JournalEntry.because_id.is_(None))
            entries = session.scalars(select(JournalEntry).where(*of_it)).all()
            states = {entry.tag_id: int(entry.state) for entry in entries if entry.state is not None}
            rows = {entry.image_row for entry in entries}
            done = select(Task).where(
                Task.image_row.in_(rows), Task.tag_id.is_(None), Task.annotator_id == submission.annotator_id
            )
            task = session.scalar(done.order_by(Task.id.desc()).limit(1))
            if len(rows) == 1 and task is not None:
                asked.pop(task.image_row, None)  # answered again since: the later answer has its place
                asked[task.image_row] = submission, task, states
    shown = questions.described(workspace, annotator, [task for _, task, _ in asked.values()])
    return [
        {**question, "answered": states, "client": submission.client, "seq": submission.seq}
        for question, (submission, _, states) in zip(shown, asked.values(), strict=True)
    ]


def report(workspace: Workspace, number: int) -> dict[str, Any]:
    """What was done in a session, and in how long."""
    with workspace.reading() as session:
        found = session.get(LabellingSession, number)
        if found is None:
            raise MissingError(f"there is no session {number}")
        person = session.get_one(Annotator, found.annotator_id)
        kept = (Submission.session_id == number, Submission.undone.is_(False))
        by_mode = session.execute(
            select(
                Submission.mode, func.count(Submission.id), func.sum(Submission.pictures),
                func.sum(Submission.labels), func.sum(capped_seconds()),
            )
            .where(*kept, Submission.labels > 0).group_by(Submission.mode)
        ).all()  # fmt: skip
        states = dict(
            session.execute(
                select(JournalEntry.state, func.count(JournalEntry.id))
                .join(Submission, Submission.id == JournalEntry.submission_id)
                .where(*kept, JournalEntry.state.is_not(None), JournalEntry.because_id.is_(None))
                .group_by(JournalEntry.state)
            ).all()
        )  # fmt: skip
        undone = session.scalar(
            select(func.count(Submission.id)).where(Submission.session_id == number, Submission.undone.is_(True))
        )
        modes = [_mode_row(*row) for row in by_mode]
        timed = [row for row in modes if row["mode"] not in BESIDE]
        seconds = sum(row["minutes"] for row in timed) * 60
        answers = sum(row["answers"] for row in timed)
        return {
            "session": found.id,
            "person": person.name,
            "state": found.state.value,
            "mode": found.mode.value,
            "tag": found.tag_id,
            "page_size": found.page_size,
            "started_at": found.started_at.isoformat(),
            "last_seen_at": found.seen_at.isoformat(),
            "ended_at": found.ended_at.isoformat() if found.ended_at else None,
            "pictures": sum(row["pictures"] for row in modes),
            "answers": sum(row["answers"] for row in modes),
            "present": states.get(LabelState.POSITIVE, 0),
            "absent": states.get(LabelState.NEGATIVE, 0),
            "cannot tell": states.get(LabelState.UNKNOWN, 0),
            "taken back": undone or 0,
            "active_minutes": round(seconds / 60, 2),
            "answers_per_minute": round(60 * answers / seconds, 1) if seconds else None,
            "modes": modes,
        }


def history(workspace: Workspace, newest: int = 50) -> list[dict[str, Any]]:
    """The reports of the newest sessions of everybody, the latest first."""
    with workspace.reading() as session:
        numbers = list(
            session.scalars(select(LabellingSession.id).order_by(LabellingSession.seen_at.desc()).limit(newest))
        )
    return [report(workspace, number) for number in numbers]


def _mode_row(mode: WorkMode | None, items: int, pictures: int, answers: int, seconds: float | None) -> dict[str, Any]:
    return {
        "mode": mode.value if mode else "script",
        "screens": items,
        "pictures": pictures,
        "answers": answers,
        "minutes": round((seconds or 0) / 60, 2),
        "answers_per_minute": round(60 * answers / seconds, 1) if seconds else None,
    }


def _unfinished(session: Session, person_id: int) -> LabellingSession | None:
    """The person's newest session that has not ended."""
    query = select(LabellingSession).where(
        LabellingSession.annotator_id == person_id, LabellingSession.state != SessionState.ENDED
    )
    return session.scalar(query.order_by(LabellingSession.id.desc()).limit(1))


def _mine(session: Session, annotator: str, number: int) -> LabellingSession:
    found = session.get(LabellingSession, number)
    if found is None or found.annotator_id != annotator_called(session, annotator).id:
        raise BadInputError(f"{annotator} has no session {number}; begin one by opening Label or Verify")
    return found
