"""Labels tables as people bring them, and what must be read of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelsTable:
    """`rows`: (file, labels) that must be read; `bad_lines`: those that must be reported; `refused`: all of it."""

    content: bytes
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    bad_lines: tuple[int, ...] = ()
    refused: bool = False


_TWO = (("a.jpg", ("cat", "dog")), ("b.jpg", ()))

LABEL_TABLES: dict[str, LabelsTable] = {
    "plain": LabelsTable(b"file,labels\na.jpg,cat|dog\nb.jpg,\n", _TWO),
    "with a split": LabelsTable(b"file,labels,split\na.jpg,cat|dog,train\nb.jpg,,\n", _TWO),
    "byte order mark": LabelsTable(b"\xef\xbb\xbffile,labels\r\na.jpg,cat|dog\r\nb.jpg,\r\n", _TWO),
    "UTF-16": LabelsTable("file\tlabels\na.jpg\tcat|dog\nb.jpg\t\n".encode("utf-16"), _TWO),
    "semicolons": LabelsTable(b"file;labels\na.jpg;cat|dog\nb.jpg;\n", _TWO),
    "a spreadsheet's sep line": LabelsTable(b"sep=;\nfile;labels\na.jpg;cat|dog\nb.jpg;\n", _TWO),
    "quoted": LabelsTable(b'"file","labels"\n"a.jpg"," cat | dog "\n"b.jpg",""\n', _TWO),
    "other columns, other order": LabelsTable(b"id,Labels,File\n1,cat|dog,a.jpg\n2,,b.jpg\n", _TWO),
    "other spellings": LabelsTable(b"filename,tags\na.jpg,cat|dog\nb.jpg,\n", _TWO),
    "blank lines": LabelsTable(b"\n\nfile,labels\n\na.jpg,cat|dog\n,\nb.jpg,\n\n", _TWO),
    "label twice": LabelsTable(b"file,labels\na.jpg,cat|dog|cat\nb.jpg,||\n", _TWO),
    "repeated row": LabelsTable(b"file,labels\na.jpg,cat|dog\na.jpg,cat|dog\nb.jpg,\n", _TWO),
    "contradicting row": LabelsTable(b"file,labels\na.jpg,cat|dog\na.jpg,cow\nb.jpg,\n", _TWO, (3,)),
    "comma in a name, unquoted": LabelsTable(b"file,labels\na,x.jpg,cat\na.jpg,cat|dog\nb.jpg,\n", _TWO, (2,)),
    "comma in a name, quoted": LabelsTable(b'file,labels\n"a,x.jpg",cat\n', (("a,x.jpg", ("cat",)),)),
    "name with bytes that are no UTF-8": LabelsTable(b"file,labels\na\xff.jpg,cat\n", (("a\udcff.jpg", ("cat",)),)),
    "label that is no UTF-8": LabelsTable(b"file,labels\na.jpg,caf\xe9\nb.jpg,\n", (("b.jpg", ()),), (2,)),
    "row too short": LabelsTable(b"file,labels\nx.jpg\na.jpg,cat|dog\nb.jpg,\n", _TWO, (2,)),
    "row without a file": LabelsTable(b"file,labels\n,cat\na.jpg,cat|dog\nb.jpg,\n", _TWO, (2,)),
    "unknown split": LabelsTable(b"file,labels,split\nx.jpg,cat,often\na.jpg,cat|dog,\nb.jpg,,val\n", _TWO, (2,)),
    "too long a label": LabelsTable(b"file,labels\nx.jpg," + b"y" * 500 + b"\na.jpg,cat|dog\nb.jpg,\n", _TWO, (2,)),
    "a field that never ends": LabelsTable(
        b'file,labels\na.jpg,cat|dog\nb.jpg,\nx.jpg,"' + b"y" * 140_000 + b"\n", _TWO, (4,)
    ),
    "wrong delimiter": LabelsTable(b"file:labels\na.jpg:cat\n", refused=True),
    "missing column": LabelsTable(b"picture,labels\na.jpg,cat\n", refused=True),
    "no header": LabelsTable(b"a.jpg,cat\nb.jpg,dog\n", refused=True),
    "empty": LabelsTable(b"", refused=True),
    "a picture instead": LabelsTable(b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0" * 9, refused=True),
}
