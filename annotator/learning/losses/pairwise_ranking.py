"""Pairwise ranking: every positive image of a tag should stand a margin of 1 above every negative one.

Sum over pairs of w_i w_j max(0, 1 - z_i + z_j)^2 / sum_j w_j, i positive, j negative, of one tag. By sorting it takes
O(N log N) instead of all pairs (Airola et al. 2011, doi 10.1016/j.patrec.2011.03.014; Rust & Hocking 2023, arXiv
2302.11062). A convex stand-in for average precision. It does not see the bias, which stays at the tag's frequency, and
its sigmoid is no probability: calibrate before use.
"""

from typing import TYPE_CHECKING, NamedTuple

from annotator.learning.losses.base import Loss, Slopes

if TYPE_CHECKING:
    from torch import Tensor

MARGIN = 1.0


class _Sums(NamedTuple):
    """For each entry, over the entries of the other kind that it makes a pair too close with: weights, and weights
    times logits and their squares, all divided by the tag's weight of negatives."""

    weight: "Tensor"
    first: "Tensor"
    second: "Tensor"


def _sums(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> _Sums:
    import torch

    positive = targets > 0.5
    # A positive at z is too low for all negatives at keys above z, a negative at key z + 1 for all positives below.
    order = (logits + MARGIN * ~positive).argsort(dim=-1, stable=True)
    z, w, is_positive = logits.gather(-1, order), weights.gather(-1, order), positive.gather(-1, order)
    negatives = (w * ~is_positive).sum(-1, keepdim=True)
    w = w.double()
    parts = []
    for power in (0, 1, 2):
        moment = w * z.double() ** power
        below = (moment * is_positive).cumsum(-1)
        above = (moment * ~is_positive).flip(-1).cumsum(-1).flip(-1)
        found = torch.where(is_positive, above, below).to(logits.dtype) / negatives.clamp(min=1e-12)
        parts.append(torch.empty_like(found).scatter_(-1, order, found) * (negatives > 0))
    return _Sums(*parts)


def _value(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> "Tensor":
    """The loss of each pair is written to its positive."""
    sums, slack = _sums(logits, targets, weights), MARGIN - logits
    pairs = slack**2 * sums.weight + 2 * slack * sums.first + sums.second
    return pairs.clamp(min=0) * weights * (targets > 0.5)


def _slopes(logits: "Tensor", targets: "Tensor", weights: "Tensor") -> Slopes:
    sums = _sums(logits, targets, weights)
    positive = targets > 0.5
    pull_up = -2 * ((MARGIN - logits) * sums.weight + sums.first)
    push_down = 2 * ((MARGIN + logits) * sums.weight - sums.first)
    gradient = pull_up.clamp(max=0).where(positive, push_down.clamp(min=0))
    return Slopes(gradient * weights, 2 * sums.weight * weights)


pairwise_ranking = Loss(_value, _slopes, entrywise=False)
