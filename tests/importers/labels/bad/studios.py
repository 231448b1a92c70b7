"""What labelling programs write: Label Studio, FiftyOne, CVAT."""

from functools import partial

from tests.importers.labels.bad.any_file import NAMES, SCORES, TAGS, any_file, any_json, content_of, of
from tests.importers.labels.bad.base import Bad, Kinds, put, swapped, text, without
from tests.importers.labels.bad.good import CVAT as XML
from tests.importers.labels.bad.good import fiftyone_good, studio_good

_task = partial(put, studio_good)
_said = partial(_task, 0, "annotations", 0)
_choice = partial(_said, "result", 0)
_box = partial(_said, "result", 2, "value")
ENTRY = r"entry \[1\]"
RESULT = r"entry \[0\], annotations\[0\], result"

LABEL_STUDIO: Kinds = {
    **any_json("label_studio"),
    "root is an object": Bad(b'{"tasks": []}', "is an object with 'tasks'", "tasks", whole=True),
    "no tasks": Bad(b"[]", "no image", whole=True),
    "task is a number": Bad(_task(1, 4), "task is 4", ENTRY),
    "data is a list": Bad(_task(1, "data", []), "'data' is a list of 0", ENTRY),
    "no picture": Bad(_task(1, "data", {"text": "x"}), "no key 'file'; keys found: text", ENTRY),
    "address that is none": Bad(_task(1, "data", "image", "http://[/data/local-files/?d=a"), "address 'http", ENTRY),
    "upload without a name": Bad(_task(1, "data", "image", "/data/upload/3/"), "file name is ''", ENTRY),
    "a key twice": Bad(swapped(content_of("label_studio"), '"predictions"', '"data": {}, "predictions"'),
                       "'data' twice", ENTRY),
    "annotations are text": Bad(_task(1, "annotations", "x"), "'annotations' is 'x'", ENTRY),
    "annotation is text": Bad(_task(0, "annotations", ["x"]), "annotation is 'x'", r"annotations\[0\]"),
    "person is a list": Bad(_said("completed_by", [3]), "'completed_by' is a list of 1", r"annotations\[0\]"),
    "time is a word": Bad(_said("created_at", "soon"), "time is 'soon'", r"annotations\[0\]"),
    "result is text": Bad(_said("result", "x"), "'result' is 'x'", r"annotations\[0\]"),
    "result is a number": Bad(_said("result", [3]), "result is 3", RESULT),
    "choices are text": Bad(_choice("value", "choices", "cat"), "'choices' is 'cat'", RESULT),
    "choices that choose nothing": Bad(_choice("value", {"text": 1}), "no key 'choices'; keys found: text", RESULT),
    "box of no width": Bad(_box("width", -5), "width of the box is -5", RESULT),
    "box beyond the picture": Bad(_box("width", 90), "right of the box is 1.15, outside", RESULT),
    "box without a side": Bad(_said("result", 2, "value", {"x": 1, "rectanglelabels": ["cat"]}), "no key 'y'", RESULT),
    "size is text": Bad(_said("result", 2, "original_width", "40"), "'original_width' is '40'", RESULT),
    "both states": Bad(_choice("from_name", "absent"), "'cat' both negative and positive", r"entry \[0\]"),
    "meta is a list": Bad(_task(1, "meta", [1]), "'meta' is a list of 1", ENTRY),
    "bad split": Bad(_task(1, "meta", {"split": "x"}), "split is 'x'", ENTRY),
    "bad decision": Bad(_task(1, "meta", {"decisions": [["dog"]]}), "is a list of 1", r"\[1\], meta, decisions\[0\]"),
    "decision of no state": Bad(_task(1, "meta", {"decisions": [["dog", "so", "", "", 0]]}), "is 'so'", "decisions"),
    **of(NAMES, lambda value: _task(1, "data", "image", value), ENTRY),
    **of(TAGS, lambda value: _choice("value", "choices", [value]), RESULT),
    **of(SCORES, partial(_task, 1, "predictions", 0, "score"), r"predictions\[0\]"),
}  # fmt: skip

