"""Margin: images whose probabilities lie nearest to one half, several tags at once."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity

TAGS = 5  # an image is judged by its most doubtful tags: the sure ones say nothing about it


def margin(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the smallest sum of their five smallest margins |p - 1/2|.

    Kept for comparison. It LOSES to random choice on small budgets: with few answers the model is unsure about the same
    few kinds of images, and the batch is full of them (figures in `annotator.learning.queries`). Without probabilities:
    `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    picked = best_scored(pool, rows, k, rng, lambda part: largest_sum(hesitation(pool, part), TAGS))
    return Picks(picked, [why_unsure(pool, row) for row in picked])


def hesitation(pool: Pool, rows: NDArray[np.int64]) -> Floats:
    """(n, C) in [0, 1/2]: 1/2 - |p - 1/2| of some rows, 1/2 where the model cannot tell at all."""
    return np.asarray(0.5 - np.abs(averaged(pool, rows) - 0.5))


def averaged(pool: Pool, rows: NDArray[np.int64]) -> Floats:
    """(n, C) probabilities of some rows, averaged over the posterior of the logits where its variance is known.

    MacKay, "The evidence framework applied to classification networks" (1992): sigmoid(z / sqrt(1 + pi v / 8)).
    """
    assert pool.probabilities is not None
    if pool.variance is None:
        return np.asarray(pool.probabilities[rows], np.float32)
    z = logits(pool, rows) / np.sqrt(1 + np.pi / 8 * np.asarray(pool.variance[rows], np.float32))
    return np.asarray(1 / (1 + np.exp(-z)))


def logits(pool: Pool, rows: NDArray[np.int64]) -> Floats:
    """(n, C) log-odds of the probabilities of some rows, cut at about +-16."""
    assert pool.probabilities is not None
    p = np.clip(np.asarray(pool.probabilities[rows], np.float32), 1e-7, 1 - 1e-7)
    return np.asarray(np.log(p / (1 - p)))


def largest_sum(values: Floats, count: int) -> Floats:
    """(n,) sum of the `count` largest of each row of (n, C)."""
    if values.shape[1] <= count:
        return np.asarray(values.sum(axis=1))
    return np.asarray(np.partition(values, values.shape[1] - count, axis=1)[:, -count:].sum(axis=1))


def why_unsure(pool: Pool, row: int) -> str:
    """ "unsure about boat (0.48), harbour (0.55)": the two most doubtful tags of an image."""
    assert pool.probabilities is not None
    doubt = hesitation(pool, np.array([row]))[0]
    named = [
        f"{pool.name(tag)} ({float(pool.probabilities[row, tag]):.2f})" for tag in np.argsort(-doubt, kind="stable")[:2]
    ]
    return f"unsure about {', '.join(named)}"
