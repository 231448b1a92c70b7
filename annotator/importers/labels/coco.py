"""COCO: instances with boxes, image-level labels as in LVIS (arXiv 1908.03195), and results files with scores.

An annotation says that its tag is present; one with a score is a suggestion. `neg_category_ids` are absent tags.
`not_exhaustive_category_ids` without an annotation are tags on which somebody could not tell.
"""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annotator.importers.addresses import show
from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Problems, collected
from annotator.importers.labels.json_stream import Element, elements
from annotator.importers.labels.recognising import start_of
from annotator.importers.labels.spill import Spill
from annotator.records import Record, RecordBox, RecordLabel, Records, RecordScore, RecordTag
from annotator.terms import LabelState, Origin

LISTS = ("images", "annotations", "categories")
MOST_ID = (1 << 63) - 1
NO_BOX = (math.nan,) * 4
LISTED = 1000  # strangers told one by one
Said = tuple[Origin, str]


@dataclass
class _Document:
    """What one walk through a document found: tags, ids of images, and all annotations, spilled."""

    problems: Problems
    head: Head = field(default_factory=Head)
    places: dict[int, int] = field(default_factory=dict)  # category id to tag
    image_ids: "array[int]" = field(default_factory=lambda: array("q"))
    spill: Spill = field(default_factory=Spill)
    said: dict[Said, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)  # what stands where a list of entries should

    def take(self, element: Element) -> None:
        if element.place <= 0:
            self.keys.append(element.key)
        try:
            if element.place < 0 and element.key in LISTS:
                self.strange[element.key] = checks.quoted(element.value)
            elif element.place < 0:
                self._info(element)
            elif element.key == "categories":
                self._category(element.value)
            elif element.key == "images":
                self.image_ids.append(-1)  # an image whose id cannot be used keeps its place
                self.image_ids[-1] = _id(element.value, "id")
            else:
                self.spill.add(self._annotation(element))
        except ValueError as error:
            self.problems.add(element.where, error)

    def _info(self, element: Element) -> None:
        if element.key == "info" and isinstance(element.value, dict):
            self.head.snapshot = checks.text(element.value.get("snapshot"), "snapshot")
            self.head.root = checks.text(element.value.get("root"), "root")

    def _category(self, value: Any) -> None:
        category = checks.thing(value, "the category")
        number = _id(category, "id")
        if number in self.places:
            raise ValueError(f"the id {number} belongs to an earlier category; give each its own")
        synonyms = category.get("synonyms")
        parent = category.get("supercategory")
        tag = RecordTag(
            checks.tag_name(checks.needed(category, "name")),
            checks.text(category.get("definition", category.get("def")), "the definition"),
            tuple(checks.text(item, "a synonym") for item in checks.many(synonyms, "'synonyms'")),
            checks.tag_name(parent) if parent and parent != "tag" else None,  # "tag": no parent, in our exports
        )
        self.places[number] = self.head.names.put(tag)

    def _annotation(self, element: Element) -> tuple[Any, ...]:
        annotation = checks.thing(element.value, "the annotation")
        image, category = _id(annotation, "image_id"), _id(annotation, "category_id")
        score = annotation.get("score")
        box = annotation.get("bbox")
        return (
            image,
            category,
            element.place,
            math.nan if score is None else checks.probability(score),
            checks.box(box, "'bbox'") if box else NO_BOX,
            self._said_by(annotation),
            checks.seconds(annotation.get("decided_at")),
        )

    def _said_by(self, annotation: dict[str, Any]) -> int:
        if annotation.get("score") is not None:
            said = Origin.NOBODY, checks.text(annotation.get("origin"), "the origin")
        else:
            origin = checks.origin(annotation.get("origin"))
            said = origin, checks.text(annotation.get("decided_by"), "'decided_by'")
        return self.said.setdefault(said, len(self.said))


