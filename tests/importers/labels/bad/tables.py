"""Tables of text, and Parquet."""

from typing import Any

from tests.importers.labels.bad.any_file import any_file
from tests.importers.labels.bad.base import Bad, Kinds
from tests.importers.labels.bad.good import CELLS as ONE_CELL
from tests.importers.labels.bad.good import LONG, OPEN, WIDE

NO_COLUMN = "no column .*columns found"
NOTHING = "columns found: none"
REST = "never closed"


def _any_table() -> Kinds:
    return any_file(NOTHING, NO_COLUMN)


def _long(line: str) -> bytes:
    return LONG.encode() + line.encode() + b"\n"


def _scored(score: str) -> bytes:
    return f"file,tag,state,score\na.jpg,cat,positive,\na.jpg,dog,negative,\nb.jpg,cat,,{score}\n".encode()


CSV: Kinds = {
    **_any_table(),
    "no tag column": Bad(b"file,state\na.jpg,positive\n", "no column 'tag'.*found: file, state", "line 1", whole=True),
    "no header": Bad(b"a.jpg,cat,positive\n", "no column.*found: a.jpg, cat", "line 1", whole=True),
    "only the header": Bad(b"file,tag,state\n", "no image", whole=True),
    "a column twice": Bad(b"file,tag,state,tag\na.jpg,cat,positive,dog\n", "column 'tag' 2 times", "line", whole=True),
    "a quote never closed": Bad(_long('b.jpg,"cat,positive,,,\nc.jpg,cat,positive,,,'), REST, "line 4", whole=True),
    "unknown state": Bad(_long("b.jpg,cat,maybe,,,"), "state is 'maybe'", "line 4"),
    "state is missing": Bad(_long("b.jpg,cat"), "state is ''", "line 4"),
    "tag is missing": Bad(_long("b.jpg,,positive,,,"), "name is empty", "line 4"),
    "file is missing": Bad(_long(",cat,positive,,,"), "file name is ''", "line 4"),
    "too many cells": Bad(_long("b,c.jpg,cat,positive,human,me,,x"), "has 8 cells where the header has 6", "line 4"),
    "text after a quote": Bad(_long('"b".jpg,cat,positive,,,'), "not a table row.*expected", "line 4"),
    "huge cell": Bad(_long('b.jpg,"' + "y" * 140_000), "not a table row.*131072", "line 4"),
    "huge name": Bad(_long("x" * 9999 + ",cat,positive,,,"), "'xxx.*longer than 4096", "line 4"),
    "huge tag": Bad(_long(f"b.jpg,{'y' * 999},positive,,,"), "'yyy.*longer than 200", "line 4"),
    "tag with the separator": Bad(_long("b.jpg,cat|dog,positive,,,"), r"'cat\|dog' holds", "line 4"),
    "Latin-1": Bad(LONG.encode() + b"b.jpg,caf\xe9,positive,,,\n", "caf.*broken text; save the file", "line 4"),
    "zero byte": Bad(_long("b\0.jpg,cat,positive,,,"), "zero byte|line contains NUL", "line 4"),
    "bad time": Bad(_long("b.jpg,cat,positive,,,soon"), "time is 'soon'", "line 4"),
    "bad origin": Bad(_long("b.jpg,cat,positive,oracle,,"), "origin is 'oracle'", "line 4"),
    "lines that contradict": Bad(_long("a.jpg,cat,negative,,,"), "'cat' both positive and negative", "line 2"),
    "score is NaN": Bad(_scored("nan"), "score is nan", "line 4"),
    "score is text": Bad(_scored("high"), "score is 'high'", "line 4"),
    "score is negative": Bad(_scored("-0.5"), "score is -0.5", "line 4"),
    "bad split": Bad(b"file,tag,state,split\na.jpg,cat,positive,\na.jpg,dog,negative,\nb.jpg,cat,positive,x\n",
                     "split is 'x'", "line 4"),
}  # fmt: skip


