"""Balanced: each pick for the tag that lacks positives most."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, IntArray, Left, Picks, Pool, candidates_of, groups_at, scored
from annotator.learning.queries.diversity import CONSIDERED, diversity, thin_out
from annotator.learning.queries.margin import averaged


def balanced(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Greedy: one after another the image with the largest sum over tags of p_t (sqrt(n_t + 1) - sqrt(n_t)), what its
    answer is expected to add to sum of sqrt(n_t), n_t the positives of a tag so far and those that the picks before it
    promise.

    Class-balanced sampling for several tags an image. Asks about what the model is sure of already, so it teaches
    little. Without probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    considered, most = rows, max(CONSIDERED, k)
    if len(rows) > most:
        worth = scored(rows, lambda part: np.asarray(averaged(pool, part) @ _wanted(pool.found)))
        considered = thin_out(rows, np.log(worth + 1e-12), most, rng)
    left = Left(len(considered), groups_at(pool, considered))
    picked, tags = _greedy(averaged(pool, considered), pool.found, left, k)
    chosen = considered[picked]
    return Picks(chosen, [_why(pool, int(row), tag) for row, tag in zip(chosen, tags, strict=True)])


def _greedy(p: Floats, found: NDArray[np.float64], left: Left, k: int) -> tuple[IntArray, list[int]]:
    """Places of the picks, and for each the tag that made it wanted."""
    found = found.copy()
    picked: list[int] = []
    tags: list[int] = []
    for _ in range(min(k, len(p))):
        weights = _wanted(found)
        place = left.best(p @ weights)
        picked.append(place)
        left.take(place)
        tags.append(int(np.argmax(p[place] * weights)))
        found += p[place]
    return np.array(picked, np.int64), tags


def _wanted(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) what one more positive of each tag would add."""
    return np.asarray(np.sqrt(found + 1) - np.sqrt(found), np.float64)


def _why(pool: Pool, row: int, tag: int) -> str:
    assert pool.probabilities is not None
    return f"may show {pool.name(tag)} ({float(pool.probabilities[row, tag]):.2f}), which has few positives"
