"""Focal loss: -(1 - q)^gamma log q, q the probability of the true state (Lin et al. 2017, arXiv 1708.02002)."""

from typing import TYPE_CHECKING

from annotator.learning.losses.base import Terms

if TYPE_CHECKING:
    from torch import Tensor

GAMMA = 2.0  # the paper's best value


def focal(logits: "Tensor", labels: "Tensor", weights: "Tensor | None" = None) -> Terms:
    """Focal loss of each entry with gamma 2; well-classified entries count little. Not convex: far on the wrong
    side the curvature is cut at 0. Its sigmoid is no probability: calibrate before use. Shapes as in `base.Loss`.
    """
    mask = (labels >= 0).to(logits.dtype)
    if weights is not None:
        mask = mask * weights
    sign = 2 * labels.clamp(min=0) - 1
    margin = logits * sign
    q = margin.sigmoid()
    rest = (-margin).sigmoid()  # 1 - q without cancellation
    log_q = margin.clamp(max=0) + margin.abs().sigmoid().log()
    pull = GAMMA * q * log_q - rest
    slope = rest**GAMMA * pull
    bend = q * rest**GAMMA * (rest * (GAMMA * log_q + GAMMA + 1) - GAMMA * pull)
    return Terms(-(rest**GAMMA) * log_q * mask, sign * slope * mask, bend.clamp(min=0) * mask)
