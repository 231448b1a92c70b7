"""JSON lines: one image a line, as the export "jsonl" writes it; a first line may hold the tags."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.checks import members, quoted
from annotator.importers.labels.entries import FILE_KEYS, record_of
from annotator.importers.labels.json_document import head_of
from annotator.importers.labels.json_stream import open_json
from annotator.records import Record, Records

MOST_LINE = 1 << 26  # characters


def open_json_lines(path: Path, problems: Problems) -> Records:
    """Raises EntryError where not one line is an image."""
    first, head = _head(path, problems)
    closed = len(head.names) > 0
    names = Names(head.names.tags(), closed=closed)

    def read() -> Iterator[Record]:
        for number, entry in lines(path, problems):
            if _is_header(entry):
                if number > first:
                    problems.add(f"line {number}", "is a second 'header', which is not read; keep the one at the top")
                continue
            try:
                yield record_of(entry, names, problems, f"line {number}")
            except ValueError as error:
                problems.add(f"line {number}", error)

    if closed:
        return collected(problems, names, read, head, images=0)  # the tags are known: no need to count first
    return refuse_empty(collected(problems, names, read, head), problems)


def refuse_empty(found: Records, problems: Problems) -> Records:
    """The records, or an error where the file holds not one that can be used."""
    if found.header.images:
        return found
    if not problems.kept:
        raise problems.whole("holds no image that can be used; export it anew with its images")
    raise problems.whole(
        f"holds no image that can be used; first: {problems.kept[0].where}: {problems.kept[0].message}"
    )


def lines(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each line that is JSON."""
    with open_json(path) as stream:
        number = 0
        while True:
            number += 1
            try:
                line = stream.readline(MOST_LINE)
            except UnicodeError as error:
                raise problems.whole(f"is not UTF-8 ({str(error)[:80]}); save it as UTF-8", f"line {number}") from error
            if not line:
                return
            if len(line) == MOST_LINE:
                what = f"begins {quoted(line)} and has more than {MOST_LINE:,} characters; write one image a line"
                raise problems.whole(what, f"line {number}")
            if not line.strip():
                continue
            try:
                value = json.loads(line, object_pairs_hook=members)
            except json.JSONDecodeError as error:
                problems.add(f"line {number}", not_json(error))
            except (ValueError, RecursionError) as error:
                problems.add(f"line {number}", f"is not JSON that can be read ({str(error)[:80]}); correct it")
            else:
                yield number, value


def not_json(error: json.JSONDecodeError) -> str:
    return f"is not JSON ({error.msg.removesuffix(' at')} at character {error.pos + 1}); correct it"


def _is_header(entry: Any) -> bool:
    if not isinstance(entry, dict) or any(key in entry for key in FILE_KEYS):
        return False
    return isinstance(entry.get("header"), dict)


def _head(path: Path, problems: Problems) -> tuple[int, Head]:
    """The number of the first line that is JSON, and what it says if it is `{"header": …}`."""
    number, first = next(lines(path, Problems(path)), (0, None))
    if first is None or not _is_header(first):
        return number, Head()
    return number, head_of(first["header"], problems, f"line {number}")
