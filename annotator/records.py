"""Records: what one exchange format can say of one image. Exporters write them, label importers read them.

A collection is never held whole: both sides pass records one by one, so that memory stays flat. A tag missing from a
record's labels was never asked about; a label UNKNOWN is a person's "cannot tell".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from annotator.terms import LabelState, Origin, RelationKind, Split


class RecordLabel(NamedTuple):
    """An accepted label. `tag` is its place in the header's tags; `at` seconds since 1970, 0 where not known."""

    tag: int
    state: LabelState
    origin: Origin = Origin.HUMAN
    by: str = ""
    at: int = 0


class RecordScore(NamedTuple):
    """A suggestion: a probability in [0, 1] nobody has confirmed. `origin` says which source, in words."""

    tag: int
    score: float
    origin: str = ""


class RecordBox(NamedTuple):
    """A box somebody brought along: left, top, width, height in pixels of the image as seen."""

    tag: int
    left: float
    top: float
    width: float
    height: float


class Record(NamedTuple):
    """One image. `file` is relative to the header's root, or a whole address; `sha256` "" where not known."""

    file: str
    sha256: str = ""
    width: int = 0
    height: int = 0
    split: Split | None = None
    labels: tuple[RecordLabel, ...] = ()
    suggestions: tuple[RecordScore, ...] = ()
    boxes: tuple[RecordBox, ...] = ()


@dataclass(frozen=True)
class RecordTag:
    name: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True)
class RecordRelation:
    kind: RelationKind
    a: str
    b: str


@dataclass(frozen=True)
class Header:
    """What holds for all records. `snapshot` is the hash of the labels exported; "" where a file names none."""

    tags: tuple[RecordTag, ...]
    relations: tuple[RecordRelation, ...] = ()
    snapshot: str = ""
    root: str = ""
    images: int = 0


@dataclass(frozen=True)
class Records:
    """A collection to be read any number of times: `read()` begins again at the first image."""

    header: Header
    read: Callable[[], Iterator[Record]] = field(repr=False)
