"""Our own JSON and JSON lines, and the metadata lines of Hugging Face."""

from functools import partial
from typing import Any

from tests.importers.labels.bad.any_file import (
    BEYOND,
    BOXES,
    NAMES,
    SCORES,
    SIZES,
    TAGS,
    any_file,
    any_json,
    content_of,
    of,
)
from tests.importers.labels.bad.base import Bad, Kinds, put, swapped, text, without
from tests.importers.labels.bad.good import META, json_good, lines_good

_set = partial(put, json_good)
_first, _second = partial(_set, "images", 0), partial(_set, "images", 1)
_label = partial(_first, "labels", 1)
AT = r"images\[0\], labels\[1\]"

JSON: Kinds = {
    **any_json("json"),
    "no images": Bad(without(json_good, "images"), "no list 'images'.*found: 'snapshot', 'root', 'tags'", whole=True),
    "images are an object": Bad(_set("images", {}), "'images' is no list but an object of 0", "images", whole=True),
    "tags are a number": Bad(_set("tags", 5), "'tags' is 5", "tags", whole=True),
    "images twice": Bad(content_of("json")[:-1] + b',"images":[]}', "'images' a second time", "images", whole=True),
    "image is a list": Bad(_set("images", 1, []), "image is a list of 0", r"images\[1\]"),
    "image without a file": Bad(without(json_good, "images", 1, "file"), "no key 'file'; keys found", r"images\[1\]"),
    "labels are an object": Bad(_second("labels", {}), "'labels' is an object", r"images\[1\]"),
    "label is a number": Bad(_second("labels", [3]), "label is 3", r"images\[1\], labels\[0\]"),
    "label without a state": Bad(_second("labels", [{"tag": "cat"}]), "no key 'state'; keys found", r"labels\[0\]"),
    "unknown state": Bad(_label("state", "maybe"), "state is 'maybe'", AT),
    "unknown tag": Bad(_label("tag", "emu"), "'emu' is not in the file", AT),
    "a key twice": Bad(swapped(content_of("json"), '{"file": "b.jpg"', '{"file": "c.jpg", "file": "b.jpg"'),
                       "key 'file' twice", r"images\[1\]"),
    "both states": Bad(_label("tag", "cat"), "the tag 'cat' both positive and negative", r"images\[0\]"),
    "bad time": Bad(_label("at", "yesterday"), "time is 'yesterday'", AT),
    "time before 1970": Bad(_label("at", "1903-01-01"), "time is '1903-01-01'", AT),
    "time is NaN": Bad(_label("at", float("nan")), "time is nan", AT),
    "bad origin": Bad(_label("origin", "oracle"), "origin is 'oracle'", AT),
    "huge by": Bad(_label("by", "z" * 99_999), "'zzz.*longer than 10,000", AT),
    "bad sha256": Bad(_second("sha256", "ab"), "sha256 is 'ab'", r"images\[1\]"),
    "bad split": Bad(_second("split", 3), "split is 3", r"images\[1\]"),
    "tag is nobody": Bad(_set("tags", 2, {"definition": "x"}), "no key 'name'; keys found: definition", r"tags\[2\]"),
    "bad relation": Bad(_set("relations", [{"kind": "likes", "a": "cat", "b": "dog"}]), "is 'likes'", r"rel.*\[0\]"),
    "suggestion of nothing": Bad(_second("suggestions", [{"score": 0.5}]), "no key 'tag'", r"suggestions\[0\]"),
    **of(BOXES | BEYOND, partial(_first, "boxes", 0, "box"), r"images\[0\], boxes\[0\]"),
    **of(NAMES, partial(_second, "file"), r"images\[1\]"),
    **of(SIZES, partial(_second, "width"), r"images\[1\]"),
    **of(TAGS, lambda value: _set("tags", 2, {"name": value}), r"tags\[2\]"),
    **of(SCORES, partial(_second, "suggestions", 0, "score"), r"suggestions\[0\]"),
}  # fmt: skip


def _line(place: int, *path_and_value: Any) -> bytes:
    lines = list(map(text, lines_good()))
    lines[place] = put(lambda: lines_good()[place], *path_and_value)
    return b"\n".join(lines)


