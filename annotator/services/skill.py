"""How well people answer what is known, an alarm when it falls, and what they answered in the bad stretch."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from annotator.learning.skill import ALPHA, fell, measured_skills
from annotator.learning.votes import Rates
from annotator.services.known_answers import KnownAnswer, as_votes, known_answers
from annotator.services.send_back import CLIENT
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Label, Review, Submission, Tag

ALL_TAGS = "all tags"
SOURCES = 2  # gold and reviews are watched apart, each with half of the error


@dataclass(frozen=True)
class Alarm:
    """A person whose recent answers cannot have the skill that is asked for."""

    annotator_id: int
    person: str
    by: str
    """gold, or reviews: those are of labels that somebody chose to look at, so they say less of the others."""
    since: datetime
    answers: int
    right: int
    at_most: float


def skills(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a person and tag, and one over all tags: shares of right answers with their 95 % intervals.

    {person, tag, answers, accuracy, sensitivity, specificity} with `... low` and `... high` each; None: nothing known.
    """
    with workspace.reading() as session:
        answers = known_answers(session)
        people = dict(session.execute(select(Annotator.id, Annotator.name)).all())
        tags = {**dict(session.execute(select(Tag.id, Tag.name)).all()), -1: ALL_TAGS}
    votes, truth = as_votes(answers)
    rows = []
    for per_tag in (False, True):
        found = measured_skills(votes, truth, per_tag=per_tag)
        for place, (person, tag) in enumerate(zip(found.annotators.tolist(), found.tags.tolist(), strict=True)):
            rows.append(
                {
                    "person": people[person], "tag": tags[tag],
                    "answers": int(found.positives[place] + found.negatives[place]),
                    **_rate("accuracy", found.accuracy, place), **_rate("sensitivity", found.sensitivity, place),
                    **_rate("specificity", found.specificity, place),
                }
            )  # fmt: skip
    return sorted(rows, key=lambda row: (row["person"], row["tag"] != ALL_TAGS, row["tag"]))


def _rate(name: str, rates: Rates, place: int) -> dict[str, float | None]:
    value, low, high = (float(part[place]) for part in (rates.value, rates.low, rates.high))
    known = value == value
    return {
        name: round(value, 4) if known else None, f"{name} low": round(low, 4) if known else None,
        f"{name} high": round(high, 4) if known else None,
    }  # fmt: skip


def alarms(workspace: Workspace) -> list[Alarm]:
    """People below the project's `skill_floor`, from their known answers since a stretch of theirs was last sent back.

    For somebody who never is below it the probability of an alarm from gold, ever, is at most 2.5 %, however often one
    looks; the same holds of reviews as far as these were drawn at random.
    """
    with workspace.reading() as session:
        answers, again = known_answers(session), _sent_back(session)
        people = dict(session.execute(select(Annotator.id, Annotator.name)).all())
    given: dict[tuple[int, str], list[KnownAnswer]] = defaultdict(list)
    for one in answers:
        since = again.get(one.annotator_id)
        if one.state != LabelState.UNKNOWN and (since is None or one.at > since):
            given[one.annotator_id, one.by].append(one)
    floor = workspace.project.skill_floor
    found = []
    for (person, by), theirs in sorted(given.items()):
        stretch = fell([one.right for one in theirs], floor, alpha=ALPHA / SOURCES)
        if stretch.alarm:
            since = theirs[stretch.since].at
            found.append(Alarm(person, people[person], by, since, stretch.answers, stretch.right, stretch.upper))
    return found


def suspects(workspace: Workspace, raised: Iterable[Alarm] | None = None) -> list[tuple[int, int, int]]:
    """(image row, tag id, annotator id) of the answers that stand and nobody reviewed, given in a stretch that alarms;
    the newest first. `raised`: the alarms, where they are known already."""
    found: dict[tuple[int, int, int], datetime] = {}
    with workspace.reading() as session:
        for alarm in alarms(workspace) if raised is None else raised:
            is_reviewed = exists().where(Review.image_row == Label.image_row, Review.tag_id == Label.tag_id)
            query = select(Label.image_row, Label.tag_id, Label.at).where(
                Label.annotator_id == alarm.annotator_id, Label.at >= alarm.since, Label.kind != TaskKind.GOLD,
                ~is_reviewed,
            )  # fmt: skip
            found.update({(row, tag, alarm.annotator_id): at for row, tag, at in session.execute(query)})
    return sorted(found, key=lambda key: (found[key], key), reverse=True)


def _sent_back(session: Session) -> dict[int, datetime]:
    """When a stretch of each person was last sent back."""
    query = (
        select(Submission.annotator_id, func.max(Submission.at))
        .where(Submission.client.startswith(CLIENT), Submission.undone.is_(False))
        .group_by(Submission.annotator_id)
    )
    return dict(session.execute(query).all())
