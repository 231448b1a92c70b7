"""What a fit makes of unknown labels, as one readable dict. A new way is one file here and one line in `PARTIAL`.

In this product unknown means unknown: `masked` is the default, and no other way is ever chosen without being asked.
The others are for collections that come with positives only ("these tags were accepted, of the rest nobody spoke"),
where nothing is known to be absent and masking would leave nothing to learn from. They work over any head: each turn
gives soft targets and weights, the head is fitted, its probabilities lead to the next turn.
"""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.partial.assume_negative import assume_negative, weak_negative
from annotator.learning.partial.base import Partial, Reading, Turn, guess_prevalence
from annotator.learning.partial.em_apl import em_apl
from annotator.learning.partial.implicit_posterior import implicit_posterior
from annotator.learning.partial.large_loss import large_loss_correct, large_loss_reject
from annotator.learning.partial.masked import masked
from annotator.learning.partial.pu_mlc import pu_mlc

PARTIAL: dict[str, Partial] = {
    "masked": masked,
    "assume_negative": assume_negative,
    "weak_negative": weak_negative,
    "em_apl": em_apl,
    "large_loss_reject": large_loss_reject,
    "large_loss_correct": large_loss_correct,
    "pu_mlc": pu_mlc,
    "implicit_posterior": implicit_posterior,
}

UNLIKE = 8.0  # times as many positives as the median tag's


def advised(labels: NDArray[np.int8]) -> tuple[str, str]:
    """The way and the loss for (N, C) labels of a backbone without words.

    `masked` where anything is known to be absent, `em_apl` where only positives are. With `masked`, the loss
    `distribution_balanced` where tags are of very unlike frequency, else `masked_bce`. How far that is behind the best
    way and loss of each pack, `benchmarks.partial_labels` prints. To be confirmed by a person: reading silence as
    absence is an assumption about how the labels came to be.
    """
    if not (labels == 0).any() and (labels == 1).any():
        return "em_apl", "masked_bce"
    positives = (labels == 1).sum(0)
    unlike = positives.max(initial=0) > UNLIKE * max(1.0, float(np.median(positives)))
    return "masked", "distribution_balanced" if unlike else "masked_bce"


__all__ = ["PARTIAL", "Partial", "Reading", "Turn", "advised", "guess_prevalence"]
