"""Entropy: images whose tags the model is least sure of, all tags together."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.margin import averaged, why_unsure


def entropy(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the highest sum over tags of H(p) = -p log p - (1 - p) log(1 - p), p averaged over the posterior.

    Uncertainty sampling (Lewis & Gale 1994, doi 10.1007/978-1-4471-2099-5_1) for independent tags. Without
    probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    picked = best_scored(pool, rows, k, rng, lambda part: binary_entropy(averaged(pool, part)).sum(axis=1))
    return Picks(picked, [why_unsure(pool, row) for row in picked])


def binary_entropy(p: Floats) -> NDArray[np.float64]:
    """H(p) in nats, elementwise; 0 at 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(-p * np.log(p) - (1 - p) * np.log1p(-p))
