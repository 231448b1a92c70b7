"""Folders of classes, YOLO, and shards."""

import gzip
import os
from typing import Any

from tests.importers.labels.bad.any_file import any_file, content_of
from tests.importers.labels.bad.base import PIPE, Bad, Kinds, tar, text
from tests.importers.labels.bad.good import PICTURE, classes_good, shard_good, splits_good, yolo_good

NO_PICTURE = {"readme.txt": b"x"}
TAGS_JSON = "tags.json"


def _no_folder() -> Kinds:
    """A file in the place of a folder, of whatever content."""
    return {
        "a file": Bad(b"cat", "is no folder", whole=True),
        "an empty file": Bad(b"", "is no folder", whole=True),
        "an archive": Bad(tar({"cat/a.jpg": PICTURE}), "is no folder", whole=True),
        "an empty folder": Bad({}, "no image", whole=True),
        "no picture in it": Bad(NO_PICTURE, "no image", whole=True),
    }


def _classes(make: Any, first: str) -> Kinds:
    """`first` is the folder above those of the tags."""

    def more(**files: Any) -> dict[str, Any]:
        return {**make(), **{name.replace("__", "/"): content for name, content in files.items()}}

    def told(content: bytes) -> dict[str, Any]:
        return {**make(), TAGS_JSON: content}

    def named(folder: str) -> dict[str, Any]:
        return {**make(), f"{first}{folder}/x.jpg": PICTURE}

    return {
        **_no_folder(),
        "picture in no folder": Bad(more(**{"stray.jpg": PICTURE}), "lies in no folder of a tag", "stray.jpg"),
        "nothing but pictures in no folder": Bad({"stray.jpg": PICTURE}, "stray.jpg: lies in no folder", whole=True),
        "folder with the separator": Bad(named("cat|dog"), r"'cat\|dog' holds", r"cat\|dog/x.jpg"),
        "folder with a huge name": Bad(named("y" * 210), "'yyy.*longer than 200", "yyy"),
        "folder with control characters": Bad(named("c\x07t"), "c.x07t' holds control", "x.jpg"),
        "folder that is not UTF-8": Bad(named(os.fsdecode(b"k\xfc")), "k.*broken text", "x.jpg"),
        "folder of blanks": Bad(named("  "), "name is empty", "x.jpg"),
        "a link to nothing": Bad({**make(), f"{first}cat/x.jpg": "gone.jpg"}, "link to nothing", "cat/x.jpg"),
        "a pipe": Bad({**make(), f"{first}cat/x.jpg": PIPE}, "is no file but a pipe", "cat/x.jpg"),
        "a device": Bad({**make(), f"{first}cat/x.jpg": "/dev/zero"}, "a device", "cat/x.jpg"),
        "a link in a circle": Bad({**make(), f"{first}cat/x.jpg": "x.jpg"}, "link", "cat/x.jpg"),
        "names cut off": Bad(told(b'{"cat": "c'), "cut off", "line 1", whole=True, file=TAGS_JSON),
        "names are empty": Bad(told(b""), "is empty", whole=True, file=TAGS_JSON),
        "names are a list": Bad(told(b'["cat"]'), "is a list", TAGS_JSON, whole=True),
        "names in Latin-1": Bad(told(b'{"cat": "k\xfc"}'), "UTF-8.*0xfc", whole=True, file=TAGS_JSON),
        "names nested without end": Bad(told(b'{"cat":' + b"[" * 100_000), "JSON that can be read", "cat", whole=True,
                                        file=TAGS_JSON),
        "a folder named twice": Bad(told(b'{"cat": "a", "cat": "b"}'), "member 'cat' a second time", "cat", whole=True,
                                    file=TAGS_JSON),
        "name is a number": Bad(told(text({"cow": 3})), "tag is 3", "tags.json, 'cow'"),
        "name is empty": Bad(told(text({"cow": " "})), "name is empty", "tags.json, 'cow'"),
        "name is huge": Bad(told(text({"cow": "y" * 999})), "'yyy.*longer than 200", "tags.json, 'cow'"),
    }  # fmt: skip


def _yolo(**changed: Any) -> dict[str, Any]:
    """The good folder with some files replaced; `data` is data.yaml, `b` and `c` are texts of labels."""
    names = {"data": "data.yaml", "b": "labels/b.txt", "c": "labels/c.txt"}
    return {**yolo_good(), **{names[key]: content for key, content in changed.items()}}


def _without(*names: str) -> dict[str, Any]:
    return {name: content for name, content in yolo_good().items() if name not in names}


