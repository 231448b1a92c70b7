"""How far a model believes each given label, and each image's labels together. In 0..1, low is suspicious.

`labels` (N, C) int8, 1, 0, -1 unknown; `probabilities` (N, C) in 0..1 by a model that did not learn from these very
labels (`annotator.learning.cross_fitting.out_of_fold`). Unknown entries have no score: NaN.
(Thyagarajan et al. 2022, "Identifying incorrect annotations in multi-label classification data", arXiv 2211.13895)
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

Labels = NDArray[np.int8]
Probabilities = NDArray[np.floating[Any]]
Figures = NDArray[np.float64]

WEIGHT = 0.8


class Entries(NamedTuple):
    """(K,) entries of an (N, C) table, the most noteworthy first: image rows, tag columns, and a score each."""

    images: NDArray[np.int64]
    tags: NDArray[np.int64]
    scores: Figures


def self_confidence(labels: Labels, probabilities: Probabilities) -> Figures:
    """(N, C) the probability of what the label says: p where present, 1 - p where absent, NaN where unknown."""
    p = checked(labels, probabilities)
    return np.where(labels == 1, p, np.where(labels == 0, 1 - p, np.nan))


def image_scores(confidence: Figures, weight: float = WEIGHT) -> Figures:
    """(N,) exponential moving average over an image's known entries from the best to the worst; NaN without any.

    The worst counts with `weight`, the next with that share of the rest, and so on: errors add up, yet one stands out.
    With weight 1 it is the lowest score alone, which ranks single errors a little better, two in an image much worse.
    Raises UsageError for a weight outside 0..1.
    """
    if not 0 < weight <= 1:
        raise UsageError(f"a weight of {weight}; it has to be above 0 and at most 1")
    falling = -np.sort(-confidence, axis=1)  # NaN comes last
    found = np.full(len(confidence), np.nan)
    for column in falling.T:
        known = ~np.isnan(column)
        begun = np.where(np.isnan(found), column, weight * column + (1 - weight) * found)
        found = np.where(known, begun, found)
    return found


def lowest(confidence: Figures, among: NDArray[np.bool_] | None = None) -> Entries:
    """The known entries by rising score, of equal ones the first; only those `among` (N, C) where given."""
    chosen = ~np.isnan(confidence)
    if among is not None:
        chosen &= among
    images, tags = np.nonzero(chosen)
    order = np.argsort(confidence[images, tags], kind="stable")
    images, tags = images[order], tags[order]
    return Entries(images, tags, confidence[images, tags])


def checked(labels: Labels, probabilities: Probabilities) -> Figures:
    """The probabilities in double precision. Raises UsageError for other shapes, or no probability at a known label."""
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise UsageError(f"labels {labels.shape}, probabilities {probabilities.shape}; both have to be (N, C)")
    p = probabilities.astype(np.float64)
    if not ((p >= 0) & (p <= 1))[labels >= 0].all():
        raise UsageError("a known label has no probability between 0 and 1; give probabilities, not logits")
    return p
