"""Fill the Label queue: what a query strategy picks, and a random slice that keeps the measuring honest."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from annotator.errors import UnknownNameError
from annotator.learning.queries import BANDIT, QUERIES, Computed, Pool, with_control
from annotator.learning.queries.bandit import Trial, choose
from annotator.services import models, savings, tasks, tiles
from annotator.services.embedding import current_backbone
from annotator.services.image_facts import image_count, splits_of
from annotator.services.label_store import parts
from annotator.services.overlap import votes_for, votes_wanted
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Label, LabellingSession, Model, Task

CALIBRATION_REASON = "drawn at random: it measures the model and never trains it"
RANDOM_REASON = "drawn at random"
PARTLY_REASON = "some of its tags were said before and are marked"
QUESTIONS_EACH = 60  # that wait for each person at work: twelve are on a screen ahead, a training takes some seconds
DRAWN_FOR_EACH = 4  # rows looked at for one that is free
DRAWS = 4  # at most: where nearly all is answered, the worker finds the rest
ASKS_NEXT = "asks_next"  # in a model's metrics: the strategy of the picks made with it
LOW = 0.25  # of the queue's length


def refill(workspace: Workspace, count: int | None = None, strategy: str | None = None) -> int:
    """Replace the picks nobody holds by `count` new ones; how many questions are waiting then.

    A share is drawn at random from the validation split: these answers calibrate and measure the model and are never
    trained on. The others come from the training split, chosen by the strategy. Test images are never picked. Where
    few are left of which nobody said anything, those of which people said a few tags only are asked as a whole too.
    """
    project = workspace.project
    count = count or max(project.queue_length, QUESTIONS_EACH * _people_at_work(workspace))
    snapshot = take(workspace)
    rng = np.random.default_rng([project.seed, _answered(snapshot)])
    strategy = strategy or _best(workspace, project.strategy, rng)
    if strategy not in QUERIES:
        raise UnknownNameError("query strategy", strategy, [*QUERIES, BANDIT])
    with workspace.reading() as session:
        # Whoever holds a question keeps it, and an audit's order must not be disturbed: neither is asked twice.
        kept = Task.annotator_id.is_not(None) | Task.round_number.is_not(None)
        held = set(session.scalars(select(Task.image_row).where(Task.done_at.is_(None), Task.tag_id.is_(None), kept)))
        only_bulk = _only_in_bulk(session)
    by_people = np.asarray(np.isin(snapshot.origins, (Origin.HUMAN, Origin.REVIEW, Origin.TRUTH)).any(axis=1))
    open_rows = _unanswered(snapshot, by_people, held, only_bulk)
    random_rows = open_rows[snapshot.in_split(Split.VALIDATION)[open_rows]]
    pick_rows = open_rows[snapshot.in_split(Split.TRAIN)[open_rows]]
    wanted = min(len(random_rows), round(count * project.random_share))
    drawn = rng.choice(random_rows, wanted, replace=False)
    waiting = np.array(sorted(held), np.int64)
    waiting = waiting[snapshot.in_split(Split.TRAIN)[waiting]]
    picks = _picked(workspace, snapshot, (pick_rows, waiting), count - wanted, strategy, rng)
    partly: list[tuple[TaskKind, int, str]] = []
    if len(picks) < count - wanted:
        waiting = np.concatenate([waiting, np.array([row for _, row, _ in picks], np.int64)])
        rows = (_partly(workspace, snapshot, by_people, held), waiting)
        found = _picked(workspace, snapshot, rows, count - wanted - len(picks), strategy, rng)
        # No random slice: what somebody chose to say something of is no random sample.
        partly = [(TaskKind.PICK, row, PARTLY_REASON) for _, row, _ in found]
        picks += partly
    why = {row: (kind, row, reason) for kind, row, reason in _mixed(drawn, picks, rng)}
    votes = {row: votes_wanted(project, snapshot.sha256[row]) for row in why}
    with workspace.transaction() as session:
        _remember(session, strategy)
        tasks.replace_picks(
            session,
            [_task(*why[row], place) for place, row in tasks.copies(list(why), votes)],
            [row for _, row, _ in partly],
        )
        session.flush()
        return tasks.free_count(session, None)


def draw(workspace: Workspace, count: int) -> int:
    """Add `count` random questions behind those that wait; how many are free then.

    What a request does where nothing waits and picking well would take too long: the worker picks well soon after.
    Test images are never drawn; those of the validation split measure.
    """
    project = workspace.project
    with workspace.transaction() as session:
        newest = session.scalar(select(func.max(Task.id))) or 0
        rng = np.random.default_rng([project.seed, newest, 1])
        drawn: dict[int, Split] = {}
        for _ in range(DRAWS):
            if len(drawn) < count:
                drawn |= _drawn(workspace, session, rng, DRAWN_FOR_EACH * count)
        last = session.scalar(select(func.max(Task.position)).where(Task.tag_id.is_(None), Task.round_number.is_(None)))
        start = 0 if last is None else max(0, last - tasks.Band.PICK.position(0) + 1)
        free = list(drawn)[:count]
        for place, row in tasks.copies(free, votes_for(session, project, free)):
            measures = drawn[row] == Split.VALIDATION
            kind, reason = (TaskKind.CALIBRATION, CALIBRATION_REASON) if measures else (TaskKind.RANDOM, RANDOM_REASON)
            session.add(_task(kind, row, reason, start + place))
        session.flush()
        return tasks.free_count(session, None)


def _drawn(workspace: Workspace, session: Session, rng: np.random.Generator, count: int) -> dict[int, Split]:
    """Of `count` random images those that nobody answered or is asked about, and their splits; no test images."""
    images = image_count(session)
    if not images:
        return {}
    rows = list(dict.fromkeys(rng.integers(0, images, count).tolist()))
    taken: set[int] = set()
    for part in parts(rows):
        asked = select(Label.image_row).where(Label.image_row.in_(part), Label.kind.not_in(tasks.NO_ANSWER))
        taken.update(session.scalars(asked))
        taken.update(session.scalars(select(Task.image_row).where(Task.image_row.in_(part), Task.tag_id.is_(None))))
    splits = splits_of(workspace, session, rows)
    return {row: splits[row] for row in rows if row not in taken and splits[row] != Split.TEST}


def is_low(workspace: Workspace) -> bool:
    """Whether so few questions wait that people may run out before the next training."""
    with workspace.reading() as session:
        return tasks.free_count(session, None) < workspace.project.queue_length * LOW


def _task(kind: TaskKind, row: int, reason: str, place: int) -> Task:
    return Task(kind=kind, image_row=row, position=tasks.Band.PICK.position(place), reason=reason)


def _people_at_work(workspace: Workspace) -> int:
    since = datetime.now(UTC) - timedelta(minutes=10)
    query = select(func.count(LabellingSession.annotator_id.distinct()))
    with workspace.reading() as session:
        return session.scalar(query.where(LabellingSession.seen_at > since)) or 0


def _only_in_bulk(session: Session) -> list[int]:
    """Images of which people said something in bulk and nothing else that counts."""
    asked = func.sum(case((Label.kind.in_(tasks.NO_ANSWER), 0), else_=1))
    return list(session.scalars(select(Label.image_row).group_by(Label.image_row).having(asked == 0)))


def _unanswered(
    snapshot: Snapshot, by_people: NDArray[np.bool_], held: set[int], only_bulk: list[int]
) -> NDArray[np.int64]:
    """Rows on which nobody answered, leaving out those in somebody's hands. `by_people` (N,): where somebody did.

    Held-out images that were only tagged in bulk can still be drawn: without them, those left would be the ones
    that no search finds, and no longer random.
    """
    free = ~by_people
    held_out = ~snapshot.in_split(Split.TRAIN)
    free[only_bulk] |= held_out[only_bulk]
    free[list(held)] = False
    return np.flatnonzero(free)


def _partly(
    workspace: Workspace, snapshot: Snapshot, by_people: NDArray[np.bool_], held: set[int]
) -> NDArray[np.int64]:
    """Training images of which people said some tags only, in Verify or by an import, and never saw the whole."""
    with workspace.reading() as session:
        done = select(Task.image_row).where(Task.tag_id.is_(None), Task.done_at.is_not(None))
        left_out = held.union(session.scalars(done))
    partly = by_people & (snapshot.origins == Origin.NOBODY).any(axis=1) & snapshot.in_split(Split.TRAIN)
    partly[list(left_out)] = False
    return np.flatnonzero(partly)


def _answered(snapshot: Snapshot) -> int:
    return int((snapshot.origins == Origin.HUMAN).any(axis=1).sum())


def _best(workspace: Workspace, strategy: str, rng: np.random.Generator) -> str:
    """The project's strategy, or random while it is measured to be surely worse than that; the bandit's choice."""
    if strategy == BANDIT:
        return choose(_trials(models.history(workspace)), rng)
    measured = savings.of(models.in_use(workspace))
    return "random" if measured is not None and measured.loses(strategy) else strategy


def _remember(session: Session, strategy: str) -> None:
    """With the newest model, who asks after it: what the next one gains is that strategy's."""
    newest = session.scalar(select(Model).order_by(Model.id.desc()).limit(1))
    if newest is not None:
        newest.metrics = {**newest.metrics, ASKS_NEXT: strategy}


