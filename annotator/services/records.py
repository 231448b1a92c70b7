"""The store as records: what exporters write, at one moment, image by image."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.exporters import ExportOptions
from annotator.exporters.names import relative_name, root_of
from annotator.progress import Progress, silent
from annotator.records import Header, Record, RecordBox, RecordLabel, RecordRelation, Records, RecordScore, RecordTag
from annotator.scoring.fusion import ORIGINS
from annotator.services import imported_arrays, suggesting
from annotator.services.imported_arrays import Boxes
from annotator.services.snapshots import parts
from annotator.services.spool import Part, Spool, counted, spooled
from annotator.services.suggesting import Board
from annotator.services.votes import live_tags
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Relation, Tag

SUGGESTED = 0.5  # the least score of a suggestion that is written
STATES = {int(state): state for state in LabelState}
ORIGINS_OF = {int(origin): origin for origin in Origin}
OTHER_SPLIT, NO_LABEL = "in another split", "without a label"
Pairs = Counter[tuple[LabelState, Origin]]


@dataclass
class Handed:
    """What one reading from the first record to the last gave away."""

    images: int = 0
    pairs: Pairs = field(default_factory=Counter)


@dataclass(frozen=True)
class Collected:
    """The records of a workspace, and what is not among them.

    pairs: decided pairs of the whole store by state and origin.
    """

    records: Records
    tags: int
    archived_tags: int
    images: int
    pairs: Pairs
    reader: "_Reader"

    @property
    def spool(self) -> Spool:
        """All accepted labels as arrays, whatever the options leave out."""
        return self.reader.spool

    @property
    def filtered(self) -> dict[str, Pairs]:
        """The decided pairs of the images that the options leave out, by reason."""
        return self.reader.filtered

    @property
    def filtered_images(self) -> Counter[str]:
        """How many images the options leave out, by reason."""
        return self.reader.filtered_images

    @property
    def handed(self) -> Handed | None:
        """What the last whole reading of `records` gave away; None before there was one."""
        return self.reader.handed


@contextmanager
def collected(
    workspace: Workspace,
    options: ExportOptions | None = None,
    progress: Progress = silent,
    session: Session | None = None,
) -> Iterator[Collected]:
    """The accepted labels as they are now, for as long as the block lasts; suggestions where the options ask.

    With a `session`: as they are in its view of the store.
    """
    options = options or ExportOptions()
    with workspace.reading() if session is None else nullcontext(session) as session:
        spool = spooled(parts(workspace, session), workspace.folder)
        tags = live_tags(session)
        archived = session.scalar(select(func.count(Tag.id)).where(Tag.archived.is_(True))) or 0
        relations = _relations(session, tags)
    with spool:
        root = _root(spool)
        board = _board(workspace, tags) if options.suggestions else None
        boxes = imported_arrays.boxes(workspace)
        reader = _Reader(spool, root, options, board, progress, boxes, {tag.id: at for at, tag in enumerate(tags)})
        records = Records(_header(tags, relations, spool, root, reader), reader.read)
        yield Collected(records, len(tags), archived, spool.images, spool.pairs, reader)


def _header(
    tags: list[Tag], relations: tuple[RecordRelation, ...], spool: Spool, root: str, reader: "_Reader"
) -> Header:
    names = {tag.id: tag.name for tag in tags}
    told = tuple(
        RecordTag(tag.name, tag.definition, tuple(tag.synonyms), names.get(tag.parent_id or 0)) for tag in tags
    )
    return Header(told, relations, spool.hash, root, spool.images - reader.filtered_images.total())


def _relations(session: Session, tags: list[Tag]) -> tuple[RecordRelation, ...]:
    names = {tag.id: tag.name for tag in tags}
    return tuple(
        RecordRelation(relation.kind, names[relation.a_id], names[relation.b_id])
        for relation in session.scalars(select(Relation).order_by(Relation.kind, Relation.a_id, Relation.b_id))
        if relation.a_id in names and relation.b_id in names
    )


def _root(spool: Spool) -> str:
    root: str | None = None
    for part in spool.parts():
        root = root_of(part.files, root)
    return root or ""


def _board(workspace: Workspace, tags: list[Tag]) -> Board | None:
    """The scores as they are; None where there are none, or where they are of other tags."""
    board = suggesting.current(workspace)
    return board if board is not None and board.tag_ids == tuple(tag.id for tag in tags) else None


class _Reader:
    """Parts of the spool as records, without the images that the options leave out; those are counted once."""

    def __init__(
        self,
        spool: Spool,
        root: str,
        options: ExportOptions,
        board: Board | None,
        progress: Progress,
        boxes: Boxes | None,
        columns: dict[int, int],
    ) -> None:
        self.boxes, self.columns = boxes, columns
        self.spool, self.root, self.options, self.board, self.progress = spool, root, options, board, progress
        self.handed: Handed | None = None
        self.filtered: dict[str, Pairs] = {}
        self.filtered_images: Counter[str] = Counter()
        if options.splits or options.only_labelled:
            for part in spool.parts():
                self._count(part)

    def read(self) -> Iterator[Record]:
        handed, done = Handed(), 0
        for part in self.spool.parts():
            kept = self._kept(part)
            yield from self._records(part, kept)
            handed.images += int(kept.sum())
            pairs = kept[part.image_of]
            handed.pairs.update(counted(part.states[pairs], part.origins[pairs]))
            done += len(part)
            self.progress(done, self.spool.images, "writing")
        self.handed = handed

    def _records(self, part: Part, kept: NDArray[np.bool_]) -> Iterator[Record]:
        labels = list(
            map(
                RecordLabel,
                part.tags.tolist(),
                map(STATES.__getitem__, part.states.tolist()),
                map(ORIGINS_OF.__getitem__, part.origins.tolist()),
                map(self.spool.names.__getitem__, part.deciders.tolist()),
                part.at.tolist(),
            )
        )
        ends = np.cumsum(part.counts).tolist()
        columns = zip(
            kept.tolist(), part.files, part.sha256, part.sizes.tolist(), part.splits.tolist(), ends,
            self._suggestions(part), self._boxes(part), strict=True,
        )  # fmt: skip
        begin = 0
        for is_kept, file, sha256, (width, height), split, end, suggestions, boxes in columns:
            if is_kept:
                told = tuple(labels[begin:end])
                name = relative_name(file, self.root)
                yield Record(name, sha256, width, height, SPLIT_CODES[split], told, suggestions, boxes)
            begin = end

    def _boxes(self, part: Part) -> Iterable[tuple[RecordBox, ...]]:
        """Of each image the boxes that imports brought, on tags in use."""
        boxes, columns = self.boxes, self.columns
        if boxes is None:
            return repeat((), len(part))
        return [
            tuple(RecordBox(columns[tag], *sides) for tag, sides in boxes.of_image(row) if tag in columns)
            for row in part.rows.tolist()
        ]

    def _kept(self, part: Part) -> NDArray[np.bool_]:
        out = self._left_out(part)
        return ~(out[OTHER_SPLIT] | out[NO_LABEL])

    def _left_out(self, part: Part) -> dict[str, NDArray[np.bool_]]:
        """(n,) which images of the part are left out, by reason; by one only."""
        wanted = [SPLIT_CODES.index(split) for split in self.options.splits or SPLIT_CODES]
        other = ~np.isin(part.splits, wanted)
        return {OTHER_SPLIT: other, NO_LABEL: (part.counts == 0) & self.options.only_labelled & ~other}

    def _count(self, part: Part) -> None:
        for why, images in self._left_out(part).items():
            if images.any():
                self.filtered_images[why] += int(images.sum())
                pairs = images[part.image_of]
                told = self.filtered.setdefault(why, Counter())
                told.update(counted(part.states[pairs], part.origins[pairs]))

    def _suggestions(self, part: Part) -> Iterable[tuple[RecordScore, ...]]:
        """Of each image the tags nobody decided that are likely to be there."""
        if self.board is None:
            return repeat((), len(part))
        return self._scored(part, self.board)

    def _scored(self, part: Part, board: Board) -> list[tuple[RecordScore, ...]]:
        found: list[tuple[RecordScore, ...]] = [()] * len(part)
        known = part.rows < len(board.scores)
        rows = part.rows[known]
        scores = np.zeros((len(part), len(board.tag_ids)), np.float32)
        scores[known] = board.scores[rows]
        scores[part.image_of, part.tags] = 0  # decided
        for place in np.flatnonzero((scores >= SUGGESTED).any(axis=1)).tolist():
            sources = board.origins[part.rows[place]]
            found[place] = tuple(
                RecordScore(tag, float(scores[place, tag]), ORIGINS[sources[tag]].value)
                for tag in np.flatnonzero(scores[place] >= SUGGESTED).tolist()
            )
        return found
