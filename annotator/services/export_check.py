"""An earlier export held against the store as it is now: what agrees, what differs."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from annotator.errors import BadInputError, UnknownNameError
from annotator.importers.labels import Strict, open_labels, sniff
from annotator.progress import Progress, silent
from annotator.records import Record, Records
from annotator.services.records import collected
from annotator.workspace import Workspace


def check(workspace: Workspace, file: Path, progress: Progress = silent) -> dict[str, Any]:
    """What of an export of ours still holds. Images are matched by content, in a CSV by their names.

    Raises UnknownNameError for another ending than those of READERS, BadInputError for a file that is not ours or that
    was changed so that an entry cannot be used.
    """
    records = _opened(file)
    their_names = [tag.name for tag in records.header.tags]
    theirs = {record.sha256 or record.file: _packed(record) for record in records.read()}
    with collected(workspace, progress=progress) as found:
        header = found.records.header
        names = [tag.name for tag in header.tags]
        images, pairs = Counter[str](), Counter[str]()
        by_tag: dict[str, Counter[str]] = {}
        for record in found.records.read():
            key = record.sha256 if record.sha256 in theirs else record.file
            images["in both" if key in theirs else "only in the store"] += 1
            before = _unpacked(theirs.pop(key, b""), their_names)
            _compare(before, {names[label.tag]: int(label.state) for label in record.labels}, pairs, by_tag)
        for packed in theirs.values():
            images["only in the file"] += 1
            _compare(_unpacked(packed, their_names), {}, pairs, by_tag)
        return {
            "file": str(file),
            "snapshot of the file": records.header.snapshot,
            "snapshot of the store": header.snapshot,
            "same": records.header.snapshot == header.snapshot,
            "images": dict(images),
            "labels": dict(pairs),
            "tags": [
                {"tag": name, **{kind: counts[kind] for kind in KINDS}} for name, counts in sorted(by_tag.items())
            ],
        }


KINDS = ("differ", "only in the file", "only in the store")


def _compare(before: dict[str, int], now: dict[str, int], pairs: Counter[str], by_tag: dict[str, Counter[str]]) -> None:
    for name in before.keys() | now.keys():
        if before.get(name) == now.get(name):
            pairs["agree"] += 1
            continue
        kind = "only in the store" if name not in before else "only in the file" if name not in now else "differ"
        pairs[kind] += 1
        by_tag.setdefault(name, Counter())[kind] += 1


def _packed(record: Record) -> bytes:
    """A million images in little memory: four bytes a label."""
    return np.array([label.tag * 4 + label.state + 1 for label in record.labels], np.int32).tobytes()


def _unpacked(packed: bytes, names: list[str]) -> dict[str, int]:
    return {names[code // 4]: code % 4 - 1 for code in np.frombuffer(packed, np.int32).tolist()}


def _opened(file: Path) -> Records:
    suffix = file.suffix.lower()
    if suffix not in READERS:
        raise UnknownNameError("export that can be checked by its ending", suffix, READERS)
    format = sniff(file)
    records = open_labels(file, Strict(file), format)
    if format not in READERS[suffix] or (format != UNNAMED and not records.header.snapshot):
        raise BadInputError(f"{file} is no export of this program, but of the format {format}")
    return records


UNNAMED = "csv"  # has no place for the hash of the snapshot
READERS: dict[str, tuple[str, ...]] = {
    ".json": ("coco", "json"),
    ".jsonl": ("jsonl",),
    ".csv": (UNNAMED,),
    ".parquet": ("parquet",),
}
"""By the ending, the formats (keys of LABEL_IMPORTERS) that can be checked."""
