"""Which format a file or folder may be in, told from its name and its first bytes: a guess that can be overruled."""

import csv
import json
from pathlib import Path

from annotator.importers.labels.entries import FILE_KEYS

START = 1 << 16  # bytes looked at


def start_of(path: Path) -> bytes:
    """The first bytes of a file; none of a folder or what cannot be read."""
    try:
        if not path.is_file():
            return b""  # opening a pipe that nobody writes to would wait for ever
        with path.open("rb") as stream:
            return stream.read(START)
    except OSError:
        return b""


def parquet(path: Path, start: bytes) -> bool:
    return start.startswith(b"PAR1")


def webdataset(path: Path, start: bytes) -> bool:
    if path.is_dir():
        return next(path.glob("*.tar"), None) is not None
    return start[257:262] == b"ustar" or path.name.lower().endswith((".tar", ".tar.gz", ".tgz"))


def cvat(path: Path, start: bytes) -> bool:
    return b"<annotations" in start and start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<")


def fiftyone(path: Path, start: bytes) -> bool:
    return (path / "samples.json").is_file() if path.is_dir() else _object(start, b'"samples"')


def lvis(path: Path, start: bytes) -> bool:
    return _object(start, b'"images"', b'"coco_url"', b'"neg_category_ids"')


def coco(path: Path, start: bytes) -> bool:
    """Images and categories or annotations, in any order and maybe far behind; or a list of results."""
    results = _text(start).startswith("[") and all(key in start for key in (b'"image_id"', b'"category_id"'))
    keys = (b'"categories"', b'"annotations"', b'"licenses"', b'"file_name"')
    return results or (_object(start) and sum(key in start for key in (*keys, b'"images"')) >= 2)


def label_studio(path: Path, start: bytes) -> bool:
    return _text(start).startswith("[") and any(
        key in start for key in (b'"data"', b'"annotations"', b'"choice"', b'"choices"')
    )


def json_document(path: Path, start: bytes) -> bool:
    return _object(start, b'"images"')


def huggingface(path: Path, start: bytes) -> bool:
    if path.is_dir():
        return next(path.rglob("metadata.jsonl"), None) is not None
    return path.name == "metadata.jsonl"


def json_lines(path: Path, start: bytes) -> bool:
    first, end, _ = _text(start).partition("\n")
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return True
    try:
        entry = json.loads(first) if end else None
    except (ValueError, RecursionError):
        return False
    return isinstance(entry, dict) and ("header" in entry or any(key in entry for key in FILE_KEYS))


def openimages(path: Path, start: bytes) -> bool:
    return {"imageid", "labelname", "confidence"} <= set(_columns(start))


def csv_long(path: Path, start: bytes) -> bool:
    columns = set(_columns(start))
    return bool(columns & {"tag", "label", "class"}) and bool(columns & {"state", "score", "confidence"})


def csv_cells(path: Path, start: bytes) -> bool:
    columns = set(_columns(start))
    return bool(columns & {"labels", "tags", "label", "tag"}) and bool(columns & {"filename", *FILE_KEYS})


def csv_wide(path: Path, start: bytes) -> bool:
    columns = _columns(start)
    return len(columns) > 1 and bool(set(columns) & {"filename", *FILE_KEYS})


def yolo(path: Path, start: bytes) -> bool:
    if path.is_dir():
        names = (file for pattern in ("*.y*ml", "classes.txt", "obj.names") for file in path.glob(pattern))
        return (path / "labels").is_dir() and next(names, None) is not None
    return path.suffix.lower() in (".yaml", ".yml") and b"names:" in start


def folder(path: Path, start: bytes) -> bool:
    return path.is_dir()


def never(path: Path, start: bytes) -> bool:
    """A format that looks like another one, which reads it as well."""
    return False


def _text(start: bytes) -> str:
    wide = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    return start.decode("utf-16" if wide else "utf-8-sig", "replace").lstrip()


def _object(start: bytes, *keys: bytes) -> bool:
    return _text(start).startswith("{") and all(key in start for key in keys)


def _columns(start: bytes) -> list[str]:
    """The header's cells in lower case, by the delimiter that makes the most of them."""
    first = next((line for line in _text(start).splitlines() if line.strip() and not line.startswith("sep=")), "")
    if "\0" in first or first.startswith(("{", "[", "<")):
        return []
    try:
        rows = [next(csv.reader([first], delimiter=mark), []) for mark in ",;\t"]
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in max(rows, key=len)]
