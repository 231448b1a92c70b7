"""What a loss is: its value and its two derivatives by each logit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Slopes(NamedTuple):
    """Per-entry derivatives with respect to the logit."""

    gradient: "Tensor"
    curvature: "Tensor"
    """Second derivative, with 0 in place of negative values: what Newton steps and the Laplace posterior need."""


class Terms(NamedTuple):
    loss: "Tensor"
    gradient: "Tensor"
    curvature: "Tensor"


@dataclass(frozen=True)
class Loss:
    """A loss called on labels masks the unknown ones; masking is written here once, not in every loss.

    The two parts are pure functions of logits, targets and weights of one float shape, whose last axis is the images
    of one tag. The targets are the labels and may be -1, but only where the weight is 0, by which the result is
    multiplied. They are two because a solver asks for slopes far more often.
    """

    value: Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
    slopes: Callable[["Tensor", "Tensor", "Tensor"], Slopes]
    entrywise: bool = True
    """Whether an entry's terms depend on that entry alone, not on the tag's other images."""
    rebalance: Callable[[NDArray[np.floating[Any]] | NDArray[np.int8]], NDArray[np.float32]] | None = None
    """(N, C) labels of all tags to weights of the entries, for a loss that weighs an image by all it shows."""

    def __call__(self, logits: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> Terms:
        """Loss and slopes of each entry, exactly 0 where the label is unknown.

        `logits` float, (..., images); `labels` of that shape, 1 positive, 0 negative, -1 unknown (any number type);
        `weights` >= 0, broadcastable to it, or None for 1.
        """
        known = (labels >= 0).to(logits.dtype)
        mask = known if weights is None else known * weights
        targets = labels.to(logits.dtype)
        return Terms(self.value(logits, targets, mask), *self.slopes(logits, targets, mask))