_sample = partial(put, fiftyone_good, "samples", 1)
_absent = partial(put, fiftyone_good, "samples", 0, "absent", "classifications")
_detected = partial(put, fiftyone_good, "samples", 0, "boxes", "detections", 0)
SAMPLE = r"samples\[1\]"
ABSENT = r"samples\[0\], absent"
BOX = r"samples\[0\], boxes\[0\]"

FIFTYONE: Kinds = {
    **any_json("fiftyone"),
    "a folder": Bad({}, "is not a file", whole=True),
    "no samples": Bad(b'{"images": []}', "no image", whole=True),
    "samples are an object": Bad(put(fiftyone_good, "samples", {}), "'samples' is no list but an object", whole=True),
    "sample is text": Bad(put(fiftyone_good, "samples", 1, "x"), "sample is 'x'", SAMPLE),
    "no filepath": Bad(without(fiftyone_good, "samples", 1, "filepath"), "no key 'filepath'; keys", SAMPLE),
    "a key twice": Bad(swapped(content_of("fiftyone"), '"filepath": "b.jpg"', '"filepath": "b.jpg", "filepath": "c"'),
                       "'filepath' twice", SAMPLE),
    "metadata are text": Bad(_sample("metadata", "40x30"), "'metadata' is '40x30'", SAMPLE),
    "size is negative": Bad(_sample("metadata", {"width": -1}), "width is -1", SAMPLE),
    "bad split": Bad(_sample("split", "x"), "split is 'x'", SAMPLE),
    "no label": Bad(_absent([{}]), "no key 'label'", ABSENT),
    "label is an object": Bad(_absent([3]), "label is 3", ABSENT),
    "labels are text": Bad(_absent("x"), "'classifications' is 'x'", ABSENT),
    "unknown state": Bad(_absent(0, "state", "so"), "state is 'so'", ABSENT),
    "bad origin": Bad(_absent(0, "origin", "so"), "origin is 'so'", ABSENT),
    "bad time": Bad(_absent(0, "decided_at", "so"), "time is 'so'", ABSENT),
    "both states": Bad(_absent(0, "label", "cat"), "'cat' both positive and negative", r"samples\[0\]"),
    "box of no width": Bad(_detected("bounding_box", [0, 0, -1, 1]), "width of the box is -1", BOX),
    "box of three numbers": Bad(_detected("bounding_box", [0, 0, 1]), "has 3 numbers", BOX),
    "box in pixels": Bad(_detected("bounding_box", [10, 15, 20, 3]), "left of the box is 10, outside", BOX),
    "classes are text": Bad({"samples.json": content_of("fiftyone"), "metadata.json": text({"default_classes": "cat"})},
                            "'default_classes' is 'cat'", "metadata.json, default_classes"),
    "class is a number": Bad({"samples.json": content_of("fiftyone"), "metadata.json": text({"default_classes": [3]})},
                             "tag is 3", r"metadata.json, default_classes\[0\]"),
    "metadata cut off": Bad({"samples.json": content_of("fiftyone"), "metadata.json": b'{"info": {'},
                            "cut off", "line 1", whole=True, file="metadata.json"),
    **of(NAMES, partial(_sample, "filepath"), SAMPLE),
    **of(TAGS, partial(_absent, 0, "label"), ABSENT),
    **of(SCORES, partial(_sample, "guessed", "classifications", 0, "confidence"), r"samples\[1\], guessed"),
}  # fmt: skip


def _xml(old: str, new: str) -> bytes:
    return swapped(XML.encode(), old, new)


def _second(attributes: str) -> bytes:
    return _xml('id="1" name="b.jpg" width="40" height="30"', attributes)


