"""BADGE: spread over the gradients that the answers would bring (Ash et al. 2020, arXiv 1906.03671)."""

import numpy as np

from annotator.learning.queries.base import Floats, IntArray, Picks, Pool, candidates_of, scored
from annotator.learning.queries.diversity import CONSIDERED, Space, diversity, spread, thin_out
from annotator.learning.queries.margin import averaged, why_unsure


def badge(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """k-means++ draws among the loss gradients g_i = r_i (x) x_i, r_it = p_it - [p_it >= 1/2], the guess as label.

    The gradient of a linear head is an outer product, so distances need only <r_i, r_j> <x_i, x_j>: no C x D vector is
    ever made. Long gradients are doubtful images, far ones are of another kind. Of larger pools, candidates are
    considered with chances proportional to the squared length. Without probabilities or embeddings: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None or pool.embeddings is None:
        return diversity(pool, k, rng)
    considered, most = rows, max(CONSIDERED, k)
    if len(rows) > most:
        squares = scored(rows, lambda part: (residuals(pool, part) ** 2).sum(axis=1))
        considered = thin_out(rows, np.log(squares + 1e-12), most, rng)
    space = gradients(residuals(pool, considered), np.asarray(pool.embeddings[considered], np.float32))
    picked = spread(considered, space, np.asarray(space.lengths, np.float64), k, pool.duplicates, rng)
    return Picks(picked, [why_unsure(pool, row) for row in picked])


def residuals(pool: Pool, rows: IntArray) -> Floats:
    """(n, C) p - [p >= 1/2], p averaged over the posterior."""
    p = averaged(pool, rows)
    return np.asarray(p - (p >= 0.5), np.float32)


def gradients(left: Floats, right: Floats) -> Space:
    """The space of the outer products of (M, C) and (M, D)."""
    return Space(
        (left * left).sum(axis=1) * (right * right).sum(axis=1),
        lambda place: np.asarray((left @ left[place]) * (right @ right[place])),
    )
