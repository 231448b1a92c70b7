"""Diversity: images unlike those answered so far, spread over the collection."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, IntArray, Picks, Pool, apart, candidates_of, top_k

Distances = NDArray[np.float64]

CONSIDERED = (
    20_000  # candidates looked at for one batch: 20,000 x 4,000 distances in 512 dimensions take about a second
)
COMPARED = 4_000  # answered images they are compared with
CHUNK = 4_096


def diversity(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """k-means++ seeding (Arthur & Vassilvitskii, SODA 2007) that goes on from the answered images.

    One after another, each image is drawn with probability proportional to the squared distance of its embedding to the
    nearest answered or already picked one. Drawing keeps it from collecting outliers, which taking the farthest image
    each time (k-center) does. Of larger pools a random part is considered. The
    model plays no part in it. Without embeddings: random.
    """
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        picked = apart(rng.permutation(rows), pool.duplicates, k)
        return Picks(picked, ["drawn at random, before embeddings exist"] * len(picked))
    considered = some_of(rows, max(CONSIDERED, k), rng)
    references = some_of(pool.answered, COMPARED, rng)
    vectors = np.asarray(pool.embeddings[considered], np.float32)
    near = nearest(vectors, np.asarray(pool.embeddings[references], np.float32))
    picked = spread(considered, Space.of(vectors), near, k, pool.duplicates, rng)
    return Picks(picked, ["unlike anything answered so far"] * len(picked))


def thin_out(rows: IntArray, scores: Floats, most: int, rng: np.random.Generator) -> IntArray:
    """At most `most` of the `rows`, ascending, drawn without replacement with chances proportional to exp(`scores`)."""
    if len(rows) <= most:
        return rows
    return np.sort(rows[top_k(scores + rng.gumbel(size=len(rows)), most, rng)])


def some_of(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    """At most `most` of the `rows`, ascending, each with the same chance."""
    return thin_out(rows, np.zeros(len(rows)), most, rng)


def nearest(vectors: Floats, references: Floats) -> Distances:
    """(M,) squared distance of each of `vectors` (M, D) to the nearest of `references` (R, D); inf where R is 0."""
    best = np.full(len(vectors), np.inf)
    if len(references) == 0:
        return best
    squares = (references * references).sum(axis=1)
    for start in range(0, len(vectors), CHUNK):
        part = vectors[start : start + CHUNK]
        distances = (part * part).sum(axis=1)[:, None] + squares - 2 * part @ references.T
        best[start : start + CHUNK] = np.maximum(distances.min(axis=1), 0)
    return best


@dataclass(frozen=True)
class Space:
    """Where M images lie, by what squared distances need: squared lengths (M,), and the inner products (M,) of all
    with the one at a place."""

    lengths: Floats
    products: Callable[[int], Floats]

    @classmethod
    def of(cls, vectors: Floats) -> "Space":
        return cls((vectors * vectors).sum(axis=1), lambda place: np.asarray(vectors @ vectors[place]))

    def distances(self, place: int) -> Distances:
        """(M,) squared distances of all images to the one at `place`."""
        away = self.lengths + self.lengths[place] - 2 * self.products(place)
        return np.asarray(np.maximum(away, 0), np.float64)


def spread(
    rows: IntArray,
    space: Space,
    near: Distances,
    k: int,
    groups: IntArray | None,
    rng: np.random.Generator,
) -> IntArray:
    """(min(k, M),) of the `rows` (M,), far apart from each other and from what `near` (M,) was measured to.

    `space` places the rows. An image whose near-duplicate (`groups` (N,)) was picked comes after all others.
    """
    known = bool(np.isfinite(near).all())
    near = near if known else np.ones(len(rows))
    picked: list[int] = []
    fresh, left = np.ones(len(rows), bool), np.ones(len(rows), bool)
    for _ in range(min(k, len(rows))):
        place = _draw((near * fresh * left, np.asarray(1.0 * (fresh & left)), np.asarray(1.0 * left)), rng)
        distance = space.distances(place)
        near = np.minimum(near, distance) if picked or known else distance
        picked.append(place)
        left[place] = False
        if groups is not None:
            fresh &= groups[rows] != groups[rows[place]]
    return rows[picked]


def _draw(choices: tuple[Distances, ...], rng: np.random.Generator) -> int:
    """A place drawn in proportion to the first of the (M,) weights that are not all zero."""
    weights = next(weights for weights in choices if weights.any())
    edges = np.cumsum(weights)
    below = np.nextafter(edges[-1], 0)  # a product rounded up to the last edge would lie beyond every place
    return int(np.searchsorted(edges, min(rng.random() * edges[-1], below), side="right"))
