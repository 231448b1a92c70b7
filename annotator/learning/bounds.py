"""Exact intervals for K, the number of positives in a finite set of N, from draws without replacement.

The interval that may be looked at after every draw is the prior-posterior ratio of Waudby-Smith & Ramdas, "Confidence
sequences for sampling without replacement" (NeurIPS 2020, arXiv 2006.04347). Prior: K ~ BetaBinomial(N, a, b). After n
draws with k positives: K - k ~ BetaBinomial(N - n, a + k, b + n - k). Those K with prior / posterior < 1 / alpha
hold the truth at all times together with probability >= 1 - alpha, whatever the prior, if it was chosen before the
first draw.

Both distributions share the factor B(K + a, N - K + b), so the ratio is

    marginal / likelihood(K),   likelihood(K) = C(N - n, K - k) / C(N, K),   marginal = B(a + k, b + n - k) / B(a, b).

The likelihood has one peak, at floor(k (N + 1) / n): the values that stay are one run around it. Bisection on both
sides of the peak finds its ends in about 2 log2(N) evaluations, for all moments of a path at once.

For a sample whose size was fixed beforehand: `hypergeometric_interval` (finite set) and `clopper_pearson` (infinite).
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv, betaincinv, betaln, gammaln, logsumexp

from annotator.errors import UsageError

Side = Literal["both", "lower", "upper"]
Prior = tuple[float, float]
Mixture = tuple[Prior, ...]
"""Priors in equal parts: nearly as quick as the best of them, for log(parts) more evidence."""
IntArray = NDArray[np.int64]

ACCEPT_PRIOR: Prior = (10.0, 0.5)
"""Expects about 95 % positives: for sets that are proposed as positive."""
REJECT_PRIOR: Prior = (0.5, 10.0)
"""Its mirror, for sets proposed as negative. `model_prior` needs fewer draws where few positives are missed."""

AnyPrior = Any
"""A Prior, a Mixture, or such with arrays in place of the numbers."""

# gammaln(1e7) is about 1.5e8 and carries 3e-8 of rounding: a K this near to the edge stays in the interval.
_SLACK = 1e-6
PRIOR_STRENGTH = 2.0
"""Of the model's own prior: beside 0.5 it saves about a tenth of the draws where the model is right."""
RAREST = 1e-7  # what a model calls impossible is still expected once in ten million


class Interval(NamedTuple):
    """low <= K <= high: counts of positives in the whole set."""

    low: int
    high: int


class IntervalPath(NamedTuple):
    """(n,) int64 ends of the interval after each of n draws."""

    low: IntArray
    high: IntArray


def interval(drawn: int, positives: int, size: int, alpha: float, prior: Prior | Mixture = ACCEPT_PRIOR) -> Interval:
    """The interval after `drawn` draws with `positives` positives out of a set of `size`, by itself.

    It is one moment of the sequence, which `interval_path` intersects with the moments before. Never empty; within
    [positives, size - drawn + positives]. Raises UsageError where the counts do not fit together.
    """
    _check_counts(drawn, positives, size)
    _check_level(alpha, prior)
    low, high = intervals(np.array([drawn]), np.array([positives]), size, alpha, prior)
    return Interval(int(low[0]), int(high[0]))


def interval_path(draws: ArrayLike, size: int, alpha: float, prior: Prior | Mixture = ACCEPT_PRIOR) -> IntervalPath:
    """The interval after each draw, intersected over time; it holds K at all times together with 1 - `alpha`.

    `draws` (n,) of 0 and 1 in the order they were drawn, n <= `size`; `prior` (a, b) > 0, or several in equal
    parts, chosen before the first draw.

    The intersection is empty with probability <= `alpha`, or when the draws were no uniform sample. From then on each
    moment stands by itself, so that the ends follow the newest evidence and a promise that broke can be seen.
    """
    answers = np.asarray(draws)
    if answers.ndim != 1 or not np.isin(answers, (0, 1)).all():
        raise UsageError(f"draws of shape {answers.shape} must be one row of zeros and ones; map unknown answers first")
    _check_counts(len(answers), 0, size)
    _check_level(alpha, prior)
    low, high = intervals(np.arange(1, len(answers) + 1), np.cumsum(answers, dtype=np.int64), size, alpha, prior)
    low_so_far, high_so_far = np.maximum.accumulate(low), np.minimum.accumulate(high)
    empty = low_so_far > high_so_far
    return IntervalPath(np.where(empty, low, low_so_far), np.where(empty, high, high_so_far))


