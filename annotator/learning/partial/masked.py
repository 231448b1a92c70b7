"""Masked: unknown entries count for nothing. The only reading that assumes nothing, and the default."""

from annotator.learning.partial.base import Partial, Reading, full

masked = Partial(1, lambda turn: Reading(full(turn.labels, 0), full(turn.labels, 0)))
