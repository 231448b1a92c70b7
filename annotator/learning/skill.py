"""How well people answer, from their answers on pairs whose truth is known (gold, or settled by a review), and an
alarm when it falls.

`fell` asks of every recent stretch of answers, begun at each tenth answer, whether its skill can still be the required
one. For a stretch of n answers with k right and a required skill p it weighs every lower skill q against p,

    E = 1 / P(q < p) * integral over q < p of (q / p)^k ((1 - q) / (1 - p))^(n - k) Beta(q; 1/2, 1/2) dq,

a mixture of likelihood ratios that have an expectation of at most 1 as long as each answer is right with at least
probability p, however it varies. So E passes 1 / alpha at any time at all with probability at most alpha (Ville). The
j-th stretch spends alpha / (j (j + 1)), all of them together alpha: one may look after every answer, for ever.
(Robbins 1970, doi:10.1214/aoms/1177696786; Howard et al. 2021, arXiv 1810.08240)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaln, xlog1py, xlogy

from annotator.errors import UsageError
from annotator.learning.bounds import clopper_pearson_intervals
from annotator.learning.votes.base import Counts, Figures, Rates, Skills, States, VoteTable, ratio

ALPHA = 0.05
STEP = 10  # answers between the beginnings of two stretches
_CUTS, _REFINED = 64, 5  # 64**5 is 1e9: as fine as a skill ever is told
_PRIOR = 0.5
_TINY = 1e-300  # only where the required skill is far below what is shown, which is no evidence anyway


def measured_skills(votes: VoteTable, truth: States, *, alpha: float = ALPHA, per_tag: bool = True) -> Skills:
    """Skills from (V,) int8 `truth` of each vote's pair, 1, 0, or -1 where it is not known.

    Only answers on known pairs by people who could tell count. The intervals are Clopper and Pearson's, each holding
    with 1 - `alpha` by itself; a rate nothing is known of is NaN in 0..1. Without `per_tag` all tags of a person
    together, as tag -1. Raises UsageError where truth and votes are not of one length.
    """
    if truth.shape != votes.states.shape:
        raise UsageError(f"{len(votes)} votes and truths of shape {truth.shape}; give the truth of each vote")
    known = (votes.states >= 0) & (truth >= 0)
    answers, truth = votes.take(known), truth[known]
    tags = answers.tags if per_tag else np.full(len(answers), -1)
    who, cell = np.unique(np.stack([answers.annotators, tags], 1), axis=0, return_inverse=True)

    def count(chosen: NDArray[np.bool_]) -> Counts:
        return np.bincount(cell.ravel()[chosen], minlength=len(who))

    right, positive = answers.states == truth, truth == 1
    positives, negatives = count(positive), count(~positive)
    hits, passes = count(right & positive), count(right & ~positive)
    return Skills(
        who[:, 0],
        who[:, 1],
        _rates(hits, positives, alpha),
        _rates(passes, negatives, alpha),
        _rates(hits + passes, positives + negatives, alpha),
        positives.astype(np.float64),
        negatives.astype(np.float64),
    )


def _rates(right: Counts, total: Counts, alpha: float) -> Rates:
    return Rates(ratio(right, total, np.nan), *clopper_pearson_intervals(total, right, alpha))


@dataclass(frozen=True)
class Stretch:
    """The recent answers that speak most against the required skill.

    since     place of the first of them among all answers
    answers   how many they are, and of these `right`
    upper     what their skill is at most, at the level its stretch may spend
    alarm     whether that is below the required skill
    """

    since: int
    answers: int
    right: int
    upper: float
    alarm: bool


def fell(right: ArrayLike, required: float, *, alpha: float = ALPHA) -> Stretch:
    """Whether the skill of recent answers is below `required`, in (0, 1).

    `right` (n,) of 0 and 1 in the order of time. For a person whose skill never is below `required` the probability
    of an alarm, ever, is at most `alpha`, however often one looks. Raises UsageError for other values.
    """
    answers = np.asarray(right, np.int64)
    if answers.ndim != 1 or not np.isin(answers, (0, 1)).all():
        raise UsageError(f"answers of shape {answers.shape} must be one row of ones, right, and zeros, wrong")
    if not (0 < required < 1 and 0 < alpha < 1):
        raise UsageError(f"required skill {required} at level {alpha}: both have to lie between 0 and 1")
    since = np.arange(0, max(1, len(answers)), STEP)
    total = len(answers) - since
    hits = answers.sum() - np.concatenate([[0], np.cumsum(answers)])[since]
    place = np.arange(1, len(since) + 1)
    needed = np.log(place * (place + 1.0)) - np.log(alpha)
    worst = int(np.argmax(_log_evidence(hits, total, np.full(len(since), required)) - needed))
    found = int(hits[worst]), int(total[worst])
    upper = _upper(*found, float(needed[worst]))
    return Stretch(int(since[worst]), found[1], found[0], upper, upper < required)


def _upper(right: int, total: int, needed: float) -> float:
    """The smallest skill above the share of right answers that the evidence refutes; 1 where it refutes none."""
    low, high = right / total if total else 1.0, 1.0
    counts = np.full(_CUTS, right), np.full(_CUTS, total)
    for _ in range(_REFINED):
        skills = np.linspace(low, high, _CUTS + 1)[1:]
        refuted = np.append(_log_evidence(*counts, skills)[:-1] >= needed, True)
        first = int(np.argmax(refuted))
        low, high = skills[first - 1] if first else low, skills[first]
    return float(high)


def _log_evidence(right: Counts, total: Counts, required: Figures) -> Figures:
    """Log of E for (J,) stretches, each against its own required skill; -inf where as much or more was right."""
    a, b = right + _PRIOR, total - right + _PRIOR
    below = np.log(np.maximum(betainc(a, b, required), _TINY)) - np.log(betainc(_PRIOR, _PRIOR, required))
    likelihood = xlogy(right, required) + xlog1py(total - right, -required)
    found = betaln(a, b) - betaln(_PRIOR, _PRIOR) + below - likelihood
    return np.where(required > ratio(right, total, 1.0), found, -np.inf)
