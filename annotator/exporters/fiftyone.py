"""A folder in FiftyOne's own layout (FiftyOneDataset): metadata.json and samples.json, tags as Classifications."""

import hashlib
from collections.abc import Iterator
from typing import Any

from annotator.exporters.base import ORIGIN_KEYS, UNREADABLE, Exporter, Sink, json_lines, open_text, to_json
from annotator.exporters.names import inner_name, iso_time
from annotator.records import Header, Record, RecordBox, RecordLabel, Records, RecordScore
from annotator.terms import LabelState

VERSION = "1.0.0"  # of the layout; a newer FiftyOne brings it up to its own when it reads it
_CORE, _LABELS = "fiftyone.core.", "fiftyone.core.labels."
FIELDS = {
    "ground_truth": "Classifications",
    "absent": "Classifications",
    "cannot_tell": "Classifications",
    "predictions": "Classifications",
    "detections": "Detections",
}
_OF_STATE = {LabelState.POSITIVE: "ground_truth", LabelState.NEGATIVE: "absent", LabelState.UNKNOWN: "cannot_tell"}


def fiftyone(records: Records, sink: Sink) -> None:
    """metadata.json and samples.json; pictures below data/ where they are asked for, else by their paths."""
    header = records.header
    with open_text(sink, "metadata.json") as out:
        out.write(to_json(_metadata(header)))
    with open_text(sink, "samples.json") as out:
        out.write('{"samples":[')
        json_lines(out, _samples(records, sink))
        out.write("\n]}\n")


def _metadata(header: Header) -> dict[str, Any]:
    names = [tag.name for tag in header.tags]
    return {
        "name": "annotator",
        "version": VERSION,
        "media_type": "image",
        "info": {"snapshot": header.snapshot, "root": header.root},
        "classes": dict.fromkeys(FIELDS, names),
        "default_classes": names,
        "sample_fields": [
            _field("id", f"{_CORE}fields.ObjectIdField", db_field="_id"),
            _field("filepath", f"{_CORE}fields.StringField"),
            _field("tags", f"{_CORE}fields.ListField", subfield=f"{_CORE}fields.StringField"),
            _field("sha256", f"{_CORE}fields.StringField"),
            *(
                _field(name, f"{_CORE}fields.EmbeddedDocumentField", embedded_doc_type=_LABELS + kind)
                for name, kind in FIELDS.items()
            ),
        ],
    }


def _field(name: str, kind: str, **more: str) -> dict[str, Any]:
    unset = {"embedded_doc_type": None, "subfield": None, "description": None, "info": None}
    return {"name": name, "ftype": kind, "fields": [], "db_field": name, **unset, **more}


def _samples(records: Records, sink: Sink) -> Iterator[dict[str, Any]]:
    names = [tag.name for tag in records.header.tags]
    for record in records.read():
        path = sink.address(records.header, record, f"data/{inner_name(record.file, record.sha256)}")
        if path is None:
            sink.leave_out_image(UNREADABLE, record.labels)
        else:
            yield _sample(record, path, names)


def _sample(record: Record, path: str, names: list[str]) -> dict[str, Any]:
    told: dict[str, list[dict[str, Any]]] = {field: [] for field in FIELDS}
    for label in record.labels:
        told[_OF_STATE[label.state]].append(_decided(label, names, record))
    told["predictions"] = [_suggested(score, names, record) for score in record.suggestions]
    told["detections"] = [_box(box, names, record, place) for place, box in enumerate(record.boxes)]
    lists = {"Classifications": "classifications", "Detections": "detections"}
    return {
        "_id": _object_id("image", record.sha256 or record.file),
        "filepath": path,
        "tags": [record.split] if record.split else [],
        "_media_type": "image",
        "sha256": record.sha256,
        **{field: {"_cls": kind, lists[kind]: told[field]} if told[field] else None for field, kind in FIELDS.items()},
    }


def _decided(label: RecordLabel, names: list[str], record: Record) -> dict[str, Any]:
    return {
        "_id": _object_id("label", record.sha256 or record.file, label.tag),
        "_cls": "Classification",
        "tags": [],
        "label": names[label.tag],
        "origin": ORIGIN_KEYS[label.origin],
        "decided_by": label.by,
        "decided_at": iso_time(label.at),
    }


def _suggested(score: RecordScore, names: list[str], record: Record) -> dict[str, Any]:
    return {
        "_id": _object_id("score", record.sha256 or record.file, score.tag),
        "_cls": "Classification",
        "tags": [],
        "label": names[score.tag],
        "confidence": round(score.score, 4),
        "origin": score.origin,
    }


def _box(box: RecordBox, names: list[str], record: Record, place: int) -> dict[str, Any]:
    width, height = max(record.width, 1), max(record.height, 1)
    return {
        "_id": _object_id("box", record.sha256 or record.file, place),
        "_cls": "Detection",
        "tags": [],
        "attributes": {},
        "label": names[box.tag],
        "bounding_box": [box.left / width, box.top / height, box.width / width, box.height / height],
    }


def _object_id(*parts: object) -> dict[str, str]:
    """A name that is the same in every export: 12 bytes, as MongoDB has them."""
    return {"$oid": hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}


FIFTYONE = Exporter(
    fiftyone, "a folder for FiftyOne", None, "definitions and synonyms of tags", pictures="may", suggestions=True
)
