"""Several people's votes as one belief to learn from."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError


class Belief(NamedTuple):
    """(N, C) targets in 0..1 and weights >= 0, for `annotator.learning.fit.fit_head`."""

    targets: NDArray[np.float32]
    weights: NDArray[np.float32]


def soft_votes(yes: NDArray[np.integer[Any]], votes: NDArray[np.integer[Any]]) -> Belief:
    """The share of `yes` among the `votes` of those who could tell, both (N, C).

    The crowd's distribution as target, as in FER+ (Barsoum et al. 2016, arXiv 1608.01041); an entry without votes has
    the weight 0. Imaginary votes for both sides, or at the tag's share, made it worse; against the majority it is a
    little better from three votes on: `benchmarks.human_votes`. Raises UsageError where more said yes than voted.
    """
    if yes.shape != votes.shape or (yes > votes).any() or (yes < 0).any():
        raise UsageError(f"yes votes {yes.shape} and votes {votes.shape}: one shape, and no more yes than votes")
    return Belief((yes / np.maximum(votes, 1)).astype(np.float32), (votes > 0).astype(np.float32))
