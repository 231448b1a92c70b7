"""Which sets a round should propose: those that leave people least to do, counted in seconds.

An image in a set saves the seconds of asking about it; its audit costs the draws until the proof. A larger set is a
worse one, and the nearer its errors come to what the promise bears, the more draws prove it: the gain has one broad
peak. It is looked for among SIZES sets a side, whose expected errors are shares of that burden, by forecasting each
audit at the model's own rate (`bounds.intervals`, all sets and tags at once).

The promise is about the tag's final labels (see `audits`), so a set may be worse where people's answers are many: the
surplus they give, and the positives they found, are part of the goals.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, intervals, prior_of_mean
from annotator.learning.cascade import Proposal

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Candidates = tuple[IntArray, FloatArray, FloatArray]
"""(S,) sizes, thresholds and expected errors of one tag's sets on one side."""
Settled = Callable[[IntArray, IntArray], NDArray[np.bool_]]
"""(C, S) draws and errors among them to whether the audit has settled."""

SIZES = 64  # a side
BURDENS = np.geomspace(0.003, 1.2, SIZES)  # expected errors over those that the promise bears
SMALLEST = 50
CAUTION = 0.15  # share by which the model is taken to underrate its errors: calibration is never perfect
LUCK = 1.3  # draws of real audits over those that come exactly at their rate


@dataclass(frozen=True)
class Costs:
    """Seconds of a person's work for one answer: about an image of the open band, and for one draw of an accept audit
    and of a reject audit, whose pages are looked over and only exceptions are marked. Assumed until measured."""

    band: float = 1.2
    accept: float = 0.3
    reject: float = 0.15


@dataclass(frozen=True)
class Standing:
    """Where C tags stand before a round; all (C,).

    found      positives that are sure: people's, and lower bounds of the undrawn rests of accepted sets
    surplus    positives to spare above the precision (`audits.surplus_of`)
    missed     upper bounds of the undrawn rests of the sets rejected before
    accept_alpha, reject_alpha   what the next attempt of each side may spend (`audits.spend`)
    accept_fails, reject_fails   audits of each side that failed: the model is believed the less, so the sets shrink
    """

    found: FloatArray
    surplus: FloatArray
    missed: FloatArray
    accept_alpha: FloatArray
    reject_alpha: FloatArray
    accept_fails: FloatArray
    reject_fails: FloatArray


@dataclass(frozen=True)
class Plan:
    """The sets to propose, and what is expected of them; all (C,).

    open         images neither answered nor settled
    expected     positives the model expects among them
    band         of these, outside both sets: to be asked, or left to the next round
    accept_draws, reject_draws   draws until the proof
    seconds      of the audits and the band together
    by_hand      seconds to finish all open images without a set
    """

    proposal: Proposal
    open: IntArray
    expected: FloatArray
    band: IntArray
    accept_draws: IntArray
    reject_draws: IntArray
    seconds: FloatArray
    by_hand: FloatArray


@dataclass(frozen=True)
class _Side:
    """One side's candidates of all tags: (C, S) sizes, thresholds and expected errors; size 0 where there is none."""

    sizes: IntArray
    thresholds: FloatArray
    errors: FloatArray

    def put(self, tag: int, found: Candidates) -> None:
        sizes, thresholds, errors = found
        self.sizes[tag] = np.where(sizes >= SMALLEST, sizes, 0)
        self.thresholds[tag], self.errors[tag] = thresholds, np.maximum(errors, 0)