def open_coco(path: Path, problems: Problems) -> Records:
    """A results file (a list with scores) needs the instances file with its images and categories in its folder.

    Raises EntryError where there are no images or categories.
    """
    document = _Document(problems)
    images = _walk(document, path)
    _refuse_without(document, problems)
    repeated = _repeated(document.image_ids)
    ids = np.frombuffer(document.image_ids, np.int64).copy()
    ids[ids < 0] = -2 - np.flatnonzero(ids < 0)  # unlike each other, and unlike any id
    for index, image in document.spill.settle(ids)[:LISTED]:
        problems.add(f"annotations[{index}]", f"there is no image with the id {image}; add it, or correct image_id")
    who = list(document.said)

    def read() -> Iterator[Record]:
        groups = document.spill.of_images()
        for element in elements(images, LISTS):
            if element.key == "images":
                entries = next(groups)
                try:
                    if element.place in repeated:
                        raise ValueError(f"the id {element.value['id']} belongs to an earlier image; give each its own")
                    yield _record(element, entries, document.places, who, problems)
                except ValueError as error:
                    problems.add(element.where, error)

    return collected(problems, document.head.names, read, document.head, images=len(ids))


def _walk(document: _Document, path: Path) -> Path:
    """Read the document into `document`, and of results the instances file too; the file with the images."""
    for element in elements(path, LISTS):
        document.take(element._replace(key=element.key or "annotations"))
    if "images" in document.keys or "categories" in document.keys or not document.spill.count:
        return path
    companion = _companion(path, document.problems)
    for element in elements(companion, LISTS):
        if element.key in ("images", "categories"):
            document.take(element)
    return companion


def _refuse_without(document: _Document, problems: Problems) -> None:
    for key in LISTS:
        if key in document.strange:
            raise problems.whole(f"{key!r} is no list but {document.strange[key]}; write a list of objects", key)
    usable = any(number >= 0 for number in document.image_ids)
    # An export of ours, which names its snapshot, of a project that has no tags yet is no mistake.
    says_nothing = bool(document.head.snapshot) and not document.spill.count
    if not usable or not (document.places or says_nothing):
        keys = ", ".join(map(checks.quoted, document.keys[:20]))[:200] or "none"
        missing = "categories" if usable else "images"
        first = f"; first: {problems.kept[0].where}: {problems.kept[0].message}" if problems.kept else ""
        remedy = f"add them, or name another format with --format{first}"
        raise problems.whole(f"has no {missing} that can be used; keys found: {keys}; {remedy}")


def _companion(path: Path, problems: Problems) -> Path:
    """The one document with images and categories beside a results file."""
    found = [file for file in sorted(path.parent.glob("*.json")) if file != path and _has_images(file)]
    if len(found) == 1:
        return found[0]
    several = ", ".join(show(file.name) for file in found[:5])
    what = f"several lie in its folder ({several}); leave one" if found else "put that file into its folder"
    raise problems.whole(f"holds results only: their images and categories are in another file; {what}")


def _has_images(file: Path) -> bool:
    start = start_of(file)
    return start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and b'"images"' in start


def _id(entry: Any, key: str) -> int:
    return checks.whole(checks.needed(checks.thing(entry, "the entry"), key), f"'{key}'", 0, MOST_ID)


def _repeated(ids: "array[int]") -> set[int]:
    """Places of images whose id an earlier image has."""
    numbers = np.frombuffer(ids, np.int64)
    _, first = np.unique(numbers, return_index=True)
    again = np.ones(len(numbers), bool)
    again[first] = False
    again[numbers < 0] = False
    return set(np.flatnonzero(again).tolist())


def _record(element: Element, entries: Any, places: dict[int, int], who: list[Said], problems: Problems) -> Record:
    image = checks.thing(element.value, "the image")
    _id(image, "id")
    sides = checks.sides(image)
    labels, scores, boxes = _annotated(entries, places, who, sides, problems)
    for key, state in (("neg_category_ids", LabelState.NEGATIVE), ("not_exhaustive_category_ids", LabelState.UNKNOWN)):
        _listed(image, key, state, labels, places, problems, element.where)
    _decided(image, labels, places, problems, element.where)
    return Record(
        _file_of(image),
        checks.sha256(image.get("sha256")),
        *sides,
        checks.split(image.get("split")),
        tuple(labels.values()),
        tuple(scores),
        tuple(boxes),
    )