CVAT: Kinds = {
    **any_file("not XML", "not XML|begins with an element 'html'"),
    "truncated": Bad(XML.encode()[:400], "not XML.*(element|token)", "line", whole=True),
    "entity bomb": Bad(b'<!DOCTYPE a [<!ENTITY b "boom"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>',
                       "document type.*DOCTYPE", "line 1", whole=True),
    "external entity": Bad(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
                           "document type.*DOCTYPE", "line 1", whole=True),
    "another root": Bad(b"<images><image name='a.jpg'/></images>", "begins with an element 'images'", whole=True),
    "elements in elements": Bad(b"<annotations>" + b"<a>" * 5000, "more than 32 deep", "line 1", whole=True),
    "huge attribute": Bad(_xml("b.jpg", "b" * 100_000), "more than 65,536", "line 9", whole=True),
    "huge text": Bad(_xml("1.1<", "1" * 100_000 + "<"), "more than 65,536", "line 2", whole=True),
    "unknown encoding": Bad(_xml("utf-8", "u-tf"), "not XML.*encoding", "line 1", whole=True),
    "Latin-1": Bad(XML.encode().replace(b"b.jpg", b"\xe9.jpg"), "not XML.*token", "line 9", whole=True),
    "zero byte": Bad(_xml("b.jpg", "b\0.jpg"), "not XML.*token", "line 9", whole=True),
    "an attribute twice": Bad(_xml('id="1"', 'id="1" id="2"'), "not XML.*duplicate attribute", "line 9", whole=True),
    "no images": Bad(b"<annotations></annotations>", "no image", whole=True),
    "tracks of a video": Bad(b'<annotations><track label="cat"></track></annotations>', "track of 'cat'", whole=True),
    "image in an image": Bad(_xml('height="30"></image>', 'height="30"><image name="c.jpg"></image></image>'),
                             "the image 'c.jpg' begins in it", "line 9"),
    "image without a name": Bad(_xml('name="b.jpg"', ""), "file name is None", "line 9"),
    "name is empty": Bad(_xml('name="b.jpg"', 'name=" "'), "file name is ' '", "line 9"),
    "name is huge": Bad(_xml("b.jpg", "b" * 5000), "'bbb.*longer than 4096", "line 9"),
    "negative size": Bad(_second('name="b.jpg" width="-4"'), "width is -4", "line 9"),
    "size is text": Bad(_second('name="b.jpg" width="x"'), "width is 'x'", "line 9"),
    "size is NaN": Bad(_second('name="b.jpg" height="nan"'), "height is nan", "line 9"),
    "bad sha256": Bad(_second('name="b.jpg" sha256="1"'), "sha256 is '1'", "line 9"),
    "bad subset": Bad(_xml('id="1"', 'id="1" subset="x"'), "split is 'x'", "line 9"),
    "tag without a label": Bad(_xml('<tag label="dog">', "<tag>"), "tag is None", "line 6"),
    "tag that is not listed": Bad(_xml('<tag label="dog">', '<tag label="emu">'), "'emu' is not in the", "line 6"),
    "listed tag is empty": Bad(_xml("<name>dog<", "<name> <"), "name is empty", "line 3"),
    "listed tag is huge": Bad(_xml("<name>dog<", f"<name>{'y' * 999}<"), "'yyy.*longer than 200", "line 3"),
    "box without a side": Bad(_xml('xtl="1"', ""), "no key 'xtl'; keys found: label", "line 7"),
    "box of words": Bad(_xml('xtl="1"', 'xtl="left"'), "'xtl' is 'left'", "line 7"),
    "box turned inside out": Bad(_xml('xbr="4"', 'xbr="0"'), "width of the box is -1", "line 7"),
    "box with NaN": Bad(_xml('xtl="1"', 'xtl="nan"'), "left of the box is nan", "line 7"),
    "box beyond the picture": Bad(_xml('xbr="4"', 'xbr="99"'), "right of the box is 99, outside", "line 7"),
    "both states": Bad(_xml('label="dog"><', 'label="cat"><'), "'cat' both positive and negative", "line 4"),
}  # fmt: skip
