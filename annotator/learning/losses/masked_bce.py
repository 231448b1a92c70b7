"""Binary cross-entropy over the known entries: -y log p - (1 - y) log(1 - p), p = sigmoid(z)."""

from typing import TYPE_CHECKING

from annotator.learning.losses.base import Terms

if TYPE_CHECKING:
    from torch import Tensor


def masked_bce(logits: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> Terms:
    """Logistic loss of each entry; convex in the logits. Shapes and values as in `base.Loss`."""
    mask = (labels >= 0).to(logits.dtype)
    if weights is not None:
        mask = mask * weights
    p = logits.sigmoid()
    # log(1 + e^z) = max(z, 0) - log sigmoid(|z|): no overflow, and several times faster than softplus on a CPU.
    log_sum = logits.clamp(min=0) - logits.abs().sigmoid().log()
    return Terms((log_sum - labels * logits) * mask, (p - labels) * mask, p * (1 - p) * mask)
