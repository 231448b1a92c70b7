"""What the skill models share: the search for who is right and how good each person is, one from the other.

Tags are independent of each other, except that a skill known from few votes is pulled to the annotator's skill over all
tags, and that to everybody's, with the weight of `strength` imaginary votes at each of the two steps. Expectation: the
log-odds of a pair are those of its tag's prevalence plus the evidence of each vote,

    log (sensitivity / (1 - specificity)) for a yes,   log ((1 - sensitivity) / specificity) for a no.

Maximisation: skills and prevalences from the beliefs as expected counts. It begins at the shares of the votes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, expit, logit

from annotator.errors import UsageError
from annotator.learning.votes.base import Consensus, Counts, Figures, IntArray, Rates, Skills, Tally, concluded, decided

STRENGTH = 8.0
SUPPOSED = 0.8  # skill of a person of whom nothing is known
TURNS = 200
TOLERANCE = 1e-6  # of a belief
DECIMALS = 10  # of a belief: what rounding errors would add to a tie could otherwise grow until they decide it
_EDGE = 1e-10
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Evidence:
    """The K votes that count, of S pairs of annotator and tag ("cells") on Q pairs of image and tag.

    pair, cell (K,), yes (K,) bool; tag (Q,), annotator, tag_of_cell (S,) places among the ids.
    """

    pair: Counts
    cell: Counts
    yes: NDArray[np.bool_]
    tag: Counts
    annotator: Counts
    tag_of_cell: Counts
    annotator_ids: IntArray
    tag_ids: IntArray


class Quotas(NamedTuple):
    """(S,) expected counts of one kind of answer, and of the right ones among them."""

    right: Figures
    total: Figures


class Estimate(NamedTuple):
    """(S,) a skill of each cell, and the annotator's overall one that it was pulled to."""

    value: Figures
    overall: Figures


class Answered(NamedTuple):
    """Expected counts on positives and on negatives."""

    positives: Quotas
    negatives: Quotas


Learn = Callable[[Answered, Evidence, float], tuple[Estimate, Estimate]]
"""Expected counts, evidence and strength to sensitivity and specificity: what a model is."""


