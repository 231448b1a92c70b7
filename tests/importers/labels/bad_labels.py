"""Labels files as people bring them: a good one of each format, and many ways in which each can be bad."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NAN = float("nan")
PICTURE = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0" * 9


@dataclass(frozen=True)
class Bad:
    """`says` must stand in what is refused, with the `where`; `whole`: nothing of the file is read."""

    content: bytes
    says: str
    where: str = ""
    whole: bool = False


def text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def coco_good() -> dict[str, Any]:
    return {
        "images": [
            {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30, "neg_category_ids": [8],
             "not_exhaustive_category_ids": [9]},
            {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30},
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
META = '{"file_name":"a.jpg","tags":["cat"],"absent":["dog"]}\n{"file_name":"b.jpg","tags":[]}\n'


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


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


GOOD: dict[str, tuple[str, Callable[[], bytes]]] = {
    "coco": ("labels.json", lambda: text(coco_good())),
    "json": ("labels.json", lambda: text(json_good())),
    "jsonl": ("labels.jsonl", lambda: b"\n".join(map(text, lines_good())) + b"\n"),
    "label_studio": ("tasks.json", lambda: text(studio_good())),
    "fiftyone": ("samples.json", lambda: text(fiftyone_good())),
    "cvat": ("annotations.xml", CVAT.encode),
    "csv": ("labels.csv", LONG.encode),
    "csv_wide": ("labels.csv", WIDE.encode),
    "openimages": ("labels.csv", OPEN.encode),
    "huggingface": ("metadata.jsonl", META.encode),
    "webdataset": ("train.tar", lambda: tar(shard_good())),
    "parquet": ("labels.parquet", lambda: parquet(rows_good())),
}
"""Format: (file name, content). Of each the image a.jpg has a cat."""


def changed(make: Callable[[], Any], change: Callable[[Any], object]) -> bytes:
    document = make()
    change(document)
    return text(document)


def _file_kinds(format: str) -> dict[str, Bad]:
    """What can happen to any file."""
    content = GOOD[format][1]()
    return {
        "empty": Bad(b"", "", whole=True),
        "truncated": Bad(content[: len(content) * 2 // 3], "cut off|end|not XML|Parquet", whole=True),
        "binary junk": Bad(bytes(range(255, 0, -1)) * 40, "", whole=True),
        "a picture": Bad(PICTURE, "", whole=True),
        "zeros": Bad(b"\0" * 5000, "", whole=True),
        "another format": Bad(b"<html><body>404</body></html>", "", whole=True),
    }


def _json_kinds(format: str) -> dict[str, Bad]:
    content = GOOD[format][1]()
    return {
        **_file_kinds(format),
        "root is text": Bad(b'"labels"', "neither a JSON object nor a list", whole=True),
        "root is a number": Bad(b"17", "neither a JSON object nor a list", whole=True),
        "two documents": Bad(content + content, "goes on after its end", whole=True),
        "bad encoding": Bad(content.replace(b"a.jpg", b"caf\xe9.jpg"), "UTF-8", whole=True),
        "a comma too many": Bad(content[:-1] + b"," + content[-1:], "comma|member|JSON", whole=True),
        "nested bomb": Bad(b'{"images":' + b"[" * 200_000, "JSON", whole=True),
        "object bomb": Bad(b'{"a":' * 100_000, "JSON", whole=True),
        "number of many digits": Bad(b'{"images":[' + b"9" * 9000 + b"]}", "JSON|object", whole=True),
        "single quotes": Bad(content.replace(b'"', b"'"), "JSON", whole=True),
    }


def _of(document: Any, *path: Any) -> Any:
    for step in path:
        document = document[step]
    return document


def put(make: Callable[[], Any], *path_and_value: Any) -> bytes:
    """A good document with one value replaced."""
    *path, last, value = path_and_value
    document = make()
    _of(document, *path)[last] = value
    return text(document)


def without(make: Callable[[], Any], *path: Any) -> bytes:
    document = make()
    del _of(document, *path[:-1])[path[-1]]
    return text(document)


def _coco(*path_and_value: Any) -> bytes:
    return put(coco_good, *path_and_value)


def _json(*path_and_value: Any) -> bytes:
    return put(json_good, *path_and_value)


def _line(*path_and_value: Any) -> bytes:
    return b"\n".join(map(text, json.loads(put(lines_good, *path_and_value))))


NAMES: dict[str, tuple[Any, str]] = {
    "name is a number": (5, "file name is 5"),
    "name is empty": (" ", "file name is ' '"),
    "name is nothing": (None, "file name is None"),
    "name is huge": ("x" * 100_000, "longer than 4096"),
    "name with a zero byte": ("a\0b.jpg", "zero byte"),
    "name is a list": (["a.jpg"], "a list of 1"),
}
SIZES: dict[str, tuple[Any, str]] = {
    "negative size": (-3, "width is -3"),
    "size is text": ("wide", "width is 'wide'"),
    "size beyond reason": (10**12, "width is 1000000000000"),
    "size is NaN": (NAN, "width is nan"),
}
TAGS: dict[str, tuple[Any, str]] = {
    "tag is a number": (7, "tag is 7"),
    "tag is huge": ("y" * 10_000, "longer than 200"),
    "tag is empty": ("", "empty"),
    "tag with control characters": ("c\x07t", "control characters"),
}
SCORES: dict[str, tuple[Any, str]] = {
    "score is NaN": (NAN, "score is nan"),
    "score is infinite": (float("inf"), "score is inf"),
    "score above one": (1.5, "score is 1.5"),
    "score is text": ("sure", "score is 'sure'"),
    "score is true": (True, "score is True"),
}

BAD: dict[str, dict[str, Bad]] = {
    "coco": {
        **_json_kinds("coco"),
        "no images": Bad(without(coco_good, "images"), "no images", whole=True),
        "no categories": Bad(without(coco_good, "categories"), "no categories", whole=True),
        "images is an object": Bad(_coco("images", {"1": {}}), "'images' is no list", "images", whole=True),
        "images is text": Bad(_coco("images", "all"), "'images' is no list", "images", whole=True),
        "image without id": Bad(without(coco_good, "images", 1, "id"), "no key 'id'", r"images\[1\]"),
        "image id is text": Bad(_coco("images", 1, "id", "2"), "'id' is '2'", r"images\[1\]"),
        "image id is a fraction": Bad(_coco("images", 1, "id", 2.5), "'id' is 2.5", r"images\[1\]"),
        "image id is negative": Bad(_coco("images", 1, "id", -2), "'id' is -2", r"images\[1\]"),
        "image id is huge": Bad(_coco("images", 1, "id", 1 << 70), "'id' is 118", r"images\[1\]"),
        "duplicate image id": Bad(_coco("images", 1, "id", 1), "id 1 belongs to an earlier image", r"images\[1\]"),
        "duplicate category id": Bad(_coco("categories", 2, "id", 8), "id 8 belongs", r"categories\[2\]"),
        "image is a number": Bad(_coco("images", 1, 3), "is 3", r"images\[1\]"),
        "image without a name": Bad(without(coco_good, "images", 1, "file_name"), "'file_name'", r"images\[1\]"),
        "unknown image": Bad(_coco("annotations", 1, "image_id", 99), "id 99", r"annotations\[1\]"),
        "unknown category": Bad(_coco("annotations", 1, "category_id", 99), "id 99", r"annotations\[1\]"),
        "unknown absent category": Bad(_coco("images", 0, "neg_category_ids", [99]), "id 99", r"images\[0\]"),
        "absent and present": Bad(_coco("images", 0, "neg_category_ids", [7]), "category 7 has an", r"images\[0\]"),
        "absent is no list": Bad(_coco("images", 0, "neg_category_ids", 8), "'neg_category_ids' is 8", r"images\[0\]"),
        "annotation without image": Bad(without(coco_good, "annotations", 1, "image_id"), "'image_id'", "annotations"),
        "negative box": Bad(_coco("annotations", 0, "bbox", [0, 0, -1, 4]), "width of 'bbox' is -1", "annotations"),
        "box of three": Bad(_coco("annotations", 0, "bbox", [0, 0, 4]), "has 3 numbers", "annotations"),
        "box with NaN": Bad(_coco("annotations", 0, "bbox", [0, NAN, 4, 4]), "top of 'bbox' is nan", "annotations"),
        "box is text": Bad(_coco("annotations", 0, "bbox", "all"), "'bbox' is 'all'", "annotations"),
        "bad sha256": Bad(_coco("images", 1, "sha256", "xyz"), "sha256 is 'xyz'", r"images\[1\]"),
        "bad split": Bad(_coco("images", 1, "split", "often"), "split is 'often'", r"images\[1\]"),
        "bad origin": Bad(_coco("annotations", 1, "origin", 5), "origin", r"annotations\[1\]"),
        "bad decision": Bad(_coco("images", 0, "decisions", [[8, "human"]]), "a list of 2", r"images\[0\], dec"),
        **{k: Bad(_coco("images", 1, "file_name", v), says, r"images\[1\]") for k, (v, says) in NAMES.items()},
        **{k: Bad(_coco("images", 1, "width", v), says, r"images\[1\]") for k, (v, says) in SIZES.items()},
        **{k: Bad(_coco("categories", 2, "name", v), says, r"categories\[2\]") for k, (v, says) in TAGS.items()},
        **{k: Bad(_coco("annotations", 1, "score", v), says, r"annotations\[1\]") for k, (v, says) in SCORES.items()},
    },
    "json": {
        **_json_kinds("json"),
        "no images": Bad(without(json_good, "images"), "no list 'images'", whole=True),
        "images is an object": Bad(_json("images", {}), "'images' is no list", whole=True),
        "image is a list": Bad(_json("images", 1, []), "a list of 0", r"images\[1\]"),
        "image without a file": Bad(without(json_good, "images", 1, "file"), "no key 'file'", r"images\[1\]"),
        "labels is an object": Bad(_json("images", 1, "labels", {}), "'labels' is an object", r"images\[1\]"),
        "label is a number": Bad(_json("images", 1, "labels", [3]), "label is 3", r"images\[1\], labels\[0\]"),
        "label without state": Bad(_json("images", 1, "labels", [{"tag": "cat"}]), "'state'", r"labels\[0\]"),
        "unknown state": Bad(_json("images", 0, "labels", 1, "state", "maybe"), "state is 'maybe'", r"labels\[1\]"),
        "unknown tag": Bad(_json("images", 0, "labels", 1, "tag", "emu"), "'emu' is not in the file", r"labels\[1\]"),
        "both states": Bad(_json("images", 0, "labels", 1, "tag", "cat"), "both positive and negative", r"images\[0\]"),
        "bad time": Bad(_json("images", 0, "labels", 1, "at", "yesterday"), "time is 'yesterday'", r"labels\[1\]"),
        "time before 1970": Bad(_json("images", 0, "labels", 1, "at", "1903-01-01"), "time is '1903", r"labels\[1\]"),
        "bad origin": Bad(_json("images", 0, "labels", 1, "origin", "oracle"), "origin is 'oracle'", r"labels\[1\]"),
        "huge by": Bad(_json("images", 0, "labels", 1, "by", "z" * 99_999), "longer than 10,000", r"labels\[1\]"),
        "tag is nobody": Bad(_json("tags", 2, {"definition": "x"}), "no key 'name'", r"tags\[2\]"),
        "bad relation": Bad(_json("relations", [{"kind": "likes", "a": "cat", "b": "dog"}]), "likes", "relations"),
        "box without numbers": Bad(_json("images", 0, "boxes", 0, "box", []), "has 0 numbers", r"boxes\[0\]"),
        "negative box": Bad(_json("images", 0, "boxes", 0, "box", [1, 1, -1, 1]), "width of the box is -1", "boxes"),
        **{k: Bad(_json("images", 1, "file", v), says, r"images\[1\]") for k, (v, says) in NAMES.items()},
        **{k: Bad(_json("images", 1, "width", v), says, r"images\[1\]") for k, (v, says) in SIZES.items()},
        **{k: Bad(_json("tags", 2, {"name": v}), says, r"tags\[2\]") for k, (v, says) in TAGS.items()},
        **{k: Bad(_json("images", 1, "suggestions", 0, "score", v), says, r"sugg") for k, (v, says) in SCORES.items()},
    },
    "jsonl": {
        **{k: v for k, v in _file_kinds("jsonl").items() if k != "truncated"},
        "last line cut off": Bad(GOOD["jsonl"][1]()[:-30], "not JSON", "line 2"),
        "line that is no JSON": Bad(b"{oops\n" + GOOD["jsonl"][1](), "not JSON", "line 1"),
        "line that is a number": Bad(b"5\n" + GOOD["jsonl"][1](), "image is 5", "line 1"),
        "nested bomb": Bad(GOOD["jsonl"][1]() + b"[" * 200_000, "JSON", "line 3"),
        "number of many digits": Bad(GOOD["jsonl"][1]() + b"9" * 9000, "JSON", "line 3"),
        "bad encoding": Bad(GOOD["jsonl"][1]() + b'{"file":"\xff"}\n', "UTF-8", whole=True),
        "unknown state": Bad(_line(0, "labels", 1, "state", 4), "state is 4", r"line 1, labels\[1\]"),
        "bad header": Bad(b'{"header":{"tags":5}}\n' + GOOD["jsonl"][1](), "'tags' is 5", "line 1", whole=True),
        "tag beyond the header": Bad(b'{"header":{"tags":["cat"]}}\n' + GOOD["jsonl"][1](), "'dog' is not", "line 2"),
        "labels is text": Bad(_line(1, "labels", "cat"), "'labels' is 'cat'", "line 2"),
        "box is an object": Bad(_line(0, "boxes", 0, "box", {}), "the box is an object", "line 1, boxes"),
        **{k: Bad(_line(1, "file", v), says, "line 2") for k, (v, says) in NAMES.items()},
        **{k: Bad(_line(1, "width", v), says, "line 2") for k, (v, says) in SIZES.items()},
        **{k: Bad(_line(0, "labels", 2, "tag", v), says, r"labels\[2\]") for k, (v, says) in TAGS.items()},
        **{k: Bad(_line(1, "suggestions", 0, "score", v), says, "suggestions") for k, (v, says) in SCORES.items()},
    },
    "csv": {
        **{k: v for k, v in _file_kinds("csv").items() if k != "truncated"},
        "no tag column": Bad(b"file,state\na.jpg,positive\n", "no column 'tag'", "line 1", whole=True),
        "no header": Bad(b"a.jpg,cat,positive\n", "no column", "line 1", whole=True),
        "only the header": Bad(b"file,tag,state\n", "no image", whole=True),
        "unknown state": Bad(LONG.encode() + b"b.jpg,cat,maybe,,,\n", "state is 'maybe'", "line 4"),
        "state missing": Bad(LONG.encode() + b"b.jpg,cat\n", "state is ''", "line 4"),
        "tag missing": Bad(LONG.encode() + b"b.jpg,,positive,,,\n", "empty", "line 4"),
        "file missing": Bad(LONG.encode() + b",cat,positive,,,\n", "file name is ''", "line 4"),
        "too many cells": Bad(LONG.encode() + b"b,c.jpg,cat,positive,human,me,,x\n", "cells", "line 4"),
        "quote that never ends": Bad(LONG.encode() + b'b.jpg,"' + b"y" * 140_000, "quotes", "line 4"),
        "huge name": Bad(LONG.encode() + b"x" * 9999 + b",cat,positive,,,\n", "longer than 4096", "line 4"),
        "huge tag": Bad(LONG.encode() + b"b.jpg," + b"y" * 999 + b",positive,,,\n", "longer than 200", "line 4"),
        "tag that is no UTF-8": Bad(LONG.encode() + b"b.jpg,caf\xe9,positive,,,\n", "UTF-8", "line 4"),
        "bad time": Bad(LONG.encode() + b"b.jpg,cat,positive,,,soon\n", "time is 'soon'", "line 4"),
        "bad origin": Bad(LONG.encode() + b"b.jpg,cat,positive,oracle,,\n", "origin is 'oracle'", "line 4"),
        "both states": Bad(LONG.encode() + b"a.jpg,cat,negative,,,\n", "both positive and negative", "line 2"),
        "zero byte": Bad(LONG.encode() + b"b\0.jpg,cat,positive,,,\n", "zero byte|line contains NUL", "line 4"),
        "bad score": Bad(b"file,tag,state,score\na.jpg,cat,positive,\nb.jpg,cat,,nan\n", "score is nan", "line 3"),
        "score is text": Bad(b"file,tag,state,score\na.jpg,cat,positive,\nb.jpg,cat,,high\n", "is 'high'", "line 3"),
    },
    "csv_wide": {
        **{k: v for k, v in _file_kinds("csv_wide").items() if k != "truncated"},
        "no tag": Bad(b"file\na.jpg\n", "no column of a tag", "the header", whole=True),
        "no file": Bad(b"cat,dog\n1,0\n", "no column 'file'", whole=True),
        "only the header": Bad(b"file,cat\n", "no image", whole=True),
        "another number": Bad(WIDE.encode() + b"c.jpg,2,0,0\n", "column 2 holds '2'", "line 4"),
        "a word": Bad(WIDE.encode() + b"c.jpg,yes,0,0\n", "column 2 holds 'yes'", "line 4"),
        "file missing": Bad(WIDE.encode() + b",1,0,0\n", "file name is ''", "line 4"),
        "too many cells": Bad(WIDE.encode() + b"c.jpg,1,0,0,1\n", "cells", "line 4"),
        "huge cell": Bad(WIDE.encode() + b"c.jpg," + b"1" * 99_999 + b",0,0\n", "column 2 holds", "line 4"),
        "tag of control characters": Bad(WIDE.replace("cow", "c\x07w").encode(), "control", "the header"),
    },
    "openimages": {
        **{k: v for k, v in _file_kinds("openimages").items() if k != "truncated"},
        "no confidence": Bad(b"ImageID,LabelName\na,cat\n", "no column 'score'", whole=True),
        "confidence is text": Bad(OPEN.encode() + b"c,verification,cat,yes\n", "confidence is 'yes'", "line 5"),
        "confidence of two": Bad(OPEN.encode() + b"c,verification,cat,2\n", "score is 2", "line 5"),
        "image missing": Bad(OPEN.encode() + b",verification,cat,1\n", "file name is ''", "line 5"),
        "label missing": Bad(OPEN.encode() + b"c,verification,,1\n", "empty", "line 5"),
    },
    "label_studio": {
        **_json_kinds("label_studio"),
        "root is an object": Bad(b'{"tasks": []}', "is an object", whole=True),
        "task is a number": Bad(put(studio_good, 1, 4), "task is 4", r"entry \[1\]"),
        "data is a list": Bad(put(studio_good, 1, "data", []), "'data' is a list", r"entry \[1\]"),
        "no picture": Bad(put(studio_good, 1, "data", {"text": "x"}), "no key 'file'", r"entry \[1\]"),
        "annotations is text": Bad(put(studio_good, 1, "annotations", "x"), "'annotations' is 'x'", r"\[1\]"),
        "annotation is text": Bad(put(studio_good, 0, "annotations", ["x"]), "annotation is 'x'", r"annotations\[0\]"),
        "result is text": Bad(put(studio_good, 0, "annotations", 0, "result", "x"), "'result' is 'x'", "annotations"),
        "choice is a number": Bad(
            put(studio_good, 0, "annotations", 0, "result", 0, "value", "choices", [3]), "tag is 3", r"result\[0\]"
        ),
        "negative box": Bad(
            put(studio_good, 0, "annotations", 0, "result", 2, "value", "width", -5), "width of the box is -5", "result"
        ),
        "score is NaN": Bad(put(studio_good, 1, "predictions", 0, "score", NAN), "score is nan", "predictions"),
        "score above one": Bad(put(studio_good, 1, "predictions", 0, "score", 7), "score is 7", "predictions"),
        "bad split": Bad(put(studio_good, 1, "meta", {"split": "x"}), "split is 'x'", r"\[1\]"),
    },
    "fiftyone": {
        **_json_kinds("fiftyone"),
        "no samples": Bad(b'{"images": []}', "no image", whole=True),
        "sample is text": Bad(put(fiftyone_good, "samples", 1, "x"), "sample is 'x'", r"samples\[1\]"),
        "no filepath": Bad(without(fiftyone_good, "samples", 1, "filepath"), "'filepath'", r"samples\[1\]"),
        "no label": Bad(put(fiftyone_good, "samples", 0, "absent", "classifications", [{}]), "'label'", "absent"),
        "label is a list": Bad(
            put(fiftyone_good, "samples", 0, "absent", "classifications", 0, "label", []), "tag is a list", "absent"
        ),
        "labels are text": Bad(
            put(fiftyone_good, "samples", 0, "absent", "classifications", "x"), "'classifications' is 'x'", "absent"
        ),
        "confidence is NaN": Bad(
            put(fiftyone_good, "samples", 1, "guessed", "classifications", 0, "confidence", NAN), "nan", "guessed"
        ),
        "negative box": Bad(
            put(fiftyone_good, "samples", 0, "boxes", "detections", 0, "bounding_box", [0, 0, -1, 1]), "-1", "boxes"
        ),
    },
    "cvat": {
        **_file_kinds("cvat"),
        "entity bomb": Bad(
            b'<!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>', "document type",
            whole=True,
        ),
        "external entity": Bad(
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>', "document type",
            whole=True,
        ),
        "another root": Bad(b"<images><image name='a.jpg'/></images>", "begins with an element 'images'", whole=True),
        "elements in elements": Bad(b"<annotations>" + b"<a>" * 5000, "deep", whole=True),
        "huge attribute": Bad(CVAT.replace("b.jpg", "b" * 100_000).encode(), "more than 65,536", whole=True),
        "huge text": Bad(CVAT.replace("1.1<", "1" * 100_000 + "<").encode(), "more than 65,536", whole=True),
        "unknown encoding": Bad(CVAT.replace("utf-8", "u-tf").encode(), "not XML", whole=True),
        "bad encoding": Bad(CVAT.encode().replace(b"b.jpg", b"\xff\xfe"), "not XML", whole=True),
        "no images": Bad(b"<annotations></annotations>", "no image", whole=True),
        "image without a name": Bad(CVAT.replace('name="b.jpg"', "").encode(), "file name is None", "line 9"),
        "negative size": Bad(CVAT.replace('"1" name="b.jpg" width="40"', '"1" name="b.jpg" width="-4"').encode(), "-4",
                             "line 9"),
        "size is text": Bad(CVAT.replace('"1" name="b.jpg" width="40"', '"1" name="b.jpg" width="x"').encode(),
                            "width is 'x'", "line 9"),
        "tag without a label": Bad(CVAT.replace('<tag label="dog">', "<tag>").encode(), "tag is None", "line 6"),
        "box without a side": Bad(CVAT.replace('xtl="1"', "").encode(), "'xtl'", "line 7"),
        "box of words": Bad(CVAT.replace('xtl="1"', 'xtl="left"').encode(), "'left'", "line 7"),
        "box turned inside out": Bad(CVAT.replace('xbr="4"', 'xbr="0"').encode(), "width of the box is -1", "line 7"),
        "box with NaN": Bad(CVAT.replace('xtl="1"', 'xtl="nan"').encode(), "nan", "line 7"),
        "both states": Bad(CVAT.replace('label="dog"><', 'label="cat"><').encode(), "both positive", "line 4"),
        "bad subset": Bad(CVAT.replace('id="1"', 'id="1" subset="x"').encode(), "split is 'x'", "line 9"),
    },
    "huggingface": {
        **{k: v for k, v in _file_kinds("huggingface").items() if k != "truncated"},
        "line that is no JSON": Bad(META.encode() + b"{", "not JSON", "line 3"),
        "no file name": Bad(META.encode() + b'{"tags":["cat"]}', "no key 'file_name'", "line 3"),
        "tags are an object": Bad(META.encode() + b'{"file_name":"c.jpg","tags":{}}', "'tags' is an object", "line 3"),
        "tag is a number": Bad(META.encode() + b'{"file_name":"c.jpg","tags":[1]}', "tag is 1", r"tags\[0\]"),
        "both states": Bad(META.encode() + b'{"file_name":"c.jpg","tags":["x"],"absent":["x"]}', "both", "line 3"),
        "bad sha256": Bad(META.encode() + b'{"file_name":"c.jpg","sha256":"1"}', "sha256 is '1'", "line 3"),
    },
    "webdataset": {
        **_file_kinds("webdataset"),
        "truncated": Bad(tar(shard_good())[:1600], "to its end", whole=True),
        "json that is none": Bad(tar(shard_good() | {"c.json": b"{"}), "not JSON", "c.json"),
        "json that is a list": Bad(tar(shard_good() | {"c.json": b"[]"}), "member is a list", "c.json"),
        "json bomb": Bad(tar(shard_good() | {"c.json": b"[" * 100_000}), "", "c.json"),
        "text in bad encoding": Bad(tar(shard_good() | {"c.txt": b"\xff"}), "UTF-8", "c.txt"),
        "bad label": Bad(tar(shard_good() | {"c.json": b'{"labels":[3, "cat"]}'}), "tag is 3", r"labels\[0\]"),
        "nothing but pictures": Bad(tar({"a.jpg": PICTURE}), "no image", whole=True),
    },
    "parquet": {
        **_file_kinds("parquet"),
        "no file column": Bad(parquet([{"name": "a.jpg", "labels": ["cat"]}]), "no column 'file'", whole=True),
        "bad metadata": Bad(parquet(rows_good(), b"{oops"), "not JSON", "metadata", whole=True),
        "metadata that is a list": Bad(parquet(rows_good(), b"[]"), "header is a list", "metadata", whole=True),
        "metadata with bad tags": Bad(parquet(rows_good(), b'{"tags": 5}'), "'tags' is 5", "metadata", whole=True),
        "no rows": Bad(parquet([{"file": "a", "labels": ["x"]}])[:0], "", whole=True),
        "file is empty": Bad(parquet([{"file": "a.jpg", "labels": ["cat"]}, {"file": "", "labels": ["cat"]}]),
                             "file name is ''", "row 2"),
        "file is a number": Bad(parquet([{"file": 5, "labels": ["cat"]}]), "file name is 5", whole=True),
        "label is a number": Bad(parquet([{"file": "a.jpg", "labels": [3]}]), "label is 3", r"row 1, labels\[0\]"),
        "label is empty": Bad(parquet([{"file": "a.jpg", "labels": ["cat", ""]}]), "empty", r"row 1, labels\[1\]"),
        "labels are text": Bad(parquet([{"file": "a.jpg", "labels": "cat"}]), "'labels' is 'cat'", "row 1"),
        "unknown state": Bad(parquet([{"file": "a.jpg", "tag": "cat", "state": "positive"},
                                      {"file": "a.jpg", "tag": "dog", "state": "so"}]), "state is 'so'", "row 2"),
        "score is NaN": Bad(parquet([{"file": "a.jpg", "suggestions": [{"tag": "cat", "score": NAN}]}]), "nan", "row"),
        "bad split": Bad(parquet([{"file": "a.jpg", "split": "train"}, {"file": "b", "split": "x"}]), "split", "row 2"),
        "negative size": Bad(parquet([{"file": "a.jpg", "width": 4}, {"file": "b", "width": -4}]), "-4", "row 2"),
        "bad sha256": Bad(parquet([{"file": "a.jpg", "sha256": ""}, {"file": "b", "sha256": "q"}]), "'q'", "row 2"),
    },
}  # fmt: skip
"""Format: kind: file."""