def plan(
    probabilities: NDArray[np.floating],
    open_: NDArray[np.bool_],
    standing: Standing,
    *,
    precision: float,
    recall: float,
    costs: Costs | None = None,
) -> Plan:
    """Sets for all tags. `probabilities` (N, C) calibrated, in [0, 1]; `open_` (N, C) what nobody decided.

    Images of equal score stay together; a set whose audit costs more than it saves is not proposed. Raises UsageError
    for shapes that do not fit or probabilities outside [0, 1].
    """
    if probabilities.ndim != 2 or probabilities.shape != open_.shape:
        raise UsageError(f"probabilities {probabilities.shape} and open {open_.shape} must both be (images, tags)")
    seconds = costs or Costs()
    accept, reject, counts, expected = _candidates(probabilities, open_, standing, precision, recall)
    ups, ups_draws = _best_accept(accept, standing, precision, seconds)
    # The positives that the accept set and the band will have brought when the reject audit is judged.
    found = standing.found + expected * (1 - CAUTION * (1 - recall))
    downs, downs_draws = _best_reject(reject, standing, found, recall, seconds)
    proposal = _parted(probabilities, open_, _taken(accept, ups), _taken(reject, downs))
    band = counts - proposal.accept_size - proposal.reject_size
    total = seconds.band * band + seconds.accept * ups_draws + seconds.reject * downs_draws
    by_hand = np.asarray(seconds.band * counts, np.float64)
    return Plan(proposal, counts, expected, band, ups_draws, downs_draws, total, by_hand)


def _candidates(
    probabilities: NDArray[np.floating], open_: NDArray[np.bool_], standing: Standing, precision: float, recall: float
) -> tuple[_Side, _Side, IntArray, FloatArray]:
    """Candidates of both sides, and (C,) open images and positives expected among them."""
    tags = probabilities.shape[1]
    shape = tags, SIZES
    accept, reject = (_Side(np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)) for _ in range(2))
    counts, expected = np.zeros(tags, np.int64), np.zeros(tags)
    for tag in range(tags):
        scores = np.sort(probabilities[open_[:, tag], tag])
        if len(scores) and not (scores[0] >= 0 and scores[-1] <= 1):  # NaN sorts last
            raise UsageError(f"tag {tag}: probabilities from {scores[0]} to {scores[-1]} must lie in [0, 1]")
        positives = np.concatenate([[0.0], np.cumsum(scores, dtype=np.float64)])
        counts[tag], expected[tag] = len(scores), positives[-1]
        if len(scores) < SMALLEST:
            continue
        total = standing.found[tag] + expected[tag]
        reject.put(tag, _below(scores, positives, BURDENS * (1 - recall) * total))
        negatives = np.arange(len(scores) + 1) - positives
        wrong = BURDENS * ((1 - precision) / precision * expected[tag] + max(standing.surplus[tag], 0) / precision)
        accept.put(tag, _above(scores, negatives[-1] - negatives, wrong))
    return accept, reject, counts, expected


def _below(scores: NDArray[np.floating], errors: FloatArray, bearable: FloatArray) -> Candidates:
    """The lowest of the ascending `scores`, as many as bear at most `bearable` expected errors; no equal scores are
    parted. `errors` (N + 1,): expected below each place."""
    ends = np.searchsorted(errors, bearable, side="right") - 1
    beyond = np.nextafter(float(scores[-1]), np.inf)
    thresholds = np.append(scores.astype(np.float64), beyond)[ends]
    sizes = np.searchsorted(scores, thresholds).astype(np.int64)
    return sizes, thresholds, errors[sizes]


def _above(scores: NDArray[np.floating], errors: FloatArray, bearable: FloatArray) -> Candidates:
    """The same for the highest scores; `errors` (N + 1,): expected from each place on."""
    starts = np.searchsorted(-errors, -bearable, side="left")
    # Inside equal scores the whole run is left out.
    at = np.append(scores.astype(np.float64), np.inf)
    inside = (starts > 0) & (starts < len(scores)) & (at[starts] == at[np.maximum(starts - 1, 0)])
    starts = np.where(inside, np.searchsorted(scores, at[starts], side="right"), starts).astype(np.int64)
    return len(scores) - starts, at[starts], errors[starts]


def _best_accept(side: _Side, standing: Standing, precision: float, costs: Costs) -> tuple[IntArray, IntArray]:
    """(C,) place of the best candidate, -1 for none, and its draws."""

    prior = (prior_of_mean(1 - side.errors / np.maximum(side.sizes, 1)), ACCEPT_PRIOR)

    def settled(drawn: IntArray, wrong: IntArray) -> NDArray[np.bool_]:
        low, _ = intervals(drawn, drawn - wrong, side.sizes, standing.accept_alpha[:, None], prior)
        return np.asarray(low >= precision * (side.sizes - wrong) - standing.surplus[:, None])

    return _best(side, _draws(side, standing.accept_fails, settled), costs.band, costs.accept)


