"""CSV: one label a line (`file,tag,state,…`), or one image a line with a column a tag, or one with a cell of labels."""

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import IO

from annotator.cells import unguarded
from annotator.errors import TableError
from annotator.importers.addresses import local_uri
from annotator.importers.delimited import Table, open_text
from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems, collected
from annotator.importers.labels.entries import distinct
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.tables import read_labels
from annotator.records import Record, RecordLabel, Records, RecordScore, RecordTag
from annotator.terms import LabelState, Origin

FILE = ("file", "image", "path", "file_name", "filename", "url", "uri")
LONG: dict[str, tuple[str, ...]] = {
    "file": FILE, "tag": ("tag", "label", "class"), "state": ("state",), "origin": ("origin",),
    "by": ("by", "annotator"), "at": ("at", "decided_at"), "sha256": ("sha256",), "split": ("split",),
    "score": ("score", "confidence"),
}  # fmt: skip
LONG_OPTIONAL = ("origin", "by", "at", "sha256", "split", "score")
WIDE = {"file": FILE, "sha256": ("sha256",), "split": ("split",), "width": ("width",), "height": ("height",)}
CELLS: dict[str, LabelState | None] = {
    "1": LabelState.POSITIVE, "0": LabelState.NEGATIVE, "?": LabelState.UNKNOWN, "": None, "1.0": LabelState.POSITIVE,
    "0.0": LabelState.NEGATIVE, "-1": LabelState.UNKNOWN, "-1.0": LabelState.UNKNOWN, "nan": None,
}  # fmt: skip


class Lines:
    """The lines of a table that has the wanted columns; each reading opens the file anew."""

    def __init__(
        self, path: Path, problems: Problems, wanted: dict[str, tuple[str, ...]], optional: tuple[str, ...]
    ) -> None:
        self.uri, self.problems, self.wanted, self.optional = local_uri(path), problems, wanted, optional
        with open_text(self.uri) as stream:
            self.header = self._table(stream).header

    def _table(self, stream: IO[str]) -> Table:
        try:
            return Table(self.uri, stream, self.wanted, optional=self.optional)
        except TableError as error:
            raise self.problems.whole(error.message, f"line {error.line}") from error

    def cells(self) -> Iterator[tuple[int, list[str], Table]]:
        """(line number, cells, the table they belong to); lines that are none are refused."""
        errors: list[TableError] = []
        with open_text(self.uri) as stream:
            table = self._table(stream)
            try:
                for line, cells in table.records(errors):
                    tell(errors, self.problems)
                    yield line, cells, table
            except TableError as error:
                raise self.problems.whole(error.message, f"line {error.line}") from error
        tell(errors, self.problems)


def tell(errors: list[TableError], problems: Problems) -> None:
    """Move what a table refused to the problems."""
    for error in errors:
        problems.add(f"line {error.line}", error.message)
    errors.clear()


def open_long(path: Path, problems: Problems) -> Records:
    """One label a line; a line with a score is a suggestion, one without a tag an image of which nothing was asked.

    Lines of one image that follow one another are one record.
    """
    lines, names = Lines(path, problems, LONG, LONG_OPTIONAL), Names()

    def read() -> Iterator[Record]:
        for _, group in groupby(_long_lines(lines, names, problems), key=lambda item: item[1].file):
            found = list(group)
            labels = tuple(label for _, record in found for label in record.labels)
            scores = tuple(score for _, record in found for score in record.suggestions)
            labels = distinct(labels, names, problems, f"line {found[0][0]}")
            yield found[0][1]._replace(labels=labels, suggestions=scores)

    return refuse_empty(collected(problems, names, read), problems)


def _long_lines(lines: Lines, names: Names, problems: Problems) -> Iterator[tuple[int, Record]]:
    for line, cells, table in lines.cells():
        try:
            yield line, _long_line(table, cells, names)
        except ValueError as error:
            problems.add(f"line {line}", error)


def _long_line(table: Table, cells: list[str], names: Names) -> Record:
    record = Record(
        checks.file_name(unguarded(table.cell(cells, "file"))),
        checks.sha256(table.cell(cells, "sha256").strip()),
        split=checks.split(table.cell(cells, "split")),
    )
    tag, score = unguarded(table.cell(cells, "tag")), table.cell(cells, "score").strip()
    if score:
        value = checks.probability(checks.parsed(score, "the score"))
        return record._replace(suggestions=(RecordScore(names.place(tag), value, table.cell(cells, "origin")),))
    if not tag.strip() and not table.cell(cells, "state").strip():
        return record
    label = RecordLabel(
        names.place(tag),
        checks.state(table.cell(cells, "state")),
        checks.origin(table.cell(cells, "origin")),
        checks.text(unguarded(table.cell(cells, "by").strip()), "'by'"),
        checks.seconds(table.cell(cells, "at").strip()),
    )
    return record._replace(labels=(label,))


def open_wide(path: Path, problems: Problems) -> Records:
    """One image a line, one tag a column: 1 present, 0 absent, ? cannot tell, empty never asked."""
    lines = Lines(path, problems, WIDE, ("sha256", "split", "width", "height"))
    known = {spelling for spellings in WIDE.values() for spelling in spellings}
    names, columns = Names(), list[tuple[int, int]]()
    for place, cell in enumerate(lines.header):
        if cell.lower() not in known:
            try:
                tag = names.place(unguarded(cell))
                if tag < len(columns):
                    raise problems.whole(_doubled(place, cell, columns[tag][0]), "the header")
                columns.append((place, tag))
            except ValueError as error:
                problems.add("the header", f"column {place + 1}: {error}")
    if not columns:
        found = checks.quoted(", ".join(lines.header))
        raise problems.whole(f"has no column of a tag among {found}; add one a tag", "the header")

    def read() -> Iterator[Record]:
        for line, cells, table in lines.cells():
            try:
                yield _wide_line(table, cells, columns)
            except ValueError as error:
                problems.add(f"line {line}", error)

    return refuse_empty(collected(problems, names, read), problems)


