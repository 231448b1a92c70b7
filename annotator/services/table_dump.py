"""Rows of the store as JSON lines, packed, and back: whole tables in little memory, whatever their columns are."""

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Table, insert, select
from sqlalchemy.orm import Session

from db.models import Base
from db.types import UtcDateTime

ROWS = 10_000  # read or inserted at once


def table_of(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def rows_of(session: Session, model: type[Base], *where: ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """Each row of a table as column: value, in the order of its key."""
    table = table_of(model)
    query = select(table).where(*where).order_by(*table.primary_key.columns)
    for row in session.execute(query.execution_options(yield_per=ROWS)).mappings():
        yield {name: _plain(value) for name, value in row.items()}


def write_rows(file: Path, rows: Iterable[dict[str, Any]]) -> int:
    """JSON lines, packed; how many."""
    count = 0
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=4) as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def insert_rows(session: Session, model: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    """Put rows of `rows_of` into a store that has none of their keys."""
    table = table_of(model)
    times = [column.name for column in table.columns if isinstance(column.type, UtcDateTime)]
    part: list[dict[str, Any]] = []
    for row in rows:
        for name in times:
            row[name] = None if row[name] is None else datetime.fromisoformat(row[name])
        part.append(row)
        if len(part) == ROWS:
            session.execute(insert(table), part)
            part = []
    if part:
        session.execute(insert(table), part)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