_GOOD = content_of("jsonl")
JSONL: Kinds = {
    **any_file("no image", "UTF-8|not JSON"),
    "last line cut off": Bad(_GOOD[:-30], "not JSON", "line 2"),
    "one document over many lines": Bad(text(json_good()).replace(b",", b",\n"), "not JSON", whole=True),
    "line that is no JSON": Bad(b"{oops\n" + _GOOD, "not JSON.*at character 2", "line 1"),
    "line that is a number": Bad(b"5\n" + _GOOD, "image is 5", "line 1"),
    "nested bomb": Bad(_GOOD + b"[" * 200_000, "JSON", "line 3"),
    "number of many digits": Bad(_GOOD + b"9" * 9000, "digits", "line 3"),
    "zero byte": Bad(_GOOD + b'{"file":"a\0b"}', "control character at character", "line 3"),
    "Latin-1": Bad(_GOOD + b'{"file":"\xff"}\n', "UTF-8.*0xff", "line", whole=True),
    "unknown state": Bad(_line(0, "labels", 1, "state", 4), "state is 4", r"line 1, labels\[1\]"),
    "a key twice": Bad(_GOOD + b'{"file":"c.jpg","file":"d.jpg"}', "key 'file' twice", "line 3"),
    "bad header": Bad(b'{"header":{"tags":5}}\n' + _GOOD, "'tags' is 5", "line 1", whole=True),
    "header with tags twice": Bad(b'{"header":{"tags":[],"tags":[]}}\n' + _GOOD, "'tags' twice", "line 1", whole=True),
    "second header": Bad(_GOOD + b'{"header":{"tags":["emu"]}}', "second 'header'", "line 3"),
    "tag beyond the header": Bad(b'{"header":{"tags":["cat"]}}\n' + _GOOD, "'dog' is not in", "line 2"),
    "labels are text": Bad(_line(1, "labels", "cat"), "'labels' is 'cat'", "line 2"),
    "both states": Bad(_line(0, "labels", 1, "tag", "Cat"), "'cat' both positive and negative", "line 1"),
    **of(BOXES | BEYOND, partial(_line, 0, "boxes", 0, "box"), r"line 1, boxes\[0\]"),
    **of(NAMES, partial(_line, 1, "file"), "line 2"),
    **of(SIZES, partial(_line, 1, "width"), "line 2"),
    **of(TAGS, partial(_line, 0, "labels", 2, "tag"), r"line 1, labels\[2\]"),
    **of(SCORES, partial(_line, 1, "suggestions", 0, "score"), r"line 2, suggestions\[0\]"),
}


def _meta(**entry: Any) -> bytes:
    return META.encode() + text({"file_name": "c.jpg", **entry})


HUGGINGFACE: Kinds = {
    **any_file("no image", "UTF-8|not JSON"),
    "a folder": Bad({"train": None}, "holds no metadata.jsonl", whole=True),
    "metadata that is a folder": Bad(
        {"train/metadata.jsonl/x": b""}, "is not a file", whole=True, file="metadata.jsonl"
    ),
    "last line cut off": Bad(_meta(tags=["cat"])[:-5], "not JSON", "line 3"),
    "line that is no JSON": Bad(META.encode() + b"{", "not JSON.*at character 2", "line 3"),
    "line that is a list": Bad(META.encode() + b"[]", "line is a list of 0", "line 3"),
    "nested bomb": Bad(META.encode() + b'{"a":' * 100_000, "JSON that can be read", "line 3"),
    "Latin-1": Bad(META.encode() + b'{"file_name":"\xe9"}', "UTF-8.*0xe9", "line", whole=True),
    "a key twice": Bad(META.encode() + b'{"file_name":"c.jpg","file_name":"d.jpg"}', "'file_name' twice", "line 3"),
    "no file name": Bad(META.encode() + b'{"tags":["cat"]}', "no key 'file_name'; keys found: tags", "line 3"),
    "tags are an object": Bad(_meta(tags={}), "'tags' is an object", "line 3"),
    "both states": Bad(_meta(tags=["cat"], absent=["cat"]), "'cat' both positive and negative", "line 3"),
    "bad sha256": Bad(_meta(sha256="1"), "sha256 is '1'", "line 3"),
    "bad split": Bad(_meta(split="often"), "split is 'often'", "line 3"),
    "label of no state": Bad(_meta(labels=[{"tag": "cat", "state": "so"}]), "state is 'so'", r"line 3, labels\[0\]"),
    **of(NAMES, lambda value: _meta(file_name=value), "line 3"),
    **of(SIZES, lambda value: _meta(width=value), "line 3"),
    **of(
        {k: v for k, v in TAGS.items() if k != "tag is empty"}, lambda value: _meta(tags=[value]), r"line 3, tags\[0\]"
    ),
    **of(SCORES, lambda value: _meta(suggestions=[{"tag": "cat", "score": value}]), r"line 3, suggestions\[0\]"),
}
