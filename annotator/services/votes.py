"""People's labels as columns of votes, and what they come to by the policy that the project agreed on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.learning.votes import Consensus, VoteTable, reach_consensus
from annotator.terms import TaskKind
from annotator.workspace import Project
from db.models import Label, Tag

THRESHOLDS = {"share_threshold": "share", "dawid_skene": "least", "one_coin": "least"}
"""Policies that the project's `vote_threshold` speaks to, and what they call it."""
MODELS = frozenset({"dawid_skene", "one_coin"})
"""Policies under which the word on one pair follows from votes on other pairs and tags as well."""


@dataclass(frozen=True)
class Votes:
    """V labels as columns, by image, tag and annotator: image row, tag column, state, annotator id, seconds since 1970,
    kind, round (0: none)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    states: NDArray[np.int8]
    annotators: NDArray[np.int64]
    at: NDArray[np.int64]
    kinds: tuple[TaskKind, ...]
    rounds: NDArray[np.int64]

    def on(self, column: int) -> "Votes":
        """Those on one tag, which is column 0 then."""
        own = self.columns == column
        kinds = tuple(kind for kind, is_own in zip(self.kinds, own.tolist(), strict=True) if is_own)
        rows = self.rows[own]
        return Votes(
            rows, np.zeros_like(rows), self.states[own], self.annotators[own], self.at[own], kinds, self.rounds[own]
        )

    @property
    def table(self) -> VoteTable:
        return VoteTable(self.rows, self.columns, self.annotators, self.states)


def live_tags(session: Session) -> list[Tag]:
    """The tags in use, in the order of their columns."""
    return list(session.scalars(select(Tag).where(Tag.archived.is_(False)).order_by(Tag.id)))


def votes(session: Session, tags: list[Tag]) -> Votes:
    """All present labels on `tags`; answers to gold are no votes."""
    column = {tag.id: place for place, tag in enumerate(tags)}
    query = (
        select(Label.image_row, Label.tag_id, Label.state, Label.annotator_id, Label.at, Label.kind, Label.round_number)
        .where(Label.kind != TaskKind.GOLD)
        .order_by(Label.image_row, Label.tag_id, Label.annotator_id)
    )
    if len(tags) == 1:
        query = query.where(Label.tag_id == tags[0].id)
    found = [row for row in session.execute(query).all() if row.tag_id in column]
    return Votes(
        np.array([row.image_row for row in found], np.int64),
        np.array([column[row.tag_id] for row in found], np.int64),
        np.array([row.state for row in found], np.int8),
        np.array([row.annotator_id for row in found], np.int64),
        np.array([int(row.at.timestamp()) for row in found], np.int64),
        tuple(row.kind for row in found),
        np.array([row.round_number or 0 for row in found], np.int64),
    )


def concluded(project: Project, found: Votes, policy: str | None = None) -> Consensus:
    """What the votes come to by the project's policy, or by another one; images as rows, tags as columns."""
    name = policy or project.vote_policy
    settings = {THRESHOLDS[name]: project.vote_threshold} if name in THRESHOLDS else {}
    return reach_consensus(name, found.table, **settings)


def decided_votes(project: Project, session: Session, tags: list[Tag]) -> tuple[Votes, Consensus]:
    """The votes on `tags` and what they come to, which on one tag alone is the same as among all."""
    if len(tags) != 1 or project.vote_policy not in MODELS:
        found = votes(session, tags)
        return found, concluded(project, found)
    everything = live_tags(session)
    if tags[0].id not in {tag.id for tag in everything}:
        everything = tags
    column = [tag.id for tag in everything].index(tags[0].id)
    found = votes(session, everything)
    of_all = concluded(project, found)
    own = of_all.tags == column
    parts = (of_all.belief, of_all.states, of_all.yes, of_all.no, of_all.unknown)
    return found.on(column), Consensus(
        of_all.images[own], np.zeros_like(of_all.tags[own]), *(one[own] for one in parts)
    )