def _wide(line: str, header: str = "") -> bytes:
    return (header + WIDE.partition("\n")[2] if header else WIDE).encode() + line.encode() + b"\n"


def _beside(column: str, first: str, second: str) -> bytes:
    return f"file,cat,dog,cow,{column}\na.jpg,1,0,?,{first}\nb.jpg,,1,,{second}\n".encode()


CSV_WIDE: Kinds = {
    **_any_table(),
    "no tag": Bad(b"file\na.jpg\n", "no column of a tag among 'file'", "the header", whole=True),
    "no file": Bad(b"cat,dog\n1,0\n", "no column 'file'.*found: cat, dog", "line 1", whole=True),
    "only the header": Bad(b"file,cat\n", "no image", whole=True),
    "a tag twice": Bad(
        _wide("", "file,cat,dog,Cat\n"), "column 4 is the tag 'Cat', and so is column 2", "header", whole=True
    ),
    "the file twice": Bad(b"file,file,cat\na,b,1\n", "column 'file' 2 times", "line 1", whole=True),
    "a quote never closed": Bad(_wide('c.jpg,1,"0,0'), REST, "line 4", whole=True),
    "another number": Bad(_wide("c.jpg,2,0,0"), "column 2 holds '2'", "line 4"),
    "a fraction": Bad(_wide("c.jpg,0.5,0,0"), "column 2 holds '0.5'", "line 4"),
    "a word": Bad(_wide("c.jpg,yes,0,0"), "column 2 holds 'yes'", "line 4"),
    "file is missing": Bad(_wide(",1,0,0"), "file name is ''", "line 4"),
    "too many cells": Bad(_wide("c.jpg,1,0,0,1"), "has 5 cells where the header has 4", "line 4"),
    "last line cut off": Bad(_wide("c.jpg,1"), "has 2 cells where the header has 4", "line 4"),
    "huge cell": Bad(_wide("c.jpg," + "1" * 99_999 + ",0,0"), "column 2 holds '111", "line 4"),
    "huge name": Bad(_wide("c" * 5000 + ",1,0,0"), "'ccc.*longer than 4096", "line 4"),
    "text after a quote": Bad(_wide('"c".jpg,1,0,0'), "not a table row.*expected", "line 4"),
    "zero byte": Bad(_wide("c\0.jpg,1,0,0"), "zero byte|line contains NUL", "line 4"),
    "tag of control characters": Bad(WIDE.replace("cow", "c\x07w").encode(), "c.x07w' holds control", "the header"),
    "tag is huge": Bad(WIDE.replace("cow", "y" * 999).encode(), "'yyy.*longer than 200", "the header"),
    "tag is empty": Bad(WIDE.replace("cow", "").encode(), "column 4: the name is empty", "the header"),
    "Latin-1": Bad(WIDE.encode().replace(b"cow", b"k\xfc"), "k.*broken text; save the file as UTF-8", "the header"),
    "size is text": Bad(_beside("width", "40", "wide"), "width is 'wide'", "line 3"),
    "size is negative": Bad(_beside("height", "30", "-3"), "height is -3", "line 3"),
    "bad split": Bad(_beside("split", "train", "x"), "split is 'x'", "line 3"),
    "bad sha256": Bad(_beside("sha256", "", "x"), "sha256 is 'x'", "line 3"),
}


def _cells(line: str) -> bytes:
    return ONE_CELL.encode() + line.encode() + b"\n"


