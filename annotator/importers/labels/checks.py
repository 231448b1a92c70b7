"""Values out of other people's files: each function gives the value in our terms, or raises ValueError naming it."""

import math
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from annotator.importers.addresses import show
from annotator.importers.names import clean_name, name_problem
from annotator.terms import LabelState, Origin, Split

MOST_FILE = 4096  # characters of a file name: what Linux bears
MOST_TEXT = 10_000  # of a definition or the like
MOST_SIDE = 1_000_000  # pixels
SHOWN = 60

STATES: dict[object, LabelState] = {
    "positive": LabelState.POSITIVE, "present": LabelState.POSITIVE, "negative": LabelState.NEGATIVE,
    "absent": LabelState.NEGATIVE, "unknown": LabelState.UNKNOWN, "cannot tell": LabelState.UNKNOWN,
}  # fmt: skip
ORIGINS: dict[object, Origin] = {
    **{origin.name.lower(): origin for origin in Origin if origin != Origin.NOBODY},
    "": Origin.HUMAN,
    None: Origin.HUMAN,
}
SPLITS: dict[str, Split | None] = {
    "": None, "train": Split.TRAIN, "training": Split.TRAIN, "validation": Split.VALIDATION, "val": Split.VALIDATION,
    "valid": Split.VALIDATION, "dev": Split.VALIDATION, "test": Split.TEST, "testing": Split.TEST,
}  # fmt: skip


def quoted(value: object) -> str:
    """A value fit for one line of a message, however long or strange it is."""
    if isinstance(value, str):
        return show(repr(value[:SHOWN])) + ("…" if len(value) > SHOWN else "")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**SHOWN:
        return "a number of many digits"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return show(repr(value)[:SHOWN])


class Doubled(dict[str, Any]):
    """An object in which a key stands twice: JSON does not say which of the two counts."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.twice = next(key for key, count in counts.items() if count > 1)


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values, for `object_pairs_hook`; `thing` refuses one with a key twice."""
    found = dict(pairs)
    return found if len(found) == len(pairs) else Doubled(pairs)


def thing(value: Any, what: str) -> dict[str, Any]:
    if isinstance(value, Doubled):
        raise ValueError(f"{what} has the key {quoted(value.twice)} twice; remove one of the two")
    if isinstance(value, dict):
        return value
    raise ValueError(f"{what} is {quoted(value)}; write an object")


def many(value: Any, what: str) -> list[Any]:
    """A list; nothing at all is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise ValueError(f"{what} is {quoted(value)}; write a list")


def needed(entry: dict[str, Any], key: str) -> Any:
    if key in entry:
        return entry[key]
    found = ", ".join(show(str(name)[:SHOWN]) for name in list(entry)[:10]) or "none"
    raise ValueError(f"has no key {key!r}; keys found: {found}; add it")


def file_name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"the file name is {quoted(value)}; write the picture's path, in quotes")
    if len(value) > MOST_FILE:
        raise ValueError(f"the file name {quoted(value)} is longer than {MOST_FILE} characters; correct it")
    if "\0" in value:
        raise ValueError(f"the file name {quoted(value)} holds a zero byte; correct it")
    return value


def tag_name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the tag is {quoted(value)}; write its name, in quotes")
    name = clean_name(value[: MOST_TEXT + 1])
    problem = name_problem(name)
    if problem:
        raise ValueError(problem)
    return name


def text(value: Any, what: str) -> str:
    """Text, at most MOST_TEXT characters; nothing at all is empty text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{what} is {quoted(value)}; write text, in quotes")
    if len(value) > MOST_TEXT:
        raise ValueError(f"{what} {quoted(value)} is longer than {MOST_TEXT:,} characters; shorten it")
    return value


def whole(value: Any, what: str, least: int = 0, most: int = MOST_SIDE) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{what} is {quoted(value)}; write a whole number from {least:,} to {most:,}")
    return value


def sides(image: dict[str, Any]) -> tuple[int, int]:
    """(width, height) in pixels of an object that may name them; 0 for one that it does not."""
    width, height = (whole(image.get(side) or 0, f"the {side}") for side in ("width", "height"))
    return width, height