def _best_reject(
    side: _Side, standing: Standing, found: FloatArray, recall: float, costs: Costs
) -> tuple[IntArray, IntArray]:
    """As `_best_accept`; `found` (C,) positives that will be sure when the audit is judged."""

    prior = (prior_of_mean(side.errors / np.maximum(side.sizes, 1)), REJECT_PRIOR)

    def settled(drawn: IntArray, wrong: IntArray) -> NDArray[np.bool_]:
        _, high = intervals(drawn, wrong, side.sizes, standing.reject_alpha[:, None], prior)
        sure = np.maximum(found[:, None] - side.errors, 0) + wrong
        return np.asarray(high - wrong <= sure * (1 - recall) / recall - standing.missed[:, None])

    return _best(side, _draws(side, standing.reject_fails, settled), costs.band, costs.reject)


def _draws(side: _Side, fails: FloatArray, settled: Settled) -> IntArray:
    """(C, S) draws until the audit settles, errors coming at the expected rate; more than the set where it never does.

    By bisection on all candidates at once: with more draws at one rate a proof only gets easier.
    """
    doubt = (1 + CAUTION) * (1 + fails[:, None])
    rate = np.minimum(side.errors * doubt / np.maximum(side.sizes, 1), 1)

    def holds(drawn: IntArray) -> NDArray[np.bool_]:
        return settled(drawn, np.minimum(np.ceil(drawn * rate - 1e-9).astype(np.int64), drawn))

    lower, upper = np.zeros_like(side.sizes), side.sizes.copy()
    never = ~holds(upper)
    while (upper - lower > 1).any():
        middle = (lower + upper) // 2
        good = holds(middle)
        lower, upper = np.where(good, lower, middle), np.where(good, middle, upper)
    luckless = np.ceil(LUCK * upper).astype(np.int64)
    return np.where(never | (side.sizes == 0), side.sizes + 1, np.minimum(luckless, side.sizes))


def _best(side: _Side, draws: IntArray, saved: float, cost: float) -> tuple[IntArray, IntArray]:
    # A drawn image is answered, so only the others are saved.
    worth = saved * (side.sizes - draws) - cost * draws
    worth[(side.sizes == 0) | (draws > side.sizes)] = -np.inf
    place = worth.argmax(1)
    each = np.arange(len(place))
    good = worth[each, place] > 0
    return np.where(good, place, -1), np.where(good, draws[each, place], 0)


def _taken(side: _Side, place: IntArray) -> FloatArray:
    """(C,) thresholds; NaN for none."""
    return np.where(place >= 0, side.thresholds[np.arange(len(place)), place], np.nan)


def _parted(
    probabilities: NDArray[np.floating], open_: NDArray[np.bool_], ups: FloatArray, downs: FloatArray
) -> Proposal:
    """The proposal; where the sets overlap each score goes to its likelier side."""
    accept, reject = np.where(np.isnan(ups), np.inf, ups), np.where(np.isnan(downs), -np.inf, downs)
    over = accept < reject
    middle = np.clip(0.5, accept, reject)
    accept, reject = np.where(over, middle, accept), np.where(over, middle, reject)
    tags = probabilities.shape[1]
    sizes, positives = np.zeros((2, tags), np.int64), np.zeros((2, tags))
    for tag in range(tags):
        scores = probabilities[open_[:, tag], tag]
        for side, members in enumerate((scores >= accept[tag], scores < reject[tag])):
            sizes[side, tag], positives[side, tag] = members.sum(), scores[members].sum(dtype=np.float64)
    small = sizes < SMALLEST
    accept, reject = np.where(small[0], np.inf, accept), np.where(small[1], -np.inf, reject)
    sizes[small], positives[small] = 0, 0
    return Proposal(accept, reject, sizes[0], sizes[1], positives[0], positives[1])
