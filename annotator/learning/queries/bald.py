"""BALD: images whose answers would say most about the model (Houlsby et al. 2011, arXiv 1112.5745)."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.entropy import binary_entropy, entropy
from annotator.learning.queries.margin import logits, why_unsure

NODES = 9  # of the quadrature: within 0.005 nats up to a variance of 6, 0.05 at 20; Houlsby's closed form: 0.03 at 1


def bald(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the highest sum over tags of the mutual information between a label and the head's weights.

    H(E p) - E H(p) under the Laplace posterior of the logit, N(z, v), by Gauss-Hermite quadrature. A head without
    `variance` knows no such information: `entropy` then; without probabilities `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    if pool.variance is None:
        return entropy(pool, k, rng)
    picked = best_scored(pool, rows, k, rng, lambda part: information(pool, part).sum(axis=1))
    return Picks(picked, [why_unsure(pool, row) for row in picked])


def information(pool: Pool, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, C) mutual information in nats, at least 0."""
    assert pool.variance is not None
    mean = logits(pool, rows)
    deviation = np.sqrt(np.asarray(pool.variance[rows], np.float32))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    share, doubt = np.zeros_like(mean), np.zeros_like(mean)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        p = 1 / (1 + np.exp(-(mean + node * deviation)))
        share += weight * p
        doubt += weight * binary_entropy(p)
    return np.asarray(np.maximum(binary_entropy(share) - doubt, 0))
