"""Vote tables to test with: drawn by hypothesis, and simulated with known truth and skills."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotator.learning.votes import VoteTable


def table(*votes: tuple[int, int, int, int]) -> VoteTable:
    """(image, tag, annotator, state) each."""
    columns = np.array(votes, np.int64).reshape(-1, 4).T
    return VoteTable(columns[0], columns[1], columns[2], columns[3].astype(np.int8))


@st.composite
def tables(draw: st.DrawFn, states: tuple[int, ...] = (1, 0, -1), largest: int = 60) -> VoteTable:
    keys = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 5))
    asked = draw(st.lists(keys, unique=True, max_size=largest))
    said = draw(st.lists(st.sampled_from(states), min_size=len(asked), max_size=len(asked)))
    return table(*((*key, state) for key, state in zip(asked, said, strict=True)))


class World(NamedTuple):
    votes: VoteTable
    truth: NDArray[np.bool_]  # (N, C)
    sensitivity: NDArray[np.float64]  # (A, C)
    specificity: NDArray[np.float64]  # (A, C)

    def at(self, found: Any) -> NDArray[np.bool_]:
        """The truth of a consensus' pairs."""
        return self.truth[found.images, found.tags]


def simulate(images: int = 400, tags: int = 4, people: int = 12, each: int = 5, seed: int = 0) -> World:
    """Every image is shown to `each` of the people with all its tags; the first two of them guess."""
    rng = np.random.default_rng(seed)
    truth = rng.random((images, tags)) < rng.uniform(0.15, 0.5, tags)
    skill = rng.uniform(0.65, 0.97, (people, 1))
    skill[:2] = 0.5
    sensitivity = np.clip(skill + rng.normal(0, 0.05, (people, tags)), 0.05, 0.99)
    specificity = np.clip(skill + rng.normal(0, 0.05, (people, tags)), 0.05, 0.99)
    chosen = np.argsort(rng.random((images, people)), 1)[:, :each]
    image, place, tag = (part.ravel() for part in np.indices((images, each, tags)))
    person = chosen[image, place]
    present = np.where(truth[image, tag], sensitivity[person, tag], 1 - specificity[person, tag])
    states = (rng.random(len(image)) < present).astype(np.int8)
    return World(VoteTable(image, tag, person, states), truth, sensitivity, specificity)
