"""A sink in memory, and small collections to export."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image

from annotator.exporters import Exporter, Sink
from annotator.exporters.names import address_of
from annotator.records import (
    Header,
    Record,
    RecordBox,
    RecordLabel,
    RecordRelation,
    Records,
    RecordScore,
    RecordTag,
)
from annotator.terms import LabelState, Origin, RelationKind, Split

YES, NO, UNCLEAR = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
AT = 1_700_000_000
TAGS = ("tag <0> & ✓", "=1+1", "a/b\\c", "'quoted', \"x\"")
STATES = ((YES, NO, UNCLEAR, None), (None, YES, NO, UNCLEAR), (YES, YES, YES, NO))
"""Per image: present, absent, cannot tell, never asked; the third image has no "cannot tell"."""


class MemorySink(Sink):
    """Files and pictures in dicts. A picture whose file name holds "broken" cannot be read."""

    def __init__(self, *, carries_pictures: bool = False) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.placed: dict[str, str] = {}
        self._carries = carries_pictures

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        assert name not in self.files
        buffer = io.BytesIO()
        self.files[name] = b""
        yield buffer
        self.files[name] = buffer.getvalue()

    def place(self, header: Header, record: Record, name: str) -> str | None:
        assert name not in self.placed, "two pictures in one place"
        if "broken" in record.file:
            return None
        self.placed[name] = address_of(header.root, record.file)
        return name

    def picture(self, header: Header, record: Record) -> tuple[bytes, str] | None:
        return None if "broken" in record.file else (png(), "png")

    @property
    def carries_pictures(self) -> bool:
        return self._carries


def written(exporter: Exporter, records: Records) -> MemorySink:
    sink = MemorySink(carries_pictures=exporter.pictures != "never")
    exporter(records, sink)
    return sink


def on_disk(exporter: Exporter, records: Records, folder: Path) -> MemorySink:
    """As `written`, and laid out below `folder` with a small picture at each place."""
    sink = written(exporter, records)
    for name, content in {**sink.files, **dict.fromkeys(sink.placed, png())}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return sink


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def collection(*records: Record, tags: tuple[str, ...] = TAGS) -> Records:
    described = tuple(
        RecordTag(name, f"what {name} is", (f"{name}s",), tags[0] if place else None) for place, name in enumerate(tags)
    )
    relations = (RecordRelation(RelationKind.EXCLUDES, tags[0], tags[1]),) if len(tags) > 1 else ()
    header = Header(described, relations, "0123abcd", "/pictures", len(records))
    return Records(header, lambda: iter(records))


def make(states: tuple[tuple[LabelState | None, ...], ...] = STATES) -> Records:
    """Three images, two of them of one name in two folders, one with a name that is not ASCII."""
    files = ("0/same.png", "1/same.png", "ünï 2.png")
    return collection(*(_record(place, file, states[place]) for place, file in enumerate(files)))


def _record(place: int, file: str, states: tuple[LabelState | None, ...]) -> Record:
    labels = tuple(
        RecordLabel(tag, state, Origin.ROUND, "round 1", AT)
        if (place + tag) % 3 == 1
        else RecordLabel(tag, state, Origin.HUMAN, "anna", AT)
        for tag, state in enumerate(states)
        if state is not None
    )
    split = (Split.TRAIN, Split.VALIDATION, Split.TEST)[place]
    return Record(file, f"{place:064x}", 640, 480, split, labels)


def with_everything() -> Records:
    """`make` with suggestions and boxes."""
    more = [
        record._replace(suggestions=(RecordScore(3, 0.75, "model"),), boxes=(RecordBox(0, 64.0, 48.0, 320.0, 240.0),))
        for record in make().read()
        if record.file == "0/same.png"
    ]
    return Records(make().header, lambda: iter([*more, *list(make().read())[1:]]))


def empty() -> Records:
    return collection(tags=())
