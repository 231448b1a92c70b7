"""What extra training material is: beliefs about images nobody answered, or vectors made from answered ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads import Head

Features = NDArray[np.floating[Any]]
Float = NDArray[np.float32]
WEIGHT = 0.5  # of all extra entries of a tag together, in units of its answers


@dataclass(frozen=True)
class Given:
    """Answered images X (N, D) with labels (N, C) 1, 0, -1; unlabelled (M, D); the head trained on the answers.

    teacher (M, C): probabilities of the unlabelled images by a model of other vectors; None where there is none.
    """

    X: Features
    labels: NDArray[np.int8]
    unlabelled: Features
    head: Head
    teacher: Float | None = None

    def share(self) -> NDArray[np.float64]:
        """(C,) positives among the known labels, by Laplace's rule."""
        return np.asarray(((self.labels == 1).sum(0) + 1) / ((self.labels >= 0).sum(0) + 2))


@dataclass(frozen=True)
class Extra:
    """E vectors with (E, C) targets in 0..1 and weights >= 0, beside the answers, which weigh 1 each."""

    X: Float
    targets: Float
    weights: Float


Source = Callable[[Given], Extra]


def weighed(given: Given, X: Features, targets: NDArray[Any], trust: NDArray[Any]) -> Extra:
    """An Extra whose weights are (E, C) `trust` in 0..1, scaled so that a tag's sum is at most WEIGHT x its answers."""
    answers = (given.labels >= 0).sum(0)
    weights = trust * np.minimum(1, WEIGHT * answers / np.maximum(trust.sum(0), 1e-12))
    return Extra(*(np.asarray(part, np.float32) for part in (X, targets, weights)))
