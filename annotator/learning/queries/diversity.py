"""Diversity: images unlike those answered so far, spread over the collection."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, IntArray, Picks, Pool, apart, candidates_of, top_k

CONSIDERED = 20_000  # candidates looked at for one batch: 20,000 x 4,000 distances in 512 dimensions take about a second
COMPARED = 4_000  # answered images they are compared with
CHUNK = 4_096


def diversity(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """k-means++ seeding (Arthur & Vassilvitskii, SODA 2007) that goes on from the answered images.

    One after another, each image is drawn with probability proportional to the squared distance of its embedding to the
    nearest answered or already picked one. Drawing keeps it from collecting outliers, which taking the farthest image
    each time (k-center) does. Of larger pools a random part is considered. The default while there are few answers;
    the model plays no part in it. Without embeddings: random.
    """
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        picked = apart(rng.permutation(rows), pool.duplicates, k)
        return Picks(picked, ["drawn at random, before embeddings exist"] * len(picked))
    considered = thin_out(rows, np.zeros(len(rows)), max(CONSIDERED, k), rng)
    references = thin_out(pool.answered, np.zeros(len(pool.answered)), COMPARED, rng)
    vectors = np.asarray(pool.embeddings[considered], np.float32)
    near = nearest(vectors, np.asarray(pool.embeddings[references], np.float32))
    picked = spread(considered, vectors, near, k, pool.duplicates, rng)
    return Picks(picked, ["unlike anything answered so far"] * len(picked))


def thin_out(rows: IntArray, scores: Floats, most: int, rng: np.random.Generator) -> IntArray:
    """At most `most` of the `rows`, ascending, drawn without replacement with chances proportional to exp(`scores`)."""
    if len(rows) <= most:
        return rows
    return np.sort(rows[top_k(scores + rng.gumbel(size=len(rows)), most, rng)])


def nearest(vectors: Floats, references: Floats) -> NDArray[np.float64]:
    """(M,) squared distance of each of the `vectors` (M, D) to the nearest reference (R, D); inf where there is none."""
    best = np.full(len(vectors), np.inf)
    if len(references):
        for start in range(0, len(vectors), CHUNK):
            part = slice(start, start + CHUNK)
            best[part] = _squared_distances(vectors[part], references).min(axis=1)
    return best


def spread(
    rows: IntArray,
    vectors: Floats,
    near: NDArray[np.float64],
    k: int,
    groups: IntArray | None,
    rng: np.random.Generator,
) -> IntArray:
    """(min(k, M),) of the `rows` (M,), far apart from each other and from what `near` (M,) was measured to.

    `vectors` (M, D) place the rows; `groups` (N,): an image whose near-duplicate was picked comes last.
    """
    near = near.copy()
    if np.isinf(near).all():
        near[:] = 1.0  # nothing to be far from: the first pick is any
    first = True
    own = None if groups is None else groups[rows]
    free, picked = np.ones(len(rows), bool), []
    ...
