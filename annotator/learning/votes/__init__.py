"""How several people's votes become one word, as one readable dict. A new policy is one file here and one line in it.

"Cannot tell" is no vote, for absent least of all. Each policy takes its settings as keywords.
"""

import inspect

from annotator.errors import UnknownNameError
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


def reach_consensus(name: str, votes: VoteTable, **settings: float) -> Consensus:
    """What the policy called `name` (a key of VOTES) makes of the votes, with its settings as keywords.

    Raises UnknownNameError for a policy that is not there or a setting that it does not have.
    """
    if name not in VOTES:
        raise UnknownNameError("vote policy", name, VOTES)
    known = [setting for setting in inspect.signature(VOTES[name]).parameters if setting != "votes"]
    for setting in settings:
        if setting not in known:
            raise UnknownNameError(f"setting of {name}", setting, known)
    return VOTES[name](votes, **settings)


__all__ = ["VOTES", "Belief", "Consensus", "Policy", "Rates", "Skills", "VoteTable", "reach_consensus"]
