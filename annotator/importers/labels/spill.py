"""Annotations in whatever order a file has them, given back image by image, in flat memory.

They go to a temporary file in parts, each part sorted by image; a bucket of images then is a short slice of each part.
"""

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRY = np.dtype(
    [
        ("image", "<i8"), ("category", "<i8"), ("index", "<i8"), ("score", "<f8"), ("box", "<f8", 4), ("said", "<u4"),
        ("at", "<u4"),
    ]
)  # fmt: skip
"""index: place in the file; score NaN: none; box NaN: none; said: number of who said it and how."""
PART = 1 << 16  # entries sorted at once: as Python tuples about 20 MB
BUCKET = 1 << 12  # images given back at once


class Spill:
    """`add` all entries, `settle` the order of the images once, then `of_images` any number of times."""

    def __init__(self) -> None:
        self._raw = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the records that are read from it)
        self._waiting: list[tuple[Any, ...]] = []
        self._sorted = self._raw
        self._starts = np.zeros((0, 1), np.int64)
        self.count = 0

    def add(self, entry: tuple[Any, ...]) -> None:
        """One entry, the fields of ENTRY in their order."""
        self._waiting.append(entry)
        self.count += 1
        if len(self._waiting) == PART:
            self._flush()

    def settle(self, image_ids: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Put the entries in the order of `image_ids` (N,); (index, image) of those that name none of them."""
        self._flush()
        order = np.argsort(image_ids, kind="stable")
        ordered = image_ids[order]
        settled = tempfile.TemporaryFile()  # noqa: SIM115
        starts, strangers, written = [], list[tuple[int, int]](), 0
        bounds = np.arange(0, len(image_ids) + BUCKET, BUCKET)
        self._raw.seek(0)
        while len(part := np.fromfile(self._raw, ENTRY, PART)):
            found = np.searchsorted(ordered, part["image"])
            known = found < len(ordered)
            known[known] = ordered[found[known]] == part["image"][known]
            strangers += list(zip(part["index"][~known].tolist(), part["image"][~known].tolist(), strict=True))
            part, places = part[known], order[found[known]]
            part["image"] = places
            part = part[np.argsort(places, kind="stable")]
            starts.append(written + np.searchsorted(part["image"], bounds))
            written += len(part)
            part.tofile(settled)
        self._raw.close()
        self._sorted = settled
        self._starts = np.array(starts, np.int64).reshape(len(starts), len(bounds))
        return strangers

    def of_images(self) -> Iterator[NDArray[Any]]:
        """The entries of each image, in the order of the images and then of the file. Never ends: the last images may
        have none."""
        for bucket in range(self._starts.shape[1] - 1):
            parts = [self._slice(*row[bucket : bucket + 2].tolist()) for row in self._starts]
            entries = np.concatenate(parts) if parts else np.empty(0, ENTRY)
            entries = entries[np.argsort(entries["image"], kind="stable")]
            ends = np.searchsorted(entries["image"], np.arange(bucket * BUCKET, (bucket + 1) * BUCKET + 1))
            for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
                yield entries[start:end]
        while True:
            yield np.empty(0, ENTRY)

    def _slice(self, start: int, end: int) -> NDArray[Any]:
        self._sorted.seek(start * ENTRY.itemsize)
        return np.fromfile(self._sorted, ENTRY, end - start)

    def _flush(self) -> None:
        np.array(self._waiting, ENTRY).tofile(self._raw)
        self._waiting.clear()

    def __del__(self) -> None:
        self._raw.close()
        self._sorted.close()
