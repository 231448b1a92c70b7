"""Accepted labels on their way out: painted once, kept on the disk part by part, read from there as often as needed.

So every pass of an export sees the same moment, holds no view of the store open, and needs memory for one part only.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from annotator.snapshot import Snapshot, hash_of
from annotator.terms import LabelState, Origin

_SEPARATOR = "\0"  # a URI that holds one is percent-encoded


@dataclass(frozen=True)
class Part:
    """n images and their k answered pairs.

    rows (n,) int64, sizes (n, 2) int32, splits (n,) int8; of image i the next counts[i] pairs: tags (their columns),
    states int8, origins uint8, deciders (index into `Spool.names`), at uint32, each (k,).
    """

    files: list[str]
    sha256: list[str]
    rows: NDArray[np.int64]
    sizes: NDArray[np.int32]
    splits: NDArray[np.int8]
    counts: NDArray[np.int32]
    tags: NDArray[np.int32]
    states: NDArray[np.int8]
    origins: NDArray[np.uint8]
    deciders: NDArray[np.int32]
    at: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def image_of(self) -> NDArray[np.int64]:
        """(k,) which of the part's images each pair is on."""
        return np.repeat(np.arange(len(self)), self.counts)

    def dense(self, values: NDArray[Any], rest: int, tags: int) -> NDArray[Any]:
        """(n, tags): `values` (k,) of the answered pairs, `rest` elsewhere."""
        array = np.full((len(self), tags), rest, values.dtype)
        array[self.image_of, self.tags] = values
        return array


ARRAYS = ("rows", "sizes", "splits", "counts", "tags", "states", "origins", "deciders", "at")


class Spool(AbstractContextManager["Spool"]):
    """Parts in a nameless temporary file in `folder`; gone when it is closed, or with the process."""

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._starts: list[int] = []
        self.names: list[str] = [""]
        self._places: dict[str, int] = {"": 0}
        self.pairs: Counter[tuple[LabelState, Origin]] = Counter()
        self.images = 0
        self.tags: tuple[str, ...] = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, snapshot: Snapshot) -> None:
        """Keep one part of a snapshot."""
        images, tags = np.nonzero(snapshot.origins != Origin.NOBODY)
        places = np.array([self._place(name) for name in snapshot.decider_names], np.int32)
        states, origins = snapshot.labels[images, tags], snapshot.origins[images, tags]
        self._starts.append(self._file.seek(0, 2))
        for text in (snapshot.files, snapshot.sha256):
            np.save(self._file, np.frombuffer(_SEPARATOR.join(text).encode(), np.uint8))
        arrays: dict[str, NDArray[Any]] = {
            "rows": snapshot.rows,
            "sizes": snapshot.sizes,
            "splits": snapshot.splits,
            "counts": np.bincount(images, minlength=len(snapshot)).astype(np.int32),
            "tags": tags.astype(np.int32),
            "states": states,
            "origins": origins,
            "deciders": places[snapshot.deciders[images, tags]],
            "at": snapshot.decided_at[images, tags],
        }
        for name in ARRAYS:
            np.save(self._file, arrays[name])
        self.tags = tuple(tag.name for tag in snapshot.tags)
        self.images += len(snapshot)
        self._count(states, origins)

    def parts(self) -> Iterator[Part]:
        """All parts, from the first on; several readers do not disturb each other."""
        for start in self._starts:
            self._file.seek(start)
            files, sha256 = self._texts(), self._texts()
            yield Part(files, sha256, **{name: np.load(self._file) for name in ARRAYS})

    @property
    def hash(self) -> str:
        """`Snapshot.hash` of all that was added."""
        return hash_of(
            (sha256 for part in self.parts() for sha256 in part.sha256),
            self.tags,
            (part.dense(part.states, LabelState.UNKNOWN, len(self.tags)) for part in self.parts()),
            (part.dense(part.origins, Origin.NOBODY, len(self.tags)) for part in self.parts()),
            (part.splits for part in self.parts()),
        )

    def _texts(self) -> list[str]:
        joined: bytes = np.load(self._file).tobytes()
        return joined.decode().split(_SEPARATOR) if joined else []

    def _place(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        return self._places[name]

    def _count(self, states: NDArray[np.int8], origins: NDArray[np.uint8]) -> None:
        self.pairs.update(counted(states, origins))


def counted(states: NDArray[np.int8], origins: NDArray[np.uint8]) -> dict[tuple[LabelState, Origin], int]:
    """How many pairs have each state and origin."""
    kinds = len(Origin)
    counts = np.bincount((states.astype(np.int64) + 1) * kinds + origins, minlength=3 * kinds)
    return {
        (LabelState(code // kinds - 1), Origin(code % kinds)): int(counts[code])
        for code in np.flatnonzero(counts).tolist()
    }


def spooled(snapshots: Iterable[Snapshot], folder: Path) -> Spool:
    """A spool of `snapshots`, one after the other."""
    spool = Spool(folder)
    try:
        for snapshot in snapshots:
            spool.add(snapshot)
    except BaseException:
        spool.__exit__(None, None, None)
        raise
    return spool
