"""People's answers on pairs whose truth is known: gold they were asked about, and labels that a review decided."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from annotator.learning.votes import VoteTable
from annotator.terms import LabelState, TaskKind, Verdict
from db.models import Gold, JournalEntry, Label, Review, Submission

GOLD, REVIEW = "gold", "reviews"
DEFENSIBLE = (Verdict.ALSO_VALID, Verdict.FINER)
"""A review that changed the state all the same calls nobody wrong."""
SENT_BACK = "sent back: "  # begins the problem of a submission that was taken back with a stretch


@dataclass(frozen=True)
class KnownAnswer:
    """What a person said of a pair, and what is known of it; `by`: gold or reviews."""

    annotator_id: int
    row: int
    tag_id: int
    state: LabelState
    truth: LabelState
    at: datetime
    by: str

    @property
    def right(self) -> bool:
        return self.state == self.truth


def known_answers(session: Session) -> list[KnownAnswer]:
    """All of them, in the order of time; a "cannot tell" is among them and neither right nor wrong."""
    found = _on_gold(session) + _on_reviewed(session)
    return sorted(found, key=lambda one: (one.at, one.annotator_id, one.row, one.tag_id))


def as_votes(answers: list[KnownAnswer]) -> tuple[VoteTable, NDArray[np.int8]]:
    """The answers as votes, tags by their ids, and (V,) int8 the truth of each."""
    columns = [(one.row, one.tag_id, one.annotator_id, int(one.state), int(one.truth)) for one in answers]
    rows, tags, people, states, truths = np.array(columns, np.int64).reshape(-1, 5).T
    return VoteTable(rows, tags, people, states.astype(np.int8)), truths.astype(np.int8)


def _on_gold(session: Session) -> list[KnownAnswer]:
    """Of a pair whose answer is told at once the first answer, of others the last that stands.

    An answer that was sent back with a stretch still says how well the person answered.
    """
    truth = {(gold.image_row, gold.tag_id): gold for gold in session.scalars(select(Gold))}
    verdicts = {
        (row, tag): state for row, tag, state in session.execute(
            select(Review.image_row, Review.tag_id, Review.state)
            .join(Gold, (Gold.image_row == Review.image_row) & (Gold.tag_id == Review.tag_id))
        )
    }  # fmt: skip
    stands = or_(
        JournalEntry.submission_id.is_(None), Submission.undone.is_(False), Submission.problem.startswith(SENT_BACK)
    )
    query = (
        select(JournalEntry, stands)
        .outerjoin(Submission, Submission.id == JournalEntry.submission_id)
        .where(JournalEntry.kind == TaskKind.GOLD, JournalEntry.state.is_not(None))
        .where(or_(JournalEntry.submission_id.is_(None), Submission.labels > 0))
        .order_by(JournalEntry.id)
    )
    said: dict[tuple[int, int, int], KnownAnswer] = {}
    for entry, counts in session.execute(query):
        gold = truth.get((entry.image_row, entry.tag_id))
        key = entry.annotator_id, entry.image_row, entry.tag_id
        if gold is None or entry.state is None or (key in said if gold.instant else not counts):
            continue
        known = LabelState(verdicts.get((entry.image_row, entry.tag_id), gold.state))
        said[key] = KnownAnswer(*key, entry.state, known, entry.at, GOLD)
    return list(said.values())


def _on_reviewed(session: Session) -> list[KnownAnswer]:
    """What stood when the review was given; nobody is measured by their own verdict."""
    query = select(Label, Review.state).join(
        Review, (Review.image_row == Label.image_row) & (Review.tag_id == Label.tag_id)
    ).where(
        Label.kind != TaskKind.GOLD, Label.annotator_id != Review.reviewer_id, Label.at <= Review.at,
        Review.verdict.not_in(DEFENSIBLE), Review.state != LabelState.UNKNOWN,
    )  # fmt: skip
    return [
        KnownAnswer(label.annotator_id, label.image_row, label.tag_id, label.state, LabelState(truth), label.at, REVIEW)
        for label, truth in session.execute(query)
    ]
