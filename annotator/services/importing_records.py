"""`annotator import-labels`: labels in any format onto the images of a workspace, all of them or none."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from annotator.errors import EntryError, UsageError
from annotator.importers.labels import Problems, open_labels, sniff
from annotator.progress import Progress, silent
from annotator.records import Record, RecordLabel, Records
from annotator.services.image_matching import ImageMatcher
from annotator.services.imported_arrays import Gathered, write_files
from annotator.services.importing_labels import IMPORTER
from annotator.services.label_rows import Key, LabelRows, Said, strongest
from annotator.services.label_store import parts
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.services.tag_mapping import UNKNOWN, Mapped, map_tags, read_map
from annotator.services.truths import stored_truth, write_truth
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Origin, Split
from annotator.workspace import Workspace
from db.models import Image, Tag

BATCH = 2000  # images at once: with 20 labels each, 40,000 rows


@dataclass(frozen=True)
class ImportOptions:
    """What a person chooses.

    mapping: CSV with from,to, the tags of the file and of the workspace. annotator: in whose name. keep_people: in the
    names the file gives, verdicts and truth as such. as_truth: as the truth instead of as labels. complete: what an
    image does not list of the file's tags is absent. overwrite: where people say otherwise, the file counts. add_tags:
    make tags that are not there. preview: say what would be done, and do nothing.
    """

    format: str | None = None
    mapping: Path | None = None
    annotator: str = IMPORTER
    keep_people: bool = False
    as_truth: bool = False
    complete: bool = False
    overwrite: bool = False
    add_tags: bool = False
    preview: bool = False


@dataclass
class RecordsReport:
    """What was, or in a preview would be, imported.

    labels: by state, as the file says them of images and tags that are here. left_out: labels and the like that were
    not taken, by reason. conflicts: at most a thousand, conflict_count all.
    """

    format: str
    preview: bool
    images: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    written: int = 0
    unchanged: int = 0
    overwritten: int = 0
    suggestions: int = 0
    boxes: int = 0
    truth: int = 0
    tags: list[dict[str, Any]] = field(default_factory=list)
    conflict_count: int = 0
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    refused_count: int = 0
    refused: list[str] = field(default_factory=list)


class _OnlyPreview(Exception):
    """Ends a transaction that was not to write anything."""


@needs(Right.IMPORT)
def import_records(
    workspace: Workspace, path: Path, options: ImportOptions | None = None, progress: Progress = silent
) -> RecordsReport:
    """Labels, suggestions and boxes of `path` in one transaction: after an error nothing of it is there.

    Images are found by content, whole address, path below the file's root or folder, or a unique end of their path.
    What nobody listed stays unasked. Raises EntryError for a file that cannot be read, UsageError for options that do
    not fit.
    """
    options = options or ImportOptions()
    format = options.format or sniff(path)
    problems = Problems(path)
    records = open_labels(path, problems, format)
    report = RecordsReport(format, options.preview)
    table = read_map(options.mapping) if options.mapping else {}
    with FileLock(workspace.folder / "import-labels.lock"):
        try:
            with workspace.transaction() as session:
                mapped = map_tags(session, records.header, table, add=options.add_tags)
                matcher = ImageMatcher(session, records.header.root, path.parent if path.is_file() else path)
                run = _Run(workspace, session, records, mapped, options, problems, report)
                run.read(matcher, progress)
                _finish(run, re.sub(r"[^\w.-]+", "_", path.name)[:80] or "labels")
                if options.preview:
                    raise _OnlyPreview
        except _OnlyPreview:
            pass
    return report


def _finish(run: "_Run", name: str) -> None:
    report, problems = run.report, run.problems
    rows = run.rows
    report.truth = len(run.truth)
    report.written, report.unchanged, report.overwritten = rows.written, rows.unchanged, rows.overwritten
    report.conflict_count, report.conflicts = rows.conflict_count, run.conflicts()
    report.tags = [{**vars(one), "labels": run.counts[place]} for place, one in enumerate(run.mapped)]
    for one in report.tags:
        del one["tag_id"]
    report.left_out = dict(run.left_out)
    report.refused_count, report.refused = problems.count, [str(error) for error in problems.kept]
    if not report.images:
        first = f"; first: {report.refused[0]}" if report.refused else ""
        raise EntryError(problems.file, "as a whole", f"none of its pictures is imported here{first}")
    if not run.options.preview:
        rows.finish(datetime.now(UTC))
        run.save(name)


class _Run:
    """One import while it goes on."""

    def __init__(
        self,
        workspace: Workspace,
        session: Session,
        records: Records,
        mapped: Sequence[Mapped],
        options: ImportOptions,
        problems: Problems,
        report: RecordsReport,
    ) -> None:
        self.workspace, self.session, self.records, self.mapped = workspace, session, records, mapped
        self.options, self.problems, self.report = options, problems, report
        self.tag_ids = [one.tag_id for one in mapped]
        self.all_tags = sorted({tag_id for tag_id in self.tag_ids if tag_id is not None})
        self.now = int(datetime.now(UTC).timestamp())
        self.people: dict[str, int] = {"": annotator_called(session, options.annotator).id}
        self.rows = LabelRows(session, self.people[""], options.overwrite, not options.preview)
        self.truth: list[tuple[int, int, int]] = []
        self.gathered = Gathered()
        self.counts = [0] * len(mapped)
        self.states: Counter[int] = Counter()
        self.left_out: Counter[str] = Counter()
        self.settled = workspace.project.precision
        self.names = {one.tag_id: one.to for one in mapped}

    def read(self, matcher: ImageMatcher, progress: Progress) -> None:
        for batch in _batches(self.records.read()):
            found = matcher.match(batch)
            matched = [(row, record) for row, record in zip(found, batch, strict=True) if isinstance(row, int)]
            for why, record in zip(found, batch, strict=True):
                if isinstance(why, str):
                    self.problems.add(f"the picture {record.file[:200]!r}", why)
                    self.left_out["labels of pictures that are not here"] += len(record.labels)
            self._tell_contradictions(matched)
            self._take(matched)
            self.report.images += len(matched)
            progress(self.report.images, self.records.header.images, "importing labels")
        self.report.labels = {LabelState(state).name.lower(): count for state, count in sorted(self.states.items())}

    def _tell_contradictions(self, matched: list[tuple[int, Record]]) -> None:
        """List what several entries say differently of one image; entries far apart show as conflicts."""
        if len({row for row, _ in matched}) == len(matched):
            return
        first: dict[tuple[int, int, str], LabelState] = {}
        for row, record in matched:
            for label in record.labels:
                before = first.setdefault((row, label.tag, label.by), label.state)
                if before != label.state:
                    states = " and ".join(LabelState(state).name.lower() for state in (before, label.state))
                    name = self.records.header.tags[label.tag].name
                    what = f"several entries say of the tag {name!r} {states}; present counts before absent, remove one"
                    self.problems.add(f"the picture {record.file[:200]!r}", what)

    def _take(self, matched: list[tuple[int, Record]]) -> None:
        labels: list[tuple[Key, Said]] = []
        reviews: list[tuple[Key, Said]] = []
        for row, record in matched:
            listed = set[int]()
            for label in record.labels:
                self._label(row, label, listed, labels, reviews)
            if self.options.complete:
                absent = [tag_id for tag_id in self.all_tags if tag_id not in listed]
                self._absent(row, absent, labels)
            self._beside(row, record)
        self.rows.take(strongest(labels), strongest(reviews))
        if not self.options.preview:
            self._give_splits(matched)

    def _label(
        self,
        row: int,
        label: RecordLabel,
        listed: set[int],
        labels: list[tuple[Key, Said]],
        reviews: list[tuple[Key, Said]],
    ) -> None:
        tag_id = self.tag_ids[label.tag]
        if tag_id is None:
            unknown = self.mapped[label.tag].how == UNKNOWN
            self.left_out["labels of tags that are not here" if unknown else "labels that the table leaves out"] += 1
            return
        listed.add(tag_id)
        self.counts[label.tag] += 1
        if label.origin == Origin.ROUND:
            # No person said it: it stays a proposal, as sure as what was promised of it.
            self.left_out["labels a machine settled, kept as suggestions"] += 1
            self._suggest(row, tag_id, self.settled if label.state == 1 else 1 - self.settled, label.by or "round")
            return
        self.states[label.state] += 1
        said = Said(int(label.state), label.at or self.now)
        if self.options.as_truth or (self.options.keep_people and label.origin == Origin.TRUTH):
            self.truth.append((row, tag_id, said.state))
            return
        who = self._person(label.by)
        kept = reviews if self.options.keep_people and label.origin == Origin.REVIEW else labels
        kept.append(((row, tag_id, who), said))

    def _absent(self, row: int, tag_ids: list[int], labels: list[tuple[Key, Said]]) -> None:
        self.states[LabelState.NEGATIVE] += len(tag_ids)
        said = Said(int(LabelState.NEGATIVE), self.now)
        if self.options.as_truth:
            self.truth += [(row, tag_id, said.state) for tag_id in tag_ids]
        else:
            labels += [((row, tag_id, self.people[""]), said) for tag_id in tag_ids]

    def _person(self, name: str) -> int:
        """Who is to have said it; a name that cannot be one is the importer's."""
        if not self.options.keep_people:
            return self.people[""]
        if name not in self.people:
            try:
                self.people[name] = annotator_called(self.session, name).id
            except UsageError as error:
                self.problems.add("by", error)
                self.people[name] = self.people[""]
        return self.people[name]

    def _beside(self, row: int, record: Record) -> None:
        """Suggestions and boxes of an image."""
        for score in record.suggestions:
            tag_id = self.tag_ids[score.tag]
            if tag_id is not None:
                self._suggest(row, tag_id, score.score, score.origin)
        for box in record.boxes:
            tag_id = self.tag_ids[box.tag]
            if tag_id is not None:
                self.gathered.box(row, tag_id, box[1:])
                self.report.boxes += 1

    def _suggest(self, row: int, tag_id: int, score: float, source: str) -> None:
        self.gathered.suggest(row, tag_id, score, source)
        self.report.suggestions += 1

    def _give_splits(self, matched: list[tuple[int, Record]]) -> None:
        wanted = {row: record.split.value for row, record in matched if record.split is not None}
        for part in parts(wanted):
            now = dict(self.session.execute(select(Image.row, Image.given_split).where(Image.row.in_(part))).all())
            for split in Split:
                rows = [row for row in part if wanted[row] == split.value != now.get(row)]
                if rows:
                    self.session.execute(update(Image).where(Image.row.in_(rows)).values(given_split=split.value))

    def conflicts(self) -> list[dict[str, Any]]:
        return [
            {
                "image": conflict.row, "tag": self.names.get(conflict.tag_id, ""), "file": conflict.says.name.lower(),
                "workspace": conflict.stands.name.lower(), "by": conflict.who,
            }
            for conflict in self.rows.conflicts
        ]  # fmt: skip

    def save(self, name: str) -> None:
        """Truth, suggestions and boxes, which are files; last, so that an error before leaves none of them."""
        self.session.flush()
        if self.truth:
            self._save_truth()
        write_files(self.gathered.files(self.workspace, name))

    def _save_truth(self) -> None:
        tags: list[Tag] = live_tags(self.session)
        images = (self.session.scalar(select(func.max(Image.row))) or 0) + 1
        column = {tag.id: place for place, tag in enumerate(tags)}
        labels = stored_truth(self.workspace, images, list(column))
        rows, tag_ids, states = np.array(self.truth, np.int64).T
        labels[rows, [column[tag_id] for tag_id in tag_ids.tolist()]] = states
        write_truth(self.workspace, labels, list(column))


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    take: Callable[[], list[Record]] = lambda: list(islice(records, BATCH))  # noqa: E731
    return iter(take, [])
