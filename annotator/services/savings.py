"""Answers saved against random: what the first answers brought, held against as many random ones.

The picks come with a random slice among them. As many images as that slice has by now, the first ones that were
answered, in their order, train heads of one kind; so many of the random slice train heads of the other kind. Both are
measured on the same held-out answers. The figure is what a replay would call saved. It tells of the beginning of the
project, as far as the random slice reaches: later picks complete what was answered before them, and would be wronged
by a comparison that trains on them alone.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import case, func, select

from annotator.learning import metrics
from annotator.learning.fit import fit_head
from annotator.learning.replay import Curve, saving
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Label, Model

FEWEST = 30  # images of each kind, and held-out ones: with fewer the figure is noise
MOST = 400  # of each kind: the trainings of one figure then take about as long as the one of the model
REPEATS = 8
PARTS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Measured:
    """A saving over resamples, the images of each kind it rests on, and the mAP both reach with that many."""

    saved: float
    low: float
    high: float
    images: int
    mAP: float
    mAP_random: float

    def loses(self) -> bool:
        """Whether random would surely have been better."""
        return self.high < 0


@dataclass(frozen=True)
class Answers:
    """X (n, D) and labels (n, C) of the images that may train, in the order in which they were answered, and which of
    them were drawn at random (n,); and the held-out ones."""

    X: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    random: NDArray[np.bool_]
    held_X: NDArray[np.floating[Any]]
    held_labels: NDArray[np.int8]


def measure(answers: Answers, head: str, texts: NDArray[np.floating[Any]] | None, seed: int) -> Measured | None:
    """None while there are too few answers. The same seed gives the same figure.

    The interval is over resamples of the held-out images and of the order of the random ones.
    """
    drawn = np.flatnonzero(answers.random)
    size = min(MOST, len(drawn))
    if min(size, len(answers.held_X)) < FEWEST:
        return None
    first = _scores(answers, np.arange(size), head, texts)
    curves: list[list[Curve]] = [[], []]
    for repeat in range(REPEATS):
        rng = np.random.default_rng([seed, repeat])
        random = _scores(answers, rng.permutation(drawn)[:size], head, texts)
        held = rng.integers(0, len(answers.held_X), len(answers.held_X))
        for own, scores in zip(curves, (first, random), strict=True):
            own.append(_curve(scores, answers.held_labels, held))
    found = saving(curves[0], curves[1], seed)
    last = [float(np.mean([curve.mAP[-1] for curve in own])) for own in curves]
    return Measured(found.saved, found.low, found.high, size, *last)


Scores = list[tuple[int, NDArray[np.float32]]]
"""Of growing parts of some answers: how many they are, and what a head trained on them says of the held-out images."""


def _scores(answers: Answers, rows: NDArray[np.int64], head: str, texts: NDArray[np.floating[Any]] | None) -> Scores:
    found = []
    for share in PARTS:
        step = max(1, round(share * len(rows)))
        fitted, _ = fit_head(head, answers.X[rows[:step]], answers.labels[rows[:step]], texts=texts)
        found.append((step, fitted.probabilities(answers.held_X)))
    return found


def _curve(scores: Scores, labels: NDArray[np.int8], held: NDArray[np.int64]) -> Curve:
    """The figures of some held-out images."""
    steps = np.array([step for step, _ in scores], np.int64)
    mAP = [metrics.mean_average_precision(said[held], labels[held]) for _, said in scores]
    f1 = [metrics.micro_f1(said[held], labels[held]) for _, said in scores]
    return Curve(steps, np.array(mAP), np.array(f1), np.zeros(len(steps)), np.zeros(len(steps)))


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
    return None if measured is None else {name: round(value, 4) for name, value in asdict(measured).items()}
