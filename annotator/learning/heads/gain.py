"""One gain for the text of all tags: how far its logits can be trusted, learned from all answers together."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from annotator.learning.losses import Loss

STEPS = 30
BIAS_STEP = 2.0  # logits a bias may move at once: Newton from the flat tail of the loss overshoots


@dataclass(frozen=True)
class TextFit:
    """Minimise sum of loss(g a_tn + b_t, y_tn) + (g - 1)^2 / 2 over one g >= 0 and all b_t.

    `block` gives the (C, N) labels and weights of a slice of tags.
    """

    anchors: Tensor  # (C, N)
    blocks: list[slice]
    block: Callable[[slice], tuple[Tensor, Tensor]]
    loss: Loss

    def gain(self) -> float:
        """Newton with the biases eliminated, halving a step that does not lower the objective."""
        gain, bias = 0.0, self._frequencies()
        value, sums = self._measure(gain, bias)
        for _ in range(STEPS):
            move, shift = _newton(gain, sums)
            before = value
            for share in (1.0, 0.5, 0.25, 0.1, 0.01):
                value, sums = self._measure(gain + share * move, bias + share * shift)
                if value < before:
                    gain, bias = gain + share * move, bias + share * shift
                    break
            if before - value < 1e-3:  # nats
                break
        return gain

    def _frequencies(self) -> Tensor:
        """(C,) float64 best biases without any text."""
        shares = [(labels * weights).sum(1) / weights.sum(1) for labels, weights in map(self.block, self.blocks)]
        return torch.logit(torch.cat(shares).double())

    def _measure(self, gain: float, bias: Tensor) -> tuple[float, Tensor]:
        """The objective, and (5, C) sums over images: d/db, d2/db2, d/dg, d2/dg2, d2/dbdg."""
        value, sums = (gain - 1) ** 2 / 2, []
        for tags in self.blocks:
            a = self.anchors[tags]
            z = a * gain + bias[tags, None].to(a.dtype)
            value += float(self.loss.value(z, *self.block(tags)).sum(dtype=torch.float64))
            slope, bend = self.loss.slopes(z, *self.block(tags))
            columns = (slope, bend, slope * a, bend * a * a, bend * a)
            sums.append(torch.stack([column.sum(1, dtype=torch.float64) for column in columns]))
        return value, torch.cat(sums, 1)


def _newton(gain: float, sums: Tensor) -> tuple[float, Tensor]:
    """Steps of the gain and of the (C,) biases."""
    by_bias, by_bias_twice, by_gain, by_gain_twice, mixed = sums
    by_bias_twice = by_bias_twice.clamp(min=1e-9)
    slope = float((by_gain - mixed * by_bias / by_bias_twice).sum()) + gain - 1
    bend = float((by_gain_twice - mixed**2 / by_bias_twice).sum()) + 1
    move = max(-slope / max(bend, 1e-9), -gain)
    return move, (-(by_bias + mixed * move) / by_bias_twice).clamp(-BIAS_STEP, BIAS_STEP)
