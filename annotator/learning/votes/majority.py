"""What more of those who could tell said; a tie is undecided."""

from annotator.learning.votes.base import Consensus, VoteTable, concluded, decided, tally


def majority(votes: VoteTable) -> Consensus:
    """State: the majority's, unknown at a tie or where nobody could tell. Belief: the share of yes."""
    found = tally(votes)
    return concluded(found, found.share, decided(found.yes > found.no, found.no > found.yes))
