"""Images drawn at random: the control every other strategy has to beat."""

import numpy as np

from annotator.learning.queries.base import Picks, Pool, apart, candidates_of


def at_random(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Each candidate equally likely. Hard to beat: see the figures in `annotator.learning.queries`."""
    rows = candidates_of(pool, k)
    picked = apart(rng.permutation(rows), pool.duplicates, k)
    return Picks(picked, ["drawn at random"] * len(picked))
