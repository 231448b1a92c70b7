"""Answers saved against random: what the first answers brought, held against as many random ones.

The picks come with a random slice among them. As many images as that slice has by now, the first ones that were
answered, in their order, train heads of one kind; so many of the random slice train heads of the other kind. Both are
measured on the same held-out answers. The figure is what a replay would call saved. It tells of the beginning of the
project, as far as the random slice reaches: later picks complete what was answered before them, and would be wronged
by a comparison that trains on them alone. Heads that look at tiles look at whole images here: it is the answers that
are compared.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import case, func, select

from annotator.learning import metrics
from annotator.learning.fit import fit_head
from annotator.learning.replay import saved_share
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Label, Model

FEWEST = 30  # images of each kind, and held-out ones: with fewer the figure is noise
MOST = 400  # of each kind: the trainings of one figure then take about as long as the one of the model
REFITS, RESAMPLES = 8, 25  # of the answers, and of the held-out images for each
TAIL = 0.05
PARTS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Measured:
    """A saving with a 90 % interval, the images of each kind it rests on, the mAP both reach with that many, and the
    project's strategy at that time."""

    saved: float
    low: float
    high: float
    images: int
    mAP: float
    mAP_random: float
    strategy: str

    def loses(self, strategy: str) -> bool:
        """Whether random is surely better than `strategy`, as far as this tells of it: the first answers of a project
        say little of how it goes on."""
        return self.high < 0 and self.strategy == strategy and self.images < MOST


@dataclass(frozen=True)
class Answers:
    """X (n, D) and labels (n, C) of the images that may train, in the order in which they were answered, and which of
    them were drawn at random (n,); and the held-out ones."""

    X: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    random: NDArray[np.bool_]
    held_X: NDArray[np.floating[Any]]
    held_labels: NDArray[np.int8]


def measure(
    answers: Answers, head: str, texts: NDArray[np.floating[Any]] | None, seed: int, strategy: str
) -> Measured | None:
    """None while there are too few answers, or no tag can be scored on them. The same seed gives the same figure.

    The interval is a bootstrap over the answers of both kinds and over the held-out images (Efron 1979).
    """
    drawn = np.flatnonzero(answers.random)
    size = min(MOST, len(drawn))
    if min(size, len(answers.held_X)) < FEWEST:
        return None
    whole = (np.arange(size), np.random.default_rng(seed).permutation(drawn)[:size])
    everyone = np.arange(len(answers.held_X))
    ours, theirs = (_curve(_scores(answers, rows, head, texts), answers.held_labels, everyone) for rows in whole)
    steps = _steps(size)
    found = np.array(list(_resampled(answers, drawn, size, head, texts, seed)))
    found = found[np.isfinite(found)]
    saved = saved_share(steps, ours, theirs)
    if not np.isfinite(saved) or len(found) < REFITS * RESAMPLES / 2:
        return None
    low, high = (float(value) for value in np.quantile(found, (TAIL, 1 - TAIL)))
    return Measured(saved, min(low, saved), max(high, saved), size, float(ours[-1]), float(theirs[-1]), strategy)


def _resampled(
    answers: Answers, drawn: NDArray[np.int64], size: int, head: str, texts: NDArray[np.floating[Any]] | None, seed: int
) -> Iterator[float]:
    """Savings of resamples."""
    for refit in range(REFITS):
        rng = np.random.default_rng([seed, refit])
        first = np.sort(rng.integers(0, size, size))  # in their order: the curve grows as the answers did
        ours = _scores(answers, first, head, texts)
        theirs = _scores(answers, rng.choice(drawn, size), head, texts)
        for _ in range(RESAMPLES):
            held = rng.integers(0, len(answers.held_X), len(answers.held_X))
            one, other = (_curve(scores, answers.held_labels, held) for scores in (ours, theirs))
            yield saved_share(_steps(size), one, other)


def _steps(size: int) -> NDArray[np.int64]:
    """How many answers the growing parts of `size` are."""
    return np.array([max(1, round(share * size)) for share in PARTS], np.int64)


def _scores(
    answers: Answers, rows: NDArray[np.int64], head: str, texts: NDArray[np.floating[Any]] | None
) -> list[NDArray[np.float32]]:
    """What heads trained on the growing parts of `rows` say of the held-out images."""
    found = []
    for step in _steps(len(rows)):
        fitted, _ = fit_head(head, answers.X[rows[:step]], answers.labels[rows[:step]], texts=texts)
        found.append(fitted.probabilities(answers.held_X))
    return found


def _curve(scores: list[NDArray[np.float32]], labels: NDArray[np.int8], held: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mAP of each part on some held-out images."""
    return np.array([metrics.mean_average_precision(said[held], labels[held]) for said in scores])


@dataclass(frozen=True)
class Order:
    """rows (n,) that were answered as questions of the queue, in their order; which were drawn at random (n,)."""

    rows: NDArray[np.int64]
    random: NDArray[np.bool_]


def order_of(workspace: Workspace, rows: NDArray[np.int64]) -> Order:
    """Of some images those that the queue asked about."""
    query = (
        select(Label.image_row, func.max(case((Label.kind == TaskKind.RANDOM, 1), else_=0)))
        .where(Label.kind.in_((TaskKind.PICK, TaskKind.RANDOM)))
        .group_by(Label.image_row)
        .order_by(func.min(Label.at), Label.image_row)
    )
    with workspace.reading() as session:
        found = session.execute(query).all()
    wanted = set(rows.tolist())
    kept = [(row, bool(random)) for row, random in found if row in wanted]
    return Order(np.array([row for row, _ in kept], np.int64), np.array([random for _, random in kept], bool))


def of(model: Model | None) -> Measured | None:
    """What was measured when a model was trained."""
    stored = None if model is None else model.metrics.get("saving")
    return None if stored is None else Measured(**stored)


def stored(measured: Measured | None) -> dict[str, Any] | None:
    if measured is None:
        return None
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(measured).items()}
