"""What imports bring that is no label: suggestions and boxes, as sparse arrays in the workspace, one file an import.

predictions/imported/NAME.npz   rows (K,) int32, tag_ids (K,) int32, scores (K,) float16, sources (K,) uint16, names
boxes/NAME.npz                  rows (K,) int32, tag_ids (K,) int32, sides (K, 4) float32: left, top, width, height
"""

import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.workspace import Workspace

MOST_SOURCES = 1 << 16


@dataclass
class Gathered:
    """Suggestions and boxes of one import while it is read: 14 and 24 bytes each."""

    rows: "array[int]" = field(default_factory=lambda: array("i"))
    tag_ids: "array[int]" = field(default_factory=lambda: array("i"))
    scores: "array[float]" = field(default_factory=lambda: array("f"))
    sources: "array[int]" = field(default_factory=lambda: array("H"))
    names: dict[str, int] = field(default_factory=lambda: {"": 0})
    box_rows: "array[int]" = field(default_factory=lambda: array("i"))
    box_tags: "array[int]" = field(default_factory=lambda: array("i"))
    sides: "array[float]" = field(default_factory=lambda: array("f"))

    def suggest(self, row: int, tag_id: int, score: float, source: str) -> None:
        self.rows.append(row)
        self.tag_ids.append(tag_id)
        self.scores.append(score)
        self.sources.append(self._source(source))

    def _source(self, name: str) -> int:
        return self.names.setdefault(name, len(self.names)) if len(self.names) < MOST_SOURCES else 0

    def suggest_many(
        self, rows: NDArray[np.int64], tag_ids: NDArray[np.int64], scores: NDArray[np.float64], source: str
    ) -> None:
        """The same of columns (k,), all from one source."""
        self.rows.frombytes(rows.astype(np.int32).tobytes())
        self.tag_ids.frombytes(tag_ids.astype(np.int32).tobytes())
        self.scores.frombytes(scores.astype(np.float32).tobytes())
        self.sources.frombytes(np.full(len(rows), self._source(source), np.uint16).tobytes())

    def with_tags(self, tag_ids: NDArray[np.int64]) -> "Gathered":
        """The same with `tag_ids[place]` for each tag's place; 0 for none, whose entries are left out."""
        tags, boxed = tag_ids[np.array(self.tag_ids, np.int64)], tag_ids[np.array(self.box_tags, np.int64)]
        sides = np.array(self.sides, np.float32).reshape(-1, 4)
        return Gathered(
            array("i", np.array(self.rows, np.int32)[tags != 0].tobytes()),
            array("i", tags[tags != 0].astype(np.int32).tobytes()),
            array("f", np.array(self.scores, np.float32)[tags != 0].tobytes()),
            array("H", np.array(self.sources, np.uint16)[tags != 0].tobytes()),
            dict(self.names),
            array("i", np.array(self.box_rows, np.int32)[boxed != 0].tobytes()),
            array("i", boxed[boxed != 0].astype(np.int32).tobytes()),
            array("f", sides[boxed != 0].tobytes()),
        )

    def box(self, row: int, tag_id: int, sides: tuple[float, float, float, float]) -> None:
        self.box_rows.append(row)
        self.box_tags.append(tag_id)
        self.sides.extend(sides)

    def files(self, workspace: Workspace, name: str) -> dict[Path, bytes]:
        """The files to be written, none for what was not gathered. A second import of the same name replaces them."""
        found = {}
        if self.rows:
            found[suggestions_folder(workspace) / f"{name}.npz"] = _packed(
                rows=np.array(self.rows, np.int32),
                tag_ids=np.array(self.tag_ids, np.int32),
                scores=np.array(self.scores, np.float16),
                sources=np.array(self.sources, np.uint16),
                names=np.array(list(self.names)),
            )
        if self.box_rows:
            found[boxes_folder(workspace) / f"{name}.npz"] = _packed(
                rows=np.array(self.box_rows, np.int32),
                tag_ids=np.array(self.box_tags, np.int32),
                sides=np.array(self.sides, np.float32).reshape(-1, 4),
            )
        return found


def suggestions_folder(workspace: Workspace) -> Path:
    return workspace.folder / "predictions" / "imported"


def boxes_folder(workspace: Workspace) -> Path:
    return workspace.folder / "boxes"


def scores(workspace: Workspace, images: int, tag_ids: list[int]) -> NDArray[np.float32] | None:
    """(images, C) float32 what imports say of the images and tags, NaN where nothing; of several the highest.

    None where no import brought scores of these tags.
    """
    column = {tag_id: place for place, tag_id in enumerate(tag_ids)}
    found = np.full((images, len(tag_ids)), np.nan, np.float32)
    spoke = False
    for stored in _read(suggestions_folder(workspace)):
        places = np.array([column.get(tag_id, -1) for tag_id in stored["tag_ids"].tolist()], np.int64)
        known = (places >= 0) & (stored["rows"] < images)
        spoke |= bool(known.any())
        np.fmax.at(found, (stored["rows"][known], places[known]), stored["scores"][known].astype(np.float32))
    return found if spoke else None


def of_image(workspace: Workspace, row: int) -> list[tuple[int, float, str]]:
    """(tag id, score, source) of what imports say of one image, the likeliest first."""
    found: dict[int, tuple[float, str]] = {}
    for stored in _read(suggestions_folder(workspace)):
        for place in np.flatnonzero(stored["rows"] == row).tolist():
            said = float(stored["scores"][place]), str(stored["names"][stored["sources"][place]])
            tag_id = int(stored["tag_ids"][place])
            found[tag_id] = max(found.get(tag_id, said), said)
    return sorted(
        ((tag, score, source) for tag, (score, source) in found.items()), key=lambda said: (-said[1], said[0])
    )


def boxes(workspace: Workspace) -> "Boxes | None":
    """All boxes that imports brought, by image; None where there are none."""
    parts = list(_read(boxes_folder(workspace)))
    if not parts:
        return None
    rows = np.concatenate([part["rows"] for part in parts])
    order = np.argsort(rows, kind="stable")
    tags = np.concatenate([part["tag_ids"] for part in parts])
    sides = np.concatenate([part["sides"] for part in parts])
    return Boxes(rows[order], tags[order], sides[order])


@dataclass(frozen=True)
class Boxes:
    """K boxes in the order of their images: rows (K,), tag_ids (K,), sides (K, 4) left, top, width, height, pixels."""

    rows: NDArray[np.int32]
    tag_ids: NDArray[np.int32]
    sides: NDArray[np.float32]

    def of_image(self, row: int) -> list[tuple[int, tuple[float, float, float, float]]]:
        """(tag id, sides) of each box of one image."""
        start, end = np.searchsorted(self.rows, row, "left"), np.searchsorted(self.rows, row, "right")
        sides = [(float(a), float(b), float(c), float(d)) for a, b, c, d in self.sides[start:end].tolist()]
        return list(zip(self.tag_ids[start:end].tolist(), sides, strict=True))


def _read(folder: Path) -> Iterator[dict[str, NDArray[Any]]]:
    for file in sorted(folder.glob("*.npz")):
        with np.load(file, allow_pickle=False) as stored:
            yield dict(stored.items())


def _packed(**arrays: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stubs take the names for its own options
    return buffer.getvalue()


def write_files(files: dict[Path, bytes]) -> None:
    for path, content in files.items():
        write_whole(path, content)