def model_prior(expected_share: float, strength: float = PRIOR_STRENGTH) -> Prior:
    """The prior (a, b) with mean `expected_share` whose smaller parameter is `strength`.

    `expected_share` in [0, 1] is what the model believes of the set, from data other than its draws. A wrong belief
    costs draws, never the guarantee. 20 / 21 and 0.5 give ACCEPT_PRIOR. For a set in which the model expects 1
    positive in 10,000 this needs about half the draws that REJECT_PRIOR needs.
    """
    if not 0 <= expected_share <= 1 or strength <= 0:
        raise UsageError(f"prior of mean {expected_share}, strength {strength}: the mean is in [0, 1], strength > 0")
    a, b = prior_of_mean(np.float64(expected_share), strength)
    return float(a), float(b)


def prior_of_mean(shares: ArrayLike, strength: float = PRIOR_STRENGTH) -> tuple[Any, Any]:
    """`model_prior` of many expected shares at once, unchecked: arrays (a, b) of their shape."""
    shares = np.clip(shares, RAREST, 1 - RAREST)
    scale = strength / np.minimum(shares, 1 - shares)
    return scale * shares, scale * (1 - shares)


def hypergeometric_interval(drawn: int, positives: int, size: int, alpha: float, side: Side = "both") -> Interval:
    """The exact interval for K from ONE look at a sample whose size was fixed beforehand.

    "lower": every K with P(X >= positives | K) > alpha, upper end trivial; "upper": its mirror; "both": alpha / 2 each.
    """
    _check_counts(drawn, positives, size)
    _check_level(alpha, ACCEPT_PRIOR)
    level = alpha / 2 if side == "both" else alpha
    most = size - drawn + positives
    low, high = positives, most
    if side != "upper":
        low = _first(lambda k: _tail(drawn, positives, size, k) > level, positives, most)
    if side != "lower":  # drawn - positives negatives out of size - K: the same question for the negatives
        negatives = drawn - positives
        least = _first(lambda k: _tail(drawn, negatives, size, k) > level, negatives, size - positives)
        high = size - least
    return Interval(low, high)


def clopper_pearson(drawn: int, positives: int, alpha: float, side: Side = "both") -> tuple[float, float]:
    """The exact interval for a share from a sample of fixed size out of an infinite (or huge) population, in [0, 1].

    Clopper & Pearson, Biometrika 26 (1934). One-sided: alpha is all on that side, the other end is 0 or 1.
    """
    _check_counts(drawn, positives, drawn)
    _check_level(alpha, ACCEPT_PRIOR)
    level = alpha / 2 if side == "both" else alpha
    low, high = 0.0, 1.0
    if side != "upper" and positives > 0:
        low = float(betaincinv(positives, drawn - positives + 1, level))
    if side != "lower" and positives < drawn:
        high = float(betainccinv(positives + 1, drawn - positives, level))
    return low, high


