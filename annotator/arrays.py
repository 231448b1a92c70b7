"""Arrays as files: appended in shards, memory-mapped, never half-written."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

SHARD_ROWS = 16_384  # 16,384 x 1,280 float16 are 42 MB: rewriting the last shard on each flush stays cheap


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write `content` so that `path` holds either all of it or what it held before, even after a power cut.

    Without `durable` only a killed process is safe, not a power cut: for caches, which can be made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """`write_whole` for one array in .npy format, without a second copy in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class ShardedArray:
    """A (rows, dim) array in a folder: shard k holds the rows [k * shard_rows, (k + 1) * shard_rows).

    Only the last shard is ever rewritten, to a temporary name and renamed; a killed writer loses what it had not
    flushed and nothing else.
    """

    def __init__(self, folder: Path, dim: int, dtype: DTypeLike = np.float16, shard_rows: int | None = None) -> None:
        self.folder, self.dim, self.dtype = folder, dim, np.dtype(dtype)
        self.shard_rows = shard_rows or SHARD_ROWS
        self._pending: list[NDArray[Any]] = []
        self._flushed = sum(len(shard) for shard in self._shards())

    @classmethod
    def open(cls, folder: Path) -> "ShardedArray | None":
        """The array in `folder`, or None where there is none."""
        meta = folder / "meta.json"
        if not meta.exists():
            return None
        described = json.loads(meta.read_text())
        return cls(folder, described["dim"], described["dtype"], described.get("shard_rows"))

    @classmethod
    def create(
        cls, folder: Path, dim: int, dtype: DTypeLike = np.float16, shard_rows: int | None = None, **notes: object
    ) -> "ShardedArray":
        """The array in `folder`; made with `notes` in its meta.json when it is not there yet.

        `shard_rows`: fewer than SHARD_ROWS for wide rows.
        """
        existing = cls.open(folder)
        if existing is not None:
            return existing
        meta = {"dim": dim, "dtype": np.dtype(dtype).name, **notes}
        if shard_rows is not None:
            meta["shard_rows"] = shard_rows
        write_whole(folder / "meta.json", json.dumps(meta, indent=1).encode())
        return cls(folder, dim, dtype, shard_rows)

    def __len__(self) -> int:
        """Rows that are safely on disk."""
        return self._flushed

    def append(self, rows: NDArray[Any]) -> None:
        """Add `rows` (n, dim); they are safe after `flush`."""
        self._pending.append(np.asarray(rows, self.dtype).reshape(-1, self.dim))

    def flush(self) -> None:
        """Write what was appended; on return it survives a killed process."""
        if not self._pending:
            return
        start = self._flushed - self._flushed % self.shard_rows
        tail = [np.load(self._path(start))] if start < self._flushed else []
        rows = np.concatenate([*tail, *self._pending])
        for offset in range(0, len(rows), self.shard_rows):
            write_array(self._path(start + offset), rows[offset : offset + self.shard_rows])
        self._flushed = start + len(rows)
        self._pending = []

    def row(self, row: int) -> NDArray[Any]:
        """One row, without the others."""
        start = row - row % self.shard_rows
        found: NDArray[Any] = np.load(self._path(start), mmap_mode="r", allow_pickle=False)[row - start]
        return found

    def put(self, row: int, values: NDArray[Any]) -> None:
        """Replace one row that is on disk already."""
        start = row - row % self.shard_rows
        shard = np.load(self._path(start))
        shard[row - start] = values
        write_array(self._path(start), shard)

    def shards(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """(first row, memory-mapped rows) of each shard in order."""
        start = 0
        for shard in self._shards():
            yield start, shard
            start += len(shard)

    def read(self) -> NDArray[Any]:
        """All rows; memory-mapped where one shard holds them."""
        shards = [shard for _, shard in self.shards()]
        if not shards:
            return np.empty((0, self.dim), self.dtype)
        return shards[0] if len(shards) == 1 else np.concatenate(shards)

    def take(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """(n, dim) some rows that are on disk, in the order asked for, without reading the others."""
        found = np.empty((len(rows), self.dim), self.dtype)
        shards = rows // self.shard_rows
        for shard in np.unique(shards):
            here, start = shards == shard, int(shard) * self.shard_rows
            found[here] = np.load(self._path(start), mmap_mode="r", allow_pickle=False)[rows[here] - start]
        return found

    def _path(self, start: int) -> Path:
        return self.folder / f"rows-{start:012d}.npy"

    def _shards(self) -> Iterator[NDArray[Any]]:
        for path in sorted(self.folder.glob("rows-*.npy")):
            yield np.load(path, mmap_mode="r", allow_pickle=False)


class Tiles(Protocol):
    """(N, P, D) vectors of P tiles of each of N images: an array, or one that is read when rows are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.floating[Any]]: ...


class StoredTiles:
    """The first `count` rows of a store as tiles of `width` numbers: a million images' tiles are never held at once."""

    def __init__(self, store: ShardedArray, width: int, count: int) -> None:
        self._store, self.shape = store, (count, store.dim // width, width)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.floating[Any]]:
        wanted = np.arange(*rows.indices(len(self))) if isinstance(rows, slice) else np.asarray(rows, np.int64)
        return self._store.take(wanted).reshape(len(wanted), *self.shape[1:])
