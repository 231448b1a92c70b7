"""PU-MLC: positives against everything (Yuan et al. 2023, arXiv 2306.09066).

Per tag the loss is qbar^gamma log qbar - mean over positives of log q, qbar the mean probability, its power without
gradient. The slope of the first part at an entry is qbar^(gamma - 1) q (1 - q) / N: that of a cross-entropy with the
target 0 and the weight n qbar^(gamma - 1) (1 - q) / N for n positives of weight 1, taken at the turn before. Without
the paper's mixup: on stored vectors there is no picture to mix.
"""

import numpy as np

from annotator.learning.partial.base import Partial, Reading, Turn, full

GAMMA = 0.55  # the paper's for COCO
TURNS = 6


def _unknown(turn: Turn) -> Reading:
    positives = (turn.labels == 1).sum(0)
    q = turn.probabilities if turn.probabilities is not None else np.tile(turn.prevalence, (len(turn.labels), 1))
    mean = np.clip(q.mean(0), 1e-4, 1)
    weights = positives / max(1, len(q)) * mean ** (GAMMA - 1) * (1 - q)
    return Reading(full(turn.labels, 0), weights.astype(np.float32))


pu_mlc = Partial(TURNS, _unknown)
