"""What a model says of images that it never saw, nor their near-duplicates: trained on the other folds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.calibration import cross_fitted, fit_calibration
from annotator.learning.fit import fit_head
from annotator.learning.heads.base import Features

FOLDS = 5


def group_folds(groups: NDArray[np.integer[Any]], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(N,) fold 0 … `folds` - 1 of each image; those of one near-duplicate group share it, groups fall evenly.

    Raises UsageError for fewer than two folds or groups: an image would have no other to learn from.
    """
    found, place = np.unique(groups, return_inverse=True)
    if folds < 2 or len(found) < 2:
        raise UsageError(f"{folds} folds of {len(found)} groups of near-duplicates; both have to be at least 2")
    turn = rng.permutation(len(found)) % folds
    return np.asarray(turn[place], np.int64)


def out_of_fold(
    X: Features,
    labels: NDArray[np.int8],
    groups: NDArray[np.integer[Any]],
    rng: np.random.Generator,
    *,
    head: str = "text_anchored",
    folds: int = FOLDS,
    calibrated: bool = False,
    **options: Any,
) -> NDArray[np.float32]:
    """(N, C) probabilities of every image, each by a head of the other folds.

    `X` (N, D) embeddings, `labels` (N, C) int8 with -1 unknown, `groups` (N,) near-duplicate groups, `options` as in
    `fit_head` (texts, loss …). `calibrated`: by Platt scaling fitted on the other folds, for probabilities that are
    shown; label errors are ranked no better by it (`benchmarks.label_errors`). Images without labels get theirs too.
    """
    fold = group_folds(groups, folds, rng)
    logits = np.empty(labels.shape, np.float32)
    for number in range(folds):
        out = fold == number
        if out.any():
            fitted, _ = fit_head(head, X[~out], labels[~out], **options)
            logits[out] = fitted.logits(X[out])
    if calibrated:
        return cross_fitted(fit_calibration, logits, labels, fold, folds)
    return np.asarray(0.5 + 0.5 * np.tanh(logits / 2), np.float32)
