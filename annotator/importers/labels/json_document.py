"""JSON: one document with `tags` and `images`, as the export "json" writes it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.entries import record_of, relation_of, tag_of
from annotator.importers.labels.json_stream import Element, elements
from annotator.records import Record, Records

LISTS = ("tags", "images")


def take(head: Head, element: Element, problems: Problems) -> None:
    """Note a tag, a relation, the snapshot or the root; all else is passed over."""
    try:
        if element.key == "tags" and element.place >= 0:
            head.names.put(tag_of(element.value))
        elif element.key == "tags" and element.value is not None:
            raise problems.whole(f"'tags' is {checks.quoted(element.value)}; write a list", element.where)
        elif element.key == "relations":
            _relate(head, checks.many(element.value, "'relations'"), problems)
        elif element.key == "snapshot":
            head.snapshot = checks.text(element.value, element.key)
        elif element.key == "root":
            head.root = checks.text(element.value, element.key)
    except ValueError as error:
        problems.add(element.where, error)


def head_of(header: Any, problems: Problems, where: str) -> Head:
    """A header that is one object: tags, relations, snapshot, root."""
    head = Head()
    try:
        said = checks.thing(header, "the header")
        tags = checks.many(said.get("tags"), "'tags'")
    except ValueError as error:
        raise problems.whole(str(error), where) from error
    for place, item in enumerate(tags):
        take(head, Element("tags", place, item), problems)
    for key in ("relations", "snapshot", "root"):
        if key in said:
            take(head, Element(key, -1, said[key]), problems)
    return head


def _relate(head: Head, relations: list[Any], problems: Problems) -> None:
    for place, item in enumerate(relations):
        try:
            head.relations.append(relation_of(item))
        except ValueError as error:
            problems.add(f"relations[{place}]", error)


def open_json_document(path: Path, problems: Problems) -> Records:
    """Tags may stand in a list of their own or only on the images. Raises EntryError where there are no images."""
    head = Head()
    kinds = dict[str, bool]()
    for element in elements(path, LISTS):
        kinds[element.key] = element.place >= 0
        if element.key == "images" and element.place < 0:
            what = f"'images' is no list but {checks.quoted(element.value)}; write a list of objects"
            raise problems.whole(what, element.where)
        if element.key == "images" and element.place >= 0 and {"tags", "relations"} <= kinds.keys():
            break  # all that is said beside the images is known
        take(head, element, problems)
    if "images" not in kinds:
        keys = ", ".join(map(checks.quoted, kinds)) or "none"
        what = f"has no list 'images' with an image in it; keys found: {keys[:200]}"
        raise problems.whole(f"{what}; add them, or name another format with --format")

    closed = len(head.names) > 0
    names = Names(head.names.tags(), closed=closed)

    def read() -> Iterator[Record]:
        for element in elements(path, ("images",)):
            if element.key == "images":
                try:
                    yield record_of(element.value, names, problems, element.where)
                except ValueError as error:
                    problems.add(element.where, error)

    return collected(problems, names, read, head, images=0 if closed else None)
