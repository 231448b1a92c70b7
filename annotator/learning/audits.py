"""Audits: may a proposed set be settled? Exact, at any moment somebody looks.

For one tag, A is a set proposed as positive and R one proposed as negative, both of images that no person had answered
when the set was formed. An audit reads the answers of the first draws of its set (`cascade.draw_order`).

The promise, per tag: with probability >= 1 - alpha, precision AND recall of the final labels reach what was asked for.
The budget (`spend`): one half of alpha for the accept side, one half for the reject side; attempt k of a side spends
1 / (k (k + 1)) of the side's half. These shares add up to 1 over all attempts there can ever be, so all intervals of
one tag hold together. An attempt is counted when its first draw is answered, whatever comes of it.

An answer "cannot tell" (UNKNOWN) counts against us on both sides: as no positive in A, as a missed positive in R.

People's answers count as right and stay, also inside a settled set: a wrong member that was drawn is a corrected one.
So the final precision and recall of a tag (`certify`) follow from the undrawn rest of each set. Wherever positives from
people are asked for below, those on drawn images count and those on UNDRAWN members of an accepted set do not: the
bound of the set counts them already.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotator.errors import UsageError
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, IntervalPath, Mixture, Prior, interval_path
from annotator.terms import LabelState

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


LEAST_ALPHA = 1e-9  # stands for nothing: a set proves itself under it only when nearly all of it is drawn


class Decision(StrEnum):
    SETTLE = "settle"
    FAIL = "fail"
    GO_ON = "go on"


@dataclass(frozen=True)
class AuditState:
    """Where the audit of one set stands.

    size        images in the set
    drawn       answered draws
    positives   of these: answered positive
    unclear     of these: answered "cannot tell"
    low, high   the interval for K after all draws. In A, K counts the images people would call positive; in R, also
                those they could not tell
    decision    what the first decisive draw said; later draws do not change it
    decided_at  how many draws it took, None while the decision is GO_ON
    alarm       settled, but what is known by now no longer proves it: offer a rollback. Intervals only narrow, so this
                takes draws that contradict the interval of the decision
    """

    size: int
    drawn: int
    positives: int
    unclear: int
    low: int
    high: int
    decision: Decision
    decided_at: int | None
    alarm: bool


@dataclass(frozen=True)
class AcceptGoal:
    """Settle A when K is proven to be at least `precision` times its size, less `surplus`.

    surplus     positives the rest of the tag has to spare, see `surplus_of`; 0: the set stands by itself
    corrected   count drawn negatives as corrected: the goal is precision times the images that would END as positive.
                As safe for the final labels, and cheaper for small sets
    """

    precision: float
    surplus: float = 0.0
    corrected: bool = False

    def needed(self, size: int, drawn_wrong: ArrayLike) -> FloatArray:
        """K that settles a set of `size`, given (n,) counts of drawn images that are not positive."""
        ending_positive = size - np.asarray(drawn_wrong) * self.corrected
        return np.asarray(self.precision * ending_positive - self.surplus)


@dataclass(frozen=True)
class RejectGoal:
    """Settle R when certified recall = F / (F + missed) is proven to reach `recall`.

    found     F without this audit: positives from people, plus the lower bounds of the undrawn rests of accepted sets
    missed    upper bounds of the undrawn rests of the sets that were rejected before
    """

    recall: float
    found: float
    missed: float = 0.0

    def allowed(self, positives: ArrayLike) -> FloatArray:
        """Positives that may be missed in the rest of this set, given (n,) positives drawn from it (they are found)."""
        found = self.found + np.asarray(positives)
        return np.asarray(found * (1 - self.recall) / self.recall - self.missed)


@dataclass(frozen=True)
class Certificate:
    """What is proven of one tag's final labels; `precision` and `recall` are lower bounds that hold together."""

    precision: float
    recall: float


def spend(alpha: float, attempt: int, share: float = 0.5) -> float:
    """The alpha of attempt 1, 2, ... on one side of a tag; `share` is the side's part of the tag's `alpha`."""
    if attempt < 1 or not 0 < alpha < 1 or not 0 < share <= 1:
        raise UsageError(
            f"alpha {alpha}, attempt {attempt}, share {share}: need 0 < alpha < 1, attempt >= 1, share <= 1"
        )
    return alpha * share / (attempt * (attempt + 1))


def next_alpha(alpha: float, tried: int, used: float) -> float:
    """What the next attempt of a side may spend after `tried` ones that spent `used` of the side's half of `alpha`.

    Attempt k takes 1 / (k + 1) of what is left: `spend`, where all before it took their share and no more. So the sum
    never exceeds the half, whatever is spent besides.
    """
    return max(LEAST_ALPHA, (alpha / 2 - used) / (tried + 2))


