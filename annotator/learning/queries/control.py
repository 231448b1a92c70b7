"""Picks with a random control slice among them: what tells whether the strategy is worth anything."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import IntArray, Picks, Pool, Strategy
from annotator.learning.queries.random import at_random


@dataclass(frozen=True)
class Controlled:
    """Picks, the most wanted first, and (k,) which of them were drawn at random."""

    picks: Picks
    random: NDArray[np.bool_]


def with_control(strategy: Strategy, pool: Pool, k: int, share: float, rng: np.random.Generator) -> Controlled:
    """About `share` of the `k` picks drawn at random, before the strategy chooses the others, spread evenly over them.

    Drawn first, so that they are a fair sample of all candidates whatever the strategy wants. Where k times the share
    is no whole number, chance rounds it.
    """
    k = min(k, len(pool.candidates)) or k  # of nothing, the strategy says that nothing is left
    count = min(k, int(k * share + rng.random()))
    if count == 0:
        picks = strategy(pool, k, rng)
        return Controlled(picks, np.zeros(len(picks.rows), bool))
    drawn = at_random(pool, count, rng)
    if count == k:
        return Controlled(drawn, np.ones(k, bool))
    waiting = drawn.rows if pool.waiting is None else np.union1d(pool.waiting, drawn.rows)
    rest = replace(pool, candidates=_others(pool, drawn.rows, k - count), waiting=waiting)
    chosen = strategy(rest, k - count, rng)
    random = np.repeat([True, False], [count, k - count])
    order = np.argsort(np.concatenate([_places(count), _places(k - count)]), kind="stable")
    reasons = [*drawn.reasons, *chosen.reasons]
    rows = np.concatenate([drawn.rows, chosen.rows])[order]
    return Controlled(Picks(rows, [reasons[place] for place in order]), random[order])


def _others(pool: Pool, drawn: IntArray, wanted: int) -> IntArray:
    """The candidates that were not drawn, without near-duplicates of those drawn as long as enough are left."""
    left = np.setdiff1d(pool.candidates, drawn)
    if pool.duplicates is None:
        return left
    fresh = left[~np.isin(pool.duplicates[left], pool.duplicates[drawn])]
    return fresh if len(np.unique(pool.duplicates[fresh])) >= wanted else left


def _places(count: int) -> NDArray[np.float64]:
    """Evenly spread over 0..1."""
    return (np.arange(count) + 0.5) / max(1, count)
