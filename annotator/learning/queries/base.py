"""What every query strategy takes and gives, and how the chosen ones are picked from scores."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import MissingError, UsageError
from annotator.terms import LabelState

Floats = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]


class Computed:
    """(N, C) values that are computed for the rows that are asked for: those of a million images are never held."""

    def __init__(self, compute: Callable[..., Floats], *arrays: Floats | Tiles) -> None:
        """`compute` takes some rows of each of the `arrays`, all of N rows."""
        self._compute, self._arrays = compute, arrays

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __getitem__(self, rows: IntArray) -> Floats:
        return self._compute(*(array[rows] for array in self._arrays))


@dataclass(frozen=True)
class Pool:
    """The collection as a strategy sees it: N images, C tags, M candidates. Arrays may be memory-mapped.

    candidates     (M,) int64 rows that may be asked; in any order, none twice
    labels         (N, C) int8 LabelState: the answers so far
    embeddings     (N, D) float16 or float32, unit length; None before `embed`
    probabilities  (N, C) float32 in [0, 1]; None before the first training
    variance       (N, C) float32 variance of the logits (Laplace); None where the head offers none
    duplicates     (N,) int64 near-duplicate group of each image; None: no two images are near-duplicates
    positives      (C,) int64 positives so far; None: counted in `labels`
    waiting        (W,) int64 rows that are asked already and will train: to be kept away from as if answered
    tags           (C,) names, for the reasons
    tiles          (N, P, D) vectors of P tiles of each image, unit length; None where not all images have them
    """

    candidates: IntArray
    labels: NDArray[np.int8]
    embeddings: Floats | None = None
    probabilities: Floats | None = None
    variance: Floats | Computed | None = None
    duplicates: IntArray | None = None
    positives: IntArray | None = None
    waiting: IntArray | None = None
    tags: tuple[str, ...] = ()
    tiles: Tiles | None = None

    @cached_property
    def answered(self) -> IntArray:
        """Rows of the images with at least one answer that is not UNKNOWN, or waiting for one; ascending."""
        answered = np.flatnonzero((self.labels != LabelState.UNKNOWN).any(axis=1))
        return answered if self.waiting is None else np.union1d(answered, self.waiting)

    @cached_property
    def found(self) -> NDArray[np.float64]:
        """(C,) positives of each tag so far."""
        if self.positives is not None:
            return np.asarray(self.positives, np.float64)
        return np.asarray((self.labels == LabelState.POSITIVE).sum(axis=0), np.float64)

    def name(self, tag: int) -> str:
        return self.tags[tag] if self.tags else f"tag {tag}"


@dataclass(frozen=True)
class Picks:
    """The chosen `rows` (k,) int64, the most wanted first, and for each a short sentence that says why."""

    rows: IntArray
    reasons: list[str]


CHUNK = 65_536  # 65,536 images x 100 tags are 26 MB

Strategy = Callable[[Pool, int, np.random.Generator], Picks]
"""(pool, k, rng) to min(k, M) picks: candidates only, none twice, and no two near-duplicates in one batch as long as
other candidates are left. The same pool and generator state give the same picks, whatever the order of the candidates.
"""


def candidates_of(pool: Pool, k: int) -> IntArray:
    """The candidates in ascending order, checked once for every strategy.

    Raises MissingError where there is nothing left to ask, UsageError where the arrays do not fit together.
    """
    rows = np.unique(np.asarray(pool.candidates, np.int64))
    if k < 1:
        raise UsageError(f"{k} picks were asked for; ask for at least 1")
    if len(rows) == 0:
        raise MissingError("no image is left to ask about: import more images or finish the open ones by review")
    if len(rows) != len(pool.candidates):
        raise UsageError(f"{len(pool.candidates)} candidates hold only {len(rows)} different rows; give each row once")
    images, tags = pool.labels.shape
    if rows[0] < 0 or rows[-1] >= images:
        raise UsageError(f"candidates from {rows[0]} to {rows[-1]} do not fit a pool of {images} images")
    for name, length in (
        ("embeddings", images),
        ("probabilities", images),
        ("variance", images),
        ("duplicates", images),
        ("positives", tags),
        ("tiles", images),
    ):
        array = getattr(pool, name)
        if array is not None and len(array) != length:
            raise UsageError(f"{name} has {len(array)} rows, the labels ask for {length}")
    return rows


class Left:
    """Which of M places may still be picked: near-duplicates of picked ones only when nothing else is left."""

    def __init__(self, count: int, groups: IntArray | None) -> None:
        """`groups` (M,): the near-duplicate group at each place."""
        self._groups = groups
        self._free, self._fresh = np.ones(count, bool), np.ones(count, bool)

    def open(self) -> NDArray[np.bool_]:
        """(M,) the places to choose among."""
        best = self._free & self._fresh
        return best if best.any() else self._free

    def best(self, values: Floats) -> int:
        """The open place of the largest of (M,) `values`; of equal ones the first."""
        return int(np.argmax(np.where(self.open(), values, -np.inf)))

    def take(self, place: int) -> None:
        self._free[place] = False
        if self._groups is not None:
            self._fresh &= self._groups != self._groups[place]


def groups_at(pool: Pool, rows: IntArray) -> IntArray | None:
    """(n,) near-duplicate groups of some rows."""
    return None if pool.duplicates is None else np.asarray(pool.duplicates[rows], np.int64)


def top_k(scores: Floats, k: int, rng: np.random.Generator) -> IntArray:
    """(min(k, M),) places of the highest of (M,) `scores`, highest first; equal scores in random order."""
    values = np.asarray(scores, np.float64)
    k = min(k, len(values))
    if k == 0:
        return np.empty(0, np.int64)
    places = np.flatnonzero(values >= np.partition(values, len(values) - k)[len(values) - k])
    order = np.lexsort((rng.random(len(places)), -values[places]))
    return np.asarray(places[order[:k]], np.int64)


def best_scored(
    pool: Pool, rows: IntArray, k: int, rng: np.random.Generator, score: Callable[[IntArray], Floats]
) -> IntArray:
    """The `k` rows of the highest `score`, near-duplicates apart. `score` takes (n,) rows and gives (n,) numbers."""
    return apart(rows[top_k(scored(rows, score), len(rows), rng)], pool.duplicates, k)


def scored(rows: IntArray, score: Callable[[IntArray], Floats]) -> Floats:
    """(n,) the `score` of each of (n,) `rows`, some at a time: (n, C) arrays of a million rows are not held."""
    return np.concatenate([score(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)])


def apart(ranked: IntArray, groups: IntArray | None, k: int) -> IntArray:
    """The first `k` of the `ranked` rows, at most one a near-duplicate group as long as there are enough groups."""
    if groups is None:
        return ranked[:k]
    seen = 2 * k  # most batches need no more of a long ranking
    while seen < len(ranked) and len(np.unique(groups[ranked[:seen]])) < k:
        seen *= 4
    head = ranked[:seen]
    _, first = np.unique(groups[head], return_index=True)
    again = np.ones(len(head), bool)
    again[first] = False
    return np.asarray(head[np.argsort(again, kind="stable")][:k])
