"""The regression set: plain errors a reviewer marked (`Verdict.MAJOR`), which no later model may make again.

They measure every model, so none learns from them: neither from the pair itself nor from the same tag on its near
duplicates (rule: an answer used to measure a model is not used to train it).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.services import models
from annotator.services.label_store import Pair
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Verdict
from annotator.workspace import Workspace
from db.models import Model, Review


def pairs(session: Session) -> dict[Pair, LabelState]:
    """What is known of each pair of the regression set; a "cannot tell" measures nothing and is left out."""
    query = select(Review.image_row, Review.tag_id, Review.state).where(
        Review.verdict == Verdict.MAJOR, Review.state != LabelState.UNKNOWN
    )
    return {(row, tag): state for row, tag, state in session.execute(query.order_by(Review.image_row, Review.tag_id))}


def keep_from_training(session: Session, snapshot: Snapshot, labels: NDArray[np.int8]) -> None:
    """Turn the regression set in (N, C) `labels` to unknown, near duplicates of its images included."""
    column = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    for row, tag_id in pairs(session):
        if tag_id in column:
            labels[snapshot.groups == snapshot.groups[row], column[tag_id]] = LabelState.UNKNOWN


def measured(
    workspace: Workspace, snapshot: Snapshot, probabilities: NDArray[np.float32], previous: Model | None
) -> dict[str, Any]:
    """How a model that says (N, C) `probabilities` does on the regression set.

    `count` pairs of which it knows image and tag, `passed`: on the right side of one half, `failed`: the [image, tag]
    of the others, `new`: those among them that the `previous` model passed.
    """
    column = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    with workspace.reading() as session:
        known = pairs(session)
    failed, count = list[Pair](), 0
    for (row, tag_id), state in known.items():
        if tag_id in column and row < len(probabilities):
            count += 1
            if not _passes(probabilities[row, column[tag_id]], state):
                failed.append((row, tag_id))
    new = [pair for pair in failed if previous is not None and _passed_before(workspace, previous, pair, known[pair])]
    return {
        "count": count, "passed": count - len(failed),
        "failed": [list(pair) for pair in failed], "new": [list(pair) for pair in new],
    }  # fmt: skip


def verdict(snapshot: Snapshot, report: dict[str, Any], previous: Model) -> str:
    """What a new model breaks, in words; nothing where it breaks nothing."""
    if not report["new"]:
        return ""
    names = {tag.id: tag.name for tag in snapshot.tags}
    row, tag_id = report["new"][0]
    more = f" and {len(report['new']) - 1} more" if len(report["new"]) > 1 else ""
    return f"it makes a major error again that model {previous.id} did not: {names[tag_id]} on image {row}{more}"


def _passed_before(workspace: Workspace, previous: Model, pair: Pair, state: LabelState) -> bool:
    row, tag_id = pair
    probabilities = models.predictions(workspace, previous)
    if tag_id not in previous.tag_ids or row >= len(probabilities):
        return False
    return _passes(probabilities[row, previous.tag_ids.index(tag_id)], state)


def _passes(probability: np.float32, state: LabelState) -> bool:
    return bool(probability >= 0.5) == (state == LabelState.POSITIVE)
