"""Focal loss: -(1 - q)^gamma log q, q the probability of the true state (Lin et al. 2017, arXiv 1708.02002).

Well-classified entries count little. Not convex: far on the wrong side the curvature is cut at 0. Its sigmoid is no
probability: calibrate before use.
"""

from typing import TYPE_CHECKING

from annotator.learning.losses.base import Loss, Slopes

if TYPE_CHECKING:
    from torch import Tensor

GAMMA = 2.0  # the paper's best value


def _value(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> "Tensor":
    margin = logits * _sign(targets)
    return -((-margin).sigmoid() ** GAMMA) * _log_sigmoid(margin) * weights


def _slopes(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> Slopes:
    sign = _sign(targets)
    margin = logits * sign
    q, rest, log_q = margin.sigmoid(), (-margin).sigmoid(), _log_sigmoid(margin)  # rest = 1 - q without cancellation
    pull = GAMMA * q * log_q - rest
    slope = rest**GAMMA * pull
    bend = q * rest**GAMMA * (rest * (GAMMA * log_q + GAMMA + 1) - GAMMA * pull)
    return Slopes(sign * slope * weights, bend.clamp(min=0) * weights)


def _sign(targets: "Tensor") -> "Tensor":
    return 2 * targets.clamp(min=0) - 1


def _log_sigmoid(z: "Tensor") -> "Tensor":
    return z.clamp(max=0) + z.abs().sigmoid().log()


focal = Loss(_value, _slopes)
