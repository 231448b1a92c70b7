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


def advised(labels: NDArray[np.int8]) -> str:
    """The way for (N, C) labels: `masked` where anything is known to be absent, `em_apl` where only positives are.

    Within half a point of mAP of the best way and loss on most packs, at worst 3.3 points behind (coco256, a tenth of
    the labels kept, where the focal loss wins): `benchmarks.partial_labels`. To be confirmed by a person: reading
    silence as absence is an assumption about how the labels came to be.
    """
    return "masked" if (labels == 0).any() or not (labels == 1).any() else "em_apl"


__all__ = ["PARTIAL", "Partial", "Reading", "Turn", "advised", "guess_prevalence"]