def _file_of(image: dict[str, Any]) -> str:
    """The image's file; LVIS names only where the picture was fetched, of which folder and name count."""
    if "file_name" not in image and "coco_url" in image:
        return "/".join(checks.file_name(image["coco_url"]).split("/")[-2:])
    return checks.file_name(checks.needed(image, "file_name"))


def _annotated(
    entries: Any, places: dict[int, int], who: list[Said], sides: tuple[int, int], problems: Problems
) -> tuple[dict[int, RecordLabel], list[RecordScore], list[RecordBox]]:
    """What the annotations of one image say: a label for each tag, the suggestions, the boxes."""
    labels: dict[int, RecordLabel] = {}
    best: dict[int, RecordScore] = {}
    boxes: list[RecordBox] = []
    for _, category, index, score, box, said, at in entries.tolist():
        tag = places.get(category)
        if tag is None:
            where = f"annotations[{index}]"
            problems.add(where, f"there is no category with the id {category}; add it, or correct category_id")
            continue
        origin, by = who[said]
        if not math.isnan(score):
            if tag not in best or best[tag].score < score:
                best[tag] = RecordScore(tag, score, by)
            continue
        if tag not in labels:
            labels[tag] = RecordLabel(tag, LabelState.POSITIVE, origin, by, at)
        if not math.isnan(box[0]):
            try:
                boxes.append(RecordBox(tag, *checks.within(tuple(box.tolist()), *sides, "'bbox'")))
            except ValueError as error:
                problems.add(f"annotations[{index}]", error)
    return labels, list(best.values()), boxes


def _listed(
    image: dict[str, Any],
    key: str,
    state: LabelState,
    labels: dict[int, RecordLabel],
    places: dict[int, int],
    problems: Problems,
    where: str,
) -> None:
    """Add what a list of category ids says to `labels`."""
    try:
        numbers = checks.many(image.get(key), repr(key))
    except ValueError as error:
        problems.add(where, error)
        return
    for place, number in enumerate(numbers):
        try:
            tag = places.get(number) if type(number) in (int, float) else None
            if tag is None:
                checks.whole(number, f"{key}[{place}]", 0, MOST_ID)
                raise ValueError(f"{key}[{place}]: there is no category with the id {number}; add it, or correct it")
            before = labels.setdefault(tag, RecordLabel(tag, state))
            if before.state != state and state == LabelState.NEGATIVE:
                raise ValueError(
                    f"{key}[{place}]: the category {number} has an annotation too, which counts; remove one of the two"
                )
        except ValueError as error:
            problems.add(where, error)


def _decided(
    image: dict[str, Any], labels: dict[int, RecordLabel], places: dict[int, int], problems: Problems, where: str
) -> None:
    """Who or what decided the labels without an annotation: `decisions`, a list of [category id, origin, by, at]."""
    try:
        decisions = checks.many(image.get("decisions"), "'decisions'")
    except ValueError as error:
        problems.add(where, error)
        return
    for place, decision in enumerate(decisions):
        try:
            if not isinstance(decision, list) or len(decision) != 4:
                raise ValueError(f"is {checks.quoted(decision)}; write [category id, origin, by, at]")
            category, origin, by, at = decision
            tag = places.get(category, -1) if type(category) in (int, float) else -1
            if tag not in labels:
                checks.whole(category, "the category id", 0, MOST_ID)
                raise ValueError(f"the category {category} has no label on this image; remove the decision")
            labels[tag] = RecordLabel(tag, labels[tag].state, *checks.decided(origin, by), checks.seconds(at))
        except ValueError as error:
            problems.add(f"{where}, decisions[{place}]", error)
