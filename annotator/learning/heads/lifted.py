"""The last layer of every lifted head: `text_anchored` on [x ; lift(x)]."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.lifts import Lift
from annotator.learning.heads.text_anchored import fit_text_anchored


def fit_lifted(training: Training, learn: Callable[[Training], Lift]) -> tuple[Head, FitReport]:
    """Learn a lift from the images with an answer, and the last layer on it.

    Without any answer there is nothing to learn a lift from: the head is the plain one. A warm start is not used: the
    coefficients of another lift would mean something else.
    """
    answered = only_answered(replace(training, warm=None))
    if not len(answered.X):
        return fit_text_anchored(replace(training, warm=None))
    lift = learn(answered)
    held_out = training.validation
    if held_out is not None:
        held_out = _beside(held_out[0], lift, training.validation_tiles), held_out[1]
    texts = training.texts
    if texts is not None:
        texts = np.concatenate([texts, np.zeros((len(texts), lift.size), texts.dtype)], 1)
    wide = replace(answered, X=_beside(answered.X, lift, answered.tiles), texts=texts, validation=held_out)
    head, report = fit_text_anchored(wide)
    return replace(head, lift=lift), report


def only_answered(training: Training) -> Training:
    """Without the images that have no answer (or belief) at all."""
    labels = training.beliefs
    rows = (labels >= 0).any(1)
    if training.weights is not None:
        rows &= ((labels >= 0) * training.weights).any(1)
    return only_rows(training, np.flatnonzero(rows))


def only_rows(training: Training, rows: NDArray[np.int64]) -> Training:
    """Of the training images those at some places."""
    weights, targets = (None if part is None else part[rows] for part in (training.weights, training.targets))
    tiles = None if training.tiles is None else training.tiles[rows]
    return replace(
        training, X=training.X[rows], labels=training.labels[rows], weights=weights, targets=targets, tiles=tiles
    )


def _beside(X: NDArray[np.floating[Any]], lift: Lift, tiles: Tiles | None) -> NDArray[np.float32]:
    wide = np.asarray(X, np.float32)
    return np.concatenate([wide, lift.extra(wide, tiles)], 1)
