"""Parquet: one row an image with its labels as a list in it, as the export "parquet" writes it; or one label a row."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice, repeat
from pathlib import Path
from typing import Any

from annotator.importers.addresses import show
from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.entries import FILE_KEYS, distinct, record_of
from annotator.importers.labels.json_document import head_of
from annotator.importers.labels.json_lines import refuse_empty
from annotator.records import Record, Records

KEY = b"annotator"
ROWS = 2048  # decoded at once: as Python objects, with 20 labels each, about 30 MB


def open_parquet(path: Path, problems: Problems) -> Records:
    """The header is taken from the file's metadata where it is there. Raises EntryError for what is no Parquet file."""
    head, columns, count = _head(path, problems)
    names = Names(head.names.tags(), closed=len(head.names) > 0)
    if not any(key in columns for key in FILE_KEYS):
        found = checks.quoted(", ".join(columns))
        what = f"has no column 'file' (or {', '.join(FILE_KEYS[1:])}); columns found: {found}; add it"
        raise problems.whole(what, "the columns")
    _check_labels(path, problems)
    read = _long(path, names, problems) if "tag" in columns and "labels" not in columns else None

    def nested() -> Iterator[Record]:
        for number, row in rows(path, problems):
            try:
                yield record_of(row, names, problems, f"row {number}")
            except ValueError as error:
                problems.add(f"row {number}", error)

    if len(head.names):
        return collected(problems, names, read or nested, head, images=count)
    return refuse_empty(collected(problems, names, read or nested, head), problems)


def _check_labels(path: Path, problems: Problems) -> None:
    """Raise EntryError where the column of labels is of a type that no row could be read of."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = parquet.read_schema(path)
    if "labels" not in schema.names:
        return
    found = schema.field("labels").type
    inner = found.value_type if pa.types.is_list(found) or pa.types.is_large_list(found) else None
    inner = inner.value_type if inner is not None and pa.types.is_dictionary(inner) else inner
    fits = (pa.types.is_null, pa.types.is_string, pa.types.is_large_string, pa.types.is_struct)
    if not pa.types.is_null(found) and (inner is None or not any(fit(inner) for fit in fits)):
        what = f"holds {checks.quoted(str(found))}; write a list of texts, or of objects with tag and state"
        raise problems.whole(what, "the column 'labels'")


def rows(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of each row, counted from 1."""
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                for row in _decoded(batch):
                    number += 1
                    if isinstance(row, dict):
                        yield number, row
                    else:
                        what = f"holds a value that cannot be read ({show(str(row)[:80])}); write the row anew"
                        problems.add(f"row {number}", what)
    except (pa.ArrowException, OSError) as error:
        raise _refusal(problems, error) from error


def _decoded(batch: Any) -> Iterator[dict[str, Any] | ValueError | OverflowError]:
    """The rows of a batch; of one that is no text, no time or the like, what is wrong with it."""
    try:
        yield from _objects(batch)
    except (ValueError, OverflowError):
        for place in range(batch.num_rows):
            try:
                yield _objects(batch.slice(place, 1))[0]
            except (ValueError, OverflowError) as error:
                yield error


def _objects(batch: Any) -> list[dict[str, Any]]:
    columns = [values_of(column) for column in batch.columns]
    return [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def values_of(column: Any) -> list[Any]:
    """The values of an array as Python has them: what its `to_pylist` gives, several times faster for lists of objects;
    times as seconds since 1970."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_timestamp(column.type):
        return values_of(column.cast(pa.timestamp("s", column.type.tz), safe=False).cast(pa.int64()))
    if pa.types.is_list(column.type):
        items = iter(values_of(column.flatten()))
        lengths = compute.list_value_length(column).to_pylist()
        return [None if length is None else list(islice(items, length)) for length in lengths]
    if pa.types.is_struct(column.type) and column.type.num_fields:
        names = [field.name for field in column.type]
        objects = map(dict, map(zip, repeat(names), zip(*map(values_of, column.flatten()), strict=True)))
        return [one if valid else None for one, valid in zip(objects, column.is_valid().to_pylist(), strict=True)]
    found: list[Any] = column.to_pylist()
    return found


def _long(path: Path, names: Names, problems: Problems) -> Any:
    def one(number: int, row: dict[str, Any]) -> Record:
        label = {key: row[key] for key in ("tag", "state", "origin", "by", "at") if row.get(key) is not None}
        image = {key: value for key, value in row.items() if key not in label}
        return record_of({**image, "labels": [label] if label else []}, names, problems, f"row {number}")

    def read() -> Iterator[Record]:
        records = _numbered(path, problems, one)
        for _, group in groupby(records, key=lambda item: item[1].file):
            found = list(group)
            labels = tuple(label for _, record in found for label in record.labels)
            yield found[0][1]._replace(labels=distinct(labels, names, problems, f"row {found[0][0]}"))

    return read


def _numbered(path: Path, problems: Problems, one: Any) -> Iterator[tuple[int, Record]]:
    for number, row in rows(path, problems):
        try:
            yield number, one(number, row)
        except ValueError as error:
            problems.add(f"row {number}", error)


def _head(path: Path, problems: Problems) -> tuple[Head, list[str], int]:
    """(what the metadata say, the columns, how many rows there are)"""
    import pyarrow as pa
    from pyarrow import parquet

    if not path.is_file():
        raise problems.whole("is not a file; name the Parquet file")
    try:
        metadata = parquet.read_metadata(path)
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError) as error:
        raise _refusal(problems, error) from error
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise problems.whole(f"has the column {checks.quoted(twice[0])} twice; remove one of the two", "the columns")
    stored = (schema.metadata or {}).get(KEY)
    if stored is None:
        return Head(), schema.names, metadata.num_rows
    try:
        said = json.loads(stored, object_pairs_hook=checks.members)
    except (ValueError, RecursionError) as error:
        raise problems.whole(f"is not JSON ({show(str(error)[:80])}); write the file anew", "the metadata") from error
    return head_of(said, problems, "the metadata"), schema.names, metadata.num_rows


def _refusal(problems: Problems, error: Exception) -> Exception:
    return problems.whole(f"is no Parquet file that can be read ({checks.quoted(str(error))}); export it anew")
