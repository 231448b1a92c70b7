"""Binary cross-entropy over the known entries: -y log p - (1 - y) log(1 - p), p = sigmoid(z). Convex in z."""

from typing import TYPE_CHECKING

from annotator.learning.losses.base import Loss, Slopes

if TYPE_CHECKING:
    from torch import Tensor


def _value(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> "Tensor":
    # log(1 + e^z) = max(z, 0) - log sigmoid(|z|): no overflow, and several times faster than softplus on a CPU.
    log_sum = logits.clamp(min=0) - logits.abs().sigmoid().log()
    return (log_sum - targets * logits) * weights


def _slopes(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> Slopes:
    p = logits.sigmoid()
    return Slopes((p - targets) * weights, p * (1 - p) * weights)


masked_bce = Loss(_value, _slopes)
