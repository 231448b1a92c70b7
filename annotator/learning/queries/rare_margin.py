"""Margins and expected positives, weighted so that tags seen rarely count most."""

import numpy as np

from annotator.learning.queries.base import Floats, Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.margin import TAGS, averaged, hesitation, largest_sum


def rare_margin(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the highest sum over tags t of w_t (margin term + p_t), w_t = 1 / (1 + positives of t so far).

    The margin term is 1 - 2 |p - 1/2|, of the five tags for which it weighs most. Aims at rare tags and finds their
    positives, but as a plain ranking it fills a batch with one kind of image: far worse than random without `variance`,
    about random with it (figures in `annotator.learning.queries`). `mixed` spreads the same wish. Without
    probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    weights = 1 / (1 + pool.found)
    picked = best_scored(pool, rows, k, rng, lambda part: _score(pool, part, weights))
    return Picks(picked, [why_rare(pool, row, weights) for row in picked])


def why_rare(pool: Pool, row: int, weights: Floats) -> str:
    """ "may show boat (0.48), seen 3 times so far": the tag that made an image wanted, (C,) `weights` per tag."""
    assert pool.probabilities is not None
    tag = int(np.argmax(pool.probabilities[row] * weights))
    seen = int(pool.found[tag])
    often = "not seen so far" if seen == 0 else f"seen {'once' if seen == 1 else f'{seen} times'} so far"
    return f"may show {pool.name(tag)} ({float(pool.probabilities[row, tag]):.2f}), {often}"


def _score(pool: Pool, rows: np.ndarray, weights: Floats) -> Floats:
    return np.asarray(largest_sum(2 * hesitation(pool, rows) * weights, TAGS) + averaged(pool, rows) @ weights)
