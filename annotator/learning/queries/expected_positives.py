"""Expected positives: "find me more of this"."""

import numpy as np

from annotator.learning.queries.base import Picks, Pool, best_scored, candidates_of
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.margin import averaged
from annotator.learning.queries.rare_margin import why_rare


def expected_positives(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """The images with the highest sum over tags of p, averaged over the posterior: active search (Garnett et al. 2012,
    arXiv 1206.6406) of one step.

    Finds what is known already, so the model learns little: for collecting positives, not for training. Restrict the
    pool's columns to the tags that are wanted. Without probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    picked = best_scored(pool, rows, k, rng, lambda part: averaged(pool, part).sum(axis=1))
    even = np.ones(pool.labels.shape[1])
    return Picks(picked, [why_rare(pool, row, even) for row in picked])
