"""Fill the Label queue: what a query strategy picks, and a random slice that keeps the measuring honest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.errors import UnknownNameError
from annotator.learning.queries import QUERIES, Pool
from annotator.services import models, tasks
from annotator.services.embedding import current_backbone
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Task

CALIBRATION_REASON = "drawn at random: it measures the model and never trains it"


def refill(workspace: Workspace, count: int | None = None, strategy: str | None = None) -> int:
    """Replace the picks nobody holds by `count` new ones; how many questions are waiting then.

    A share is drawn at random from the validation split: these answers calibrate and measure the model and are never
    trained on. The others come from the training split, chosen by the strategy. Test images are never picked.
    """
    project = workspace.project
    count = count or project.queue_length
    strategy = strategy or project.strategy
    if strategy not in QUERIES:
        raise UnknownNameError("query strategy", strategy, QUERIES)
    snapshot = take(workspace)
    rng = np.random.default_rng([project.seed, _answered(snapshot)])
    with workspace.reading() as session:
        # Whoever holds a question keeps it, and an audit's order must not be disturbed: neither is asked twice.
        kept = Task.annotator_id.is_not(None) | Task.round_number.is_not(None)
        held = set(session.scalars(select(Task.image_row).where(Task.done_at.is_(None), Task.tag_id.is_(None), kept)))
    open_rows = _unanswered(snapshot, held)
    random_rows = open_rows[snapshot.in_split(Split.VALIDATION)[open_rows]]
    pick_rows = open_rows[snapshot.in_split(Split.TRAIN)[open_rows]]
    wanted = min(len(random_rows), round(count * project.random_share))
    drawn = rng.choice(random_rows, wanted, replace=False)
    picks = _picked(workspace, snapshot, pick_rows, count - wanted, strategy, rng)
    questions = _mixed(drawn, picks, rng)
    with workspace.transaction() as session:
        tasks.replace_picks(
            session,
            [
                Task(kind=kind, image_row=row, position=tasks.Band.PICK.position(position), reason=reason)
                for position, (kind, row, reason) in enumerate(questions)
            ],
        )
        session.flush()
        return tasks.free_count(session, None)


def _unanswered(snapshot: Snapshot, held: set[int]) -> NDArray[np.int64]:
    """Rows on which nobody answered, leaving out those in somebody's hands."""
    by_people = np.isin(snapshot.origins, (Origin.HUMAN, Origin.REVIEW, Origin.TRUTH))
    free = np.asarray(~by_people.any(axis=1))
    free[list(held)] = False
    return np.flatnonzero(free)


def _answered(snapshot: Snapshot) -> int:
    return int((snapshot.origins == Origin.HUMAN).any(axis=1).sum())


def _picked(
    workspace: Workspace,
    snapshot: Snapshot,
    candidates: NDArray[np.int64],
    count: int,
    strategy: str,
    rng: np.random.Generator,
) -> list[tuple[TaskKind, int, str]]:
    if not len(candidates) or count <= 0:
        return []
    chosen = QUERIES[strategy](pool(workspace, snapshot, candidates), count, rng)
    kind = TaskKind.RANDOM if strategy == "random" else TaskKind.PICK
    return [(kind, row, reason) for row, reason in zip(chosen.rows.tolist(), chosen.reasons, strict=True)]


def pool(workspace: Workspace, snapshot: Snapshot, candidates: NDArray[np.int64]) -> Pool:
    """What a strategy may look at: vectors and predictions where there are any, and the answers so far."""
    backbone = current_backbone(workspace)
    vectors: NDArray[Any] | None = workspace.embeddings(backbone).read() if backbone else None
    model = models.in_use(workspace)
    probabilities: NDArray[np.float32] | None = models.predictions(workspace, model) if model else None
    size = len(snapshot)
    if vectors is not None and len(vectors) < size:
        candidates = candidates[candidates < len(vectors)]
    if probabilities is not None and (
        len(probabilities) < size or model is None or model.tag_ids != [tag.id for tag in snapshot.tags]
    ):
        probabilities = None
    labels = snapshot.by_people()
    labels[~snapshot.in_split(Split.TRAIN)] = LabelState.UNKNOWN  # held-out answers steer no pick
    return Pool(
        embeddings=vectors,
        probabilities=probabilities,
        labels=labels,
        candidates=candidates,
        duplicates=snapshot.groups,
        tags=tuple(tag.name for tag in snapshot.tags),
    )


def _mixed(
    drawn: NDArray[np.int64], picks: list[tuple[TaskKind, int, str]], rng: np.random.Generator
) -> list[tuple[TaskKind, int, str]]:
    """Both kinds, the random ones spread evenly, so that every stretch of answers can calibrate."""
    random = [(TaskKind.CALIBRATION, int(row), CALIBRATION_REASON) for row in drawn]
    keys = [*((np.arange(len(random)) + rng.random(len(random))) / max(1, len(random)))]
    keys += [*((np.arange(len(picks)) + 0.5) / max(1, len(picks)))]
    both = random + picks
    return [both[place] for place in np.argsort(np.array(keys), kind="stable")]
