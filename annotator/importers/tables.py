"""Tables people bring: labels (`file,labels[,split]`) and lists of pictures (CSV, JSON lines, or a path a line).

Comma, semicolon or tab between the cells; UTF-8 with or without a byte order mark, or UTF-16 with one. A bad line is
collected as a `TableError` and the rest goes on; a table without its needed column is refused as a whole.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from annotator.errors import TableError
from annotator.importers.addresses import folder_of, local_uri, resolve, scheme_of, show
from annotator.importers.delimited import Table, open_text
from annotator.importers.file_kinds import suffix_of
from annotator.importers.names import clean_name, hint, name_problem, same_name
from annotator.terms import Split

LIST_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")

_FILE = ("file", "path", "url", "uri", "filename", "file_name", "image")
_LABELS = ("labels", "tags", "label", "tag")
_LIST_COLUMNS = {"file": _FILE}
_LABEL_COLUMNS = {"file": _FILE, "labels": _LABELS, "split": ("split", "subset", "partition")}
_SPLITS = {"train": Split.TRAIN, "training": Split.TRAIN, "test": Split.TEST, "testing": Split.TEST} | dict.fromkeys(
    ("validation", "val", "valid", "dev"), Split.VALIDATION
)
_LONGEST = 4096  # characters of a path: what Linux bears
_HINTS = 20  # unknown tags that get a "did you mean": the search takes half a second in 100,000 tags


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of a labels table: these tags apply to the picture at `uri`; none means looked at, nothing applies.

    `file`: the cell that names it, as it stands; what is relative there counts from the table's folder in `uri`.
    """

    line: int
    file: str
    uri: str
    labels: tuple[str, ...]
    split: Split | None


@dataclass(frozen=True, slots=True)
class ListRow:
    """One line of a list of pictures."""

    line: int
    uri: str


def read_labels(source: str | Path, errors: list[TableError]) -> Iterator[LabelRow]:
    """The rows of a labels table, read lazily; bad lines are appended to `errors` as the rows are read.

    Paths count from the table's own folder; labels are separated by ``|``; other columns are ignored. A second row
    for the same file is an error unless it says the same. Raises TableError at once where a column is missing, and
    PictureError where the file cannot be read.
    """
    uri = _as_uri(source)
    with open_text(uri) as stream:
        Table(uri, stream, _LABEL_COLUMNS, optional=("split",))
    return _label_rows(uri, errors)


def read_list(source: str | Path, errors: list[TableError]) -> Iterator[ListRow]:
    """The pictures a list names, as URIs; relative ones count from the list's own folder.

    CSV or TSV with a column file, path or url; JSON lines (strings, or objects with such a key); or text, one path
    or URL a line. Bad lines go to `errors`. Raises TableError where the column is missing.
    """
    uri = _as_uri(source)
    suffix = suffix_of(uri)
    if suffix in (".jsonl", ".ndjson"):
        return _line_rows(uri, _entry_of_json, errors)
    if suffix == ".txt":
        return _line_rows(uri, lambda line: line, errors)
    with open_text(uri) as stream:
        Table(uri, stream, _LIST_COLUMNS)
    return _csv_list_rows(uri, errors)


def match_rows(
    rows: Iterable[LabelRow],
    source: str | Path,
    errors: list[TableError],
    *,
    tags: Collection[str] | None = None,
    uris: Collection[str] | None = None,
) -> Iterator[LabelRow]:
    """The rows that fit a workspace: known files only, tags spelled as the vocabulary spells them.

    A file that is not among `uris` drops its row, a tag not among `tags` drops out of its row; both are appended to
    `errors`, an unknown tag once. None checks nothing. `uris` should be a set.
    """
    file = show(_as_uri(source))
    spelled = None if tags is None else {same_name(tag): tag for tag in tags}
    unknown = set[str]()
    for row in rows:
        if uris is not None and row.uri not in uris:
            problem = f"no picture {show(row.uri)} was imported; import it first, or correct the path"
            errors.append(TableError(file, row.line, problem))
        else:
            yield row if spelled is None else _spell(row, spelled, unknown, file, errors)


