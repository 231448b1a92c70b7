"""How the project goes, in numbers for those who run it: people, days, cost, and how long it will take.

A page that shows several of them takes the snapshot once and hands it to each.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.errors import AnnotatorError
from annotator.services import certificates, skill
from annotator.services.pace import capped_seconds
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, WorkMode
from annotator.workspace import Workspace
from db.models import Annotator, Label, Submission

DAYS = 30
PEOPLE = (Origin.HUMAN, Origin.REVIEW, Origin.GOLD)
KEPT = (Submission.undone.is_(False), Submission.labels > 0)
TIMED = Submission.mode.is_distinct_from(WorkMode.BULK)  # a bulk answer's seconds say nothing of one picture


@needs(Right.REVIEW, logged=False)
def by_person(workspace: Workspace, snapshot: Snapshot | None = None) -> list[dict[str, Any]]:
    """One row a person who ever answered: how much, how fast, how often the accepted label says the same, and the share
    of right answers where the answer is known."""
    snapshot = take(workspace) if snapshot is None else snapshot
    right = {row["person"]: row["accuracy"] for row in skill.skills(workspace) if row["tag"] == skill.ALL_TAGS}
    with workspace.reading() as session:
        work = {
            person_id: (pictures, answers, seconds or 0.0, last)
            for person_id, pictures, answers, seconds, last in session.execute(
                select(
                    Submission.annotator_id, func.sum(Submission.pictures), func.sum(Submission.labels),
                    func.sum(capped_seconds()), func.max(Submission.at),
                ).where(*KEPT, TIMED).group_by(Submission.annotator_id)
            )
        }  # fmt: skip
        today = _answers_since(session, datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0))
        people = list(session.scalars(select(Annotator).order_by(Annotator.name)))
        agreed = {person.id: _agreement(session, snapshot, person.id) for person in people}
    rows = []
    for person in people:
        pictures, answers, seconds, last = work.get(person.id, (0, 0, 0.0, None))
        labels, same = agreed[person.id]
        if labels or answers:
            rows.append(
                {
                    "person": person.name,
                    "labels": labels,
                    "pictures": pictures,
                    "today": today.get(person.id, 0),
                    "hours": round(seconds / 3600, 2),
                    "answers a minute": round(60 * answers / seconds, 1) if seconds else None,
                    "same as accepted": round(same / labels, 4) if labels else None,
                    "skill": right.get(person.name),
                    "last answer": last,
                }
            )
    return rows


@needs(Right.REVIEW, logged=False)
def by_day(workspace: Workspace, days: int = DAYS) -> list[dict[str, Any]]:
    """{day, person, answers, hours} of the last `days` days (UTC), the first one first."""
    since = datetime.now(UTC) - timedelta(days=days)
    query = (
        select(Submission.at, Annotator.name, Submission.labels, capped_seconds())
        .join(Annotator, Annotator.id == Submission.annotator_id)
        .where(*KEPT, Submission.at >= since)
    )
    sums: dict[tuple[str, str], list[float]] = {}
    with workspace.reading() as session:
        for at, name, labels, seconds in session.execute(query):
            entry = sums.setdefault((at.date().isoformat(), name), [0, 0.0])
            entry[0] += labels
            entry[1] += seconds or 0.0
    return [
        {"day": day, "person": name, "answers": int(answers), "hours": round(seconds / 3600, 3)}
        for (day, name), (answers, seconds) in sorted(sums.items())
    ]


@needs(Right.REVIEW, logged=False)
def cost(workspace: Workspace, snapshot: Snapshot | None = None) -> dict[str, float | int | None]:
    """What people's time bought: accepted labels by people and by the machine, and seconds for each accepted label."""
    snapshot = take(workspace) if snapshot is None else snapshot
    known = snapshot.labels != LabelState.UNKNOWN
    people = int((known & np.isin(snapshot.origins, PEOPLE)).sum())
    settled = int((known & (snapshot.origins == Origin.ROUND)).sum())
    with workspace.reading() as session:
        seconds = session.scalar(select(func.sum(capped_seconds())).where(*KEPT, TIMED)) or 0.0
    return {
        "hours": round(seconds / 3600, 2),
        "by people": people,
        "settled": settled,
        "open": int((~known).sum()),
        "seconds each": round(seconds / (people + settled), 3) if seconds and people + settled else None,
        "seconds each by hand": round(seconds / people, 3) if seconds and people else None,
    }


@needs(Right.REVIEW, logged=False)
def to_finish(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag: minutes people still need, by rounds and by hand; empty before there is a model."""
    try:
        found = certificates.forecast(workspace)
    except AnnotatorError:
        return []
    return [{name: row[name] for name in ("tag", "open", "minutes", "minutes by hand", "advice")} for row in found]


def _answers_since(session: Session, since: datetime) -> dict[int, int]:
    query = select(Submission.annotator_id, func.sum(Submission.labels)).where(*KEPT, Submission.at >= since)
    return dict(session.execute(query.group_by(Submission.annotator_id)).all())


def _agreement(session: Session, snapshot: Snapshot, person_id: int) -> tuple[int, int]:
    """(labels, those that the accepted label agrees with) of what the person could tell and something is accepted."""
    column = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    query = select(Label.image_row, Label.tag_id, Label.state).where(
        Label.annotator_id == person_id, Label.state != LabelState.UNKNOWN, Label.image_row < len(snapshot)
    )
    said = [(row, column[tag_id], state) for row, tag_id, state in session.execute(query) if tag_id in column]
    if not said:
        return 0, 0
    rows, places, states = np.array(said, np.int64).T
    accepted = snapshot.labels[rows, places]
    return int((accepted != LabelState.UNKNOWN).sum()), int((accepted == states).sum())
