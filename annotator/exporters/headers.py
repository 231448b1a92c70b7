"""What holds for all records, as JSON: the same in every lossless format."""

from typing import Any

from annotator.records import Header, RecordRelation, RecordTag
from annotator.terms import RelationKind


def as_json(header: Header) -> dict[str, Any]:
    """{"snapshot", "root", "tags", "relations"}."""
    return {
        "snapshot": header.snapshot,
        "root": header.root,
        "tags": [
            {"name": tag.name, "definition": tag.definition, "synonyms": list(tag.synonyms), "parent": tag.parent}
            for tag in header.tags
        ],
        "relations": [{"kind": one.kind.value, "a": one.a, "b": one.b} for one in header.relations],
    }


def of_json(told: dict[str, Any], images: int) -> Header:
    """The header that `as_json` told of."""
    tags = (RecordTag(tag["name"], tag["definition"], tuple(tag["synonyms"]), tag["parent"]) for tag in told["tags"])
    relations = (RecordRelation(RelationKind(one["kind"]), one["a"], one["b"]) for one in told["relations"])
    return Header(tuple(tags), tuple(relations), told["snapshot"], told["root"], images)
