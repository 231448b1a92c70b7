"""One accuracy a person and tag, for present and absent alike: the one-coin model of Zhang, Chen, Zhou & Jordan,
"Spectral methods meet EM" (JMLR 2016, arXiv 1406.3824), by plain EM.
"""

from annotator.learning.votes.base import Consensus, VoteTable, tally
from annotator.learning.votes.skill_model import STRENGTH, Answered, Estimate, Evidence, Quotas, pulled, solve


def one_coin(votes: VoteTable, *, strength: float = STRENGTH, least: float = 0.5) -> Consensus:
    """As `dawid_skene`, with sensitivity and specificity the same number: fewer figures to learn from few votes.

    Where a tag is rare and people overlook it, they are far from the same; then `dawid_skene` is the better one.
    """
    return solve(tally(votes), _learn, strength, least)


def _learn(answered: Answered, evidence: Evidence, strength: float) -> tuple[Estimate, Estimate]:
    both = Quotas(*(a + b for a, b in zip(*answered, strict=True)))
    accuracy = pulled(both, evidence, strength)
    return accuracy, accuracy
