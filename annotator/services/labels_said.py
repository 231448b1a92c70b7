"""What a labels file says of the pictures that are here: read and matched once, kept on the disk, given back in the
order of the store.

So the store is written from arrays in a transaction that no reading of a file prolongs, its indexes grow at their ends
whatever the file's order is, and memory is needed for one part only.
"""

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from annotator.importers.labels import Problems
from annotator.progress import Progress
from annotator.records import Record, Records
from annotator.services.image_matching import ImageMatcher
from annotator.services.imported_arrays import Gathered
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, Split

IMAGES, LABELS = 2000, 100_000  # of one part; an image with more labels is a part of its own
NO_SPLIT = -1
SPLITS: dict[Split | None, int] = {None: NO_SPLIT, **{split: code for code, split in enumerate(SPLIT_CODES)}}
LABEL = np.dtype(
    [("tag", np.int32), ("state", np.int8), ("origin", np.uint8), ("by", np.int32), ("at", np.int64)]
)  # fmt: skip
"""One label: its tag's place in the file's header, `LabelState`, `Origin`, index into `names`, seconds since 1970."""


@dataclass(frozen=True)
class SaidPart:
    """n images in the order of their rows, and the k labels that the file has of them.

    rows (n,) int64, splits (n,) int8 (index into SPLIT_CODES, NO_SPLIT for none), labels (k,) LABEL: of image i the
    next counts[i].
    """

    rows: NDArray[np.int64]
    splits: NDArray[np.int8]
    counts: NDArray[np.int64]
    labels: NDArray[Any]

    @property
    def image_of(self) -> NDArray[np.int64]:
        """(k,) which of the part's images each label is of."""
        return np.repeat(np.arange(len(self.rows)), self.counts)


class LabelsSaid(AbstractContextManager["LabelsSaid"]):
    """Labels in a nameless temporary file in `folder`; gone when it is closed, or with the process.

    gathered: suggestions and boxes, whose tags are places in the file's header. lost: how many labels are of pictures
    that are not here.
    """

    def __init__(self, folder: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._rows, self._splits, self._counts = array("i"), array("b"), array("i")
        self._places: dict[str, int] = {"": 0}
        self.gathered = Gathered()
        self.lost = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def images(self) -> int:
        return len(self._rows)

    @property
    def names(self) -> list[str]:
        """Who said it, as the file spells it."""
        return list(self._places)

    def read(self, records: Records, matcher: ImageMatcher, problems: Problems, progress: Progress) -> None:
        """Take all `records`; those of pictures that are not here go to the problems. Nothing is written elsewhere."""
        for batch in _batches(records.read()):
            matched = []
            for row, record in zip(matcher.match(batch), batch, strict=True):
                if isinstance(row, int):
                    matched.append((row, record))
                else:
                    problems.add(f"the picture {record.file[:200]!r}", row)
                    self.lost += len(record.labels)
            _tell_contradictions(matched, [tag.name for tag in records.header.tags], problems)
            self._add(matched)
            progress(self.images, records.header.images, "reading labels")

    def parts(self) -> Iterator[SaidPart]:
        """All that was read, in the order of the rows; what the file says of one image twice in the file's order."""
        unordered = np.array(self._rows, np.int64)
        order = np.argsort(unordered, kind="stable")
        counts = np.array(self._counts, np.int64)
        starts = (np.cumsum(counts) - counts)[order]
        rows, counts, splits = unordered[order], counts[order], np.array(self._splits, np.int8)[order]
        for part in _stretches(rows, np.cumsum(counts)):
            yield SaidPart(rows[part], splits[part], counts[part], self._labels(starts[part], counts[part]))

    def _add(self, matched: Sequence[tuple[int, Record]]) -> None:
        flat = list(chain.from_iterable(record.labels for _, record in matched))
        labels = np.empty(len(flat), LABEL)
        if flat:
            tags, states, origins, by, at = zip(*flat, strict=True)
            for name in dict.fromkeys(by):
                self._places.setdefault(name, len(self._places))
            places = map(self._places.__getitem__, by)
            # Arrays take members of enums as the numbers they are, several times faster than numpy does.
            for name, kind, values in zip(LABEL.names or (), "ibBiq", (tags, states, origins, places, at), strict=True):
                labels[name] = array(kind, values)
        self._file.write(labels.tobytes())
        for row, record in matched:
            self._rows.append(row)
            self._splits.append(SPLITS[record.split])
            self._counts.append(len(record.labels))
            for score in record.suggestions:
                self.gathered.suggest(row, score.tag, score.score, score.origin)
            for box in record.boxes:
                self.gathered.box(row, box.tag, box[1:])

    def _labels(self, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[Any]:
        """The labels from each of `starts` on, as many as `counts` says; neighbours in the file are read at once."""
        ends = starts + counts
        breaks = np.flatnonzero(starts[1:] != ends[:-1]) + 1
        found = []
        for first, last in zip([0, *breaks.tolist()], [*(breaks - 1).tolist(), -1], strict=True):
            self._file.seek(int(starts[first]) * LABEL.itemsize)
            found.append(self._file.read(int(ends[last] - starts[first]) * LABEL.itemsize))
        return np.frombuffer(b"".join(found), LABEL)


def _tell_contradictions(matched: Sequence[tuple[int, Record]], tags: Sequence[str], problems: Problems) -> None:
    """List what several entries say differently of one image; entries far apart show as conflicts."""
    if len({row for row, _ in matched}) == len(matched):
        return
    first: dict[tuple[int, int, str], LabelState] = {}
    for row, record in matched:
        for label in record.labels:
            before = first.setdefault((row, label.tag, label.by), label.state)
            if before != label.state:
                states = " and ".join(LabelState(state).name.lower() for state in (before, label.state))
                what = f"several entries say of the tag {tags[label.tag]!r} {states}"
                problems.add(f"the picture {record.file[:200]!r}", f"{what}; present counts before absent, remove one")


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    labels = 0
    for record in records:
        batch.append(record)
        labels += len(record.labels)
        if len(batch) == IMAGES or labels >= LABELS:
            yield batch
            batch, labels = [], 0
    if batch:
        yield batch


def _stretches(rows: NDArray[np.int64], labels: NDArray[np.int64]) -> Iterator[slice]:
    """Stretches of about IMAGES entries and LABELS labels; all entries of one image are in one, for what they say
    differently is settled there. `rows` in order; `labels`: how many there are up to each entry."""
    start = 0
    while start < len(labels):
        before = labels[start - 1] if start else 0
        end = min(start + IMAGES, int(np.searchsorted(labels, before + LABELS)) + 1, len(labels))
        end = int(np.searchsorted(rows, rows[end - 1], side="right"))
        yield slice(start, end)
        start = end
