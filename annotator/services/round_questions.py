"""What a round asks: draws of its sets in their order, random whole images, and what lies outside its sets."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from annotator.learning import cascade
from annotator.services.label_store import parts
from annotator.services.round_sets import ACCEPT, SetAudit, votes_of
from annotator.services.tasks import Band
from annotator.terms import TaskKind
from db.models import Label, Review, Round, RoundSet, Task

AHEAD = 120  # questions of each kind about a tag that wait; more follow while they are needed

WHOLE = "drawn at random: it proves what the round may settle"
DRAWN = {True: "audit of what is proposed as present", False: "audit of what is proposed as absent"}
OUTSIDE = "the model is not sure, so people decide"


def ask_whole(session: Session, round_: Round, pool: NDArray[np.int64], open_: NDArray[np.bool_], count: int) -> None:
    """The first images of the round's order with an open tag: one answer serves the sets of all tags."""
    is_open = np.zeros(int(pool.max(initial=-1)) + 1, bool)
    is_open[pool] = open_.any(axis=1)
    order = cascade.draw_order(round_.seed, pool)
    rows = order[is_open[order]][:count].tolist()
    for part in parts(rows):
        # The same image must not be asked twice; picks come anew with the next training.
        free = delete(Task).where(
            Task.tag_id.is_(None), Task.round_number.is_(None), Task.done_at.is_(None), Task.annotator_id.is_(None)
        )
        session.execute(free.where(Task.image_row.in_(part)))
    for position, row in enumerate(rows):
        for _ in range(votes_of(round_)):
            session.add(_task(round_.number, row, None, Band.ACCEPT.position(position), WHOLE))


def ask_draws(session: Session, round_: Round, audit: SetAudit) -> None:
    """The next draws of one set, as questions about its tag, each asked of as many people as the round agreed on."""
    set_, number = audit.set, round_.number
    band = Band.ACCEPT if set_.side == ACCEPT else Band.REJECT
    draws = audit.waiting[:AHEAD].tolist()
    reason = DRAWN[set_.side == ACCEPT]
    _promote(session, number, set_.tag_id, {row: band.position(set_.draws + n) for n, row in enumerate(draws)}, reason)
    lacking = votes_lacking(session, set_.tag_id, draws, votes_of(round_))
    for place, row in enumerate(draws):
        for _ in range(lacking[row]):
            session.add(_task(number, row, set_.tag_id, band.position(set_.draws + place), reason))
    session.flush()


def votes_lacking(session: Session, tag_id: int, rows: list[int], votes: int) -> dict[int, int]:
    """How many people more must be asked about a tag on each image: not those who answered or are asked already; none
    where a reviewer decided."""
    lacking = dict.fromkeys(rows, votes)
    for part in parts(rows):
        for asked in (
            select(Task.image_row).where(Task.tag_id == tag_id, Task.done_at.is_(None), Task.image_row.in_(part)),
            select(Label.image_row).where(Label.tag_id == tag_id, Label.image_row.in_(part)),
        ):
            for row in session.scalars(asked):
                lacking[row] = max(0, lacking[row] - 1)
        reviewed = select(Review.image_row).where(Review.tag_id == tag_id, Review.image_row.in_(part))
        lacking |= dict.fromkeys(session.scalars(reviewed), 0)
    return lacking


def _promote(session: Session, number: int, tag_id: int, positions: dict[int, int], reason: str) -> None:
    """Questions about draws that wait for another cause become the audit's: behind all others they would hold it up."""
    for part in parts(positions):
        waiting = select(Task).where(
            Task.tag_id == tag_id, Task.image_row.in_(part), Task.done_at.is_(None), Task.annotator_id.is_(None),
            Task.round_number.is_distinct_from(number), Task.kind != TaskKind.GOLD,
        )  # fmt: skip
        for task in session.scalars(waiting):
            task.kind, task.round_number, task.reason = TaskKind.AUDIT, number, reason
            task.position = positions[task.image_row]


def ask_outside(session: Session, number: int, tag_id: int, rows: list[int]) -> None:
    """Images outside the sets, in this order, as questions about one tag; those that wait or are answered are not asked
    again."""
    asked = asked_about(session, tag_id, rows)
    for place, row in enumerate(rows):
        if row not in asked:
            session.add(_task(number, row, tag_id, Band.PICK.position(place), OUTSIDE))
    session.flush()


def drop(session: Session, number: int, set_: RoundSet | None = None) -> None:
    """Take back the open questions of a round, or of one of its sets."""
    query = delete(Task).where(Task.round_number == number, Task.done_at.is_(None))
    if set_ is not None:
        band = Band.ACCEPT if set_.side == ACCEPT else Band.REJECT
        query = query.where(Task.tag_id == set_.tag_id, Task.position.between(band.position(0), band.position(-1)))
    session.execute(query)


def asked_about(session: Session, tag_id: int, rows: list[int]) -> set[int]:
    """Of some images those that are asked about a tag now, or were answered on it."""
    asked: set[int] = set()
    for part in parts(rows):
        waiting = select(Task.image_row).where(Task.tag_id == tag_id, Task.done_at.is_(None), Task.image_row.in_(part))
        asked.update(session.scalars(waiting.where(Task.kind != TaskKind.GOLD)))
        answered = select(Label.image_row).where(Label.tag_id == tag_id, Label.image_row.in_(part))
        asked.update(session.scalars(answered.where(Label.kind != TaskKind.GOLD)))
    return asked


def _task(number: int, row: int, tag_id: int | None, position: int, reason: str) -> Task:
    return Task(
        kind=TaskKind.AUDIT, image_row=row, tag_id=tag_id, round_number=number, position=position, reason=reason
    )
