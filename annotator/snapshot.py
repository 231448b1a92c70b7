"""Snapshot: the only bridge from the store to training, metrics, the cascade and the exporters."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from annotator.terms import LabelState, Origin, Split

SPLIT_CODES: tuple[Split, ...] = (Split.TRAIN, Split.VALIDATION, Split.TEST)
"""What the codes of `Snapshot.splits` mean."""


@dataclass(frozen=True)
class SnapshotTag:
    id: int
    name: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True)
class Snapshot:
    """The accepted labels at one moment. N images, C tags; arrays are read-only by convention.

    rows (N,) int64       place of each image in the workspace's arrays
    sha256 (N,)           content of each image, hex
    files (N,)            where each image was found first
    sizes (N, 2) int32    width, height in pixels, as seen
    labels (N, C) int8    `LabelState`: 1 positive, 0 negative, -1 unknown
    origins (N, C) uint8  `Origin`: who or what decided; NOBODY where nobody was asked.
                          An asked "cannot tell" is UNKNOWN with the origin HUMAN or REVIEW
    deciders (N, C) uint16  index into `decider_names`: the person, or the round; 0 is nobody
    decided_at (N, C) uint32  seconds since 1970, 0 where undecided
    splits (N,) int8      index into SPLIT_CODES
    groups (N,) int64     near-duplicate group of each image
    """

    rows: NDArray[np.int64]
    sha256: tuple[str, ...]
    files: tuple[str, ...]
    sizes: NDArray[np.int32]
    tags: tuple[SnapshotTag, ...]
    labels: NDArray[np.int8]
    origins: NDArray[np.uint8]
    deciders: NDArray[np.uint16]
    decider_names: tuple[str, ...]
    decided_at: NDArray[np.uint32]
    splits: NDArray[np.int8]
    groups: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def hash(self) -> str:
        """sha256 over what was labelled how: images, tags, labels, origins and splits; not over paths or times."""
        names = (tag.name for tag in self.tags)
        return hash_of(self.sha256, names, (self.labels,), (self.origins,), (self.splits,))

    def by_people(self) -> NDArray[np.int8]:
        """(N, C) labels that may teach or measure: what the machine settled, and gold, turned back to unknown."""
        neither = np.isin(self.origins, (Origin.ROUND, Origin.GOLD))
        return np.where(neither, np.int8(LabelState.UNKNOWN), self.labels)

    def in_split(self, *splits: Split) -> NDArray[np.bool_]:
        """(N,) which images are in one of `splits`."""
        return np.isin(self.splits, [SPLIT_CODES.index(split) for split in splits])


def hash_of(
    sha256: Iterable[str],
    tags: Iterable[str],
    labels: Iterable[NDArray[np.int8]],
    origins: Iterable[NDArray[np.uint8]],
    splits: Iterable[NDArray[np.int8]],
) -> str:
    """`Snapshot.hash` of a collection whose arrays come in parts, one after the other."""
    digest = hashlib.sha256()
    for part in chain(sha256, ("",), tags):
        digest.update(part.encode() + b"\0")
    for array in chain(labels, origins, splits):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
