"""An earlier export held against the store as it is now: what agrees, what differs."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotator.errors import BadInputError, UnknownNameError
from annotator.exporters.parquet_reading import read_parquet
from annotator.progress import Progress, silent
from annotator.records import Record
from annotator.services.records import collected
from annotator.terms import LabelState
from annotator.workspace import Workspace

STATES = {state.name.lower(): int(state) for state in LabelState}


@dataclass(frozen=True)
class Told:
    """What a file tells: its snapshot ("" where it names none), and of each image (sha256 or file, tag, state)s."""

    snapshot: str
    images: Iterable[tuple[str, list[tuple[str, int]]]]


def check(workspace: Workspace, file: Path, progress: Progress = silent) -> dict[str, Any]:
    """What of an export of ours still holds. Images are matched by content, in a CSV by their names.

    Raises UnknownNameError for another ending than those of READERS, BadInputError for a file that is not ours.
    """
    suffix = file.suffix.lower()
    if suffix not in READERS:
        raise UnknownNameError("export that can be checked by its ending", suffix, READERS)
    try:
        read = READERS[suffix](file)
        vocabulary: dict[str, int] = {}
        theirs = {key: _packed(labels, vocabulary) for key, labels in read.images}
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BadInputError(f"{file} is no export of this program: {type(error).__name__}: {error}") from error
    with collected(workspace, progress=progress) as found:
        header = found.records.header
        names = [tag.name for tag in header.tags]
        images, pairs = Counter[str](), Counter[str]()
        by_tag: dict[str, Counter[str]] = {}
        for record in found.records.read():
            key = record.sha256 if record.sha256 in theirs else record.file
            images["in both" if key in theirs else "only in the store"] += 1
            before = _unpacked(theirs.pop(key, b""), vocabulary)
            _compare(before, {names[label.tag]: int(label.state) for label in record.labels}, pairs, by_tag)
        for packed in theirs.values():
            images["only in the file"] += 1
            _compare(_unpacked(packed, vocabulary), {}, pairs, by_tag)
        return {
            "file": str(file),
            "snapshot of the file": read.snapshot,
            "snapshot of the store": header.snapshot,
            "same": read.snapshot == header.snapshot,
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


def _packed(labels: list[tuple[str, int]], vocabulary: dict[str, int]) -> bytes:
    """A million images in little memory: four bytes a label."""
    codes = [vocabulary.setdefault(name, len(vocabulary)) * 4 + state + 1 for name, state in labels]
    return np.array(codes, np.int32).tobytes()


def _unpacked(packed: bytes, vocabulary: dict[str, int]) -> dict[str, int]:
    names = list(vocabulary) if packed else []
    return {names[code // 4]: code % 4 - 1 for code in np.frombuffer(packed, np.int32).tolist()}


def _of_parquet(file: Path) -> Told:
    records = read_parquet(file)
    names = [tag.name for tag in records.header.tags]

    def told(record: Record) -> tuple[str, list[tuple[str, int]]]:
        return record.sha256 or record.file, [(names[label.tag], int(label.state)) for label in record.labels]

    return Told(records.header.snapshot, map(told, records.read()))


def _of_jsonl(file: Path) -> Told:
    with file.open(encoding="utf-8") as lines:
        snapshot = json.loads(next(lines, ""))["header"]["snapshot"]

    def images() -> Iterator[tuple[str, list[tuple[str, int]]]]:
        with file.open(encoding="utf-8") as lines:
            next(lines)
            yield from map(_entry, map(json.loads, lines))

    return Told(snapshot, images())


def _of_json(file: Path) -> Told:
    with file.open(encoding="utf-8") as lines:
        first = json.loads(next(lines, "").rstrip() + "]}")
    if "categories" in first:
        return Told(first["info"]["snapshot"], _coco_images(file))
    return Told(first["snapshot"], map(_entry, _array(file, "images")))


def _entry(image: dict[str, Any]) -> tuple[str, list[tuple[str, int]]]:
    return image["sha256"] or image["file"], [(one["tag"], STATES[one["state"]]) for one in image["labels"]]


def _array(file: Path, name: str) -> Iterator[dict[str, Any]]:
    """The entries of one array of a document that has one entry a line."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith(f'"{name}":[\n'):
                break
        else:
            raise ValueError(f"no line ends with the beginning of {name!r}")
        for line in lines:
            if line.startswith("]"):
                return
            yield json.loads(line.rstrip().removesuffix(","))


def _coco_images(file: Path) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    names = {one["id"]: one["name"] for one in _array(file, "categories")}
    pairs = [(one["image_id"], one["category_id"]) for one in _array(file, "annotations")]
    present = np.unique(np.array(pairs, np.int64).reshape(-1, 2), axis=0)
    for image in _array(file, "images"):
        start, end = np.searchsorted(present[:, 0], [image["id"], image["id"] + 1])
        labels = [(names[category], 1) for category in present[start:end, 1].tolist()]
        labels += [(names[category], 0) for category in image.get("neg_category_ids", ())]
        labels += [(names[category], -1) for category in image.get("not_exhaustive_category_ids", ())]
        yield image.get("sha256") or image["file_name"], labels


def _of_csv(file: Path) -> Told:
    def images() -> Iterator[tuple[str, list[tuple[str, int]]]]:
        with file.open(encoding="utf-8", newline="") as lines:
            name, labels = "", list[tuple[str, int]]()
            for line in csv.DictReader(lines):
                if line["file"] != name and labels:
                    yield _plain(name), labels
                    labels = []
                name = line["file"]
                labels.append((_plain(line["tag"]), STATES[line["state"]]))
            if labels:
                yield _plain(name), labels

    return Told("", images())


def _plain(cell: str) -> str:
    """A cell without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")) else cell


READERS: dict[str, Callable[[Path], Told]] = {
    ".json": _of_json,
    ".jsonl": _of_jsonl,
    ".csv": _of_csv,
    ".parquet": _of_parquet,
}
