"""BALD: images whose answers would say most about the model (Houlsby et al. 2011, arXiv 1112.5745)."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.entropy import binary_entropy, entropy
from annotator.learning.queries.margin import averaged, logits, why_unsure

PROBIT = np.pi / 8  # sigmoid(z) is about Phi(sqrt(pi / 8) z) (MacKay 1992)
WIDTH = np.pi * np.log(2) / 2  # H(Phi(a)) is about log 2 exp(-a^2 / WIDTH) (Houlsby et al., section 3)


def bald(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the highest sum over tags of the mutual information between a label and the head's weights.

    H(E p) - E H(p) under the Laplace posterior of the logit, N(z, v), with Houlsby's Gaussian approximation of the
    second term. A head without `variance` knows no such information: `entropy` then; without probabilities
    `diversity`.
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
    mean = np.sqrt(PROBIT) * logits(pool, rows).astype(np.float64)
    variance = PROBIT * np.asarray(pool.variance[rows], np.float64)
    wide = WIDTH + 2 * variance
    expected = np.log(2) * np.sqrt(WIDTH / wide) * np.exp(-(mean**2) / wide)
    return np.asarray(np.maximum(binary_entropy(averaged(pool, rows)) - expected, 0))