def number(value: Any, what: str, least: float = -math.inf, most: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{what} is {quoted(value)}; write a number")
    if not least <= value <= most or not abs(value) < 1e300:
        span = f" from {least:g} to {most:g}" if math.isfinite(least) else ""
        raise ValueError(f"{what} is {quoted(value)}; write a finite number{span}")
    return float(value)


def probability(value: Any) -> float:
    return number(value, "the score", 0, 1)


def parsed(cell: str, what: str) -> float:
    """The number a text cell holds."""
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"{what} is {quoted(cell)}; write a number") from None


def state(value: Any) -> LabelState:
    try:
        return STATES[value.strip().lower() if isinstance(value, str) else None]
    except KeyError:
        raise ValueError(f"the state is {quoted(value)}; write positive, negative or unknown") from None


def origin(value: Any) -> Origin:
    if value is None or isinstance(value, str):
        found = ORIGINS.get(value if value is None else value.strip().lower())
        if found is not None:
            return found
    raise ValueError(f"the origin is {quoted(value)}; write human, review, round or truth, or leave it out")


def decided(origin_: Any, by: Any) -> tuple[Origin, str]:
    """What decided a label, and who: remembered, because millions of labels say the same few things."""
    try:
        return _decided(origin_, by)
    except TypeError:  # a list or an object cannot be remembered
        return origin(origin_), text(by, "'by'")


@lru_cache(maxsize=1024, typed=True)
def _decided(origin_: Any, by: Any) -> tuple[Origin, str]:
    return origin(origin_), text(by, "'by'")


def split(value: Any) -> Split | None:
    name = text(value, "the split").strip().lower()
    if name not in SPLITS:
        raise ValueError(f"the split is {quoted(value)}; write {', '.join(Split)}, or leave it out")
    return SPLITS[name]


def sha256(value: Any) -> str:
    """64 hexadecimal digits, or "" for nothing at all."""
    name = text(value, "the sha256").lower()
    if name and (len(name) != 64 or not set(name) <= set("0123456789abcdef")):
        raise ValueError(f"the sha256 is {quoted(value)}; write 64 hexadecimal digits, or leave it out")
    return name


def seconds(value: Any) -> int:
    """Seconds since 1970 of an ISO 8601 time (UTC where it names no zone) or a number; 0 for nothing at all."""
    if value is None or value == "":
        return 0
    if type(value) is int and 0 <= value < 1 << 32:
        return value
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        found = _timestamp(value[:SHOWN]) if isinstance(value, str) else number(value, "the time")
        if 0 <= found < 1 << 32:
            return int(found)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"the time is {quoted(value)}; write it as 2026-01-31T12:00:00+00:00, or leave it out")


@lru_cache(maxsize=1 << 16)
def _timestamp(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def box(values: Any, what: str = "the box") -> tuple[float, float, float, float]:
    """(left, top, width, height) of a list of four numbers."""
    found = many(values, what)
    if len(found) != 4:
        raise ValueError(f"{what} has {len(found)} numbers; write [left, top, width, height]")
    left, top = (number(value, f"{name} of {what}") for value, name in zip(found, ("left", "top"), strict=False))
    width, height = (
        number(value, f"the {name} of {what}", 0, 1e9)
        for value, name in zip(found[2:], ("width", "height"), strict=True)
    )
    return left, top, width, height


def within(
    box: tuple[float, float, float, float], width: float, height: float, what: str = "the box"
) -> tuple[float, float, float, float]:
    """`box` if it lies in a picture of these sides, up to a hundredth of a side (at least a pixel of a picture in
    pixels) that programs round or draw beyond it. Sides of 0 are not known: nothing is checked."""
    left, top, wide, high = box
    if left < 0 or left + wide > width:
        _inside(left, left + wide, width, ("left", "right"), what)
    if top < 0 or top + high > height:
        _inside(top, top + high, height, ("top", "bottom"), what)
    return box


def _inside(start: float, end: float, side: float, names: tuple[str, str], what: str) -> None:
    slack = max(side / 100, 1 if side > 1 else 0)
    for name, at in zip(names, (start, end), strict=True):
        if side and not -slack <= at <= side + slack:
            raise ValueError(f"the {name} of {what} is {at:g}, outside the picture (0 to {side:g}); correct it")
