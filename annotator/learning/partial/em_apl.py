"""EM with APL: unknown entries are kept undecided, then the least likely become soft negatives, a share a turn.

Zhou et al. 2022, arXiv 2203.16219. Entropy maximisation adds -alpha H(p) for an unknown entry; its slope
alpha z p (1 - p) is that of a cross-entropy with the target 1/2 and the weight alpha z p (1 - p) / (p - 1/2), taken
at the turn before. After the warm-up, each turn the least likely unknown entries of each tag, 0.9 of all by the end,
get their own p as target and the weight beta (asymmetric pseudo-labelling). alpha and beta as the paper has them for
COCO. Its probabilities are shifted: calibrate before use.
"""

import numpy as np

from annotator.learning.partial.base import Float, Partial, Reading, Turn, full

ALPHA = 0.1
BETA = 0.9
SHARE = 0.9  # of a tag's unknown entries are soft negatives at the end
WARM_UP = 3  # turns of entropy alone
TURNS = 8


def _unknown(turn: Turn) -> Reading:
    if turn.probabilities is None:
        return Reading(full(turn.labels, 0.5), full(turn.labels, ALPHA))
    p = turn.probabilities
    targets, weights = full(turn.labels, 0.5), ALPHA * _pull(p)
    share = SHARE * max(0, turn.number - WARM_UP + 1) / max(1, turn.last - WARM_UP + 1)
    soft = _least_likely(p, turn.labels < 0, share)
    targets[soft], weights[soft] = p[soft], BETA
    return Reading(targets, weights)


def _pull(p: Float) -> Float:
    """z p (1 - p) / (p - 1/2), which is 1 at p = 1/2."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    away = p - 0.5
    z = np.log(p / (1 - p))
    near = np.abs(away) < 1e-3
    return np.where(near, 1, z * p * (1 - p) / np.where(near, 1, away)).astype(np.float32)


def _least_likely(p: Float, unknown: np.ndarray, share: float) -> np.ndarray:
    """(N, C) whether an entry is among the `share` of its tag's unknown ones with the lowest p."""
    ranks = np.where(unknown, p, np.inf).argsort(0, kind="stable").argsort(0, kind="stable")
    found: np.ndarray = unknown & (ranks < share * unknown.sum(0))
    return found


em_apl = Partial(TURNS, _unknown)
