"""What a loss is: its value and its two derivatives, entry by entry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Slopes(NamedTuple):
    """Per-entry derivatives with respect to the logit, exactly 0 where the label is unknown."""

    gradient: "Tensor"
    curvature: "Tensor"
    """Second derivative, with 0 in place of negative values: what Newton steps and the Laplace posterior need."""


class Terms(NamedTuple):
    loss: "Tensor"
    gradient: "Tensor"
    curvature: "Tensor"


@dataclass(frozen=True)
class Loss:
    """Two pure functions of (logits, labels, weights), both 0 for unknown entries.

    `logits` float, any shape; `labels` of that shape, 1 positive, 0 negative, -1 unknown (any number type); `weights`
    >= 0, broadcastable to it, or None for 1. They are apart because a solver asks for slopes far more often.
    """

    value: Callable[["Tensor", "Tensor", "Tensor | None"], "Tensor"]
    slopes: Callable[["Tensor", "Tensor", "Tensor | None"], Slopes]

    def __call__(self, logits: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> Terms:
        return Terms(self.value(logits, labels, weights), *self.slopes(logits, labels, weights))


def known(labels: "Tensor", weights: "Tensor | None", like: "Tensor") -> "Tensor":
    """The weight of each entry, 0 where unknown. By arithmetic: several times faster on a CPU than a comparison."""
    mask = (labels + 1).clamp(max=1).to(like.dtype)
    return mask if weights is None else mask * weights
