"""Facility location: the batch that leaves the rest of the collection nearest to something answered.

Wei, Iyer, Bilmes 2015, "Submodularity in data subset selection and active learning" (ICML). The value of a set of
answered images is how much nearer it brings every image of the pool to its nearest answered one; it is submodular, so
the greedy batch is within 1 - 1/e of the best (Nemhauser et al. 1978, doi 10.1007/BF01588971).
"""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import Floats, IntArray, Left, Picks, Pool, candidates_of, groups_at
from annotator.learning.queries.diversity import diversity, nearest, some_of
from annotator.learning.queries.margin import averaged

CONSIDERED = 6_000  # images: 6,000 x 6,000 distances are 144 MB, a batch of 100 takes a second or two
COMPARED = 6_000
COLUMNS = 512
EVENED = 0.125  # power of each direction's variance it is divided by; 0 is worse on corel5k, 0.25 and 0.5 on grocery
ROUNDING = 1e-4  # float32 sums of thousands of numbers agree no better


def facility_location(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Greedy choice of the images that lower the weighted sum of squared distances from all images to their nearest
    answered or picked one most.

    An image lies at its embedding and, once there is a model, beside it at p_t / sqrt(1 + positives of t so far), p
    averaged over the posterior: both parts centred, of the same mean square. The embedding's principal directions are
    evened out a little (EVENED), its length is 1 again after that. An image weighs sqrt(sum of p (1 - p)): what is
    settled need not be covered. Of larger pools a random part is looked at. Without embeddings: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        return diversity(pool, k, rng)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    answered = some_of(pool.answered, COMPARED, rng)
    places = _places(pool, np.concatenate([considered, answered]))
    there, known = places[: len(considered)], places[len(considered) :]
    left = Left(len(considered), groups_at(pool, considered))
    picked = _greedy(there, nearest(there, known), _weights(pool, considered), left, k)
    return Picks(considered[picked], ["stands for many images unlike those answered so far"] * len(picked))


def _places(pool: Pool, rows: IntArray) -> NDArray[np.float32]:
    """(n, D) or (n, D + C) places, each part centred and of mean square 1."""
    assert pool.embeddings is not None
    parts = [_even(_flattened(np.asarray(pool.embeddings[rows], np.float32)))]
    if pool.probabilities is not None:
        parts.append(_even(averaged(pool, rows) / np.sqrt(1 + pool.found)))
    return np.concatenate(parts, axis=1)


def _flattened(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, K) places along the principal directions, the wide ones narrowed, each on the unit sphere around the mean:
    else the images far from it, which are no better than others, would draw the picks."""
    away = vectors - vectors.mean(axis=0)
    variances, directions = np.linalg.eigh(away.T @ away / max(1, len(away)))
    kept = variances > 1e-5 * variances[-1]
    places = (away @ directions[:, kept]) * variances[kept] ** -EVENED
    return np.asarray(places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-12), np.float32)


def _even(part: Floats) -> NDArray[np.float32]:
    away = part - part.mean(axis=0)
    size = float(np.sqrt((away**2).sum(axis=1).mean()))
    return np.asarray(away / size if size > 0 else away, np.float32)


def _weights(pool: Pool, rows: IntArray) -> NDArray[np.float32]:
    """(n,) how much each image wants to be covered, 1 in the mean."""
    if pool.probabilities is None:
        return np.ones(len(rows), np.float32)
    p = averaged(pool, rows)
    doubt = np.sqrt((p * (1 - p)).sum(axis=1))
    mean = float(doubt.mean())
    return np.asarray(doubt / mean if mean > 0 else np.ones(len(rows)), np.float32)


def _greedy(
    places: NDArray[np.float32], near: NDArray[np.float64], weights: NDArray[np.float32], left: Left, k: int
) -> IntArray:
    """Places of the picks, by lazy evaluation: a gain only ever shrinks, so an old one that is not the largest need
    not be computed anew (Minoux 1978, doi 10.1007/BFb0006528)."""
    cover = _Cover(places, near, weights)
    gains = cover.gains()
    picked: list[int] = []
    while len(picked) < min(k, len(places)):
        place = left.best(gains)
        before = float(gains[place])
        gains[place] = cover.gain(place)
        if gains[place] < before * (1 - ROUNDING):
            continue  # it was an old, too high one; look again
        picked.append(place)
        left.take(place)
        cover.add(place)
    return np.array(picked, np.int64)


class _Cover:
    """How far each of M images still is from the nearest answered or picked one."""

    def __init__(self, places: NDArray[np.float32], near: NDArray[np.float64], weights: NDArray[np.float32]) -> None:
        squares = (places * places).sum(axis=1)
        self._distances = np.maximum(squares[:, None] + squares - 2 * places @ places.T, 0)
        self._weights = weights
        # Before the first answer every image is as far as the farthest pair: the first pick is the most central one.
        far = self._distances.max(initial=0)
        self._near = np.asarray(np.where(np.isfinite(near), near, far), np.float32)

    def gains(self) -> NDArray[np.float32]:
        """(M,) how much each would bring all others nearer."""
        parts = [
            self._weights @ np.maximum(self._near[:, None] - self._distances[:, at : at + COLUMNS], 0)
            for at in range(0, len(self._near), COLUMNS)
        ]
        return np.concatenate(parts)

    def gain(self, place: int) -> float:
        return float(self._weights @ np.maximum(self._near - self._distances[place], 0))

    def add(self, place: int) -> None:
        self._near = np.minimum(self._near, self._distances[place])
