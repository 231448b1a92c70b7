"""The share of yes as a belief, with a little of the tag's share mixed in, so that one vote is no proof."""

import numpy as np

from annotator.errors import UsageError
from annotator.learning.votes.base import Consensus, Figures, Tally, VoteTable, concluded, decided, tally

IMAGINARY = 0.1


def soft_share(votes: VoteTable, *, imaginary: float = IMAGINARY) -> Consensus:
    """Belief: (yes + a s) / (yes + no + a), with a = `imaginary` votes that say yes as often as all on that tag do (s).

    State: the majority's, as in `majority`. With no imaginary vote it is the crowd's plain distribution, the target of
    FER+ (Barsoum et al. 2016, arXiv 1608.01041); with the default it foretells other people's votes better, and from
    two votes on a head learns more from it: `benchmarks.human_votes`. Raises UsageError for a negative number.
    """
    if not imaginary >= 0:
        raise UsageError(f"{imaginary} imaginary votes; they have to be 0 or more")
    found = tally(votes)
    mixed = found.told + imaginary
    belief = np.divide(
        found.yes + imaginary * _share_of_tag(found), mixed, out=np.full(len(mixed), 0.5), where=found.told > 0
    )
    return concluded(found, belief, decided(found.yes > found.no, found.no > found.yes))


def _share_of_tag(found: Tally) -> Figures:
    """(P,) the share of yes on the pair's tag, with one more vote for either side."""
    tags, place = np.unique(found.tags, return_inverse=True)
    yes, told = (np.bincount(place, counts, len(tags)) for counts in (found.yes, found.told))
    return np.asarray((yes + 1) / (told + 2))[place]
