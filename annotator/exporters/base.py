"""What all exporters share: where an export goes, what its format can say, and how it counts what it leaves out."""

import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Literal, TextIO, TypeVar

from annotator.exporters.names import address_of
from annotator.records import Header, Record, RecordLabel, Records
from annotator.terms import LabelState, Origin, Split

T = TypeVar("T")
STATE_KEYS = ("negative", "positive", "unknown")
"""By LabelState: 0, 1 and, from behind, -1."""
ORIGIN_KEYS = tuple(origin.name.lower() for origin in Origin)
SPLIT_FOLDERS = {Split.TRAIN: "train", Split.VALIDATION: "val", Split.TEST: "test"}
to_json: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class ExportOptions:
    """What a person chooses. `pictures`: "reference" (by address; linked where a format needs them in its folder),
    "copy", or "resize:SIZE" (longest side in pixels); for the formats of folders.

    suggestions: also what nobody has confirmed. only_labelled: no images without a label. splits: () for all.
    """

    pictures: str = "reference"
    suggestions: bool = False
    only_labelled: bool = False
    splits: tuple[Split, ...] = ()


class Sink(ABC):
    """Where one export goes: named files, and the pictures below it.

    An exporter tells it what it could not write; what it does not tell of, it wrote.
    """

    def __init__(self) -> None:
        self.left_out: Counter[tuple[str, LabelState, Origin]] = Counter()
        self.images_left_out: Counter[str] = Counter()

    @abstractmethod
    def open(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """A new binary file of the export; `name` is relative, with forward slashes."""

    @abstractmethod
    def place(self, header: Header, record: Record, name: str) -> str | None:
        """Put the picture of `record` below the export as `name`; the name it has there, which may end otherwise.

        None where the picture cannot be read: the image is left out then.
        """

    @abstractmethod
    def picture(self, header: Header, record: Record) -> tuple[bytes, str] | None:
        """(content, ending without a dot) of the picture of `record`; None where it cannot be read."""

    @property
    @abstractmethod
    def carries_pictures(self) -> bool:
        """Whether pictures were asked for below the export, not only their addresses."""

    def address(self, header: Header, record: Record, name: str) -> str | None:
        """Where a reader finds the picture: below the export where pictures were asked for, else where it lies."""
        return self.place(header, record, name) if self.carries_pictures else address_of(header.root, record.file)

    def leave_out(self, why: str, labels: Iterable[RecordLabel]) -> None:
        """Count labels that the format cannot say."""
        for label in labels:
            self.left_out[why, label.state, label.origin] += 1

    def leave_out_image(self, why: str, labels: Iterable[RecordLabel] = ()) -> None:
        """Count an image that is not in the export, with those of its labels that were not counted before."""
        self.images_left_out[why] += 1
        self.leave_out(why, labels)


UNREADABLE = "the picture cannot be read"


@dataclass(frozen=True)
class Exporter:
    """A format: the function that writes it, and what a person should know of it before choosing."""

    write: Callable[[Records, Sink], None]
    what: str
    """In a few words, for menus."""
    file: str | None
    """The one file it writes; None: several, in a folder."""
    loses: str = ""
    """What it cannot say; "" where it is lossless."""
    pictures: Literal["never", "may", "must"] = "never"
    """Whether pictures can or have to stand below the export."""
    suggestions: bool = False
    """Whether it has a place for suggestions."""

    def __call__(self, records: Records, sink: Sink) -> None:
        self.write(records, sink)

    @property
    def suffix(self) -> str:
        """The ending of its file; "" for a folder."""
        return "" if self.file is None else "." + self.file.rpartition(".")[2]


@contextmanager
def open_text(sink: Sink, name: str) -> Iterator[TextIO]:
    """A new UTF-8 file of the export, its line ends written as given."""
    with sink.open(name) as raw:
        out = io.TextIOWrapper(raw, "utf-8", newline="", write_through=False)
        try:
            yield out
            out.flush()
        finally:
            out.detach()


def json_lines(out: TextIO, values: Iterable[object]) -> None:
    """The values of a JSON array, one a line: a file of a million entries is read line by line as well."""
    between = "\n"
    for value in values:
        out.write(between + to_json(value))
        between = ",\n"


def in_parts(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """`values` in lists of at most `size`."""
    iterator = iter(values)
    while part := list(islice(iterator, size)):
        yield part


def present(record: Record) -> list[RecordLabel]:
    return [label for label in record.labels if label.state == LabelState.POSITIVE]


def not_present(record: Record) -> list[RecordLabel]:
    return [label for label in record.labels if label.state != LabelState.POSITIVE]
