"""Object-focused data selection: of each tag so many unlike objects as its share of the budget, rare tags first.

After OFDS (Popp et al. 2024, arXiv 2412.10032), with tiles in place of its detector's objects: regions are scored per
tag, the confident ones of each tag are clustered by k-means into as many groups as the tag may have images, and the
image nearest to each centre is asked about. Without tiles the whole image is the only region.

It needs a model that knows the tags beforehand, as a detector does. Where words tell them it is not surely better than
random: 0.026 of mAP above it on coco256 with 42 answers, the same on corel5k with 200; tiles make it better than whole
images on both (`benchmarks.tiles`). Without words it is far worse than random: by 0.030 on coco256, 0.139 on grocery,
0.014 on VOC12 (`benchmarks.replay`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.learning.clusters import cluster
from annotator.learning.queries.base import IntArray, Left, Picks, Pool, apart, candidates_of, groups_at
from annotator.learning.queries.diversity import diversity, some_of
from annotator.terms import LabelState

CONSIDERED = 10_000  # candidates looked at for one batch
CHUNK = 1_024  # images: their tiles are 19 MB at 512 numbers, their regions' scores 3.7 MB at 100 tags
LEAST = 3  # confident images of a tag for each one that may be picked: fewer leave k-means nothing to choose

Floats = NDArray[np.float32]


def object_focused(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Images whose regions stand for the unlike objects of the tags that have the fewest positives.

    A tag's direction is that along which its probabilities grow over the pool (before the first training: its answers);
    a region's score is how far it lies along it, and each image enters with its best region. Confident are as many
    images as the tag is expected to have. Without embeddings, or while nothing tells the tags apart: `diversity`.
    """
    rows = candidates_of(pool, k)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    directions = None if pool.embeddings is None else _directions(pool, considered)
    if directions is None:
        return diversity(pool, k, rng)
    picked, reasons = _Objects(pool, considered, *directions).pick(k, int(rng.integers(2**31)))
    rest = rng.permutation(np.setdiff1d(rows, picked))
    chosen = apart(np.concatenate([picked, rest]), pool.duplicates, k)
    why = dict(zip(picked.tolist(), reasons, strict=True))
    return Picks(chosen, [why.get(row, "drawn at random beside the objects of all tags") for row in chosen.tolist()])


def _directions(pool: Pool, rows: IntArray) -> tuple[Floats, Floats] | None:
    """(C, D) unit direction of each tag, zeros for one of which nothing is known, and the mean vector (D,); None where
    no tag has any."""
    assert pool.embeddings is not None
    said = rows if pool.probabilities is not None else pool.answered
    if not len(said):
        return None
    vectors = np.asarray(pool.embeddings[said], np.float64)
    if pool.probabilities is not None:
        shares = np.asarray(pool.probabilities[said], np.float64)
        known = np.ones_like(shares)
    else:
        known = np.asarray(pool.labels[said] != LabelState.UNKNOWN, np.float64)
        shares = (pool.labels[said] == LabelState.POSITIVE) * known
    centre = vectors.mean(axis=0)
    mean = shares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    along = ((shares - mean) * known).T @ (vectors - centre)
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    if not (lengths > 1e-9).any():
        return None
    return (along / np.maximum(lengths, 1e-9) * (lengths > 1e-9)).astype(np.float32), centre.astype(np.float32)


@dataclass
class _Best:
    """Of M images and C tags the best region: its score (M, C), and which of the image's regions it is (M, C)."""

    scores: Floats
    regions: NDArray[np.int16]


