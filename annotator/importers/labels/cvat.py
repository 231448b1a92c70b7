"""CVAT for images 1.1 (XML): tags and boxes of each image are present; an attribute `state` may say otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems, collected
from annotator.importers.labels.entries import distinct
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.labels.xml_stream import Event, events
from annotator.records import Record, RecordBox, RecordLabel, Records
from annotator.terms import LabelState, Origin

SHAPES = ("tag", "box", "polygon", "polyline", "points", "mask", "ellipse", "cuboid", "skeleton")


def open_cvat(path: Path, problems: Problems) -> Records:
    """Raises EntryError for XML of another kind, or with a document type."""
    names = Names()

    def read() -> Iterator[Record]:
        reading = _Reading(names, problems)
        for number, event in enumerate(events(path)):
            if number == 0 and event.name != "annotations":
                what = f"begins with an element {checks.quoted(event.name)}, not with <annotations>"
                raise problems.whole(f"{what}; export it as 'CVAT for images 1.1'", f"line {event.line}")
            record = reading.take(event)
            if record is not None:
                yield record

    return refuse_empty(collected(problems, names, read), problems)


@dataclass
class _Shape:
    """A tag or box of the image being read, with its attributes by name."""

    event: Event
    attributes: dict[str, str] = field(default_factory=dict)


class _Reading:
    def __init__(self, names: Names, problems: Problems) -> None:
        self.names, self.problems = names, problems
        self.image: Event | None = None
        self.shapes: list[_Shape] = []
        self.path: list[str] = []
        self.attribute = ""

    def take(self, event: Event) -> Record | None:
        if event.kind == "start":
            self.path.append(event.name)
            self._start(event)
            return None
        self.path.pop()
        return self._end(event)

    def _start(self, event: Event) -> None:
        if event.name == "image":
            if self.image is not None:
                what = (
                    f"is not read: the image {checks.quoted(event.attributes.get('name'))} begins in it; close it first"
                )
                self.problems.add(f"line {self.image.line}", what)
            if len(self.names):
                self.names.close()
            self.image, self.shapes = event, []
        elif event.name == "track":
            what = f"is a track of {checks.quoted(event.attributes.get('label'))}, of a video"
            self.problems.add(f"line {event.line}", f"{what}; export it as 'CVAT for images 1.1'")
        elif event.name in SHAPES and self.image is not None:
            self.shapes.append(_Shape(event))
        elif event.name == "attribute":
            self.attribute = event.attributes.get("name", "")

    def _end(self, event: Event) -> Record | None:
        if event.name == "attribute" and self.shapes and self.path[-1:] == [self.shapes[-1].event.name]:
            self.shapes[-1].attributes[self.attribute] = event.text
        elif event.name == "name" and self.path[-1:] == ["label"]:
            self._known(event)
        elif event.name == "image" and self.image is not None:
            image, self.image = self.image, None
            try:
                return self._record(image)
            except ValueError as error:
                self.problems.add(f"line {image.line}", error)
        return None

    def _known(self, event: Event) -> None:
        try:
            self.names.place(event.text)
        except ValueError as error:
            self.problems.add(f"line {event.line}", error)

    def _record(self, image: Event) -> Record:
        said = image.attributes
        width, height = (
            checks.whole(checks.parsed(said.get(side) or "0", f"the {side}"), f"the {side}")
            for side in ("width", "height")
        )
        labels, boxes = [], []
        for shape in self.shapes:
            try:
                label = self._label(shape)
                labels.append(label)
                if shape.event.name == "box":
                    corners = checks.within(_corners(shape.event.attributes), width, height)
                    boxes.append(RecordBox(label.tag, *corners))
            except ValueError as error:
                self.problems.add(f"line {shape.event.line}", error)
        return Record(
            checks.file_name(said.get("name")),
            checks.sha256(said.get("sha256")),
            width,
            height,
            checks.split(said.get("subset", said.get("split"))) if said.get("subset") != "default" else None,
            distinct(tuple(labels), self.names, self.problems, f"line {image.line}"),
            (),
            tuple(boxes),
        )

    def _label(self, shape: _Shape) -> RecordLabel:
        # Attributes are the user's own words: only those that are ours are taken for what they say.
        return RecordLabel(
            self.names.place(shape.event.attributes.get("label")),
            checks.STATES.get(shape.attributes.get("state", "").lower(), LabelState.POSITIVE),
            checks.ORIGINS.get(shape.attributes.get("origin", "").lower(), Origin.HUMAN),
            checks.text(shape.attributes.get("by"), "'by'"),
        )


def _corners(said: dict[str, str]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        checks.parsed(checks.needed(dict(said), side), f"the side {side!r}") for side in ("xtl", "ytl", "xbr", "ybr")
    )
    return checks.box([left, top, right - left, bottom - top])
