"""People's labels as columns of votes, and what they come to by the policy that the project agreed on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import SmallInteger, String, func, select, type_coerce
from sqlalchemy.orm import Session

from annotator.learning.votes import Consensus, VoteTable, reach_consensus
from annotator.terms import TaskKind
from annotator.workspace import Project
from db.models import Label, Tag

THRESHOLDS = {"share_threshold": "share", "dawid_skene": "least", "one_coin": "least"}
"""Policies that the project's `vote_threshold` speaks to, and what they call it."""
MODELS = frozenset({"dawid_skene", "one_coin"})
"""Policies under which the word on one pair follows from votes on other pairs and tags as well."""

AT_ONCE = 50_000  # labels read as objects at once
KINDS = {kind.value: kind for kind in TaskKind}
Whole = NDArray[np.integer[Any]]


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

    def where(self, own: NDArray[np.bool_]) -> "Votes":
        kinds = tuple(kind for kind, is_own in zip(self.kinds, own.tolist(), strict=True) if is_own)
        return Votes(
            self.rows[own], self.columns[own], self.states[own], self.annotators[own], self.at[own], kinds,
            self.rounds[own],
        )  # fmt: skip

    @property
    def table(self) -> VoteTable:
        return VoteTable(self.rows, self.columns, self.annotators, self.states)


def live_tags(session: Session) -> list[Tag]:
    """The tags in use, in the order of their columns."""
    return list(session.scalars(select(Tag).where(Tag.archived.is_(False)).order_by(Tag.id)))


def votes(session: Session, tags: list[Tag], rows: range | None = None) -> Votes:
    """All present labels on `tags`, or those of the images in `rows`; answers to gold are no votes."""
    column = {tag.id: place for place, tag in enumerate(tags)}
    query = (
        select(
            Label.image_row,
            Label.tag_id,
            type_coerce(Label.state, SmallInteger),
            Label.annotator_id,
            Label.at,
            type_coerce(Label.kind, String),
            func.coalesce(Label.round_number, 0),
        )
        .where(Label.kind != TaskKind.GOLD)
        .order_by(Label.image_row, Label.tag_id, Label.annotator_id)
    )
    if len(tags) == 1:
        query = query.where(Label.tag_id == tags[0].id)
    if rows is not None:
        query = query.where(Label.image_row >= rows.start, Label.image_row < rows.stop)
    # In parts, and states and kinds as they are stored: all votes at once as rows of objects would be gigabytes.
    parts = session.execute(query.execution_options(yield_per=AT_ONCE)).partitions()
    return _joined([_votes((), column), *(_votes(part, column) for part in parts)])


def _votes(rows: Sequence[Any], column: dict[int, int]) -> Votes:
    """The rows of `votes` on tags that have a column."""
    kept = [row for row in rows if row[1] in column]
    images, tags, states, people, at, kinds, rounds = zip(*kept, strict=True) if kept else ((),) * 7
    return Votes(
        np.array(images, np.int64),
        np.array([column[tag_id] for tag_id in tags], np.int64),
        np.array(states, np.int8),
        np.array(people, np.int64),
        np.array([int(moment.timestamp()) for moment in at], np.int64),
        tuple(map(KINDS.__getitem__, kinds)),
        np.array(rounds, np.int64),
    )


def _joined(parts: Sequence[Votes]) -> Votes:
    return Votes(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.columns for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.annotators for part in parts]),
        np.concatenate([part.at for part in parts]),
        tuple(chain.from_iterable(part.kinds for part in parts)),
        np.concatenate([part.rounds for part in parts]),
    )


def concluded(project: Project, found: Votes, policy: str | None = None) -> Consensus:
    """What the votes come to by the project's policy, or by another one; images as rows, tags as columns."""
    name = policy or project.vote_policy
    settings = {THRESHOLDS[name]: project.vote_threshold} if name in THRESHOLDS else {}
    return reach_consensus(name, found.table, **settings)


def decided_votes(
    project: Project, session: Session, tags: list[Tag], rows: range | None = None
) -> tuple[Votes, Consensus]:
    """The votes on `tags` (of the images in `rows`) and what they come to, which is the same as among all."""
    if project.vote_policy not in MODELS or (rows is None and len(tags) != 1):
        found = votes(session, tags, rows)
        return found, concluded(project, found)
    everything = live_tags(session)
    if not {tag.id for tag in tags} <= {tag.id for tag in everything}:
        everything = tags
    found = votes(session, everything)
    return among(found, concluded(project, found), [everything.index(tag) for tag in tags], rows)


def among(
    found: Votes, said: Consensus, columns: list[int] | None = None, rows: range | None = None
) -> tuple[Votes, Consensus]:
    """Those on some tags, whose columns are numbered anew, and on the images in `rows`; None for all."""

    def inside(images: Whole, tags: Whole) -> NDArray[np.bool_]:
        own = np.ones(len(images), bool) if columns is None else np.isin(tags, columns)
        return own if rows is None else own & (images >= rows.start) & (images < rows.stop)

    def anew(tags: Whole) -> NDArray[np.int64]:
        return np.asarray(tags if columns is None else np.searchsorted(columns, tags), np.int64)

    theirs = found.where(inside(found.rows, found.columns))
    own = inside(said.images, said.tags)
    kept = Consensus(
        said.images[own], anew(said.tags[own]), said.belief[own], said.states[own], said.yes[own], said.no[own],
        said.unknown[own],
    )  # fmt: skip
    return replace(theirs, columns=anew(theirs.columns)), kept
