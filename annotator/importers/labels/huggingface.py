"""Hugging Face image folders: a `metadata.jsonl` that says of each picture what its tags are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.importers.addresses import show
from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems, collected
from annotator.importers.labels.entries import record_of
from annotator.importers.labels.json_lines import lines, refuse_empty
from annotator.importers.labels.shares import LISTED, listed
from annotator.records import Record, Records


def open_huggingface(path: Path, problems: Problems) -> Records:
    """`metadata.jsonl` with a `file_name` on each line and lists of tags (labels, negative, unknown …)."""
    files = sorted(path.rglob("metadata.jsonl")) if path.is_dir() else [path]
    if not files:
        raise problems.whole("holds no metadata.jsonl; name the file or its folder")
    names = Names()

    def read() -> Iterator[Record]:
        for file in files:
            folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
            split = checks.SPLITS.get(file.parent.name.lower())
            for number, entry in lines(file, problems):
                where = f"line {number}" if len(files) == 1 else f"{show(folder)}, line {number}"
                try:
                    record = described(entry, "" if folder == "." else f"{folder}/", names, problems, where)
                    yield record if record.split else record._replace(split=split)
                except ValueError as error:
                    problems.add(where, error)

    return refuse_empty(collected(problems, names, read), problems)


def described(entry: Any, folder: str, names: Names, problems: Problems, where: str) -> Record:
    """A line of metadata: `labels` as objects, or lists of tags by state."""
    image = checks.thing(entry, "the line")
    key = next((key for key in ("file_name", "file", "image") if key in image), "file_name")
    file = checks.file_name(checks.needed(image, key))
    plain = {key: value for key, value in image.items() if key not in LISTED}
    record = record_of({**plain, "file": file}, names, problems, where)
    items = image.get("labels")
    if isinstance(items, list) and any(isinstance(item, dict) for item in items):
        record = record_of({**plain, "file": file, "labels": items}, names, problems, where)
    else:
        record = record._replace(labels=listed(image, names, problems, where))
    scheme = "://" in file or file.startswith("/")
    return record._replace(file=file if scheme else folder + file)
