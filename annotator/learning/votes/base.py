"""What every vote policy takes and gives, and the counting they share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.errors import BadInputError, UsageError

IntArray = NDArray[np.integer[Any]]
States = NDArray[np.int8]
Counts = NDArray[np.int64]
Figures = NDArray[np.float64]


@dataclass(frozen=True)
class VoteTable:
    """V votes, each what one annotator said of one tag on one image; in any order, none twice.

    images      (V,) int, row of the image
    tags        (V,) int, column of the tag
    annotators  (V,) int, any number that stands for the person
    states      (V,) int8 LabelState: 1 present, 0 absent, -1 cannot tell, which is no vote for either

    Raises UsageError where the columns are not of one length, BadInputError for other states.
    """

    images: IntArray
    tags: IntArray
    annotators: IntArray
    states: States

    def __post_init__(self) -> None:
        columns = (self.images, self.tags, self.annotators, self.states)
        if any(column.shape != (len(self.states),) for column in columns):
            raise UsageError(f"columns of shapes {[column.shape for column in columns]}; votes need four of one length")
        if not np.isin(self.states, (-1, 0, 1)).all():
            found = self.states[~np.isin(self.states, (-1, 0, 1))][0]
            raise BadInputError(f"a vote of {found}; votes are 1 present, 0 absent, -1 cannot tell")

    def __len__(self) -> int:
        return len(self.states)

    def take(self, places: NDArray[Any]) -> "VoteTable":
        """The votes at these places, or where a mask is true."""
        return VoteTable(self.images[places], self.tags[places], self.annotators[places], self.states[places])


@dataclass(frozen=True)
class Tally:
    """The P pairs of image and tag that somebody was asked about, by image and tag; the votes in order of their pair.

    images, tags, yes, no, unknown (P,): the pair, and how many said what.
    votes: the table sorted by image, tag and annotator; pair (V,): the place of each of its votes among the pairs.
    """

    images: IntArray
    tags: IntArray
    yes: Counts
    no: Counts
    unknown: Counts
    votes: VoteTable
    pair: Counts

    @property
    def told(self) -> Counts:
        """(P,) how many could tell."""
        return self.yes + self.no

    @property
    def share(self) -> Figures:
        """(P,) share of yes among those who could tell, one half where nobody could."""
        return ratio(self.yes, self.told, 0.5)

    def states_of_the_unanimous(self) -> States:
        """(P,) what all who could tell agree on; -1 where they do not, or nobody could."""
        return decided((self.no == 0) & (self.yes > 0), (self.yes == 0) & (self.no > 0))


def tally(votes: VoteTable) -> Tally:
    """Count the votes of each pair. Raises UsageError where a person voted twice on one."""
    if not _in_order(votes):
        votes = votes.take(np.lexsort((votes.annotators, votes.tags, votes.images)))
    new = np.ones(len(votes), np.bool_)
    new[1:] = (np.diff(votes.images) != 0) | (np.diff(votes.tags) != 0)
    twice = np.flatnonzero(~new[1:] & (np.diff(votes.annotators) == 0))
    if len(twice):
        at = twice[0]
        raise UsageError(
            f"annotator {votes.annotators[at]} votes twice on tag {votes.tags[at]} of image {votes.images[at]}; "
            "give the last vote only"
        )
    pair = np.cumsum(new) - 1
    size = int(new.sum())
    yes, no, unknown = (np.bincount(pair[votes.states == state], minlength=size) for state in (1, 0, -1))
    return Tally(votes.images[new], votes.tags[new], yes, no, unknown, votes, pair)


def _in_order(votes: VoteTable) -> bool:
    """Whether they stand by image, tag and annotator already, as a database gives them: a million need no sorting."""
    by_image, by_tag, by_person = (np.diff(part) for part in (votes.images, votes.tags, votes.annotators))
    later = (by_image > 0) | ((by_image == 0) & ((by_tag > 0) | ((by_tag == 0) & (by_person >= 0))))
    return bool(later.all())


class Belief(NamedTuple):
    """(N, C) targets in 0..1 and weights >= 0, for `annotator.learning.fit.fit_head`."""

    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


class Rates(NamedTuple):
    """(S,) shares in 0..1 with the two ends of their intervals."""

    value: Figures
    low: Figures
    high: Figures


@dataclass(frozen=True)
class Skills:
    """How S pairs of annotator and tag answer, by annotator and tag.

    annotators, tags       (S,) int, as in the votes; tag -1: all tags together
    sensitivity            share of the positives called present
    specificity            share of the negatives called absent
    accuracy               share of right answers
    positives, negatives   (S,) how many answers that rests on; expected counts where the truth is itself estimated
    """

    annotators: IntArray
    tags: IntArray
    sensitivity: Rates
    specificity: Rates
    accuracy: Rates
    positives: Figures
    negatives: Figures


@dataclass(frozen=True)
class Consensus:
    """What the votes on P pairs of image and tag come to, by image and tag.

    images, tags       (P,) the pairs that somebody was asked about
    belief             (P,) float64 in 0..1, that the tag is present
    states             (P,) int8 LabelState, by the rule of the policy; -1 is undecided
    yes, no, unknown   (P,) who said what
    skills             of each annotator and tag, None where the policy estimates none
    """

    images: IntArray
    tags: IntArray
    belief: Figures
    states: States
    yes: Counts
    no: Counts
    unknown: Counts
    skills: Skills | None = None

    @property
    def disagreement(self) -> Figures:
        """(P,) 4 b (1 - b) in 0..1: 1 where the belief is one half. Orders a review, most disputed first."""
        return 4 * self.belief * (1 - self.belief)

    def labels(self, images: int, tags: int) -> States:
        """(images, tags) int8 states, -1 where nothing is decided or nobody was asked."""
        found = np.full((images, tags), -1, np.int8)
        found[self.images, self.tags] = self.states
        return found

    def targets(self, images: int, tags: int) -> Belief:
        """(images, tags) beliefs to learn from, with the weight 1 where somebody could tell, else 0.

        The crowd's distribution as target, as in FER+ (Barsoum et al. 2016, arXiv 1608.01041).
        """
        targets, weights = np.zeros((images, tags), np.float32), np.zeros((images, tags), np.float32)
        targets[self.images, self.tags] = self.belief
        weights[self.images, self.tags] = self.yes + self.no > 0
        return Belief(targets, weights)


Policy = Callable[..., Consensus]
"""A `VoteTable`, and settings as keywords, to one word a pair. The order of the votes changes not even the last bit."""


def concluded(found: Tally, belief: Figures, states: States, skills: Skills | None = None) -> Consensus:
    return Consensus(found.images, found.tags, belief, states, found.yes, found.no, found.unknown, skills)


def decided(present: NDArray[np.bool_], absent: NDArray[np.bool_]) -> States:
    return np.where(present, 1, np.where(absent, 0, -1)).astype(np.int8)


def ratio(part: NDArray[Any], whole: NDArray[Any], otherwise: float) -> Figures:
    """part / whole, `otherwise` where whole is 0."""
    found: Figures = np.divide(
        part, whole, out=np.full(np.shape(whole), float(otherwise)), where=np.asarray(whole) != 0
    )
    return found
