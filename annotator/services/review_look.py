"""What the causes of a review look at: votes pair by pair, counted by the store, and what is decided already."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from annotator.services import models
from annotator.services.image_facts import splits_of
from annotator.services.label_store import Pair
from annotator.terms import LabelState, Split
from annotator.workspace import Workspace
from db.models import JournalEntry, Label, Model, Review

MOST = 5000  # finds of one cause: more than anybody reviews between two looks
PAIR_KEY = 1 << 31  # tag ids fit below it: (image, tag) pairs become one sortable integer
SPLIT_STEP = 2000
MOST_LOOKED_AT = 20 * MOST  # rows whose split is worked out in one look: a second or two
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Find:
    """One cause to look at one pair again. `tag_id` None: the whole picture."""

    row: int
    tag_id: int | None
    chance: float
    """Estimated probability in 0..1 that a reviewer changes the label."""
    words: str
    waits: bool = False
    """Somebody was asked again and has not answered: it comes last, whatever else is found of it."""


@dataclass(frozen=True)
class Tally:
    """The votes on each labelled (image, tag) pair: (P,) rows, tag ids, how many said yes, how many no."""

    rows: Ints
    tags: Ints
    yes: Ints
    no: Ints

    @property
    def keys(self) -> Ints:
        return self.rows * PAIR_KEY + self.tags

    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        return self.rows.tolist(), self.tags.tolist(), self.yes.tolist(), self.no.tolist()

    def at(self, places: Any) -> "Tally":
        return Tally(self.rows[places], self.tags[places], self.yes[places], self.no[places])


@dataclass(frozen=True)
class Look:
    """One look for causes, all of it or what one tag or one person's labels have of them."""

    workspace: Workspace
    session: Session
    tag_id: int | None = None
    person_id: int | None = None

    def on(self, row: Any, tag: Any) -> list[ColumnElement[bool]]:
        """What a query has to ask for so that it finds this look's tag and person only; `row` and `tag` are its columns
        of images and tags."""
        conditions: list[ColumnElement[bool]] = []
        if self.tag_id is not None:
            conditions.append(tag == self.tag_id)
        if self.person_id is not None:
            theirs = aliased(Label)
            said = (theirs.image_row == row, theirs.tag_id == tag, theirs.annotator_id == self.person_id)
            conditions.append(exists().where(*said))
        return conditions

    @cached_property
    def tally(self) -> Tally:
        """The votes on all pairs of this look that are still to be decided by a reviewer."""
        newest = tuple(self.session.scalar(select(func.max(table.id))) for table in (JournalEntry, Label))
        counted = _counted(self.workspace, newest, self.tag_id)
        if self.person_id is not None:
            theirs = _labelled_by(self.workspace, newest, self.person_id)
            counted = counted.at(np.isin(counted.keys, theirs))
        closed = np.array([row * PAIR_KEY + tag for row, tag in self.closed], np.int64)
        return counted.at(~np.isin(counted.keys, closed)) if len(closed) else counted

    @cached_property
    def closed(self) -> set[Pair]:
        """The pairs that a reviewer decided after their last label."""
        newer = exists().where(Label.image_row == Review.image_row, Label.tag_id == Review.tag_id, Label.at > Review.at)
        of_it = self.on(Review.image_row, Review.tag_id)
        query = select(Review.image_row, Review.tag_id).where(~newer, *of_it)
        return {(row, tag) for row, tag in self.session.execute(query)}

    def believed(self, tally: Tally) -> tuple[Tally, NDArray[np.float32], Model] | None:
        """The pairs of which the model in use knows both, with its probability of each (P,); None without a model."""
        model = models.in_use(self.workspace)
        if model is None:
            return None
        probabilities = models.predictions(self.workspace, model)
        ids = np.array(model.tag_ids, np.int64)
        order = np.argsort(ids)
        places = order[np.searchsorted(ids, tally.tags, sorter=order).clip(max=len(ids) - 1)]
        known = (tally.rows < len(probabilities)) & (ids[places] == tally.tags)
        return tally.at(known), np.asarray(probabilities[tally.rows[known], places[known]], np.float32), model

    def held_out(self, rows: Ints) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Which of `rows` no model trains on, some at a time with the place of the first: the caller stops when it
        has enough."""
        for start in range(0, min(len(rows), MOST_LOOKED_AT), SPLIT_STEP):
            part = rows[start : start + SPLIT_STEP]
            splits = splits_of(self.workspace, self.session, part.tolist())
            yield start, np.array([splits[row] != Split.TRAIN for row in part.tolist()])


@lru_cache(maxsize=4)
def _counted(workspace: Workspace, _newest: tuple[int | None, ...], tag_id: int | None) -> Tally:
    """All votes (on one tag), counted by the store; kept until a label changes."""
    votes = [func.sum(case((Label.state == state, 1), else_=0)) for state in (LabelState.POSITIVE, LabelState.NEGATIVE)]
    with workspace.reading() as session:
        of_it = Look(workspace, session, tag_id).on(Label.image_row, Label.tag_id)
        query = select(Label.image_row, Label.tag_id, *votes).where(*of_it).group_by(Label.image_row, Label.tag_id)
        counted = np.fromiter(chain.from_iterable(session.execute(query)), np.int64).reshape(-1, 4)
    return Tally(*np.ascontiguousarray(counted.T))


@lru_cache(maxsize=4)
def _labelled_by(workspace: Workspace, _newest: tuple[int | None, ...], person_id: int) -> Ints:
    """The keys of the pairs that one person labelled; kept until a label changes."""
    query = select(Label.image_row, Label.tag_id).where(Label.annotator_id == person_id)
    with workspace.reading() as session:
        pairs = np.fromiter(chain.from_iterable(session.execute(query)), np.int64).reshape(-1, 2)
    return pairs[:, 0] * PAIR_KEY + pairs[:, 1]