def _trials(trained: list[Model]) -> list[Trial]:
    """What each strategy brought between two trainings of the same vocabulary."""
    return [
        Trial(
            before.metrics[ASKS_NEXT], before.metrics["answered_images"], after.metrics["answered_images"],
            before.metrics["mAP"], after.metrics["mAP"],
        )
        for before, after in pairwise(trained)
        if ASKS_NEXT in before.metrics and before.tag_ids == after.tag_ids
        if before.metrics["mAP"] is not None and after.metrics["mAP"] is not None
    ]  # fmt: skip


def _picked(
    workspace: Workspace,
    snapshot: Snapshot,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    count: int,
    strategy: str,
    rng: np.random.Generator,
) -> list[tuple[TaskKind, int, str]]:
    """`rows`: those that may be picked, and those that somebody is at already."""
    seen = pool(workspace, snapshot, *rows)
    if not len(seen.candidates) or count <= 0:
        return []
    share = 1.0 if strategy == "random" else workspace.project.control_share
    found = with_control(QUERIES[strategy], seen, count, share, rng)
    kinds = [TaskKind.RANDOM if random else TaskKind.PICK for random in found.random]
    return list(zip(kinds, found.picks.rows.tolist(), found.picks.reasons, strict=True))


def pool(workspace: Workspace, snapshot: Snapshot, candidates: NDArray[np.int64], waiting: NDArray[np.int64]) -> Pool:
    """What a strategy may look at: vectors and predictions where there are any, and the answers so far.

    Images that came after the last embedding are left out until they are embedded.
    """
    backbone = current_backbone(workspace)
    vectors: NDArray[Any] | None = workspace.embeddings(backbone).read() if backbone else None
    size = len(snapshot) if vectors is None else min(len(snapshot), len(vectors))
    model = models.in_use(workspace)
    probabilities: NDArray[np.float32] | None = models.predictions(workspace, model) if model else None
    if probabilities is not None and (
        len(probabilities) < size or model is None or model.tag_ids != [tag.id for tag in snapshot.tags]
    ):
        probabilities = None
    labels = snapshot.by_people()
    labels[~snapshot.in_split(Split.TRAIN)] = LabelState.UNKNOWN  # held-out answers steer no pick
    variance = None
    # A model of another backbone cannot read these vectors; what it predicted still stands.
    if vectors is not None and probabilities is not None and model is not None and model.backbone == backbone:
        seen = tiles.of_head(workspace, model.head, model.backbone, size)
        variance = Computed(models.variances(workspace, model), vectors[:size], *([] if seen is None else [seen]))
    return Pool(
        embeddings=None if vectors is None else vectors[:size],
        probabilities=None if probabilities is None else probabilities[:size],
        variance=variance,
        labels=labels[:size],
        candidates=candidates[candidates < size],
        waiting=waiting[waiting < size],
        duplicates=snapshot.groups[:size],
        tags=tuple(tag.name for tag in snapshot.tags),
        tiles=tiles.stored(workspace, backbone, size) if backbone else None,
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
