"""Losses on logits, as one readable dict. A new loss is one file here and one line in `LOSSES`.

Every loss is pure and masked: ``loss(logits, labels, weights) -> Terms`` of torch tensors; see `base.Loss`.
"""

from annotator.learning.losses.asl import asl
from annotator.learning.losses.base import Loss, Slopes, Terms
from annotator.learning.losses.distribution_balanced import distribution_balanced
from annotator.learning.losses.focal import focal
from annotator.learning.losses.masked_bce import masked_bce
from annotator.learning.losses.pairwise_ranking import pairwise_ranking

LOSSES: dict[str, Loss] = {
    "masked_bce": masked_bce,
    "focal": focal,
    "asl": asl,
    "distribution_balanced": distribution_balanced,
    "pairwise_ranking": pairwise_ranking,
}

__all__ = ["LOSSES", "Loss", "Slopes", "Terms"]
