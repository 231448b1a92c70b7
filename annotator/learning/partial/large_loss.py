"""Large-loss: unknown entries count as negative, but those the model is surest to be positive are dropped (LL-R) or
turned positive (LL-Ct). Kim et al. 2022, arXiv 2206.03740.

A network learns clean labels first, so early large losses on assumed negatives point at positives that nobody
accepted. Each turn a further STEP of all entries is taken (the paper: 0.2 to 0.5 points an epoch).
"""

import numpy as np

from annotator.learning.partial.base import Partial, Reading, Turn, full

STEP = 0.002  # of all entries, a turn
TURNS = 5


def _suspects(turn: Turn) -> np.ndarray:
    """(N, C) the unknown entries with the largest loss as negatives; of equal ones the first."""
    unknown = turn.labels < 0
    found = np.zeros(unknown.shape, bool)
    if turn.probabilities is None:
        return found
    loss = np.where(unknown, turn.probabilities, -1.0)
    count = min(int(unknown.sum()), round(STEP * turn.number * unknown.size))
    found.ravel()[np.argsort(-loss.ravel(), kind="stable")[:count]] = True
    return found


def _reject(turn: Turn) -> Reading:
    return Reading(full(turn.labels, 0), np.where(_suspects(turn), 0, 1).astype(np.float32))


def _correct(turn: Turn) -> Reading:
    return Reading(np.where(_suspects(turn), 1, 0).astype(np.float32), full(turn.labels, 1))


large_loss_reject = Partial(TURNS, _reject)
large_loss_correct = Partial(TURNS, _correct)