def gather(found: Tally) -> Evidence:
    """Only pairs that somebody could tell of: the others must not even decide when the search ends."""
    counts, told = found.votes.states >= 0, found.told > 0
    tag_ids, tag = np.unique(found.tags[told], return_inverse=True)
    annotator_ids, annotator = np.unique(found.votes.annotators[counts], return_inverse=True)
    pair = (np.cumsum(told) - 1)[found.pair[counts]]
    width = max(1, len(tag_ids))
    cells, cell = np.unique(annotator * width + tag[pair], return_inverse=True)
    yes = found.votes.states[counts] == 1
    return Evidence(pair, cell, yes, tag, cells // width, cells % width, annotator_ids, tag_ids)


def solve(found: Tally, learn: Learn, strength: float, least: float) -> Consensus:
    """Beliefs and skills of the model that learns by `learn`; of a pair that nobody could tell, one half.

    State: the likelier one where its probability is at least `least`, else unknown; but where all who could tell
    agree, what they say: estimated skills choose between people, they do not overrule them.
    """
    if not strength > 0:
        raise UsageError(f"a strength of {strength} imaginary votes; it has to be above 0")
    if not 0.5 <= least <= 1:
        raise UsageError(f"states need a probability of {least}; it has to be from 0.5 to 1")
    evidence, told = gather(found), found.told > 0
    answered, believed = _search(found.share[told], evidence, learn, strength)
    belief = np.full(len(told), 0.5)
    belief[told] = believed
    agreed, sure = found.states_of_the_unanimous(), np.maximum(belief, 1 - belief) >= least
    states = np.where(agreed >= 0, agreed, decided(sure & (belief > 0.5), sure & (belief < 0.5))).astype(np.int8)
    return concluded(found, belief, states, _skills(answered, evidence, learn, strength))


def _search(belief: Figures, evidence: Evidence, learn: Learn, strength: float) -> tuple[Answered, Figures]:
    """Expectation and maximisation in turn, from beliefs (Q,) to those that stay, with their expected counts."""
    for _ in range(TURNS):
        before = belief
        sensitivity, specificity = learn(expected(belief, evidence), evidence, strength)
        belief = _believe(belief, sensitivity.value, specificity.value, evidence, strength)
        if np.abs(belief - before).max(initial=0) < TOLERANCE:
            break
    return expected(belief, evidence), belief


def expected(belief: Figures, evidence: Evidence) -> Answered:
    """Expected counts of each cell's answers on positives and on negatives."""
    believed, cells = belief[evidence.pair], len(evidence.annotator)

    def count(weights: Figures) -> Figures:
        return np.asarray(np.bincount(evidence.cell, weights, cells), np.float64)

    return Answered(
        Quotas(count(believed * evidence.yes), count(believed)),
        Quotas(count((1 - believed) * ~evidence.yes), count(1 - believed)),
    )


def pulled(quotas: Quotas, evidence: Evidence, strength: float) -> Estimate:
    """Shares of right answers, each pulled to its annotator's, and that to everybody's."""
    everybody = (quotas.right.sum() + strength * SUPPOSED) / (quotas.total.sum() + strength)
    right, total = (np.bincount(evidence.annotator, part, len(evidence.annotator_ids)) for part in quotas)
    overall = ((right + strength * everybody) / (total + strength))[evidence.annotator]
    return Estimate((quotas.right + strength * overall) / (quotas.total + strength), overall)


def _believe(
    belief: Figures, sensitivity: Figures, specificity: Figures, evidence: Evidence, strength: float
) -> Figures:
    """(Q,) the next beliefs."""
    prevalence = _prevalence(belief, evidence, strength)
    sensitivity, specificity = (np.clip(part, _EDGE, 1 - _EDGE) for part in (sensitivity, specificity))
    for_yes = np.log(sensitivity) - np.log1p(-specificity)
    for_no = np.log1p(-sensitivity) - np.log(specificity)
    heard = np.where(evidence.yes, for_yes[evidence.cell], for_no[evidence.cell])
    odds = logit(prevalence)[evidence.tag] + np.bincount(evidence.pair, heard, len(belief))
    return np.asarray(np.round(expit(odds), DECIMALS))


def _prevalence(belief: Figures, evidence: Evidence, strength: float) -> Figures:
    """(T,) mean belief of each tag, pulled to that of all tags."""
    everywhere = (belief.sum() + 0.5 * strength) / (len(belief) + strength)
    size = len(evidence.tag_ids)
    sums, counts = np.bincount(evidence.tag, belief, size), np.bincount(evidence.tag, minlength=size)
    return np.asarray(np.clip((sums + strength * everywhere) / (counts + strength), _EDGE, 1 - _EDGE))


def _skills(answered: Answered, evidence: Evidence, learn: Learn, strength: float) -> Skills:
    sensitivity, specificity = learn(answered, evidence, strength)
    both = Quotas(*(a + b for a, b in zip(*answered, strict=True)))
    one_coin = sensitivity is specificity
    positives, negatives = (both, both) if one_coin else answered
    return Skills(
        evidence.annotator_ids[evidence.annotator],
        evidence.tag_ids[evidence.tag_of_cell],
        _with_interval(sensitivity, positives, strength),
        _with_interval(specificity, negatives, strength),
        _with_interval(pulled(both, evidence, strength), both, strength),
        answered.positives.total,
        answered.negatives.total,
    )


def _with_interval(found: Estimate, quotas: Quotas, strength: float) -> Rates:
    """The central 95 % of Beta(right + m s, wrong + m (1 - s)), m the strength and s the annotator's overall skill."""
    a = quotas.right + strength * found.overall
    b = np.maximum(quotas.total - quotas.right, 0) + strength * (1 - found.overall)
    tail = (1 - CONFIDENCE) / 2
    return Rates(found.value, betaincinv(a, b, tail), betaincinv(a, b, 1 - tail))
