"""How several people's votes become one word, as one readable dict. A new policy is one file here and one line in it.

"Cannot tell" is no vote, for absent least of all. Each policy takes its settings as keywords.
"""

from annotator.learning.votes.base import Belief, Consensus, Policy, Rates, Skills, VoteTable
from annotator.learning.votes.dawid_skene import dawid_skene
from annotator.learning.votes.majority import majority
from annotator.learning.votes.one_coin import one_coin
from annotator.learning.votes.share_threshold import share_threshold
from annotator.learning.votes.soft_share import soft_share

VOTES: dict[str, Policy] = {
    "majority": majority,
    "share_threshold": share_threshold,
    "soft_share": soft_share,
    "dawid_skene": dawid_skene,
    "one_coin": one_coin,
}

__all__ = ["VOTES", "Belief", "Consensus", "Policy", "Rates", "Skills", "VoteTable"]
