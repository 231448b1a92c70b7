"""Core-set: always the image farthest from everything answered (Sener & Savarese 2018, arXiv 1708.00489)."""

import numpy as np

from annotator.learning.queries.base import Left, Picks, Pool, candidates_of, groups_at
from annotator.learning.queries.diversity import COMPARED, CONSIDERED, Space, diversity, nearest, some_of


def core_set(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Greedy k-center on the embeddings: one after another the image with the largest distance to its nearest answered
    or picked one. Collects outliers, which `diversity` draws around. Without embeddings: `diversity`."""
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        return diversity(pool, k, rng)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    references = some_of(pool.answered, COMPARED, rng)
    vectors = np.asarray(pool.embeddings[considered], np.float32)
    near = nearest(vectors, np.asarray(pool.embeddings[references], np.float32))
    if not len(references):
        near = rng.random(len(considered))  # the first is anyone
    space, left = Space.of(vectors), Left(len(considered), groups_at(pool, considered))
    picked: list[int] = []
    for turn in range(min(k, len(considered))):
        place = left.best(near)
        picked.append(place)
        left.take(place)
        away = space.distances(place)
        near = np.minimum(near, away) if turn or len(references) else away
    return Picks(considered[picked], ["farthest from anything answered so far"] * len(picked))