def clopper_pearson_intervals(
    drawn: IntArray, positives: IntArray, alpha: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both ends of `clopper_pearson` for many samples at once; 0 and 1 where nothing was drawn."""
    none, all_of_them = positives == 0, positives == drawn
    low = betaincinv(np.where(none, 1, positives), drawn - positives + 1, alpha / 2)
    high = betainccinv(positives + 1, np.where(all_of_them, 1, drawn - positives), alpha / 2)
    return np.where(none, 0.0, low), np.where(all_of_them, 1.0, high)


def intervals(
    drawn: IntArray,
    positives: IntArray,
    size: int | IntArray,
    alpha: float | NDArray[np.float64],
    prior: AnyPrior,
) -> IntervalPath:
    """Ends of many intervals, each by itself; any parts may be arrays of one shape. The counts are not checked."""
    least, most = positives, size - drawn + positives
    peak = np.clip(positives * (size + 1) // np.maximum(drawn, 1), least, most)
    peak = np.where(drawn == 0, least, peak)
    constant = gammaln(size + 1) - gammaln(size - drawn + 1)
    floor = _log_marginal(prior, drawn, positives) + np.log(alpha) - _SLACK

    def inside(k: IntArray) -> NDArray[np.bool_]:
        drawn_positive = gammaln(k + 1) - gammaln(k - positives + 1)
        drawn_negative = gammaln(size - k + 1) - gammaln(most - k + 1)
        return np.asarray(drawn_positive + drawn_negative - constant > floor)

    return IntervalPath(_edge(inside, peak, least), _edge(inside, peak, most))


def _log_marginal(prior: AnyPrior, drawn: IntArray, positives: IntArray) -> NDArray[np.float64]:
    """Log of the probability of the draws in their order, before the first of them."""
    if isinstance(prior[0], tuple):
        parts = [_log_marginal(one, drawn, positives) for one in prior]
        return np.asarray(logsumexp(np.stack(np.broadcast_arrays(*parts)), axis=0) - np.log(len(parts)))
    a, b = prior
    return np.asarray(betaln(a + positives, b + drawn - positives) - betaln(a, b))


def _edge(inside: Callable[[IntArray], NDArray[np.bool_]], peak: IntArray, limit: IntArray) -> IntArray:
    """The last value from `peak` (inside) towards `limit` that is inside, elementwise."""
    step = np.sign(limit - peak)
    good, far = np.zeros_like(peak), np.abs(limit - peak) + 1  # distances: `good` is inside, `far` is not
    while (far - good > 1).any():
        middle = (good + far) // 2
        ok = inside(peak + step * middle)
        good, far = np.where(ok, middle, good), np.where(ok, far, middle)
    return np.asarray(peak + step * good)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest value in [low, high] that `holds`, for a condition that stays true once it is; `high` holds."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _tail(drawn: int, at_least: int, size: int, k: int) -> float:
    """P(X >= at_least) for X positives among `drawn` out of `size` with `k` positives."""
    seen = np.arange(max(at_least, drawn - size + k), min(drawn, k) + 1)
    if len(seen) == 0:
        return 0.0
    ways = _log_choose(k, seen) + _log_choose(size - k, drawn - seen) - _log_choose(size, drawn)
    return float(np.exp(min(logsumexp(ways), 0.0)))


def _log_choose(n: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
    n, k = np.asarray(n, np.float64), np.asarray(k, np.float64)
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _check_counts(drawn: int, positives: int, size: int) -> None:
    if not 0 <= positives <= drawn <= size:
        raise UsageError(f"{positives} positives in {drawn} draws from {size}: need 0 <= positives <= draws <= size")


def _check_level(alpha: float, prior: Prior | Mixture) -> None:
    if not 0 < alpha < 1:
        raise UsageError(f"alpha {alpha} must lie between 0 and 1; 0.05 stands for 95 % confidence")
    pairs = np.reshape(np.asarray(prior, np.float64), (-1, 2))
    if not ((pairs > 0) & np.isfinite(pairs)).all():
        raise UsageError(f"prior {prior} must be two positive numbers, such as {ACCEPT_PRIOR}, or several such pairs")


def set_prior(expected_share: float, default: Prior) -> Mixture:
    """What the model believes of a set and, in case it is wrong, the `default` of the set's side, in equal parts."""
    return model_prior(expected_share), default
