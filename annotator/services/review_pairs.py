"""What stands of a handful of (image, tag) pairs, and what a reviewer needs to see beside each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.services import models
from annotator.services.image_facts import machine_states, names_of
from annotator.services.label_store import Pair, parts
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Comment, Image, Label, Review, Tag, Task


@dataclass(frozen=True)
class Vote:
    """What one person says of a pair."""

    person: str
    state: LabelState
    at: datetime


@dataclass(frozen=True)
class Stands:
    """The accepted label of a pair now, and who decided it."""

    state: LabelState
    by: str


def votes_on(session: Session, pairs: Collection[Pair]) -> dict[Pair, list[Vote]]:
    """People's labels on `pairs`, in the order in which they were given."""
    wanted, found = set(pairs), dict[Pair, list[Vote]]()
    query = select(Label.image_row, Label.tag_id, Annotator.name, Label.state, Label.at).join(Annotator)
    for part in parts({row for row, _ in wanted}):
        for row, tag, person, state, at in session.execute(query.where(Label.image_row.in_(part)).order_by(Label.at)):
            if (row, tag) in wanted:
                found.setdefault((row, tag), []).append(Vote(person, state, at))
    return found


def standing(workspace: Workspace, session: Session, pairs: Collection[Pair]) -> dict[Pair, Stands]:
    """The accepted label of each of `pairs`, as a snapshot has it: review before people's majority before truth before
    rounds; UNKNOWN by nobody where nothing was decided."""
    wanted = set(pairs)
    found = {pair: Stands(state, who) for pair, (state, who) in machine_states(workspace, session, wanted).items()}
    found |= {pair: majority(votes) for pair, votes in votes_on(session, wanted).items()}
    query = select(Review.image_row, Review.tag_id, Review.state, Annotator.name)
    query = query.join(Annotator, Annotator.id == Review.reviewer_id)
    for part in parts({row for row, _ in wanted}):
        for row, tag, state, person in session.execute(query.where(Review.image_row.in_(part))):
            if (row, tag) in wanted:
                found[row, tag] = Stands(state, person)
    nothing = Stands(LabelState.UNKNOWN, "")
    return {pair: found.get(pair, nothing) for pair in wanted}


def majority(votes: Sequence[Vote]) -> Stands:
    """As `snapshots` paints it: those who cannot tell have no vote, a tie is a "cannot tell"."""
    lead = sum((vote.state == LabelState.POSITIVE) - (vote.state == LabelState.NEGATIVE) for vote in votes)
    state = LabelState.POSITIVE if lead > 0 else LabelState.NEGATIVE if lead < 0 else LabelState.UNKNOWN
    return Stands(state, votes[0].person if len(votes) == 1 else "several people")


def waiting_for(session: Session, rows: Collection[int]) -> dict[Pair, list[str]]:
    """Who was asked again about which pair of `rows`, and has not answered."""
    found: dict[Pair, list[str]] = {}
    query = select(Task.image_row, Task.tag_id, Annotator.name).join(Annotator, Annotator.id == Task.for_id)
    query = query.where(Task.kind == TaskKind.REVIEW, Task.done_at.is_(None), Task.tag_id.is_not(None))
    for part in parts(rows):
        for row, tag, person in session.execute(query.where(Task.image_row.in_(part)).order_by(Task.id)):
            if tag is not None:
                found.setdefault((row, tag), []).append(person)
    return found


def described(workspace: Workspace, session: Session, pairs: Sequence[tuple[int, int | None]]) -> list[dict[str, Any]]:
    """Each of `pairs` as a reviewer sees it: picture, tag, who said what, what stands, the model's score, open talk."""
    rows = sorted({row for row, _ in pairs})
    full = [(row, tag) for row, tag in pairs if tag is not None]
    votes, stands, waits = votes_on(session, full), standing(workspace, session, full), waiting_for(session, rows)
    names, talk, scores = names_of(session, rows), _open_talk(session, rows), _scores(workspace, full)
    sizes = _sizes(session, rows)
    tags = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_({tag for _, tag in full}))).all())
    shown = []
    for row, tag in pairs:
        pair = (row, tag if tag is not None else -1)
        now = stands.get(pair)
        shown.append(
            {
                "image": row, "name": names[row], "width": sizes[row][0], "height": sizes[row][1],
                "tag": tag, "tag_name": tags.get(pair[1], ""),
                "votes": [
                    {"person": vote.person, "state": int(vote.state), "at": vote.at.isoformat(timespec="seconds")}
                    for vote in votes.get(pair, [])
                ],
                "state": int(now.state) if now else None, "decided_by": now.by if now else "",
                "score": scores.get(pair), "waiting": waits.get(pair, []), "comments": talk.get((row, tag), 0),
            }
        )  # fmt: skip
    return shown


def _sizes(session: Session, rows: Collection[int]) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for part in parts(rows):
        query = select(Image.row, Image.width, Image.height).where(Image.row.in_(part))
        found.update({row: (width, height) for row, width, height in session.execute(query)})
    return found


def _open_talk(session: Session, rows: Collection[int]) -> dict[tuple[int, int | None], int]:
    """How many open comments each picture, or tag on it, has."""
    found: dict[tuple[int, int | None], int] = {}
    query = select(Comment.image_row, Comment.tag_id, func.count(Comment.id)).where(Comment.resolved_at.is_(None))
    for part in parts(rows):
        counted = query.where(Comment.image_row.in_(part)).group_by(Comment.image_row, Comment.tag_id)
        found.update({(row, tag): count for row, tag, count in session.execute(counted)})
    return found


def _scores(workspace: Workspace, pairs: Collection[Pair]) -> dict[Pair, float]:
    """The probability by the model in use, where it knows image and tag."""
    model = models.in_use(workspace)
    if model is None:
        return {}
    probabilities = models.predictions(workspace, model)
    place = {tag: column for column, tag in enumerate(model.tag_ids)}
    known = [(row, tag) for row, tag in pairs if tag in place and row < len(probabilities)]
    return {(row, tag): round(float(np.asarray(probabilities[row, place[tag]])), 4) for row, tag in known}
