"""What the causes of a review look at: votes pair by pair, counted by the store, and what is decided already."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session, aliased

from annotator.services import models
from annotator.services.image_facts import splits_of
from annotator.services.label_store import Pair
from annotator.services.review_tally import PAIR_KEY, Ints, Tally, counted, labelled_by
from annotator.terms import Split
from annotator.workspace import Workspace
from db.models import Label, Model, Review

MOST = 5000  # finds of one cause: more than anybody reviews between two looks
SPLIT_STEP = 2000
MOST_LOOKED_AT = 20 * MOST  # rows whose split is worked out in one look: a second or two


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
        found = counted(self.workspace)
        if self.tag_id is not None:
            found = found.at(np.flatnonzero(found.tags == self.tag_id))
        if self.person_id is not None:
            found = found.at(np.isin(found.keys, labelled_by(self.workspace, self.person_id)))
        closed = np.array([row * PAIR_KEY + tag for row, tag in self.closed], np.int64)
        return found.at(~np.isin(found.keys, closed)) if len(closed) else found

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
