"""One import of labels while it is written: tags and people resolved, labels sorted into what each of them becomes."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from annotator.errors import UsageError
from annotator.importers.labels import Problems
from annotator.progress import Progress
from annotator.services.import_options import ImportOptions, RecordsReport
from annotator.services.label_rows import Entries, LabelRows, strongest
from annotator.services.label_store import parts
from annotator.services.labels_said import NO_SPLIT, LabelsSaid, SaidPart
from annotator.services.people import annotator_called
from annotator.services.tag_mapping import UNKNOWN, Mapped
from annotator.services.truths import stored_truth, write_truth
from annotator.services.votes import live_tags
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Image

NO_TAG, NOBODY_YET = 0, -1
LOST = "labels of pictures that are not here"
NOT_HERE, TABLE_SAYS = "labels of tags that are not here", "labels that the table leaves out"
SETTLED = "labels a machine settled, kept as suggestions"
UNSURE = "labels of 'cannot tell', which no suggestion says"
BoolArray = NDArray[np.bool_]


class ImportRun:
    """Takes what a file says part by part, inside one transaction."""

    def __init__(
        self,
        workspace: Workspace,
        session: Session,
        said: LabelsSaid,
        mapped: Sequence[Mapped],
        options: ImportOptions,
        problems: Problems,
    ) -> None:
        self.workspace, self.session, self.said, self.mapped = workspace, session, said, mapped
        self.options, self.problems = options, problems
        self.tag_ids = np.array([one.tag_id or NO_TAG for one in mapped], np.int64)
        self.unknown = np.array([one.how == UNKNOWN for one in mapped], bool)
        self.all_tags = np.unique(self.tag_ids[self.tag_ids != NO_TAG])
        self.now = int(datetime.now(UTC).timestamp())
        self.importer = annotator_called(session, options.annotator).id
        self.names = said.names
        self.people = np.full(len(self.names), NOBODY_YET, np.int64)
        self.people[0] = self.importer
        self.rows = LabelRows(session, self.importer, options.overwrite, not options.preview)
        self.truth: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int8]]] = []
        self.gathered = said.gathered.with_tags(self.tag_ids)
        self.counts = np.zeros(len(mapped), np.int64)
        self.states: Counter[int] = Counter()
        self.left_out: Counter[str] = Counter({LOST: said.lost} if said.lost else {})
        self.precision = workspace.project.precision

    def take(self, progress: Progress) -> None:
        """All parts, in the order of their images."""
        done = 0
        for part in self.said.parts():
            self._take(part)
            done += len(part.rows)
            progress(done, self.said.images, "importing labels")

    def report(self, report: RecordsReport) -> None:
        """Say what was done."""
        rows, problems = self.rows, self.problems
        report.images = self.said.images
        report.labels = {LabelState(state).name.lower(): count for state, count in sorted(self.states.items())}
        report.written, report.unchanged, report.overwritten = rows.written, rows.unchanged, rows.overwritten
        report.suggestions, report.boxes = len(self.gathered.rows), len(self.gathered.box_rows)
        report.truth = sum(len(rows) for rows, _, _ in self.truth)
        report.conflict_count, report.conflicts = rows.conflict_count, self._conflicts()
        counted = zip(self.mapped, self.counts.tolist(), strict=True)
        report.tags = [{"name": one.name, "to": one.to, "how": one.how, "labels": count} for one, count in counted]
        report.left_out = dict(self.left_out)
        report.refused_count, report.refused = problems.count, [str(error) for error in problems.kept]

    def save_truth(self) -> None:
        """The truth is a file; written late, so that an error before leaves none of it."""
        if not self.truth:
            return
        self.session.flush()
        tags = [tag.id for tag in live_tags(self.session)]
        images = (self.session.scalar(select(func.max(Image.row))) or 0) + 1
        labels = stored_truth(self.workspace, images, tags)
        for rows, tag_ids, states in self.truth:
            labels[rows, np.searchsorted(tags, tag_ids)] = states  # the tags in use stand in the order of their ids
        write_truth(self.workspace, labels, tags)

    def _take(self, part: SaidPart) -> None:
        labels, image_of = part.labels, part.image_of
        tag_ids = self.tag_ids[labels["tag"]]
        known = tag_ids != NO_TAG
        self._leave_out(labels["tag"][~known])
        self.counts += np.bincount(labels["tag"][known], minlength=len(self.counts))
        settled = known & (labels["origin"] == Origin.ROUND)
        if settled.any():
            self.left_out[SETTLED] += int(settled.sum())
        people = known & ~settled
        absent = self._absent(part, image_of[known], tag_ids[known])
        self._count(labels["state"][people], len(absent.rows))
        proposed = settled
        if self.options.as_suggestions:
            unsure = known & (labels["state"] == LabelState.UNKNOWN)
            if unsure.any():
                self.left_out[UNSURE] += int(unsure.sum())
            proposed, people = known & ~unsure, np.zeros_like(people)
            self._suggest(absent.rows, absent.tags, absent.states, np.zeros(len(absent.rows), np.int64))
            absent = Entries.none()
        self._suggest(
            part.rows[image_of[proposed]], tag_ids[proposed], labels["state"][proposed], labels["by"][proposed]
        )
        is_truth = people & (self.options.as_truth | (self.options.keep_people & (labels["origin"] == Origin.TRUTH)))
        truth = self._entries(part.rows[image_of[is_truth]], tag_ids[is_truth], labels[is_truth])
        truth.people[:] = self.importer  # there is one truth of a pair, whoever told it
        if self.options.as_truth:
            truth, absent = truth.with_more(absent), Entries.none()
        if len(truth.rows):
            truth = strongest(truth)
            self.truth.append((truth.rows, truth.tags, truth.states))
        is_review = people & ~is_truth & (self.options.keep_people & (labels["origin"] == Origin.REVIEW))
        own, reviews = (
            self._entries(part.rows[image_of[which]], tag_ids[which], labels[which])
            for which in (people & ~is_truth & ~is_review, is_review)
        )
        self.rows.take(strongest(own.with_more(absent)), strongest(reviews))
        if not self.options.preview:
            self._give_splits(part)

    def _leave_out(self, places: NDArray[np.int32]) -> None:
        unknown = int(self.unknown[places].sum())
        for why, count in ((NOT_HERE, unknown), (TABLE_SAYS, len(places) - unknown)):
            if count:
                self.left_out[why] += count

    def _suggest(
        self, rows: NDArray[np.int64], tag_ids: NDArray[np.int64], states: NDArray[np.int8], by: NDArray[Any]
    ) -> None:
        """Nobody here said it: it stays a proposal, as sure as what rounds promise. `by`: places in the names."""
        scores = np.where(states == LabelState.POSITIVE, self.precision, 1 - self.precision)
        nameless = "imported" if self.options.as_suggestions else "round"
        for place in np.unique(by).tolist():
            own = by == place
            self.gathered.suggest_many(rows[own], tag_ids[own], scores[own], self.names[place] or nameless)

    def _absent(self, part: SaidPart, image_of: NDArray[np.int64], tag_ids: NDArray[np.int64]) -> Entries:
        """What a complete list says by not saying it; `image_of`, `tag_ids`: what it does say."""
        if not self.options.complete:
            return Entries.none()
        listed = np.zeros((len(part.rows), len(self.all_tags)), bool)
        listed[image_of, np.searchsorted(self.all_tags, tag_ids)] = True
        images, places = np.nonzero(~listed)
        return Entries(
            part.rows[images],
            self.all_tags[places],
            np.full(len(images), self.importer, np.int64),
            np.full(len(images), LabelState.NEGATIVE, np.int8),
            np.full(len(images), self.now, np.int64),
        )

    def _count(self, states: NDArray[np.int8], absent: int) -> None:
        found, counts = np.unique(states, return_counts=True)
        self.states.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
        if absent:
            self.states[int(LabelState.NEGATIVE)] += absent

    def _entries(self, rows: NDArray[np.int64], tag_ids: NDArray[np.int64], labels: NDArray[Any]) -> Entries:
        at = np.where(labels["at"] == 0, self.now, labels["at"])
        return Entries(rows, tag_ids, self._people(labels["by"]), labels["state"].copy(), at)

    def _people(self, by: NDArray[np.int32]) -> NDArray[np.int64]:
        """Who is to have said it; a name that cannot be one is the importer's."""
        if not self.options.keep_people:
            return np.full(len(by), self.importer, np.int64)
        for place in np.unique(by).tolist():
            if self.people[place] == NOBODY_YET:
                self.people[place] = self._person(self.names[place])
        return self.people[by]

    def _person(self, name: str) -> int:
        try:
            return annotator_called(self.session, name).id
        except UsageError as error:
            self.problems.add("by", error)
            return self.importer

    def _give_splits(self, part: SaidPart) -> None:
        named = part.splits != NO_SPLIT
        wanted = dict(zip(part.rows[named].tolist(), part.splits[named].tolist(), strict=True))
        for some in parts(wanted):
            now = dict(self.session.execute(select(Image.row, Image.given_split).where(Image.row.in_(some))).all())
            for code, split in enumerate(SPLIT_CODES):
                rows = [row for row in some if wanted[row] == code and now.get(row) != split.value]
                if rows:
                    self.session.execute(update(Image).where(Image.row.in_(rows)).values(given_split=split.value))

    def _conflicts(self) -> list[dict[str, Any]]:
        names = {one.tag_id: one.to for one in self.mapped}
        return [
            {
                "image": conflict.row, "tag": names.get(conflict.tag_id, ""), "file": conflict.says.name.lower(),
                "workspace": conflict.stands.name.lower(), "by": conflict.who,
            }
            for conflict in self.rows.conflicts
        ]  # fmt: skip