def _line(line: str, says: str) -> Bad:
    return Bad(_yolo(b=b"0 0.5 0.5 0.5 0.5\n" + line.encode()), says, "labels/b.txt, line 2")


def _names(content: bytes, says: str, where: str = "data.yaml") -> Bad:
    return Bad(_yolo(data=content), says, where, whole=True)


def _vast() -> bytes:
    """A picture whose header says that it has 65,535 x 65,535 pixels."""
    return b"P5 65535 65535 255\n"


BOMB = b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nnames: [*c,*c]\n"

YOLO_DETECTION: Kinds = {
    "an empty folder": Bad({}, "no data.yaml or classes.txt", whole=True),
    "no names": Bad(_without("data.yaml"), "no data.yaml or classes.txt", whole=True),
    "no labels": Bad(_without("labels/a.txt", "labels/b.txt"), "no image", whole=True),
    "names that are missing": _names(b"nc: 2\n", "names are None"),
    "names are a number": _names(b"names: 2\n", "names are 2"),
    "names are empty": _names(b"", "names are None"),
    "names are not YAML": _names(b"names: [cat\n", "not YAML.*line 2"),
    "names in Latin-1": _names(b"names: [k\xfc]\n", "not YAML.*0xfc"),
    "names that run code": _names(b"names: !!python/object/apply:os.getcwd []\n", "not YAML.*constructor"),
    "names nested without end": _names(b"names: " + b"[" * 500, "not YAML"),
    "names that expand without end": _names(BOMB, "tag is a list of 2", r"names\[0\]"),
    "names with holes": _names(b"names: {0: cat, 5: dog}\n", "names are an object of 2"),
    "a name twice": _names(b"names: [cat, Cat]\n", "'Cat' is there twice", r"names\[1\]"),
    "a name that is a truth value": _names(b"names: [cat, no]\n", "tag is False", r"names\[1\]"),
    "a name that is empty": _names(b"names: [cat, '']\n", "name is empty", r"names\[1\]"),
    "another count of names": _names(b"nc: 3\nnames: [cat, dog]\n", "nc: 3 and names 2 classes"),
    "labels in Latin-1": Bad(_yolo(c=b"\xe9 0.5"), "UTF-8.*0xe9", "labels/c.txt"),
    "labels that are a folder": Bad(_yolo(c=None), "is a folder", "labels/c.txt"),
    "labels that are a pipe": Bad(_yolo(c=PIPE), "pipe", "labels/c.txt"),
    "labels of millions": Bad(_yolo(c=b"0 0.5 0.5 0.1 0.1\n" * 60_000), "1,080,000 characters", "labels/c.txt"),
    "a picture that is none": Bad(
        {**yolo_good(), "images/b.jpg": b"x", "labels/b.txt": b"0 0.5 0.5 0.1 0.1"},
        "boxes are left out",
        "images/b.jpg",
    ),
    "a picture of impossible sides": Bad(
        {**yolo_good(), "images/b.jpg": _vast(), "labels/b.txt": b"0 0.5 0.5 0.1 0.1"},
        "boxes are left out",
        "images/b.jpg",
    ),
    "words": _line("cat 0.5 0.5 0.1 0.1", "cell is 'cat'"),
    "too few numbers": _line("0 0.5 0.5", "has 3 numbers"),
    "too many numbers": _line("0 0.5 0.5 0.1 0.1 0.5 0.5 7", "has 8 numbers"),
    "zero byte": _line("0 0.5 0.5 0.1 0.\0", r"cell is '0\."),
    "unknown class": _line("2 0.5 0.5 0.1 0.1", "class is '2'"),
    "negative class": _line("-1 0.5 0.5 0.1 0.1", "class is '-1'"),
    "class of a half": _line("0.5 0.5 0.5 0.1 0.1", "class is '0.5'"),
    "huge class": _line("9" * 400 + " 0.5 0.5 0.1 0.1", "cell is inf"),
    "NaN": _line("0 nan 0.5 0.1 0.1", "cell is nan"),
    "infinite": _line("0 inf 0.5 0.1 0.1", "cell is inf"),
    "negative width": _line("0 0.5 0.5 -0.1 0.1", "width of the box is -0.1"),
    "pixels": _line("0 200 100 50 50", "'200 100 50 50' is not in shares"),
    "box beyond the picture": _line("0 0.9 0.5 0.6 0.1", "right of the box is 1.2, outside"),
    "score of two": _line("0 0.5 0.5 0.1 0.1 2", "score is 2"),
}


