"""What a loss gives back, and the shape of the function."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Terms(NamedTuple):
    """Per-entry results, each of the logits' shape and exactly 0 where the label is unknown."""

    loss: "Tensor"
    gradient: "Tensor"
    """First derivative of the loss with respect to the logit."""
    curvature: "Tensor"
    """Second derivative, with 0 in place of negative values: what Newton steps and the Laplace posterior need."""


class Loss(Protocol):
    def __call__(self, logits: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> Terms:
        """Loss of each entry.

        `logits` float, any shape; `labels` of the same shape, 1 positive, 0 negative, -1 unknown (any number type);
        `weights` >= 0, broadcastable to that shape, or None for 1.
        """
        ...
