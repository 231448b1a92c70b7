"""What can happen to any file, to any JSON, and to the values that most formats have."""

from typing import Any

from tests.importers.labels.bad.base import INFINITE, NAN, Bad, Kinds
from tests.importers.labels.bad.good import GOOD, PICTURE

HTML = b"<html><body>404</body></html>"
CUT = "it was cut off"


def content_of(format: str) -> bytes:
    content = GOOD[format][1]()
    assert isinstance(content, bytes)
    return content


def any_file(empty: str, junk: str) -> Kinds:
    """What a file of another kind is told: a pattern for an empty one and one for bytes that are no such format."""
    return {
        "empty": Bad(b"", empty, whole=True),
        "a folder": Bad({}, "is not a file|is a folder", whole=True),
        "binary junk": Bad(bytes(range(255, 0, -1)) * 40, junk, whole=True),
        "a picture": Bad(PICTURE, junk, whole=True),
        "zeros": Bad(b"\0" * 5000, junk, whole=True),
        "another format": Bad(HTML, junk, whole=True),
    }


def any_json(format: str) -> Kinds:
    """`format` is one document."""
    content = content_of(format)
    start = content[:1].decode()
    return {
        **any_file("is empty", "UTF-8|begins with '<' and is neither|begins with .* and is neither"),
        "truncated": Bad(content[: len(content) * 2 // 3], CUT, r"\[\d\] \(line 1\)", whole=True),
        "truncated in a text": Bad(content[: content.rindex(b'"')], CUT, r"\[\d\] \(line 1\)", whole=True),
        "root is text": Bad(b'"labels"', "begins with '\"' and is neither a JSON object nor a list", whole=True),
        "root is a number": Bad(b"17", "begins with '1' and is neither a JSON object nor a list", whole=True),
        "two documents": Bad(content + content, rf"goes on after its end with .\{start}", "line 1", whole=True),
        "Latin-1": Bad(content.replace(b"a.jpg", b"caf\xe9.jpg"), r"UTF-8.*(0xe9|position)", whole=True),
        "a comma too many": Bad(content[:-1] + b"," + content[-1:], "comma before", "line 1", whole=True),
        "nested bomb": Bad(b'{"images":' + b"[" * 200_000, "JSON that can be read", "images|line 1", whole=True),
        "object bomb": Bad(b'{"a":' * 100_000, "JSON that can be read", "a ", whole=True),
        "number of many digits": Bad(b'{"images":[' + b"9" * 9000 + b"]}", "digits|an object", "images", whole=True),
        "single quotes": Bad(content.replace(b'"', b"'"), "not JSON.*'", "line 1", whole=True),
        "zero byte": Bad(content.replace(b"a.jpg", b"a\0.jpg"), "not JSON.*control char", r"\[0\]", whole=True),
    }


def of(values: dict[str, tuple[Any, str]], make: Any, where: str) -> Kinds:
    """One kind for each of some values: `make(value)` is the file."""
    return {kind: Bad(make(value), says, where) for kind, (value, says) in values.items()}


NAMES: dict[str, tuple[Any, str]] = {
    "name is a number": (5, "file name is 5"),
    "name is empty": (" ", "file name is ' '"),
    "name is nothing": (None, "file name is None"),
    "name is huge": ("x" * 100_000, "'xxx.*longer than 4096"),
    "name with a zero byte": ("a\0b.jpg", "a.*b.jpg' holds a zero byte"),
    "name is a list": (["a.jpg"], "file name is a list of 1"),
}
SIZES: dict[str, tuple[Any, str]] = {
    "negative size": (-3, "width is -3"),
    "size is text": ("wide", "width is 'wide'"),
    "size beyond reason": (10**12, "width is 1000000000000"),
    "size is NaN": (NAN, "width is nan"),
}
TAGS: dict[str, tuple[Any, str]] = {
    "tag is a number": (7, "tag is 7"),
    "tag is huge": ("y" * 10_000, "'yyy.*longer than 200"),
    "tag is empty": ("", "name is empty"),
    "tag with control characters": ("c\x07t", "c.x07t' holds control characters"),
    "tag with the separator": ("cat|dog", r"'cat\|dog' holds"),
}
SCORES: dict[str, tuple[Any, str]] = {
    "score is NaN": (NAN, "score is nan"),
    "score is infinite": (INFINITE, "score is inf"),
    "score above one": (1.5, "score is 1.5"),
    "score is text": ("sure", "score is 'sure'"),
    "score is true": (True, "score is True"),
}
BOXES: dict[str, tuple[Any, str]] = {
    "box of no width": ([0, 0, -1, 4], "width of .* is -1"),
    "box of three numbers": ([0, 0, 4], "has 3 numbers"),
    "box with NaN": ([0, NAN, 4, 4], "top of .* is nan"),
    "box that is text": ("all", "box' is 'all'|the box is 'all'"),
}
BEYOND: dict[str, tuple[Any, str]] = {
    "box beyond the picture": ([30, 2, 30, 4], "right of .* is 60, outside the picture"),
    "box before the picture": ([-5, 2, 8, 4], "left of .* is -5, outside the picture"),
    "box below the picture": ([1, 20, 8, 40], "bottom of .* is 60, outside the picture"),
}
