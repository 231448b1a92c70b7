"""FiftyOne datasets (metadata.json with samples.json): classifications and detections of every field.

A label with a confidence is a suggestion. In fields called `absent` or `unknown` (and the like) labels say so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.entries import distinct
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.labels.json_stream import elements
from annotator.importers.labels.shares import LISTED, PICTURES, picture_size, scaled
from annotator.records import Record, RecordBox, RecordLabel, Records, RecordScore
from annotator.terms import LabelState, Split

SHOWN = 60
LISTS = {"Classifications": "classifications", "Detections": "detections"}
SINGLE = ("Classification", "Detection")


def open_fiftyone(path: Path, problems: Problems) -> Records:
    """The folder, or its samples.json. Raises EntryError where no sample can be used."""
    samples = path / "samples.json" if path.is_dir() else path
    head = _described(samples.with_name("metadata.json"), problems)
    names = head.names

    def read() -> Iterator[Record]:
        for element in elements(samples, ("samples",)):
            if element.key == "samples":
                if element.place < 0:
                    what = f"'samples' is no list but {checks.quoted(element.value)}; write a list of objects"
                    raise problems.whole(what, element.where)
                try:
                    yield _sample(element.value, names, problems, element.where)
                except ValueError as error:
                    problems.add(element.where, error)

    return refuse_empty(collected(problems, names, read, head), problems)


def _sample(value: Any, names: Names, problems: Problems, where: str) -> Record:
    sample = checks.thing(value, "the sample")
    width, height = checks.sides(checks.thing(sample.get("metadata") or {}, "'metadata'"))
    labels: list[RecordLabel] = []
    scores: dict[int, RecordScore] = {}
    boxes: list[RecordBox] = []
    for name, item, at in _labels(sample, problems, where):
        try:
            tag = names.place(checks.needed(item, "label"))
            if item.get("confidence") is not None:
                score = RecordScore(tag, checks.probability(item["confidence"]), _source(item, name))
                scores[tag] = max(scores.get(tag, score), score, key=lambda said: said.score)
                continue
            labels.append(_label(item, tag, name))
            box = checks.box(item["bounding_box"]) if item.get("bounding_box") else None
            if box and not width:
                width, height = _size_of(sample)
            pixels = scaled(tag, box, width, height) if box else None
            boxes += [pixels] if pixels else []
        except ValueError as error:
            problems.add(at, error)
    return Record(
        checks.file_name(checks.needed(sample, "filepath")),
        checks.sha256(sample.get("sha256")),
        width,
        height,
        _split(sample),
        distinct(tuple(labels), names, problems, where),
        tuple(scores.values()),
        tuple(boxes),
    )


def _labels(sample: dict[str, Any], problems: Problems, where: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(field, label, place) of every label of a sample."""
    for name, field in sample.items():
        kind = str(field.get("_cls")) if isinstance(field, dict) else ""
        try:
            if kind in SINGLE:
                yield name, field, f"{where}, {name}"
            elif kind in LISTS:
                for place, item in enumerate(checks.many(field.get(LISTS[kind]), repr(LISTS[kind]))):
                    yield name, checks.thing(item, "the label"), f"{where}, {name}[{place}]"
        except ValueError as error:
            problems.add(f"{where}, {name}", error)


def _label(item: dict[str, Any], tag: int, field: str) -> RecordLabel:
    state = checks.state(item["state"]) if "state" in item else LISTED.get(field, LabelState.POSITIVE)
    return RecordLabel(
        tag,
        state,
        checks.origin(item.get("origin")),
        checks.text(item.get("decided_by"), "'decided_by'"),
        checks.seconds(item.get("decided_at")),
    )


def _source(item: dict[str, Any], field: str) -> str:
    """Where a suggestion comes from: what it says itself, else the name of its field."""
    return checks.text(item.get("origin"), "the origin") or field[:SHOWN]


def _size_of(sample: dict[str, Any]) -> tuple[int, int]:
    """The sides of a sample's picture where it lies at its path; (0, 0) elsewhere."""
    path = Path(str(sample.get("filepath"))[: checks.MOST_FILE])
    return picture_size(path) if path.is_absolute() and path.suffix.lower() in PICTURES else (0, 0)


def _described(metadata: Path, problems: Problems) -> Head:
    """The dataset's own list of classes, its snapshot and root, where they are told."""
    head = Head()
    if not metadata.is_file():
        return head
    for element in elements(metadata):
        if element.key == "default_classes":
            _classes(element.value, head.names, problems)
        elif element.key == "info" and isinstance(element.value, dict):
            head.snapshot, head.root = (str(element.value.get(key) or "")[:4096] for key in ("snapshot", "root"))
    return head


def _classes(value: Any, names: Names, problems: Problems) -> None:
    where = "metadata.json, default_classes"
    try:
        classes = checks.many(value, "'default_classes'")
    except ValueError as error:
        problems.add(where, error)
        return
    for place, name in enumerate(classes):
        try:
            names.place(name)
        except ValueError as error:
            problems.add(f"{where}[{place}]", error)


def _split(sample: dict[str, Any]) -> Split | None:
    """The field `split`, or the one of the sample's tags that names one."""
    if "split" in sample:
        return checks.split(sample["split"])
    tags = sample.get("tags") if isinstance(sample.get("tags"), list) else []
    named = [checks.SPLITS[tag] for tag in tags or [] if isinstance(tag, str) and tag in checks.SPLITS]
    return named[0] if named else None
