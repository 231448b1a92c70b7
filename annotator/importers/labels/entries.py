"""One image as the project's own JSON says it: the shape that json, jsonl and the members of a webdataset share."""

from collections.abc import Callable
from typing import Any, TypeVar

from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems
from annotator.records import Record, RecordBox, RecordLabel, RecordRelation, RecordScore, RecordTag
from annotator.terms import LabelState, RelationKind

FILE_KEYS = ("file", "file_name", "path", "uri", "url", "image")
T = TypeVar("T")


def record_of(entry: Any, names: Names, problems: Problems, where: str, file: str = "") -> Record:
    """The record of an object with a file, and maybe sha256, size, split, labels, suggestions, boxes.

    Labels are objects with tag and state, or a list of the tags that are present. A label that cannot be used is
    refused alone. Raises ValueError where the image as such cannot be named. `file` is the name it has without one.
    """
    image = checks.thing(entry, "the image")
    key = next((key for key in FILE_KEYS if key in image), FILE_KEYS[0])
    width, height = checks.sides(image)
    return Record(
        file=checks.file_name(image[key] if key in image or not file else file)
        if key in image or file
        else checks.needed(image, key),
        sha256=checks.sha256(image.get("sha256")),
        width=width,
        height=height,
        split=checks.split(image.get("split")),
        labels=distinct(
            kept(image, "labels", lambda item: _label(item, names), problems, where), names, problems, where
        ),
        suggestions=kept(image, "suggestions", lambda item: _score(item, names), problems, where),
        boxes=kept(image, "boxes", lambda item: _box(item, names, width, height), problems, where),
    )


def kept(image: dict[str, Any], key: str, read: Callable[[Any], T], problems: Problems, where: str) -> tuple[T, ...]:
    """The items of a list of an image that can be used; the others are refused by their places."""
    try:
        items = checks.many(image.get(key), repr(key))
    except ValueError as error:
        problems.add(where, error)
        return ()
    found = []
    for place, item in enumerate(items):
        try:
            found.append(read(item))
        except ValueError as error:
            problems.add(f"{where}, {key}[{place}]", error)
    return tuple(found)


def distinct(labels: tuple[RecordLabel, ...], names: Names, problems: Problems, where: str) -> tuple[RecordLabel, ...]:
    """Each tag once: the first mention counts, and another one that says otherwise is refused."""
    if len({label.tag for label in labels}) == len(labels):
        return labels
    first: dict[int, RecordLabel] = {}
    for label in labels:
        if first.setdefault(label.tag, label).state != label.state:
            said, now = (LabelState(state).name.lower() for state in (first[label.tag].state, label.state))
            name = checks.quoted(names.name(label.tag))
            problem = f"says of the tag {name} both {said} and {now}; the first counts, remove the other"
            problems.add(where, problem)
    return tuple(first.values())


def tag_of(entry: Any) -> RecordTag:
    """A tag of a header: its name, or an object with name, definition, synonyms, parent."""
    if isinstance(entry, str):
        return RecordTag(checks.tag_name(entry))
    tag = checks.thing(entry, "the tag")
    return RecordTag(
        checks.tag_name(checks.needed(tag, "name")),
        checks.text(tag.get("definition"), "the definition"),
        tuple(checks.text(item, "a synonym") for item in checks.many(tag.get("synonyms"), "'synonyms'")),
        None if tag.get("parent") is None else checks.tag_name(tag["parent"]),
    )


def relation_of(entry: Any) -> RecordRelation:
    relation = checks.thing(entry, "the relation")
    kind = checks.text(relation.get("kind"), "the kind")
    if kind not in list(RelationKind):
        raise ValueError(f"the kind of the relation is {checks.quoted(kind)}; write {', '.join(RelationKind)}")
    return RecordRelation(RelationKind(kind), *(checks.tag_name(checks.needed(relation, side)) for side in "ab"))


def _label(item: Any, names: Names) -> RecordLabel:
    if isinstance(item, str):
        return RecordLabel(names.place(item), LabelState.POSITIVE)
    label = checks.thing(item, "the label")
    return RecordLabel(
        names.place(checks.needed(label, "tag")),
        checks.state(checks.needed(label, "state")),
        *checks.decided(label.get("origin"), label.get("by")),
        checks.seconds(label.get("at")),
    )


def _score(item: Any, names: Names) -> RecordScore:
    score = checks.thing(item, "the suggestion")
    return RecordScore(
        names.place(checks.needed(score, "tag")),
        checks.probability(checks.needed(score, "score")),
        checks.text(score.get("origin"), "the origin"),
    )


def _box(item: Any, names: Names, width: int, height: int) -> RecordBox:
    found = checks.thing(item, "the box")
    sides = found.get("box", found.get("bbox"))
    if sides is None:
        sides = [checks.needed(found, side) for side in ("left", "top", "width", "height")]
    tag = names.place(checks.needed(found, "tag"))
    return RecordBox(tag, *checks.within(checks.box(sides), width, height))
