"""Snapshots of the store: the accepted labels at this moment, as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.learning.splits import assign_splits
from annotator.snapshot import SPLIT_CODES, Snapshot, SnapshotTag
from annotator.terms import LabelState, Origin, RoundStatus, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Image, ImageFile, Label, Review, Round, RoundSet, Tag

UNKNOWN = LabelState.UNKNOWN
WITHDRAWN = "withdrawn"  # the decision of a settled set whose tag has become another one since
VOTE_KEY = 1 << 20  # tags fit below it: (image, tag) pairs become one sortable integer


@dataclass(frozen=True)
class Votes:
    """Labels as columns: image row, tag column, state, annotator id, seconds since 1970, may-train."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    states: NDArray[np.int8]
    annotators: NDArray[np.int64]
    at: NDArray[np.int64]
    kinds: tuple[TaskKind, ...]
    rounds: NDArray[np.int64]  # 0: none


def live_tags(session: Session) -> list[Tag]:
    """The tags in use, in the order of their columns."""
    return list(session.scalars(select(Tag).where(Tag.archived.is_(False)).order_by(Tag.id)))


def votes(session: Session, tags: list[Tag]) -> Votes:
    """All present labels on `tags`."""
    column = {tag.id: place for place, tag in enumerate(tags)}
    query = select(
        Label.image_row, Label.tag_id, Label.state, Label.annotator_id, Label.at, Label.kind, Label.round_number
    ).order_by(Label.image_row, Label.tag_id, Label.annotator_id)
    if len(tags) == 1:
        query = query.where(Label.tag_id == tags[0].id)
    found = [row for row in session.execute(query).all() if row.tag_id in column]
    return Votes(
        np.array([row.image_row for row in found], np.int64),
        np.array([column[row.tag_id] for row in found], np.int64),
        np.array([row.state for row in found], np.int8),
        np.array([row.annotator_id for row in found], np.int64),
        np.array([int(row.at.timestamp()) for row in found], np.int64),
        tuple(row.kind for row in found),
        np.array([row.round_number or 0 for row in found], np.int64),
    )


def take(workspace: Workspace) -> Snapshot:
    """The accepted labels now: review before people's majority before truth before rounds."""
    with workspace.reading() as session:
        tags = live_tags(session)
        parents = {tag.id: tag.name for tag in tags}
        images = session.execute(
            select(Image.row, Image.sha256, Image.width, Image.height, Image.near_duplicate_group, Image.given_split)
            .order_by(Image.row)
        ).all()  # fmt: skip
        first = select(func.min(ImageFile.id)).group_by(ImageFile.image_row)
        files = dict(session.execute(select(ImageFile.image_row, ImageFile.uri).where(ImageFile.id.in_(first))).all())
        canvas = _Canvas(len(images), len(tags))
        _paint_rounds(canvas, workspace, session, tags)
        _paint_truth(canvas, workspace, session, tags)
        _paint_votes(canvas, votes(session, tags), dict(session.execute(select(Annotator.id, Annotator.name)).all()))
        _paint_reviews(canvas, session, tags)
        groups = np.array([_group(image.near_duplicate_group, image.row) for image in images], np.int64)
        sha256 = tuple(image.sha256 for image in images)
        return Snapshot(
            rows=np.array([image.row for image in images], np.int64),
            sha256=sha256,
            files=tuple(files[image.row] for image in images),
            sizes=np.array([(image.width, image.height) for image in images], np.int32).reshape(-1, 2),
            tags=tuple(
                SnapshotTag(tag.id, tag.name, tag.definition, tuple(tag.synonyms), parents.get(tag.parent_id or 0))
                for tag in tags
            ),
            labels=canvas.labels,
            origins=canvas.origins,
            deciders=canvas.deciders,
            decider_names=tuple(canvas.names),
            decided_at=canvas.decided_at,
            splits=_splits(workspace, sha256, groups, [image.given_split for image in images]),
            groups=groups,
        )


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
    canvas = _Canvas(session.scalar(select(func.count(Image.row))) or 0, 1)
    _paint_rounds(canvas, workspace, session, [tag])
    _paint_truth(canvas, workspace, session, [tag])
    _paint_votes(canvas, votes(session, [tag]), {name.id: name.name for name in session.scalars(select(Annotator))})
    _paint_reviews(canvas, session, [tag])
    return Decided((SnapshotTag(tag.id, tag.name),), canvas.labels, canvas.origins)


