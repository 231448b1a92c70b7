"""What a way of reading unknown labels is: rounds of soft targets and weights for any head."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Labels = NDArray[np.int8]


@dataclass(frozen=True)
class Turn:
    """Where a fit stands: `number` 0 … `last`; probabilities (N, C) of the head of the turn before, None at first.

    prevalence (C,): the share of images that show each tag, as well as it can be told (`guess_prevalence`).
    """

    labels: Labels
    number: int
    last: int
    probabilities: Float | None
    prevalence: Float


@dataclass(frozen=True)
class Reading:
    """What one turn trains on: (N, C) targets in 0..1 and weights >= 0."""

    targets: Float
    weights: Float


@dataclass(frozen=True)
class Partial:
    """A way of reading unknown entries. Known entries always keep their label with the weight 1."""

    turns: int
    unknown: Callable[[Turn], Reading]
    """The targets and weights of the unknown entries; what it says of known ones is overruled."""

    def read(self, turn: Turn) -> Reading:
        known = turn.labels >= 0
        said = self.unknown(turn)
        return Reading(
            np.where(known, turn.labels, said.targets).astype(np.float32),
            np.where(known, 1, said.weights).astype(np.float32),
        )


def full(labels: Labels, value: float) -> Float:
    return np.full(labels.shape, value, np.float32)


def guess_prevalence(labels: Labels) -> Float:
    """(C,) share of images that show each tag, from known labels; where a tag has no known negative, its known
    positives are taken as all there are, which is the least that is possible."""
    positives, negatives = (labels == 1).sum(0), (labels == 0).sum(0)
    known = positives + negatives
    share = np.where(negatives > 0, positives / np.maximum(known, 1), positives / max(1, len(labels)))
    least = min(0.5, 0.5 / max(1, len(labels)))
    return np.asarray(np.clip(share, least, 1 - least), np.float32)
