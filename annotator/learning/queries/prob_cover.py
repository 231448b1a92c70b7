"""ProbCover: images whose neighbourhoods cover most of the collection (Yehuda et al. 2022, arXiv 2205.11320)."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Left, Picks, Pool, candidates_of, groups_at
from annotator.learning.queries.diversity import diversity, some_of

CONSIDERED = 6_000  # candidates: 6,000 x 6,000 similarities are 144 MB
COMPARED = 4_000
NEIGHBOURS = 20  # the mean number of images in a ball where the radius is chosen


def prob_cover(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Greedy max coverage: one after another the image whose ball holds most images that no answered or picked one's
    ball holds.

    The paper chooses the balls' radius by the purity of clusters with known counts; here it is the one at which a
    ball holds NEIGHBOURS images in the mean. When everything is covered the cover starts anew. Without embeddings:
    `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        return diversity(pool, k, rng)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    answered = some_of(pool.answered, COMPARED, rng)
    vectors = np.asarray(pool.embeddings[considered], np.float32)
    near = vectors @ vectors.T
    share = min(1.0, NEIGHBOURS / len(considered))
    radius = np.quantile(near[rng.integers(0, len(near), min(1_000, len(near)))], 1 - share)
    balls = near >= radius
    covered = np.zeros(len(considered), bool)
    if len(answered):
        covered = (vectors @ np.asarray(pool.embeddings[answered], np.float32).T).max(axis=1) >= radius
    picked = considered[_cover(balls, covered, Left(len(considered), groups_at(pool, considered)), k)]
    return Picks(picked, ["like many images of which none is answered"] * len(picked))


def _cover(balls: NDArray[np.bool_], covered: NDArray[np.bool_], left: Left, k: int) -> list[int]:
    """Places in the order in which they are picked."""
    gain = balls[:, ~covered].sum(axis=1)
    picked: list[int] = []
    for _ in range(min(k, len(balls))):
        if not gain[left.open()].any():
            covered = np.zeros(len(balls), bool)
            gain = balls.sum(axis=1)
        place = left.best(gain)
        picked.append(place)
        left.take(place)
        new = balls[place] & ~covered
        gain = gain - balls[:, new].sum(axis=1)
        covered = covered | new
    return picked
