"""Dawid & Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied Statistics 28
(1979), doi:10.2307/2346806; each tag a question of its own with two answers, few votes pulled to the person's overall.
"""

from annotator.learning.votes.base import Consensus, VoteTable, tally
from annotator.learning.votes.skill_model import STRENGTH, Answered, Estimate, Evidence, pulled, solve


def dawid_skene(votes: VoteTable, *, strength: float = STRENGTH, least: float = 0.5) -> Consensus:
    """Beliefs from people whose sensitivity and specificity differ by person and tag, with these skills.

    `strength` > 0 imaginary votes pull a person's skill on a tag to his skill overall; towards 0 it is the published
    method. `least` in 0.5..1: the probability a state needs where people disagree. The skills' intervals take the
    expected counts as if they had been counted: they are too narrow where the truth itself is doubtful.
    """
    return solve(tally(votes), _learn, strength, least)


def _learn(answered: Answered, evidence: Evidence, strength: float) -> tuple[Estimate, Estimate]:
    return pulled(answered.positives, evidence, strength), pulled(answered.negatives, evidence, strength)
