"""A good labels file of each format."""

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from tests.importers.labels.bad.base import Content, tar, text

PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0" * 9


def coco_good() -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30, "neg_category_ids": [8],
             "not_exhaustive_category_ids": [9]},
            {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30, "neg_category_ids": [],
             "not_exhaustive_category_ids": []},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4.5]},
            {"id": 2, "image_id": 2, "category_id": 8, "score": 0.25},
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}, {"id": 9, "name": "cow"}],
    }  # fmt: skip


def json_good() -> dict[str, Any]:
    label = {"tag": "cat", "state": "positive", "origin": "human", "by": "anna", "at": "2026-01-02T03:04:05+00:00"}
    return {
        "snapshot": "s", "root": "/r", "tags": [{"name": "cat"}, {"name": "dog"}, "cow"],
        "images": [
            {"file": "a.jpg", "sha256": "ab" * 32, "width": 40, "height": 30, "split": "train",
             "labels": [label, {"tag": "dog", "state": "negative"}, {"tag": "cow", "state": "unknown"}],
             "boxes": [{"tag": "cat", "box": [1, 2, 3, 4.5]}]},
            {"file": "b.jpg", "labels": [], "suggestions": [{"tag": "dog", "score": 0.25, "origin": "model"}]},
        ],
    }  # fmt: skip


def lines_good() -> list[dict[str, Any]]:
    return list(json_good()["images"])


def studio_good() -> list[dict[str, Any]]:
    def choices(name: str, *tags: str) -> dict[str, Any]:
        return {"from_name": name, "type": "choices", "value": {"choices": list(tags)}}

    box = {
        "type": "rectanglelabels", "original_width": 40, "original_height": 30,
        "value": {"x": 25, "y": 50, "width": 50, "height": 10, "rectanglelabels": ["cat"]},
    }  # fmt: skip
    return [
        {"data": {"image": "/data/local-files/?d=a.jpg"}, "annotations": [
            {"completed_by": 3, "result": [choices("present", "cat"), choices("absent", "dog"), box]}]},
        {"data": {"image": "/data/upload/1/1a2b3c4d-b.jpg"}, "predictions": [
            {"score": 0.25, "model_version": "m", "result": [choices("present", "dog")]}]},
    ]  # fmt: skip


