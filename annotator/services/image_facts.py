"""Facts about a handful of images, without a snapshot of everything: what answering a request may cost."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from annotator.learning.splits import assign_splits
from annotator.services.label_store import Pair, parts
from annotator.services.snapshots import merged_into, withdrawn
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, RoundStatus, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Gold, Image, ImageFile, Label, Review, Round

LARGE = 20_000_000  # image-tag pairs: up to here a snapshot takes a fraction of a second


def is_large(session: Session, tags: int) -> bool:
    """Whether a snapshot of all images and `tags` tags is too much for a request."""
    return image_count(session) * tags > LARGE


def image_count(session: Session) -> int:
    """Images in the workspace; their rows are 0 to this without a gap."""
    last = session.scalar(select(func.max(Image.row)))
    return 0 if last is None else last + 1


def count_near_duplicate_groups(session: Session) -> int:
    """Groups of at least two images that look nearly the same."""
    sizes = select(func.count(Image.row)).group_by(Image.near_duplicate_group).having(func.count(Image.row) > 1)
    return session.scalar(select(func.count()).select_from(sizes.subquery())) or 0


def is_gold(table: type[Label | Review] = Label) -> ColumnElement[bool]:
    """Of a label or review in a query: whether the answer on its pair is declared known."""
    return exists().where(Gold.image_row == table.image_row, Gold.tag_id == table.tag_id)


def splits_of(workspace: Workspace, session: Session, rows: Sequence[int]) -> dict[int, Split]:
    """The split of each image of `rows`, as in a snapshot."""
    fractions = {split.value: share for split, share in workspace.project.splits.items()}
    found: dict[int, Split] = {}
    for part in parts(set(rows)):
        images = session.execute(
            select(Image.row, Image.near_duplicate_group, Image.given_split).where(Image.row.in_(part))
        ).all()
        groups = {image.row: image.near_duplicate_group for image in images}
        first = {row: row if group is None else group for row, group in groups.items()}
        query = select(Image.row, Image.sha256).where(Image.row.in_(set(first.values())))
        sha256 = dict(session.execute(query).all())
        codes = assign_splits([sha256[first[image.row]] for image in images], fractions)
        for image, code in zip(images, codes.tolist(), strict=True):
            found[image.row] = Split(image.given_split) if image.given_split else SPLIT_CODES[code]
    return found


def decided(workspace: Workspace, session: Session, tag_id: int, rows: Sequence[int]) -> set[int]:
    """Those of `rows` of which people, the truth or a settled round decided `tag_id`."""
    found: set[int] = set()
    for part in parts(set(rows)):
        for table in (Label, Review, Gold):
            query = select(table.image_row).where(table.tag_id == tag_id, table.image_row.in_(part))
            counts = query.where(Label.kind != TaskKind.GOLD) if table is Label else query
            found.update(session.scalars(counts))
    for labels, column, _ in _machine_columns(workspace, session, tag_id):
        found.update(row for row in rows if row < len(labels) and labels[row, column] != LabelState.UNKNOWN)
    return found


def machine_states(
    workspace: Workspace, session: Session, pairs: Collection[Pair]
) -> dict[Pair, tuple[LabelState, str]]:
    """What given truth, or else a settled round, says of each of `pairs` and its name; nothing of the others."""
    by_tag: dict[int, list[int]] = {}
    for row, tag_id in pairs:
        by_tag.setdefault(tag_id, []).append(row)
    found: dict[Pair, tuple[LabelState, str]] = {}
    for tag_id, rows in by_tag.items():
        for labels, column, name in _machine_columns(workspace, session, tag_id):
            for row in rows:
                state = LabelState(int(labels[row, column])) if row < len(labels) else LabelState.UNKNOWN
                # Of tags that were merged one is enough: present stays.
                if state != LabelState.UNKNOWN and found.get((row, tag_id)) != (LabelState.POSITIVE, name):
                    found[row, tag_id] = state, name
    return found


def _machine_columns(workspace: Workspace, session: Session, tag_id: int) -> list[tuple[NDArray[np.int8], int, str]]:
    """(labels, column, name) of what settled rounds and given truth say of a tag, the weakest authority first."""
    settled = select(Round.number, Round.tag_ids).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)
    gone = withdrawn(session)
    columns: list[tuple[NDArray[np.int8], int, str]] = []
    for number, tag_ids in session.execute(settled):
        if tag_id in tag_ids and (number, tag_id) not in gone:
            settled_labels = np.load(workspace.round_file(number), mmap_mode="r", allow_pickle=False)
            columns.append((settled_labels, tag_ids.index(tag_id), f"round {number}"))
    if workspace.truth_file.exists():
        labels, tags = _truth(workspace.truth_file, workspace.truth_file.stat().st_mtime_ns)
        now = merged_into(session)
        columns += [(labels, column, "truth") for column, tag in enumerate(tags) if now.get(tag, tag) == tag_id]
    return columns


def names_of(session: Session, rows: Sequence[int]) -> dict[int, str]:
    """The file name of each image, without its folder."""
    names: dict[int, str] = {}
    for part in parts(set(rows)):
        first = select(func.min(ImageFile.id)).where(ImageFile.image_row.in_(part)).group_by(ImageFile.image_row)
        query = select(ImageFile.image_row, ImageFile.uri).where(ImageFile.id.in_(first))
        names.update({row: uri.rsplit("/", 1)[-1] for row, uri in session.execute(query)})
    return names


@lru_cache(maxsize=2)
def _truth(file: Path, _changed: int) -> tuple[NDArray[np.int8], list[int]]:
    with np.load(file, allow_pickle=False) as stored:
        return stored["labels"], stored["tag_ids"].tolist()
