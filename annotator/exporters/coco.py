"""COCO, image-level: one annotation per present tag; absent and unasked stay apart as in LVIS (arXiv 1908.03195).

The arrays stand one entry a line. Images and annotations are two arrays, so the records are read twice.
"""

from collections.abc import Callable, Iterator
from typing import Any

from annotator.exporters.base import ORIGIN_KEYS, Exporter, Sink, json_lines, not_present, open_text, present, to_json
from annotator.exporters.names import iso_time
from annotator.records import Header, Record, RecordBox, RecordLabel, Records
from annotator.terms import LabelState

DESCRIPTION = (
    "Image-level tags. annotations: one per present tag, without a box where nobody drew one. "
    "neg_category_ids: tags somebody or a proved round said are absent. not_exhaustive_category_ids: tags on which "
    "a person looked and could not tell. Tags of an image in none of these were never asked about."
)
PLAIN = (
    "Image-level tags, each with the whole image as its box. Absent, cannot tell and never asked are not told apart."
)
Annotations = Callable[[Record], Iterator[dict[str, Any]]]


def coco(records: Records, sink: Sink) -> None:
    """labels.json with `categories`, `images` and `annotations`; ids count from 1, in the order of the records."""
    _write(records, sink, DESCRIPTION, _image, lambda record: _annotations(record, _full))


def coco_plain(records: Records, sink: Sink) -> None:
    """`coco` for tools that choke on what they do not know: each annotation has bbox, area and iscrowd."""

    def image(record: Record) -> dict[str, Any]:
        sink.leave_out("only present tags can be said", not_present(record))
        return {"file_name": record.file, "width": record.width, "height": record.height}

    _write(records, sink, PLAIN, image, lambda record: _annotations(record, _plain))


def _write(
    records: Records,
    sink: Sink,
    description: str,
    image: Callable[[Record], dict[str, Any]],
    annotations: Annotations,
) -> None:
    header = records.header
    info = {"description": description, "version": "1.0", "snapshot": header.snapshot, "root": header.root}
    with open_text(sink, "labels.json") as out:
        out.write(f'{{"info":{to_json(info)},"licenses":[],"categories":[')
        json_lines(out, _categories(header))
        out.write('\n],"images":[')
        json_lines(out, ({"id": number, **image(record)} for number, record in enumerate(records.read(), 1)))
        out.write('\n],"annotations":[')
        json_lines(out, _numbered(records, annotations))
        out.write("\n]}\n")


def _categories(header: Header) -> Iterator[dict[str, Any]]:
    for place, tag in enumerate(header.tags, 1):
        yield {"id": place, "name": tag.name, "supercategory": tag.parent or "tag"}


def _numbered(records: Records, annotations: Annotations) -> Iterator[dict[str, Any]]:
    number = 0
    for image, record in enumerate(records.read(), 1):
        for annotation in annotations(record):
            number += 1
            yield {"id": number, "image_id": image, **annotation}


def _image(record: Record) -> dict[str, Any]:
    absent = [tag + 1 for tag, state, *_ in record.labels if state == LabelState.NEGATIVE]
    unclear = [tag + 1 for tag, state, *_ in record.labels if state == LabelState.UNKNOWN]
    return {
        "file_name": record.file,
        "width": record.width,
        "height": record.height,
        "sha256": record.sha256,
        "split": record.split,
        "neg_category_ids": absent,
        "not_exhaustive_category_ids": unclear,
        # Of what has no annotation to stand in: who or what decided it, and when.
        "decisions": [
            [tag + 1, ORIGIN_KEYS[origin], by, iso_time(at)]
            for tag, state, origin, by, at in record.labels
            if state != LabelState.POSITIVE
        ],
    }


def _annotations(
    record: Record, tell: Callable[[Record, RecordLabel, RecordBox | None], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for label in present(record):
        boxes: list[RecordBox | None] = [box for box in record.boxes if box.tag == label.tag]
        for box in boxes or [None]:
            yield tell(record, label, box)


def _full(_record: Record, label: RecordLabel, box: RecordBox | None) -> dict[str, Any]:
    told = {
        "category_id": label.tag + 1,
        "iscrowd": 0,
        "origin": ORIGIN_KEYS[label.origin],
        "decided_by": label.by,
        "decided_at": iso_time(label.at),
    }
    return told if box is None else {**told, "bbox": list(box[1:]), "area": box.width * box.height}


def _plain(record: Record, label: RecordLabel, box: RecordBox | None) -> dict[str, Any]:
    left, top, width, height = (0, 0, record.width, record.height) if box is None else box[1:]
    return {
        "category_id": label.tag + 1,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [],
    }


COCO = Exporter(
    coco, "COCO with absent and unclear tags, as LVIS has them", "labels.json", "definitions and synonyms of tags"
)
COCO_PLAIN = Exporter(
    coco_plain,
    "COCO for tools that take nothing else",
    "labels.json",
    "absent, cannot tell and never asked; who decided; splits",
)
