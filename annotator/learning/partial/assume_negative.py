"""Assume negative: what nobody accepted is absent. The plain way, against which the others are measured; and its weak
form, where an assumed negative weighs 1 / (C - 1) (Cole et al. 2021, arXiv 2106.09708)."""

from annotator.learning.partial.base import Partial, Reading, Turn, full


def _weakly(turn: Turn) -> Reading:
    tags = turn.labels.shape[1]
    return Reading(full(turn.labels, 0), full(turn.labels, 1 / max(1, tags - 1)))


assume_negative = Partial(1, lambda turn: Reading(full(turn.labels, 0), full(turn.labels, 1)))
weak_negative = Partial(1, _weakly)
