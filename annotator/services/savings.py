"""Answers saved against random: what the picks brought, held against the random slice among them.

Both kinds of answers train heads of their own, on as many images each, and both are measured on the same held-out
answers. The figure is what a replay would call saved: the share of random answers that picked ones make needless.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

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
    """X (n, D) and labels (n, C) of the images that may train, which were picked and which drawn at random (n,); and
    the held-out ones."""

    X: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    picked: NDArray[np.bool_]
    random: NDArray[np.bool_]
    held_X: NDArray[np.floating[Any]]
    held_labels: NDArray[np.int8]


def measure(answers: Answers, head: str, texts: NDArray[np.floating[Any]] | None, seed: int) -> Measured | None:
    """None while there are too few answers of a kind. Resamples images of both kinds; the same seed, the same figure.

    A little unfair to the picks: each was made to go with all answers before it, and trains here without the others.
    """
    kinds = [np.flatnonzero(answers.picked & ~answers.random), np.flatnonzero(answers.random)]
    size = min(MOST, *(len(rows) for rows in kinds))
    if min(size, len(answers.held_X)) < FEWEST:
        return None
    curves: list[list[Curve]] = [[], []]
    for repeat in range(REPEATS):
        rng = np.random.default_rng([seed, repeat])
        for rows, own in zip(kinds, curves, strict=True):
            own.append(_curve(answers, rng.choice(rows, size, replace=False), head, texts))
    picked, random = curves
    found = saving(picked, random, seed)
    last = [float(np.mean([curve.mAP[-1] for curve in own])) for own in curves]
    return Measured(found.saved, found.low, found.high, size, *last)


def _curve(answers: Answers, rows: NDArray[np.int64], head: str, texts: NDArray[np.floating[Any]] | None) -> Curve:
    """Held-out figures with growing parts of `rows`."""
    steps = [max(1, round(share * len(rows))) for share in PARTS]
    mAP, f1 = [], []
    for step in steps:
        fitted, _ = fit_head(head, answers.X[rows[:step]], answers.labels[rows[:step]], texts=texts)
        scores = fitted.probabilities(answers.held_X)
        mAP.append(metrics.mean_average_precision(scores, answers.held_labels))
        f1.append(metrics.micro_f1(scores, answers.held_labels))
    nothing = np.zeros(len(steps))
    return Curve(np.array(steps, np.int64), np.array(mAP), np.array(f1), nothing, nothing)


def asked_as(workspace: Workspace, rows: NDArray[np.int64], kind: TaskKind) -> NDArray[np.bool_]:
    """(n,) which of some images were answered as questions of a kind."""
    with workspace.reading() as session:
        found = session.scalars(select(Label.image_row).where(Label.kind == kind).distinct()).all()
    return np.isin(rows, np.array(found, np.int64))


def of(model: Model | None) -> Measured | None:
    """What was measured when a model was trained."""
    stored = None if model is None else model.metrics.get("saving")
    return None if stored is None else Measured(**stored)


def stored(measured: Measured | None) -> dict[str, Any] | None:
    return None if measured is None else {name: round(value, 4) for name, value in asdict(measured).items()}