def _doubled(place: int, cell: str, before: int) -> str:
    return f"column {place + 1} is the tag {checks.quoted(cell)}, and so is column {before + 1}; remove one of the two"


def _wide_line(table: Table, cells: list[str], columns: list[tuple[int, int]]) -> Record:
    if len(cells) < len(table.header):
        what = f"has {len(cells)} cells where the header has {len(table.header)}"
        raise ValueError(f"{what}; write an empty cell for a tag that was not asked")
    labels = []
    for place, tag in columns:
        cell = cells[place].strip()
        if cell.lower() not in CELLS:
            raise ValueError(f"column {place + 1} holds {checks.quoted(cell)}; write 1, 0, ? or nothing")
        state = CELLS[cell.lower()]
        if state is not None:
            labels.append(RecordLabel(tag, state))
    width, height = (
        checks.whole(checks.parsed(table.cell(cells, side).strip() or "0", f"the {side}"), f"the {side}")
        for side in ("width", "height")
    )
    return Record(
        checks.file_name(unguarded(table.cell(cells, "file"))),
        checks.sha256(table.cell(cells, "sha256").strip()),
        width,
        height,
        checks.split(table.cell(cells, "split")),
        tuple(labels),
    )


def open_cells(path: Path, problems: Problems) -> Records:
    """`file,labels[,split]`, the labels of a cell separated by ``|``: those that are present."""
    names = Names()

    def rows() -> Iterator[Record]:
        errors: list[TableError] = []
        for row in read_labels(path, errors):
            tell(errors, problems)
            try:
                labels = tuple(RecordLabel(names.place(tag), LabelState.POSITIVE, Origin.HUMAN) for tag in row.labels)
                yield Record(row.file, split=row.split, labels=labels)
            except ValueError as error:
                problems.add(f"line {row.line}", error)
        tell(errors, problems)

    return refuse_empty(collected(problems, names, whole_errors(rows, problems)), problems)


def whole_errors(read: Callable[[], Iterator[Record]], problems: Problems) -> Callable[[], Iterator[Record]]:
    """`read`, with a table's error as that of the labels file."""

    def again() -> Iterator[Record]:
        try:
            yield from read()
        except TableError as error:
            raise problems.whole(error.message, f"line {error.line}") from error

    return again


IMAGE_LEVEL: dict[str, tuple[str, ...]] = {
    "file": ("imageid",), "tag": ("labelname",), "score": ("confidence",), "source": ("source",),
}  # fmt: skip


def open_openimages(path: Path, problems: Problems) -> Records:
    """Open Images' image-level labels: ImageID, Source, LabelName, Confidence. Verified ones are 1 or 0; those of a
    machine are suggestions. Names of the classes come from a file class-descriptions*.csv in the same folder.
    """
    lines = Lines(path, problems, IMAGE_LEVEL, ("source",))
    spoken = _class_names(path, problems)
    names = Names(map(RecordTag, dict.fromkeys(spoken.values())))

    def read() -> Iterator[Record]:
        for file, group in groupby(_verified(lines, spoken, names, problems), key=lambda item: item[1].file):
            found = list(group)
            labels = tuple(label for _, record in found for label in record.labels)
            scores = tuple(score for _, record in found for score in record.suggestions)
            yield Record(file, labels=distinct(labels, names, problems, f"line {found[0][0]}"), suggestions=scores)

    return refuse_empty(collected(problems, names, read), problems)


def _verified(lines: Lines, spoken: dict[str, str], names: Names, problems: Problems) -> Iterator[tuple[int, Record]]:
    for line, cells, table in lines.cells():
        cell = {column: table.cell(cells, column).strip() for column in IMAGE_LEVEL}
        try:
            file = checks.file_name(cell["file"])
            tag = names.place(spoken.get(cell["tag"], cell["tag"]))
            score = checks.probability(checks.parsed(cell["score"], "the confidence"))
        except ValueError as error:
            problems.add(f"line {line}", error)
            continue
        record = Record(f"{file}.jpg")
        if score not in (0, 1) or cell["source"].lower() == "machine":
            yield line, record._replace(suggestions=(RecordScore(tag, score, cell["source"]),))
        else:
            yield line, record._replace(labels=(RecordLabel(tag, LabelState(int(score)), by=cell["source"]),))


def _class_names(path: Path, problems: Problems) -> dict[str, str]:
    """Codes such as /m/01g317 to names; a code without a name stands for itself."""
    found: dict[str, str] = {}
    for file in sorted(path.parent.glob("*class-descriptions*.csv")):
        with open_text(local_uri(file)) as stream:
            for number, line in enumerate(stream, 1):
                code, comma, name = line.strip().partition(",")
                if comma and code.lower() != "labelname":
                    try:
                        found[code] = checks.tag_name(name.strip().strip('"'))
                    except ValueError as error:
                        problems.add(f"{file.name}, line {number}", error)
    return found
