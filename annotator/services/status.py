"""Counts of everything, for the command line and the pages."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.arrays import ShardedArray
from annotator.services import models, suggesting, tiles
from annotator.services.embedding import current_backbone
from annotator.services.image_facts import count_near_duplicate_groups, is_gold, names_of
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus
from annotator.workspace import Workspace
from db.models import (
    Annotator,
    Image,
    ImageFile,
    JournalEntry,
    Label,
    RefusedFile,
    Review,
    Round,
    Submission,
    Tag,
    Task,
)


def status(workspace: Workspace) -> dict[str, Any]:
    """Counts of everything in the workspace."""
    backbone = current_backbone(workspace)
    stored = ShardedArray.open(workspace.embeddings_folder(backbone)) if backbone else None
    model = models.in_use(workspace)
    board = suggesting.current(workspace)
    with workspace.reading() as session:
        counts = {
            "images": _count(session, Image.row),
            "files": _count(session, ImageFile.id),
            "refused": _count(session, RefusedFile.id),
            "near_duplicate_groups": count_near_duplicate_groups(session),
            "tags": session.scalar(select(func.count(Tag.id)).where(Tag.archived.is_(False))) or 0,
            "annotators": _count(session, Annotator.id),
            "answered_images": session.scalar(select(func.count(Label.image_row.distinct()))) or 0,
            "labels": {
                state.name.lower(): session.scalar(select(func.count(Label.id)).where(Label.state == state)) or 0
                for state in LabelState
            },
            "journal": _count(session, JournalEntry.id),
            "reviews": _count(session, Review.image_row),
            "questions_waiting": session.scalar(select(func.count(Task.id)).where(Task.done_at.is_(None))) or 0,
            "models": len(models.history(workspace)),
            "rounds": {
                state.value: session.scalar(select(func.count(Round.number)).where(Round.status == state)) or 0
                for state in RoundStatus
            },
        }
    return {
        "workspace": str(workspace.folder),
        **counts,
        "backbone": backbone,
        "embedded": len(stored) if stored else 0,
        "tiles": tiles.count(workspace, backbone) if backbone else 0,
        "model": None
        if model is None
        else {"id": model.id, "held_out_mAP": model.metrics.get("mAP"), "at": str(model.at)},
        "suggestions": {} if board is None else board.mean_average_precision,
    }


def waiting_by_tag(workspace: Workspace) -> dict[int, int]:
    """Open audit questions per tag."""
    query = (
        select(Task.tag_id, func.count(Task.id))
        .where(Task.done_at.is_(None), Task.tag_id.is_not(None), Task.round_number.is_not(None))
        .group_by(Task.tag_id)
    )
    with workspace.reading() as session:
        return {tag: count for tag, count in session.execute(query) if tag is not None}


def waiting_tags(workspace: Workspace, most: int = 8) -> list[dict[str, Any]]:
    """The tags with most open audit questions: {id, name, count}."""
    waiting = waiting_by_tag(workspace)
    most_first = sorted(waiting, key=lambda tag: (-waiting[tag], tag))[:most]
    with workspace.reading() as session:
        names = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(most_first))).all())
    return [{"id": tag, "name": names[tag], "count": waiting[tag]} for tag in most_first]


def shown(workspace: Workspace, rows: Sequence[int], scores: Sequence[float] = ()) -> list[dict[str, Any]]:
    """Images as a page of them shows each: {image, name, caption}, the caption with its score and its tags.

    Gold is left out: whoever is asked about it must not be able to look it up.
    """
    query = (
        select(Label.image_row, Tag.name).join(Tag, Tag.id == Label.tag_id)
        .where(Label.image_row.in_(rows), Label.state == LabelState.POSITIVE, ~is_gold())
        .distinct().order_by(Tag.name)
    )  # fmt: skip
    tags: dict[int, list[str]] = {}
    with workspace.reading() as session:
        names = names_of(session, rows)
        for row, name in session.execute(query):
            tags.setdefault(row, []).append(name)
    score = {row: f"{value:.2f}" for row, value in zip(rows, scores, strict=False)}
    parts = {row: [score.get(row, ""), ", ".join(tags.get(row, []))] for row in rows}
    return [{"image": row, "name": names[row], "caption": " · ".join(filter(None, parts[row]))} for row in rows]


def progress_by_tag(workspace: Workspace, snapshot: Snapshot | None = None) -> list[dict[str, Any]]:
    """Per tag: how many images are decided, by whom, and how many are open."""
    snapshot = take(workspace) if snapshot is None else snapshot
    rows = []
    for place, tag in enumerate(snapshot.tags):
        labels, origins = snapshot.labels[:, place], snapshot.origins[:, place]
        settled = origins == Origin.ROUND
        decided = labels != LabelState.UNKNOWN
        rows.append(
            {
                "tag": tag.name,
                "present": int((labels == LabelState.POSITIVE).sum()),
                "absent": int((labels == LabelState.NEGATIVE).sum()),
                "by people": int((decided & ~settled).sum()),
                "settled": int((decided & settled).sum()),
                "open": int((~decided).sum()),
            }
        )
    return rows


def answers_today(workspace: Workspace, person: str) -> int:
    """Answers (labels that stand) that `person` gave since midnight UTC."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = (
        select(func.sum(Submission.labels))
        .join(Annotator, Annotator.id == Submission.annotator_id)
        .where(Annotator.name == person, Submission.at >= midnight, Submission.undone.is_(False))
    )
    with workspace.reading() as session:
        return session.scalar(query) or 0


def refused_files(workspace: Workspace) -> list[dict[str, str]]:
    with workspace.reading() as session:
        return [
            {"file": refused.uri, "reason": refused.reason, "what is wrong": refused.message}
            for refused in session.scalars(select(RefusedFile).order_by(RefusedFile.id))
        ]


def _count(session: Session, column: Any) -> int:
    return session.scalar(select(func.count(column))) or 0