def fiftyone_good() -> dict[str, Any]:
    def many(*labels: dict[str, Any]) -> dict[str, Any]:
        return {"_cls": "Classifications", "classifications": list(labels)}

    box = {"label": "cat", "bounding_box": [0.25, 0.5, 0.5, 0.1]}
    return {
        "samples": [
            {"filepath": "a.jpg", "metadata": {"width": 40, "height": 30}, "present": many({"label": "cat"}),
             "absent": many({"label": "dog"}), "boxes": {"_cls": "Detections", "detections": [box]}},
            {"filepath": "b.jpg", "guessed": many({"label": "dog", "confidence": 0.25}), "empty": None},
        ]
    }  # fmt: skip


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><labels><label><name>cat</name></label><label><name>dog</name></label></labels></task></meta>
<image id="0" name="a.jpg" width="40" height="30">
<tag label="cat" source="manual"></tag>
<tag label="dog"><attribute name="state">negative</attribute></tag>
<box label="cat" xtl="1" ytl="2" xbr="4" ybr="6.5"></box>
</image>
<image id="1" name="b.jpg" width="40" height="30"></image>
</annotations>
"""
LONG = "file,tag,state,origin,by,at\na.jpg,cat,positive,human,anna,2026-01-02T03:04:05+00:00\na.jpg,dog,negative,,,\n"
WIDE = "file,cat,dog,cow\na.jpg,1,0,?\nb.jpg,,1,\n"
OPEN = "ImageID,Source,LabelName,Confidence\na,verification,cat,1\na,verification,dog,0\nb,machine,dog,0.25\n"
CELLS = "file,labels,split\na.jpg,cat|dog,train\nb.jpg,,\n"
META = '{"file_name":"a.jpg","tags":["cat"],"absent":["dog"]}\n{"file_name":"b.jpg","tags":[]}\n'


def shard_good() -> dict[str, bytes]:
    return {"a.jpg": PICTURE, "a.json": text({"file": "a.jpg", "labels": ["cat"]}), "b.txt": b"dog\n"}


def rows_good() -> list[dict[str, Any]]:
    """`lines_good` with every key in every row: a table has one list of columns."""
    keys = {key: None for line in lines_good() for key in line}
    return [{**keys, **line} for line in lines_good()]


def parquet(rows: list[dict[str, Any]], metadata: bytes | None = None) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as files

    table = pa.Table.from_pylist(rows)
    buffer = io.BytesIO()
    files.write_table(table.replace_schema_metadata({b"annotator": metadata} if metadata else None), buffer)
    return buffer.getvalue()


def coco_plain_good() -> dict[str, Any]:
    """What every program writes: an annotation with a box and an area for each thing seen."""
    document = coco_good()
    for image in document["images"]:
        del image["neg_category_ids"], image["not_exhaustive_category_ids"]
    del document["annotations"][1]["score"]
    document["annotations"][0] |= {"area": 13.5, "iscrowd": 0, "segmentation": []}
    return document


def lvis_good() -> dict[str, Any]:
    document = coco_good()
    for image in document["images"]:
        image["coco_url"] = f"http://images.example.org/val2017/{image.pop('file_name')}"
    document["categories"][0] |= {"synonyms": ["cat", "kitty"], "def": "a feline", "frequency": "f"}
    return document


def png() -> bytes:
    """A picture of 40 x 30 pixels."""
    buffer = io.BytesIO()
    Image.new("L", (40, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def yolo_good() -> dict[str, bytes]:
    return {
        "data.yaml": b"nc: 2\nnames: [cat, dog]\n", "images/a.jpg": png(), "images/b.jpg": png(),
        "labels/a.txt": b"0 0.5 0.5 0.5 0.2\n1 0.5 0.5 1 1\n", "labels/b.txt": b"1 0.5 0.5 1 1 0.25\n",
    }  # fmt: skip


def classes_good() -> dict[str, bytes]:
    return {"cat/a.jpg": PICTURE, "dog/b.jpg": PICTURE + b"b", "tags.json": text({"cat": "cat", "dog": "dog"})}


def splits_good() -> dict[str, bytes]:
    return {"train/cat/a.jpg": PICTURE, "val/cat/b.jpg": PICTURE + b"b", "val/dog/c.jpg": PICTURE + b"c"}


GOOD: dict[str, tuple[str, Callable[[], Content]]] = {
    "coco": ("labels.json", lambda: text(coco_good())),
    "coco_plain": ("instances.json", lambda: text(coco_plain_good())),
    "lvis": ("lvis.json", lambda: text(lvis_good())),
    "json": ("labels.json", lambda: text(json_good())),
    "jsonl": ("labels.jsonl", lambda: b"\n".join(map(text, lines_good())) + b"\n"),
    "label_studio": ("tasks.json", lambda: text(studio_good())),
    "fiftyone": ("samples.json", lambda: text(fiftyone_good())),
    "cvat": ("annotations.xml", CVAT.encode),
    "csv": ("labels.csv", LONG.encode),
    "labels_csv": ("labels.csv", CELLS.encode),
    "csv_wide": ("labels.csv", WIDE.encode),
    "openimages": ("labels.csv", OPEN.encode),
    "huggingface": ("metadata.jsonl", META.encode),
    "webdataset": ("train.tar", lambda: tar(shard_good())),
    "parquet": ("labels.parquet", lambda: parquet(rows_good())),
    "imagefolder": ("set", classes_good),
    "yolo_classification": ("set", splits_good),
    "yolo_detection": ("set", yolo_good),
}
"""Format: (file name, content). Of each the image a.jpg has a cat."""