class _Objects:
    """The candidates as bearers of objects: M images, C tags."""

    def __init__(self, pool: Pool, rows: IntArray, directions: Floats, centre: Floats) -> None:
        self.pool, self.rows, self.directions, self.centre = pool, rows, directions, centre
        self.best = self._scored()
        self.confident = self._confident()
        self.left = Left(len(rows), groups_at(pool, rows))

    def pick(self, k: int, seed: int) -> tuple[IntArray, list[str]]:
        """Up to `k` rows with their reasons, fewer only when no confident image is left of any tag."""
        places: list[int] = []
        reasons: list[str] = []
        have = self.pool.found.copy()
        while len(places) < k and (turn := list(self._turn(have, k - len(places), seed))):
            for place, tag in turn:
                places.append(place)
                reasons.append(f"stands for one kind of {self.pool.name(tag)}")
                have += self.confident[place]
        return self.rows[np.array(places, np.int64)], reasons

    def _turn(self, have: NDArray[np.float64], count: int, seed: int) -> Iterator[tuple[int, int]]:
        """(place, tag) of up to `count` picks: tag by tag, the rarest first; what is picked for one tag counts for all
        that it is confident of."""
        quota = _quota(have, np.asarray(self.confident.any(axis=0)), count)
        covered = np.zeros(len(quota))
        for tag in np.lexsort((np.arange(len(quota)), have)).tolist():
            wanted = int(quota[tag] - covered[tag])
            for place in self._nearest_to_centres(tag, wanted, seed) if wanted > 0 else ():
                covered += self.confident[place]
                yield place, tag

    def _nearest_to_centres(self, tag: int, count: int, seed: int) -> list[int]:
        """Places of the open images nearest to the centres of `count` groups of the tag's confident regions."""
        members = np.flatnonzero(self.confident[:, tag] & self.left.open())
        if not len(members):
            return []
        vectors = self._vectors(members, tag)
        chosen: list[int] = []
        for centre in cluster(vectors, count, seed=seed).centres:
            open_ = self.left.open()[members]
            if open_.any():
                place = int(members[np.argmax(np.where(open_, vectors @ centre, -np.inf))])
                self.left.take(place)
                chosen.append(place)
        return chosen

    def _scored(self) -> _Best:
        shape = (len(self.rows), len(self.directions))
        found = _Best(np.empty(shape, np.float32), np.empty(shape, np.int16))
        for start in range(0, shape[0], CHUNK):
            part = slice(start, start + CHUNK)
            scores = self._regions(self.rows[part]) @ self.directions.T  # (n, P, C)
            found.scores[part], found.regions[part] = scores.max(axis=1), scores.argmax(axis=1)
        return found

    def _confident(self) -> NDArray[np.bool_]:
        """(M, C) the images with the highest scores of each tag, as many as are expected to show it."""
        images, tags = self.best.scores.shape
        expected = np.full(tags, LEAST) if self.pool.probabilities is None else self._expected()
        confident = np.zeros((images, tags), bool)
        for tag in np.flatnonzero(self.directions.any(axis=1)).tolist():
            count = min(images, max(LEAST, int(expected[tag])))
            best = np.argpartition(-self.best.scores[:, tag], count - 1)[:count]
            confident[best, tag] = True
        return confident

    def _expected(self) -> NDArray[np.float64]:
        assert self.pool.probabilities is not None
        return np.asarray(self.pool.probabilities[self.rows].sum(axis=0, dtype=np.float64))

    def _regions(self, rows: IntArray) -> Floats:
        """(n, P, D) less the mean."""
        source = self.pool.embeddings if self.pool.tiles is None else self.pool.tiles
        assert source is not None
        found = np.asarray(source[rows], np.float32)
        return (found if found.ndim == 3 else found[:, None]) - self.centre

    def _vectors(self, places: IntArray, tag: int) -> Floats:
        """(n, D) unit vectors of the best regions of some images."""
        regions = self._regions(self.rows[places])[np.arange(len(places)), self.best.regions[places, tag]]
        return np.asarray(regions / np.maximum(np.linalg.norm(regions, axis=1, keepdims=True), 1e-12), np.float32)


def _quota(have: NDArray[np.float64], has_objects: NDArray[np.bool_], count: int) -> IntArray:
    """(C,) of `count` picks each tag's: one after another to the tag that has the fewest then."""
    quota = np.zeros(len(have), np.int64)
    level = np.where(has_objects, have, np.inf)
    for _ in range(count if has_objects.any() else 0):
        tag = int(np.argmin(level))
        quota[tag] += 1
        level[tag] += 1
    return quota