def _shard(**files: bytes | str) -> bytes:
    return tar({**shard_good(), **{name.replace("__", "."): content for name, content in files.items()}})


def _cut_header() -> bytes:
    """Cut in the header of the third member, where tarfile sees an end."""
    return _SHARD[: 4 * 512 + 100]


def _twice() -> bytes:
    """c.json is there two times: an archive may hold a name as often as it likes."""
    first, second = (tar({"c.json": text({"labels": [tag]})})[:1024] for tag in ("cat", "dog"))
    return _SHARD[:_END] + first + second + bytes(1024)


_SHARD = content_of("webdataset")
_END = 6 * 512  # three members of a header and a block each

WEBDATASET: Kinds = {
    **any_file("tar file that can be read to its end .*empty", "tar file that can be read to its end .*\\("),
    "a folder": Bad({}, "no image", whole=True),
    "zeros": Bad(b"\0" * 5000, "no image", whole=True),
    "cut in a member": Bad(
        _SHARD[:1600], "tar file that can be read to its end", "after 'a.json'|after 'a.jpg'", whole=True
    ),
    "cut in a header": Bad(_cut_header(), "truncated header", "after 'a.json'", whole=True),
    "cut between members": Bad(_SHARD[: 4 * 512], "empty header", "after 'a.json'", whole=True),
    "a damaged header": Bad(
        _SHARD[:2048] + b"\xff" * 512 + _SHARD[2560:], "bad checksum", "after 'a.json'", whole=True
    ),
    "compressed and cut": Bad(gzip.compress(_SHARD)[:-40], "tar file that can be read", whole=True),
    "nothing but pictures": Bad(tar({"a.jpg": PICTURE}), "no image", whole=True),
    "a shard that is a folder": Bad({"a.tar/x": b""}, "is not a file", whole=True),
    "a shard that is a pipe": Bad({"a.tar": PIPE}, "is not a file", whole=True),
    "JSON that is none": Bad(_shard(c__json=b"{"), "not JSON.*at character 2", "member 'c.json'"),
    "JSON that is a list": Bad(_shard(c__json=b"[]"), "member is a list of 0", "member 'c.json'"),
    "JSON nested without end": Bad(_shard(c__json=b"[" * 100_000), "JSON that can be read", "member 'c.json'"),
    "JSON of many digits": Bad(_shard(c__json=b'{"a":' + b"9" * 9000 + b"}"), "digits", "member 'c.json'"),
    "a key twice": Bad(_shard(c__json=b'{"labels":[],"labels":[]}'), "'labels' twice", "member 'c.json'"),
    "a member twice": Bad(_twice(), "twice with the ending '.json'", "member 'c.json'"),
    "a link": Bad(_shard(c__json="/etc/passwd"), "is a link", "member 'c.json'"),
    "a text in Latin-1": Bad(_shard(c__txt=b"\xff"), "UTF-8.*0xff", "member 'c.txt'"),
    "a text with a huge tag": Bad(_shard(c__cls=b"y" * 999), "'yyy.*longer than 200", r"key 'c', labels\[0\]"),
    "a tag that is a number": Bad(_shard(c__json=b'{"labels":[3, "cat"]}'), "tag is 3", r"key 'c', labels\[0\]"),
    "labels are an object": Bad(_shard(c__json=b'{"labels":{}}'), "'labels' is an object", "key 'c'"),
    "an unknown state": Bad(
        _shard(c__json=b'{"labels":[{"tag":"cat","state":"so"}]}'), "state is 'so'", r"labels\[0\]"
    ),
    "both states": Bad(_shard(c__json=b'{"labels":["cat"],"absent":["cat"]}'), "'cat' both positive", "key 'c'"),
    "a score above one": Bad(_shard(c__json=b'{"suggestions":[{"tag":"cat","score":2}]}'), "score is 2", "suggestions"),
    "a file that is a number": Bad(_shard(c__json=b'{"file":3}'), "file name is 3", "key 'c'"),
    "a bad split": Bad(_shard(c__json=b'{"split":"so"}'), "split is 'so'", "key 'c'"),
    "a bad sha256": Bad(_shard(c__json=b'{"sha256":"so"}'), "sha256 is 'so'", "key 'c'"),
    "a negative size": Bad(_shard(c__json=b'{"width":-1}'), "width is -1", "key 'c'"),
}

FOLDERS: dict[str, Kinds] = {
    "imagefolder": _classes(classes_good, ""),
    "yolo_classification": _classes(splits_good, "train/"),
    "yolo_detection": YOLO_DETECTION,
    "webdataset": WEBDATASET,
}
