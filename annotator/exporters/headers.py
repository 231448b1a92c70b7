"""What holds for all records, as JSON: the same in every lossless format."""

from typing import Any

from annotator.records import Header


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
