"""Text tables as people's programs write them: which encoding, which delimiter, which column is which."""

import codecs
import csv
import io
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from annotator.errors import TableError
from annotator.importers.addresses import local_path, show
from annotator.importers.files import file_refusal
from annotator.importers.opening import read_bytes
from annotator.importers.refusals import Limits, refuse

_DELIMITERS = (",", ";", "\t")
_LIMITS = Limits(file_bytes=1 << 32)  # a remote table is read whole; a local one line by line, however long

Record = tuple[int, list[str]]
"""(line number in the file, cells)"""


@contextmanager
def open_text(uri: str) -> Iterator[IO[str]]:
    """The file as text: UTF-8 with or without a byte order mark, or UTF-16 with one.

    A byte that is not UTF-8 is carried along as Python carries it in file names, which may need it.
    Raises PictureError where the file cannot be opened.
    """
    with _open_binary(uri) as raw:
        start = raw.read(4)
        raw.seek(0)
        wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding, errors = ("utf-16", "replace") if wide else ("utf-8-sig", "surrogateescape")
        with io.TextIOWrapper(raw, encoding=encoding, errors=errors, newline="") as text:
            yield text


def _open_binary(uri: str) -> IO[bytes]:
    path = local_path(uri)
    if path is None:
        return io.BytesIO(read_bytes(uri, _LIMITS))
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise refuse("not a file", show(str(path)), "is a folder, a pipe or a device")
        return path.open("rb")
    except (OSError, ValueError) as error:
        raise file_refusal(error, show(str(path))) from error


class Table:
    """A delimited table being read: its header understood, its records still to come.

    `wanted` maps our names of columns to the spellings that are accepted; those in `optional` may be missing.
    Raises TableError where another is.
    """

    def __init__(
        self, uri: str, stream: IO[str], wanted: Mapping[str, tuple[str, ...]], *, optional: tuple[str, ...] = ()
    ) -> None:
        self.file = show(uri)
        first, self._before = _first_line(stream)
        delimiter = max(_DELIMITERS, key=lambda mark: len(_columns(first, mark, wanted)[0]))
        self.columns, self.header = _columns(first, delimiter, wanted)
        missing = [name for name in wanted if name not in self.columns and name not in optional]
        if missing:
            raise TableError(self.file, self._before, _missing_message(missing, wanted, self.header))
        self._refuse_doubled(wanted)
        self._reader = csv.reader(stream, delimiter=delimiter, strict=True)

    def cell(self, cells: list[str], column: str) -> str:
        """The cell of a column; "" where the record is too short or the column is not there."""
        place = self.columns.get(column, len(cells))
        return cells[place] if place < len(cells) else ""

    def records(self, errors: list[TableError]) -> Iterator[Record]:
        """Every record that is not empty; those that are no table row are appended to `errors`. Raises TableError
        where a quote is never closed: it would swallow the rest of the file."""
        while True:
            start = self._before + self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "end of data" in str(error):
                    problem = 'opens a quote (") that is never closed, so that the rest is one cell; close or remove it'
                    raise TableError(self.file, start, problem) from error
                errors.append(TableError(self.file, start, f"is not a table row ({error}); check its quotes"))
                continue
            while len(cells) > len(self.header) and not cells[-1].strip():
                cells.pop()  # spreadsheets write delimiters after the last cell
            if len(cells) > len(self.header):
                errors.append(TableError(self.file, start, self._too_long(cells)))
            elif any(cell.strip() for cell in cells):
                yield start, cells

    def _refuse_doubled(self, wanted: Mapping[str, tuple[str, ...]]) -> None:
        cells = [cell.lower() for cell in self.header]
        for spelling in (spelling for spellings in wanted.values() for spelling in spellings):
            if cells.count(spelling) > 1:
                problem = f"has the column {spelling!r} {cells.count(spelling)} times; remove all but one"
                raise TableError(self.file, self._before, problem)

    def _too_long(self, cells: list[str]) -> str:
        return (
            f"has {len(cells)} cells where the header has {len(self.header)}; put a cell that holds a delimiter "
            'in "quotes"'
        )


def _first_line(stream: IO[str]) -> tuple[str, int]:
    """The first line with something in it (a spreadsheet's ``sep=;`` is nothing), and its number."""
    number = 0
    for number, line in enumerate(iter(stream.readline, ""), 1):
        if line.strip() and not line.startswith("sep="):
            return line, number
    return "", max(number, 1)


def _columns(line: str, delimiter: str, wanted: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, int], list[str]]:
    """({our name: place}, the header's cells) if `delimiter` were the right one."""
    try:
        header = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return {}, [line.strip()]
    cells = [cell.strip().lower() for cell in header]
    found = {
        name: cells.index(next(spelling for spelling in spellings if spelling in cells))
        for name, spellings in wanted.items()
        if any(spelling in cells for spelling in spellings)
    }
    return found, [cell.strip() for cell in header]


def _missing_message(missing: list[str], wanted: Mapping[str, tuple[str, ...]], header: list[str]) -> str:
    spellings = [wanted[name] for name in missing]
    needed = " and ".join(f"{first!r}" + (f" (or {', '.join(more)})" if more else "") for first, *more in spellings)
    found = show(", ".join(header))[:200] or "none: the file is empty"
    return f"no column {needed}; columns found: {found}; separate them with a comma, semicolon or tab"