def _spell(
    row: LabelRow, spelled: Mapping[str, str], unknown: set[str], file: str, errors: list[TableError]
) -> LabelRow:
    for label in row.labels:
        key = same_name(label)
        if key not in spelled and key not in unknown:
            unknown.add(key)
            near = hint(label, list(spelled.values())) if len(unknown) <= _HINTS else ""
            problem = f"no tag is called {label!r}{near}; add it to the vocabulary, or correct the name"
            errors.append(TableError(file, row.line, problem))
    labels = (spelled.get(same_name(label)) for label in row.labels)
    return replace(row, labels=tuple(dict.fromkeys(label for label in labels if label is not None)))


def _label_rows(uri: str, errors: list[TableError]) -> Iterator[LabelRow]:
    base, file = folder_of(uri), show(uri)
    seen: dict[str, tuple[int, int]] = {}  # where a file was named, and a hash of what was said of it
    with open_text(uri) as stream:
        table = Table(uri, stream, _LABEL_COLUMNS, optional=("split",))
        for line, cells in table.records(errors):
            try:
                row = _label_row(line, cells, table, base)
            except ValueError as error:
                errors.append(TableError(file, line, str(error)))
                continue
            said = hash((row.labels, row.split))
            first_line, first_said = seen.setdefault(row.uri, (line, said))
            if first_line == line:
                yield row
            elif first_said != said:
                problem = f"{show(row.uri)} is on line {first_line} too, with other labels, and that line counts"
                errors.append(TableError(file, line, f"{problem}; put all labels into one row, separated by '|'"))


def _label_row(line: int, cells: list[str], table: Table, base: str) -> LabelRow:
    """Raises ValueError naming what is wrong with the line."""
    if len(cells) <= table.columns["labels"]:
        raise ValueError(f"has {len(cells)} cells, too few for its header; separate empty cells too")
    file = table.cell(cells, "file")
    uri = _resolve(file, base)
    labels = [label for cell in table.cell(cells, "labels").split("|") if (label := clean_name(cell))]
    problem = next(filter(None, map(name_problem, labels)), None)
    if problem:
        raise ValueError(problem)
    split = table.cell(cells, "split").strip().lower()
    if split and split not in _SPLITS:
        raise ValueError(f"the split {split!r} is none of {', '.join(Split)}; correct it or leave it empty")
    return LabelRow(line, file, uri, tuple(dict.fromkeys(labels)), _SPLITS.get(split))


def _csv_list_rows(uri: str, errors: list[TableError]) -> Iterator[ListRow]:
    base, file = folder_of(uri), show(uri)
    with open_text(uri) as stream:
        table = Table(uri, stream, _LIST_COLUMNS)
        for line, cells in table.records(errors):
            try:
                row = ListRow(line, _resolve(table.cell(cells, "file"), base))
            except ValueError as error:
                errors.append(TableError(file, line, str(error)))
            else:
                yield row


def _line_rows(uri: str, entry_of: Callable[[str], str], errors: list[TableError]) -> Iterator[ListRow]:
    base, file = folder_of(uri), show(uri)
    with open_text(uri) as stream:
        for line, text in enumerate(stream, 1):
            if not text.strip():
                continue
            try:
                row = ListRow(line, _resolve(entry_of(text.rstrip("\r\n")), base))
            except (ValueError, RecursionError) as error:
                errors.append(TableError(file, line, str(error)))
            else:
                yield row


def _entry_of_json(line: str) -> str:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at character {error.pos + 1}); correct it") from error
    if isinstance(entry, dict):
        entry = next((entry[key] for key in _FILE if key in entry), None)
    if not isinstance(entry, str):
        raise ValueError("names no picture; write a string, or an object with a key 'file'")
    return entry


def _resolve(entry: str, base: str) -> str:
    """The URI of a cell; ValueError where it can be none."""
    if not entry.strip():
        raise ValueError("names no file; fill the cell 'file' or remove the line")
    if "\0" in entry:
        raise ValueError(f"the file name {entry!r} holds a zero byte; correct it")
    if len(entry) > _LONGEST:
        raise ValueError(f"the file name {entry[:60]!r}… is longer than {_LONGEST} characters; correct it")
    return resolve(entry, base)


def _as_uri(source: str | Path) -> str:
    text = str(source)
    return text if scheme_of(text) else local_uri(text)
