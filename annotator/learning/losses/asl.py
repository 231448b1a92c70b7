"""Asymmetric loss: easy negatives count for nothing, hard ones less (Ridnik et al. 2021, arXiv 2009.14119).

Positive: -log p. Negative: -q^gamma log(1 - q) with q = max(p - margin, 0). Not convex: where the slope falls the
curvature is cut at 0. Its sigmoid is no probability: calibrate before use. Made for networks that drown in negatives;
what it does on stored vectors, `benchmarks.partial_labels` says.
"""

from typing import TYPE_CHECKING

from annotator.learning.losses.base import Loss, Slopes

if TYPE_CHECKING:
    from torch import Tensor

GAMMA = 4.0  # of the negatives; the paper's script has 0 for the positives
MARGIN = 0.05


def _value(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> "Tensor":
    q = (logits.sigmoid() - MARGIN).clamp(min=0)
    log_p = logits.clamp(max=0) + logits.abs().sigmoid().log()
    loss = -(q**GAMMA) * (1 - q).log()
    return loss.where(targets < 0.5, -log_p) * weights


def _slopes(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> Slopes:
    p = logits.sigmoid()
    step = p * (1 - p)  # dp/dz
    q = (p - MARGIN).clamp(min=0)
    rest, log_rest = 1 - q, (1 - q).log()
    slope = q**GAMMA / rest - GAMMA * q ** (GAMMA - 1) * log_rest  # by q
    bend = q**GAMMA / rest**2 + 2 * GAMMA * q ** (GAMMA - 1) / rest - GAMMA * (GAMMA - 1) * q ** (GAMMA - 2) * log_rest
    negative = targets < 0.5
    gradient = (slope * step).where(negative, p - 1)
    curvature = (bend * step**2 + slope * step * (1 - 2 * p)).where(negative, step)
    return Slopes(gradient * weights, curvature.clamp(min=0) * weights)


asl = Loss(_value, _slopes)
