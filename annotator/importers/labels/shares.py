"""Boxes that a format gives in shares of the picture's sides, and labels that are listed by their state."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems
from annotator.importers.labels.entries import distinct
from annotator.records import RecordBox, RecordLabel
from annotator.terms import LabelState

PICTURES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".ppm", ".jp2"])

LISTED: dict[str, LabelState] = {
    "labels": LabelState.POSITIVE, "tags": LabelState.POSITIVE, "positive": LabelState.POSITIVE,
    "present": LabelState.POSITIVE, "negative": LabelState.NEGATIVE, "negatives": LabelState.NEGATIVE,
    "negative_labels": LabelState.NEGATIVE, "absent": LabelState.NEGATIVE, "unknown": LabelState.UNKNOWN,
    "unknowns": LabelState.UNKNOWN, "unknown_labels": LabelState.UNKNOWN, "cannot_tell": LabelState.UNKNOWN,
}  # fmt: skip
"""Names of lists of tags, and what they say of each."""


def listed(entry: Mapping[str, Any], names: Names, problems: Problems, where: str) -> tuple[RecordLabel, ...]:
    """The labels of an object's lists of tags; a text is a list of names joined by ``|``, which no name holds."""
    labels = []
    for key, state in LISTED.items():
        value = entry.get(key)
        for place, item in enumerate(_items(value, key, problems, where)):
            try:
                labels.append(RecordLabel(names.place(item), state))
            except ValueError as error:
                problems.add(f"{where}, {key}[{place}]", error)
    return distinct(tuple(labels), names, problems, where)


def _items(value: Any, key: str, problems: Problems, where: str) -> list[Any]:
    if isinstance(value, str):
        return [name for name in value.split("|") if name.strip()]
    try:
        return checks.many(value, repr(key))
    except ValueError as error:
        problems.add(where, error)
        return []


def scaled(tag: int, shares: tuple[float, float, float, float], width: int, height: int) -> RecordBox | None:
    """A box of (left, top, width, height) in shares of the sides in pixels; None where the sides are not known.
    Raises ValueError for one that leaves the picture."""
    left, top, wide, high = checks.within(shares, 1, 1)
    if not width or not height:
        return None
    return RecordBox(tag, left * width, top * height, wide * width, high * height)


def picture_size(picture: Path) -> tuple[int, int]:
    """(width, height) as seen; (0, 0) of what cannot be read."""
    from PIL import Image

    try:
        with Image.open(picture) as opened:
            turned = opened.getexif().get(0x0112, 1) >= 5
            return (opened.height, opened.width) if turned else (opened.width, opened.height)
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError):
        return 0, 0