class _Canvas:
    """The arrays of a snapshot while they are painted, the weakest authority first."""

    def __init__(self, images: int, tags: int) -> None:
        self.labels = np.full((images, tags), UNKNOWN, np.int8)
        self.origins = np.zeros((images, tags), np.uint8)
        self.deciders = np.zeros((images, tags), np.uint16)
        self.decided_at = np.zeros((images, tags), np.uint32)
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


def _paint_rounds(canvas: _Canvas, workspace: Workspace, session: Session, tags: list[Tag]) -> None:
    settled = select(Round).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)
    column = {tag.id: place for place, tag in enumerate(tags)}
    gone = withdrawn(session)
    for round_ in session.scalars(settled):
        array = np.load(workspace.round_file(round_.number), mmap_mode="r", allow_pickle=False)
        for source, tag_id in enumerate(round_.tag_ids):
            if tag_id not in column or (round_.number, tag_id) in gone:
                continue
            states = np.asarray(array[:, source])
            rows = np.flatnonzero(states != UNKNOWN)
            at = int((round_.settled_at or round_.at).timestamp())
            where = (rows, column[tag_id])
            canvas.paint(where, states[rows], Origin.ROUND, canvas.place(f"round {round_.number}"), at)


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


def _paint_truth(canvas: _Canvas, workspace: Workspace, session: Session, tags: list[Tag]) -> None:
    if not workspace.truth_file.exists():
        return
    with np.load(workspace.truth_file, allow_pickle=False) as stored:
        labels, ids, at = stored["labels"], stored["tag_ids"].tolist(), int(stored["at"])
    column = {tag.id: place for place, tag in enumerate(tags)}
    now = merged_into(session)
    # Of tags that were merged one is enough: present last.
    for state in (LabelState.NEGATIVE, LabelState.POSITIVE):
        for source, tag_id in enumerate(now.get(tag_id, tag_id) for tag_id in ids):
            if tag_id in column:
                rows = np.flatnonzero(labels[:, source] == state)
                canvas.paint((rows, column[tag_id]), state, Origin.TRUTH, canvas.place("truth"), at)


def _paint_votes(canvas: _Canvas, votes: Votes, names: dict[int, str]) -> None:
    """The majority of the people who could tell; a tie is a "cannot tell" that more votes or a review will end."""
    if not len(votes.rows):
        return
    pairs, inverse = np.unique(votes.rows * VOTE_KEY + votes.columns, return_inverse=True)
    balance = np.zeros(len(pairs), np.int64)
    np.add.at(balance, inverse, np.where(votes.states == UNKNOWN, 0, 2 * (votes.states == 1).astype(np.int64) - 1))
    states = np.where(balance > 0, 1, np.where(balance < 0, 0, int(UNKNOWN))).astype(np.int8)
    latest = np.zeros(len(pairs), np.int64)
    np.maximum.at(latest, inverse, votes.at)
    who = np.zeros(len(pairs), np.int64)
    who[inverse] = [canvas.place(names[annotator]) for annotator in votes.annotators.tolist()]
    several = np.bincount(inverse, minlength=len(pairs)) > 1
    if several.any():
        who[several] = canvas.place("several people")
    canvas.paint((pairs // VOTE_KEY, pairs % VOTE_KEY), states, Origin.HUMAN, who, latest)


def _paint_reviews(canvas: _Canvas, session: Session, tags: list[Tag]) -> None:
    column = {tag.id: place for place, tag in enumerate(tags)}
    query = select(Review, Annotator.name).join(Annotator, Annotator.id == Review.reviewer_id)
    for review, name in session.execute(query):
        if review.tag_id in column:
            where = (review.image_row, column[review.tag_id])
            canvas.paint(where, review.state, Origin.REVIEW, canvas.place(name), int(review.at.timestamp()))


def _group(group: int | None, row: int) -> int:
    return row if group is None else group


def _splits(
    workspace: Workspace, sha256: tuple[str, ...], groups: NDArray[np.int64], given: list[str | None]
) -> NDArray[np.int8]:
    fractions = {split.value: share for split, share in workspace.project.splits.items()}
    codes = assign_splits([sha256[group] for group in groups.tolist()], fractions)
    for place, name in enumerate(given):
        if name is not None:
            codes[place] = [split.value for split in SPLIT_CODES].index(name)
    return codes
