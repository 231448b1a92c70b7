"""Distribution-balanced loss for long-tailed tags (Wu et al. 2020, arXiv 2007.09654; as in LMPT, arXiv 2305.04536).

Rebalanced weights: an image that was drawn for a common tag also shows rare ones. With n_t positives of tag t,
r_it = (1 / n_t) / sum over the image's tags c of 1 / n_c, and the weight is 0.1 + sigmoid(10 (r_it - 0.3)).
Negative-tolerant: -log(1 - p) of a negative becomes log(1 + e^(lambda z)) / lambda, which stops pushing once it is
right. Left out are the papers' shift of the logits by the class frequency, which moves nothing where the bias is free,
and their focal factor: without it the loss is convex.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.losses.base import Loss, Slopes
from annotator.learning.losses.masked_bce import masked_bce

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 5.0  # lambda; LMPT has 5 for VOC, 2 for COCO
LEAST, STEEP, MIDDLE = 0.1, 10.0, 0.3


def rebalanced(labels: NDArray[np.floating[Any]] | NDArray[np.int8]) -> NDArray[np.float32]:
    """(N, C) labels 1, 0, -1 to (N, C) weights in 0.1..1.1. An image without a known positive weighs as a rare one."""
    positive = labels > 0
    rarity = 1 / np.maximum(positive.sum(0, dtype=np.float64), 1)
    image = positive @ rarity
    share = np.where(image[:, None] > 0, rarity / np.where(image > 0, image, 1)[:, None], 1.0)
    return np.asarray(LEAST + 1 / (1 + np.exp(-STEEP * (share - MIDDLE))), np.float32)


def _scales(targets: "Tensor") -> "Tensor":
    return 1 + (TOLERANCE - 1) * (targets < 0.5).to(targets.dtype)


def _value(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> "Tensor":
    scale = _scales(targets)
    return masked_bce.value(logits * scale, targets, weights) / scale


def _slopes(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> Slopes:
    scale = _scales(targets)
    slopes = masked_bce.slopes(logits * scale, targets, weights)
    return Slopes(slopes.gradient, slopes.curvature * scale)


distribution_balanced = Loss(_value, _slopes, rebalance=rebalanced)