def answered_prefix(answers: NDArray[np.int8], asked: BoolArray) -> NDArray[np.int8]:
    """The answers up to the first draw that nobody was asked.

    `answers` (M,) LabelState and `asked` (M,) bool, both in draw order. Later answers wait until the gap is closed:
    which images were answered early may depend on how they look, and only the order makes a sample uniform.
    """
    gaps = np.flatnonzero(~np.asarray(asked, bool))
    return answers[: gaps[0]] if len(gaps) else answers


def audit_accepted(
    answers: ArrayLike, size: int, goal: AcceptGoal, *, alpha: float, prior: Prior | Mixture = ACCEPT_PRIOR
) -> AuditState:
    """Audit of a set proposed as positive; `answers` (n,) LabelState of its first n draws, `size` >= n.

    FAIL says that the set as it was proposed misses the goal: to go on until enough of it is corrected would cost more
    than a smaller set.
    """
    given = _checked(answers)
    positive = given == LabelState.POSITIVE
    path = interval_path(positive, size, alpha, prior)
    needed = goal.needed(size, np.cumsum(~positive))
    return _state(given, size, path, settle=path.low >= needed, fail=path.high < goal.needed(size, 0))


def audit_rejected(
    answers: ArrayLike, size: int, goal: RejectGoal, *, alpha: float, prior: Prior | Mixture = REJECT_PRIOR
) -> AuditState:
    """Audit of a set proposed as negative; `answers` (n,) LabelState of its first n draws, `size` >= n.

    FAIL says that even the lower bound of what is missed is too much for what was found so far.
    """
    given = _checked(answers)
    counted, found = given != LabelState.NEGATIVE, np.cumsum(given == LabelState.POSITIVE)
    path = interval_path(counted, size, alpha, prior)
    allowed = goal.allowed(found)
    return _state(given, size, path, settle=path.high - found <= allowed, fail=path.low - found > allowed)


def surplus_of(people_positive: int, settled: Iterable[AuditState], precision: float) -> float:
    """Positives that a tag has to spare above `precision`: a set may be a little worse where the rest is better.

    `people_positive`: positives from people, those drawn from settled and failed sets included; `settled`: the accepted
    sets. Positives drawn from the set that the surplus is for stay out: the bound of its audit counts them.
    """
    return people_positive * (1 - precision) + sum(_rest_low(a) - precision * (a.size - a.drawn) for a in settled)


def certify(
    people_positive: int, accepted: Iterable[AuditState], rejected: Iterable[AuditState], open_missed: float
) -> Certificate:
    """What is proven of one tag after all its rounds.

    `people_positive`  positives from people, drawn ones included
    `accepted`, `rejected`  the settled sets, each with its newest audit
    `open_missed`      positives that may be among the images nobody decided: how many these are, or a proven bound

    1.0 stands where there is nothing to be wrong about: no label given, no positive missed.
    """
    accepted = list(accepted)
    found = people_positive + sum(_rest_low(a) for a in accepted)
    labelled = people_positive + sum(a.size - a.drawn for a in accepted)
    missed = open_missed + sum(r.high - r.positives for r in rejected)
    return Certificate(found / labelled if labelled else 1.0, found / (found + missed) if missed > 0 else 1.0)


def _state(
    given: NDArray[np.int8],
    size: int,
    path: IntervalPath,
    *,
    settle: BoolArray,
    fail: BoolArray,
) -> AuditState:
    decisive = np.flatnonzero(settle | fail)
    decision, decided_at = Decision.GO_ON, None
    if len(decisive):
        decided_at = int(decisive[0]) + 1
        decision = Decision.SETTLE if settle[decisive[0]] else Decision.FAIL
    return AuditState(
        size=size,
        drawn=len(given),
        positives=int((given == LabelState.POSITIVE).sum()),
        unclear=int((given == LabelState.UNKNOWN).sum()),
        low=int(path.low[-1]) if len(given) else 0,
        high=int(path.high[-1]) if len(given) else size,
        decision=decision,
        decided_at=decided_at,
        alarm=decision == Decision.SETTLE and not settle[-1],
    )


def _rest_low(audit: AuditState) -> int:
    """Lower bound of the positives among the images of an accepted set that were not drawn."""
    return audit.low - audit.positives


def _checked(answers: ArrayLike) -> NDArray[np.int8]:
    given = np.asarray(answers, np.int8)
    if given.ndim != 1 or not np.isin(given, list(LabelState)).all():
        raise UsageError(f"answers of shape {given.shape} must be one row of 1, 0 and -1; got {np.unique(given)[:10]}")
    return given
