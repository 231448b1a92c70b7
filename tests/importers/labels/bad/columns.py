"""Parquet: columns of wrong types, values that cannot be read, damaged files."""

import io
from functools import partial
from typing import Any

import pyarrow as pa
from pyarrow import parquet as files

from tests.importers.labels.bad.any_file import any_file, content_of
from tests.importers.labels.bad.base import NAN, Bad, Kinds
from tests.importers.labels.bad.good import parquet, rows_good

_GOOD = content_of("parquet")
_A = ("a.jpg", "cat", "positive"), ("a.jpg", "dog", "negative"), ("a.jpg", "cow", "unknown")


def _row(**changed: Any) -> bytes:
    """A third row after the two good ones."""
    return parquet([*rows_good(), {**dict.fromkeys(rows_good()[0]), "file": "c.jpg", **changed}])


def _columns(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    files.write_table(table, buffer)
    return buffer.getvalue()


def _broken_text() -> bytes:
    """Row 2 of three has a name that is not UTF-8."""
    names = pa.array([b"a.jpg", b"\xff\xfe.jpg", b"b.jpg"], pa.binary()).view(pa.string())
    return _columns(pa.table({"file": names, "labels": pa.array([["cat"], ["cat"], []], pa.list_(pa.string()))}))


def _year_without_end() -> bytes:
    """Row 4 has a time that no calendar has."""
    names, tags, states = zip(*_A, ("b.jpg", "cat", "positive"), strict=True)
    at = pa.array([0, 0, 0, 1 << 62], pa.timestamp("us"))
    return _columns(pa.table({"file": names, "tag": tags, "state": states, "at": at}))


def _damaged() -> bytes:
    """The end is whole, the pages before it are not."""
    return _GOOD[:4] + bytes(len(_GOOD[4:]) // 3) + _GOOD[4 + len(_GOOD[4:]) // 3 :]


def _long(*lines: tuple[Any, ...]) -> bytes:
    return parquet([dict(zip(("file", "tag", "state"), line, strict=True)) for line in lines])


_header = partial(parquet, rows_good())
ROW = "row 3"

PARQUET: Kinds = {
    **any_file("Parquet file that can be read.*0 bytes", "Parquet file that can be read.*'"),
    "truncated": Bad(_GOOD[: len(_GOOD) * 2 // 3], "Parquet file that can be read.*'", whole=True),
    "pages overwritten": Bad(_damaged(), "Parquet file that can be read.*'", whole=True),
    "no file column": Bad(parquet([{"name": "a.jpg", "labels": ["cat"]}]), "no column 'file'.*found: 'name, labels'",
                          "the columns", whole=True),
    "a column twice": Bad(_columns(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["file", "file"])),
                          "column 'file' twice", "the columns", whole=True),
    "no rows": Bad(_columns(pa.table({"file": pa.array([], pa.string())})), "no image", whole=True),
    "header that is no JSON": Bad(_header(b"{oops"), "not JSON.*char 1", "the metadata", whole=True),
    "header that is a list": Bad(_header(b"[]"), "header is a list of 0", "the metadata", whole=True),
    "header with bad tags": Bad(_header(b'{"tags": 5}'), "'tags' is 5", "the metadata", whole=True),
    "header with tags twice": Bad(_header(b'{"tags": [], "tags": []}'), "'tags' twice", "the metadata", whole=True),
    "header nested without end": Bad(_header(b"[" * 100_000), "not JSON", "the metadata", whole=True),
    "header lacks a tag": Bad(_header(b'{"tags": ["cat", "dog"]}'), "'cow' is not in", r"row 1, labels\[2\]"),
    "files are numbers": Bad(parquet([{"file": 5, "labels": ["cat"]}]), "file name is 5", whole=True),
    "files are bytes": Bad(parquet([{"file": b"a.jpg", "labels": ["cat"]}]), "file name is b'a.jpg'", whole=True),
    "file is empty": Bad(_row(file=""), "file name is ''", ROW),
    "file is nothing": Bad(_row(file=None), "file name is None", ROW),
    "file is huge": Bad(_row(file="x" * 5000), "'xxx.*longer than 4096", ROW),
    "file is no UTF-8": Bad(_broken_text(), "0xff", "row 2"),
    "time without end": Bad(_year_without_end(), "the time is 4611686018427", r"row 4, labels\[0\]"),
    "labels are numbers": Bad(parquet([{"file": "a.jpg", "labels": [3]}]), "holds 'list<.*int64", "labels", whole=True),
    "labels are text": Bad(parquet([{"file": "a.jpg", "labels": "cat"}]), "holds 'string'", "'labels'", whole=True),
    "label is empty": Bad(_row(labels=[{"tag": "", "state": "positive"}]), "name is empty", r"row 3, labels\[0\]"),
    "label is huge": Bad(_row(labels=[{"tag": "y" * 999, "state": "positive"}]), "'yyy.*longer", r"row 3, labels\[0\]"),
    "label without a state": Bad(_row(labels=[{"tag": "cat"}]), "state is None", r"row 3, labels\[0\]"),
    "both states": Bad(_row(labels=[{"tag": "cat", "state": "positive"}, {"tag": "cat", "state": "negative"}]),
                       "'cat' both positive and negative", ROW),
    "unknown state": Bad(_long(*_A, ("b.jpg", "dog", "so")), "state is 'so'", "row 4"),
    "rows that contradict": Bad(_long(*_A, ("a.jpg", "cat", "negative")), "'cat' both positive and negative", "row 1"),
    "score is NaN": Bad(_row(suggestions=[{"tag": "cat", "score": NAN, "origin": ""}]), "score is nan", "suggestions"),
    "score above one": Bad(_row(suggestions=[{"tag": "cat", "score": 1.5, "origin": ""}]), "is 1.5", "row 3, sugg"),
    "box of no width": Bad(_row(boxes=[{"tag": "cat", "box": [1.0, 1.0, -1.0, 1.0]}]), "box is -1", "row 3, boxes"),
    "box beyond the picture": Bad(_row(width=40, height=30, boxes=[{"tag": "cat", "box": [30.0, 2.0, 30.0, 4.0]}]),
                                  "right of the box is 60", r"row 3, boxes\[0\]"),
    "bad split": Bad(_row(split="x"), "split is 'x'", ROW),
    "negative size": Bad(_row(width=-4), "width is -4", ROW),
    "bad sha256": Bad(_row(sha256="q"), "sha256 is 'q'", ROW),
}  # fmt: skip
