"""A qualified majority: undecided until one side has its share."""

from annotator.errors import UsageError
from annotator.learning.votes.base import Consensus, VoteTable, concluded, decided, ratio, tally

SHARE = 2 / 3


def share_threshold(votes: VoteTable, *, share: float = SHARE) -> Consensus:
    """State: that of the side with at least `share` (above 0.5, at most 1) of those who could tell, else unknown.

    Belief: the share of yes. Raises UsageError for a share that both sides could reach, or none.
    """
    if not 0.5 < share <= 1:
        raise UsageError(f"a share of {share}; it has to be above 0.5, so that only one side has it, and at most 1")
    found = tally(votes)
    yes, no = ratio(found.yes, found.told, 0), ratio(found.no, found.told, 0)
    return concluded(found, found.share, decided(yes >= share, no >= share))
