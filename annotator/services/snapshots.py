"""Snapshots of the store: the accepted labels at this moment, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.learning.splits import assign_splits
from annotator.learning.votes import Consensus
from annotator.services.label_store import parts as in_queries
from annotator.services.votes import MODELS, Votes, among, concluded, decided_votes, live_tags, votes
from annotator.snapshot import SPLIT_CODES, Snapshot, SnapshotTag
from annotator.terms import LabelState, Origin, RoundStatus
from annotator.workspace import Project, Workspace
from db.models import Annotator, Gold, Image, ImageFile, Review, Round, RoundSet, Tag

UNKNOWN = LabelState.UNKNOWN
WITHDRAWN = "withdrawn"  # the decision of a settled set whose tag has become another one since
PART = 4096  # images of one part: with 1,000 tags its arrays are 33 MB


def take(workspace: Workspace, rows: range | None = None) -> Snapshot:
    """The accepted labels now, all or of `rows`: review before gold before votes before truth before rounds."""
    with workspace.reading() as session:
        frame = _Frame.of(workspace, session, live_tags(session))
        return _taken(frame, session, range(frame.images) if rows is None else rows)


def parts(workspace: Workspace, session: Session, size: int = PART) -> Iterator[Snapshot]:
    """What `take` says, `size` images at a time, so that memory stays flat; all as `session` sees the store.

    At least one part comes, an empty one where there are no images. Each has its own `decider_names`.
    """
    frame = _Frame.of(workspace, session, live_tags(session))
    for start in range(0, max(frame.images, 1), size):
        yield _taken(frame, session, range(start, min(start + size, frame.images)))


@dataclass(frozen=True)
class Decided:
    """The accepted labels of some tags, without what else a snapshot tells of the images: (N, C) labels, origins."""

    tags: tuple[SnapshotTag, ...]
    labels: NDArray[np.int8]
    origins: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


def decided_on(workspace: Workspace, session: Session, tag: Tag) -> Decided:
    """What `take` says of one tag, in a fraction of its time where the collection is large."""
    frame = _Frame.of(workspace, session, [tag])
    canvas = _painted(frame, session, range(frame.images))
    return Decided((SnapshotTag(tag.id, tag.name),), canvas.labels, canvas.origins)


Accepted = TypeVar("Accepted", bound=Snapshot | Decided)


@dataclass(frozen=True)
class _Settled:
    """What one settled round says: its (N, C) states stay on the disk until rows of it are asked for.

    `tag_ids` are today's tags of the columns; 0 where a change of the vocabulary took the column back.
    """

    number: int
    at: int
    states: NDArray[np.int8]
    tag_ids: list[int]


@dataclass(frozen=True)
class _Frame:
    """What all parts of a snapshot share, read once."""

    tags: list[Tag]
    column: dict[int, int]
    images: int
    people: dict[int, str]
    rounds: list[_Settled]
    truth: _Settled | None
    project: Project
    said: tuple[Votes, Consensus] | None
    """All votes and what they come to, where the policy has to see all of them to say anything of one pair."""

    @classmethod
    def of(cls, workspace: Workspace, session: Session, tags: list[Tag]) -> "_Frame":
        last = session.scalar(select(func.max(Image.row)))
        project = workspace.project
        return cls(
            tags=tags,
            column={tag.id: place for place, tag in enumerate(tags)},
            images=0 if last is None else last + 1,
            people=dict(session.execute(select(Annotator.id, Annotator.name)).all()),
            rounds=_rounds(workspace, session),
            truth=_truth(workspace, session),
            project=project,
            said=decided_votes(project, session, tags) if project.vote_policy in MODELS else None,
        )


def _rounds(workspace: Workspace, session: Session) -> list[_Settled]:
    settled = select(Round).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)
    gone = withdrawn(session)
    return [
        _Settled(
            round_.number,
            int((round_.settled_at or round_.at).timestamp()),
            np.load(workspace.round_file(round_.number), mmap_mode="r", allow_pickle=False),
            [0 if (round_.number, tag_id) in gone else tag_id for tag_id in round_.tag_ids],
        )
        for round_ in session.scalars(settled)
    ]


def _truth(workspace: Workspace, session: Session) -> _Settled | None:
    if not workspace.truth_file.exists():
        return None
    now = merged_into(session)
    with np.load(workspace.truth_file, allow_pickle=False) as stored:
        tag_ids = [now.get(tag_id, tag_id) for tag_id in stored["tag_ids"].tolist()]
        return _Settled(0, int(stored["at"]), stored["labels"], tag_ids)


def withdrawn(session: Session) -> set[tuple[int, int]]:
    """(round, tag id) of what rounds settled and a change of the vocabulary took back; their files still hold it."""
    query = select(RoundSet.round_number, RoundSet.tag_id).where(RoundSet.decision == WITHDRAWN)
    return {(number, tag_id) for number, tag_id in session.execute(query)}


def merged_into(session: Session) -> dict[int, int]:
    """The tag that each merged tag is part of now."""
    query = select(Tag.id, Tag.merged_into_id).where(Tag.merged_into_id.is_not(None))
    found = {tag: into for tag, into in session.execute(query) if into is not None}
    ends = {}
    for tag in found:
        end = tag
        while end in found:
            end = found[end]
        ends[tag] = end
    return ends


def _taken(frame: _Frame, session: Session, rows: range) -> Snapshot:
    parents = {tag.id: tag.name for tag in frame.tags}
    inside = (Image.row >= rows.start, Image.row < rows.stop)
    images = session.execute(
        select(Image.row, Image.sha256, Image.width, Image.height, Image.near_duplicate_group, Image.given_split)
        .where(*inside)
        .order_by(Image.row)
    ).all()  # fmt: skip
    first = select(func.min(ImageFile.id)).where(ImageFile.image_row >= rows.start, ImageFile.image_row < rows.stop)
    found = select(ImageFile.image_row, ImageFile.uri).where(ImageFile.id.in_(first.group_by(ImageFile.image_row)))
    files = dict(session.execute(found).all())
    canvas = _painted(frame, session, rows)
    groups = np.array([_group(image.near_duplicate_group, image.row) for image in images], np.int64)
    sha256 = {image.row: image.sha256 for image in images}
    return Snapshot(
        rows=np.array([image.row for image in images], np.int64),
        sha256=tuple(sha256.values()),
        files=tuple(files[image.row] for image in images),
        sizes=np.array([(image.width, image.height) for image in images], np.int32).reshape(-1, 2),
        tags=tuple(
            SnapshotTag(tag.id, tag.name, tag.definition, tuple(tag.synonyms), parents.get(tag.parent_id or 0))
            for tag in frame.tags
        ),
        labels=canvas.labels,
        origins=canvas.origins,
        deciders=canvas.deciders,
        decider_names=tuple(canvas.names),
        decided_at=canvas.decided_at,
        splits=_splits(frame.project, _first_of(session, sha256, groups), [image.given_split for image in images]),
        groups=groups,
    )


class _Canvas:
    """The arrays of a snapshot while they are painted, the weakest authority first. Image r is line r - rows.start."""

    def __init__(self, rows: range, tags: int) -> None:
        self.rows = rows
        self.labels = np.full((len(rows), tags), UNKNOWN, np.int8)
        self.origins = np.zeros((len(rows), tags), np.uint8)
        self.deciders = np.zeros((len(rows), tags), np.uint16)
        self.decided_at = np.zeros((len(rows), tags), np.uint32)
        self.names = [""]
        self._places: dict[str, int] = {"": 0}

    def place(self, name: str) -> int:
        if name not in self._places:
            self._places[name] = len(self.names)
            self.names.append(name)
        return self._places[name]

    def paint(self, where: Any, states: Any, origin: Origin, decider: Any, at: Any) -> None:
        self.labels[where] = states
        self.origins[where] = origin
        self.deciders[where] = decider
        self.decided_at[where] = at


def _painted(frame: _Frame, session: Session, rows: range) -> _Canvas:
    canvas = _Canvas(rows, len(frame.tags))
    for settled in frame.rounds:
        _paint_settled(canvas, settled, frame.column, Origin.ROUND, f"round {settled.number}")
    if frame.truth is not None:
        _paint_settled(canvas, frame.truth, frame.column, Origin.TRUTH, "truth")
    _paint_votes(canvas, *_decided_votes(frame, session, rows), frame.people)
    _paint_gold(canvas, session, frame.column)
    return canvas


def _decided_votes(frame: _Frame, session: Session, rows: range) -> tuple[Votes, Consensus]:
    if frame.said is None:
        return decided_votes(frame.project, session, frame.tags, rows)
    return among(*frame.said, rows=rows)


def _paint_settled(canvas: _Canvas, settled: _Settled, column: dict[int, int], origin: Origin, name: str) -> None:
    states = settled.states[canvas.rows.start : canvas.rows.stop]
    # Of tags that were merged one is enough: present last.
    for state in (LabelState.NEGATIVE, LabelState.POSITIVE):
        for source, tag_id in enumerate(settled.tag_ids):
            if tag_id in column:
                lines = np.flatnonzero(np.asarray(states[:, source]) == state)
                canvas.paint((lines, column[tag_id]), state, origin, canvas.place(name), settled.at)


def _paint_votes(canvas: _Canvas, found: Votes, said: Consensus, names: dict[int, str]) -> None:
    """What people's votes come to; undecided is a "cannot tell" that more votes or a review will end.

    Both are in the order of image and tag.
    """
    if not len(found.rows):
        return
    new = np.ones(len(found.rows), bool)
    new[1:] = (np.diff(found.rows) != 0) | (np.diff(found.columns) != 0)
    pair = np.cumsum(new) - 1
    latest = np.maximum.reduceat(found.at, np.flatnonzero(new))
    who = np.zeros(len(latest), np.int64)
    who[pair] = [canvas.place(names[annotator]) for annotator in found.annotators.tolist()]
    several = np.bincount(pair, minlength=len(latest)) > 1
    if several.any():
        who[several] = canvas.place("several people")
    canvas.paint((said.images - canvas.rows.start, said.tags), said.states, Origin.HUMAN, who, latest)


def by_majority(project: Project, session: Session, accepted: Accepted) -> Accepted:
    """The same with the majority's word wherever people's votes decided, whatever the policy.

    What proves a set has to be a fact of each image alone: under other policies answers elsewhere may move it.
    """
    if project.vote_policy in ("majority", "soft_share"):  # whose states are the majority's
        return accepted
    tags = [session.get_one(Tag, tag.id) for tag in accepted.tags]
    said = concluded(project, votes(session, tags), "majority")
    labels = accepted.labels.copy()
    there = said.images < len(labels)  # an image may have come since
    where = said.images[there], said.tags[there]
    human = accepted.origins[where] == Origin.HUMAN
    labels[where[0][human], where[1][human]] = said.states[there][human]
    return replace(accepted, labels=labels)


def _paint_reviews(canvas: _Canvas, session: Session, column: dict[int, int]) -> None:
    query = (
        select(Review, Annotator.name)
        .join(Annotator, Annotator.id == Review.reviewer_id)
        .where(Review.image_row >= canvas.rows.start, Review.image_row < canvas.rows.stop)
    )
    for review, name in session.execute(query):
        if review.tag_id in column:
            where = (review.image_row - canvas.rows.start, column[review.tag_id])
            canvas.paint(where, review.state, Origin.REVIEW, canvas.place(name), int(review.at.timestamp()))


def _paint_gold(canvas: _Canvas, session: Session, column: dict[int, int]) -> None:
    """What is known, with the verdicts: a review's state stands, also on a known pair, which stays gold all the same,
    because a model that learned it would hand people the answers they are measured by."""
    now = merged_into(session)
    query = (
        select(Gold, Annotator.name)
        .join(Annotator, Annotator.id == Gold.annotator_id)
        .where(Gold.image_row >= canvas.rows.start, Gold.image_row < canvas.rows.stop)
        .order_by(Gold.state)
    )
    known = []
    for gold, name in session.execute(query):
        tag_id = now.get(gold.tag_id, gold.tag_id)
        if tag_id in column:
            known.append((gold.image_row - canvas.rows.start, column[tag_id]))
            canvas.paint(known[-1], gold.state, Origin.GOLD, canvas.place(name), int(gold.at.timestamp()))
    _paint_reviews(canvas, session, column)
    for where in known:
        canvas.origins[where] = Origin.GOLD


def _group(group: int | None, row: int) -> int:
    return row if group is None else group


def _first_of(session: Session, sha256: dict[int, str], groups: NDArray[np.int64]) -> list[str]:
    """The sha256 of each image's group's first image; those that are not at hand in `sha256` are looked up."""
    known = dict(sha256)
    for part in in_queries(set(groups.tolist()) - known.keys()):
        known.update(session.execute(select(Image.row, Image.sha256).where(Image.row.in_(part))).all())
    return [known[group] for group in groups.tolist()]


def _splits(project: Project, first: list[str], given: list[str | None]) -> NDArray[np.int8]:
    fractions = {split.value: share for split, share in project.splits.items()}
    codes = assign_splits(first, fractions)
    for place, name in enumerate(given):
        if name is not None:
            codes[place] = [split.value for split in SPLIT_CODES].index(name)
    return codes