LABELS_CSV: Kinds = {
    **_any_table(),
    "no labels": Bad(b"file,split\na.jpg,train\n", "no column 'labels'.*found: file, split", "line 1", whole=True),
    "no file": Bad(b"name,labels\na.jpg,cat\n", "no column 'file'.*found: name, labels", "line 1", whole=True),
    "only the header": Bad(b"file,labels\n", "no image", whole=True),
    "a column twice": Bad(b"file,labels,labels\na.jpg,cat,dog\n", "column 'labels' 2 times", "line 1", whole=True),
    "a quote never closed": Bad(_cells('c.jpg,"cat,\nd.jpg,dog,'), REST, "line 4", whole=True),
    "file is missing": Bad(_cells(",cat,"), "file ''|names no file", "line 4"),
    "too few cells": Bad(_cells("c.jpg"), "has 1 cells", "line 4"),
    "too many cells": Bad(_cells("c.jpg,cat,dog,train"), "has 4 cells where the header has 3", "line 4"),
    "bad split": Bad(_cells("c.jpg,cat,often"), "split 'often'", "line 4"),
    "tag is huge": Bad(_cells(f"c.jpg,cat|{'y' * 999},"), "'yyy.*longer than 200", "line 4"),
    "tag of control characters": Bad(_cells("c.jpg,c\x07t,"), "c.x07t' holds control", "line 4"),
    "Latin-1": Bad(ONE_CELL.encode() + b"c.jpg,k\xfc,\n", "k.*broken text; save the file as UTF-8", "line 4"),
    "text after a quote": Bad(_cells('c.jpg,"cat"dog,'), "not a table row.*expected", "line 4"),
    "huge cell": Bad(_cells("c.jpg," + "y" * 140_000), "not a table row.*131072", "line 4"),
    "zero byte": Bad(_cells("c\0.jpg,cat,"), "zero byte|line contains NUL", "line 4"),
    "lines that contradict": Bad(_cells("a.jpg,cow,train"), "a.jpg is on line 2 too", "line 4"),
    "name is huge": Bad(_cells("x" * 5000 + ",cat,"), "'xxx.*longer than 4096", "line 4"),
}


def _verified(line: Any) -> bytes:
    return OPEN.encode() + line.encode() + b"\n"


OPENIMAGES: Kinds = {
    **_any_table(),
    "no confidence": Bad(b"ImageID,LabelName\na,cat\n", "no column.*found: ImageID, LabelName", "line 1", whole=True),
    "no image": Bad(b"LabelName,Confidence\ncat,1\n", "no column.*found: LabelName, Conf", "line 1", whole=True),
    "only the header": Bad(OPEN.partition("\n")[0].encode(), "no image", whole=True),
    "a column twice": Bad(b"ImageID,LabelName,Confidence,ImageID\na,cat,1,b\n", "'imageid' 2", "line", whole=True),
    "a quote never closed": Bad(_verified('c,verification,"cat,1'), REST, "line 5", whole=True),
    "confidence is text": Bad(_verified("c,verification,cat,yes"), "confidence is 'yes'", "line 5"),
    "confidence of two": Bad(_verified("c,verification,cat,2"), "score is 2", "line 5"),
    "confidence is NaN": Bad(_verified("c,verification,cat,nan"), "score is nan", "line 5"),
    "confidence is negative": Bad(_verified("c,verification,cat,-1"), "score is -1", "line 5"),
    "image is missing": Bad(_verified(",verification,cat,1"), "file name is ''", "line 5"),
    "image is huge": Bad(_verified("c" * 5000 + ",verification,cat,1"), "'ccc.*longer than 4096", "line 5"),
    "label is missing": Bad(_verified("c,verification,,1"), "name is empty", "line 5"),
    "label is huge": Bad(_verified(f"c,verification,{'y' * 999},1"), "'yyy.*longer than 200", "line 5"),
    "last line cut off": Bad(_verified("c,verific"), "name is empty", "line 5"),
    "too many cells": Bad(_verified("c,verification,cat,1,2"), "has 5 cells where the header has 4", "line 5"),
    "zero byte": Bad(_verified("c\0,verification,cat,1"), "zero byte|line contains NUL", "line 5"),
    "Latin-1": Bad(OPEN.encode() + b"c,verification,k\xfc,1\n", "k.*broken text; save the file as UTF-8", "line 5"),
    "text after a quote": Bad(_verified('"c"d,verification,cat,1'), "not a table row.*expected", "line 5"),
    "lines that contradict": Bad(OPEN.replace("a,verification,dog,0", "a,verification,cat,0").encode(),
                                 "'cat' both positive and negative", "line 2"),
}  # fmt: skip
