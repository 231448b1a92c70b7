"""What every suggestion source takes and gives: arrays in, scores out. No file, clock or chance."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import UsageError
from annotator.terms import LabelState

CHUNK_NUMBERS = 4_000_000  # of one temporary array: 16 MB in float32, small enough to stay near the cache

Float = NDArray[np.float32]
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ScoringInput:
    """What is known of N images and C tags. Sources that need what is None have nothing to say.

    images (N, D)         unit vectors, float16 or wider, memory-mapped or not
    texts (C, D)          unit vectors of the tags in the same space, or None where the backbone has no text tower
    labels (N, C) int8    answers a source may learn from: 1, 0, -1 unknown. What is to measure the scores stays -1 here
    groups (N,)           near-duplicate group of each image; an image of its own has a number of its own
    neighbours            (rows (N, k), scores (N, k)): near images of each image, best first, -1 for none; None to let
                          the source look among the answered images itself
    probabilities (N, C)  of the model in use, calibrated, or None
    tiles (N, P, D)       unit vectors of P tiles of each image, or None where not all images have them
    imported (N, C)       probabilities a file brought along, NaN where it says nothing, or None
    """

    images: Vectors
    texts: Vectors | None
    labels: NDArray[np.int8]
    groups: NDArray[np.integer[Any]]
    neighbours: tuple[Rows, Float] | None = None
    probabilities: Vectors | None = None
    tiles: Tiles | None = None
    imported: Vectors | None = None

    def __post_init__(self) -> None:
        count, tags = self.labels.shape
        wanted: list[tuple[str, Any, tuple[int | None, ...]]] = [
            ("images", self.images, (count, None)),
            ("texts", self.texts, (tags, self.images.shape[-1])),
            ("groups", self.groups, (count,)),
            ("probabilities", self.probabilities, (count, tags)),
            ("tiles", self.tiles, (count, None, self.images.shape[-1])),
            ("imported", self.imported, (count, tags)),
        ]
        if self.neighbours is not None:
            wanted += [("neighbours", part, (count, self.neighbours[0].shape[-1])) for part in self.neighbours]
        for name, array, shape in wanted:
            if array is not None and not _fits(array.shape, shape):
                raise UsageError(f"{name} of shape {array.shape} do not fit labels of shape {self.labels.shape}")

    @property
    def answered(self) -> Rows:
        """Images of which at least one tag is known."""
        return np.flatnonzero((self.labels != LabelState.UNKNOWN).any(axis=1))


@dataclass(frozen=True)
class Scorer:
    """A source: `score` gives (N, C) float32, higher is likelier, NaN where it has nothing to say; None for nowhere."""

    score: Callable[[ScoringInput], Float | None]
    gives_probabilities: bool
    """Whether scores lie in [0, 1]; they are compared with other sources as log-odds then."""
    level: tuple[float, float] | None = None
    """(mean, spread) that scores are levelled by, where those of the pool tell nothing; None: those of the pool."""


def chunks(count: int, numbers_per_row: int) -> Iterator[slice]:
    """Slices of `count` rows of which each holds about CHUNK_NUMBERS numbers."""
    step = max(1, CHUNK_NUMBERS // max(numbers_per_row, 1))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape, wanted, strict=True))
