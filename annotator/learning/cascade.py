"""The cascade's parts that everything else rests on: what a proposal is, the order of draws, LSUN's rule to compare.

After LSUN (Yu et al., 2015, arXiv 1506.03365): label a sample, train, let the model settle what it is sure of, go on
with the rest. The proof that takes the place of LSUN's point estimate is in `audits` and `bounds`; which sets a round
proposes, `planning` decides (`propose` here is the plain rule of two fixed margins, for simulations of many projects).

`draw_order` is one seeded order of the whole pool. The draws of a set are its members in that order: a uniform order
restricted to a set is a uniform order of the set. So pages asked for one tag and random pages tagged completely serve
every set at once, as long as both follow the order.

The sets must be fixed before their first draw is answered, and the model that proposes them must not have seen those
answers. Everything here follows from (probabilities, answers, seed), so a round can be replayed bit for bit.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotator.errors import UsageError
from annotator.terms import LabelState

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SMALLEST = 50  # proving 95 % of a smaller set asks for nearly all of it: answering it outright costs the same
MISSED_SHARE = 0.25  # of the positives that may be missed: at half of them a proof takes about four times the draws
_ROUNDING = 1e-6  # a mean of float32 probabilities that meets its target exactly should pass
_HASH_CHUNK = 65_536


@dataclass(frozen=True)
class Proposal:
    """Two thresholds a tag and what the model expects beyond them; all (C,).

    accept_above     float64: open images with p >= this form A; inf where the model offers none
    reject_below     float64: open images with p < this form R; -inf where the model offers none; <= accept_above
    accept_size, reject_size  int64: images in A and in R
    accept_positives, reject_positives  float64: positives expected in A and (missed) in R
    """

    accept_above: FloatArray
    reject_below: FloatArray
    accept_size: IntArray
    reject_size: IntArray
    accept_positives: FloatArray
    reject_positives: FloatArray

    def accepted(self, probabilities: NDArray[np.floating], tag: int) -> BoolArray:
        """(N,) whether p (N,) of `tag` lies in A; restrict it to the images that were open."""
        return np.asarray(probabilities >= self.accept_above[tag])

    def rejected(self, probabilities: NDArray[np.floating], tag: int) -> BoolArray:
        """(N,) whether p (N,) of `tag` lies in R; restrict it to the images that were open."""
        return np.asarray(probabilities < self.reject_below[tag])


def propose(
    probabilities: NDArray[np.floating],
    open_: BoolArray,
    known_positive: ArrayLike,
    *,
    precision: ArrayLike,
    recall: ArrayLike,
    margin: float = 0.02,
    missed_share: float = MISSED_SHARE,
    missed_before: ArrayLike = 0.0,
    smallest: int = SMALLEST,
) -> Proposal:
    """The largest sets that should pass their audits, if the probabilities are calibrated.

    `probabilities` (N, C) in [0, 1]; `open_` (N, C): neither answered nor settled; `known_positive` (C,): positives
    from people plus lower bounds of accepted sets; `precision`, `recall` in (0, 1], one for all or (C,).

    A: the most top-scored open images whose mean p is >= precision + `margin` (at most half way to 1).
    R: the most low-scored open images with at most `missed_share` of what may still be missed expected among them; that
    is (1 - recall) x (known + expected positives), less `missed_before` (C,), the proven bounds of earlier rounds.
    Where A and R overlap, each score goes to its likelier side. Images of equal score stay together. Sets below
    `smallest` images are not proposed.

    Raises UsageError for shapes that do not fit or probabilities outside [0, 1].
    """
    if probabilities.ndim != 2 or probabilities.shape != open_.shape:
        raise UsageError(f"probabilities {probabilities.shape} and open {open_.shape} must both be (images, tags)")
    tags = probabilities.shape[1]
    known, target, reached, before = (
        np.broadcast_to(np.asarray(v, np.float64), (tags,)) for v in (known_positive, precision, recall, missed_before)
    )
    target = np.minimum(target + margin, (1 + target) / 2)
    columns = np.empty((6, tags))
    for tag in range(tags):
        scores = _sorted_scores(probabilities[open_[:, tag], tag], tag)
        allowed = missed_share * ((1 - reached[tag]) * (known[tag] + scores.sum()) - before[tag])
        columns[:, tag] = _propose_tag(scores, float(target[tag]), float(allowed), smallest)
    accept, reject, accept_size, reject_size, accept_positives, reject_positives = columns
    return Proposal(
        accept, reject, accept_size.astype(np.int64), reject_size.astype(np.int64), accept_positives, reject_positives
    )


def draw_order(seed: int, pool_rows: ArrayLike) -> IntArray:
    """One random order of the pool's rows (N,), the same for the same seed and rows on every machine.

    64 raw bits a row from PCG64, whose stream numpy promises to keep (that of `Generator.permutation` it does not).
    """
    rows = np.asarray(pool_rows, np.int64)
    keys = np.random.PCG64(seed).random_raw(len(rows))
    return np.asarray(rows[np.argsort(keys, kind="stable")])


def pool_hash(rows: ArrayLike, sha256: Sequence[str]) -> str:
    """sha256 (hex) over which image lies at which row: a round can be replayed on a pool of the same hash only."""
    numbers = np.asarray(rows, np.int64)
    if len(numbers) != len(sha256):
        raise UsageError(f"{len(numbers)} rows and {len(sha256)} image hashes must be equally many")
    digest = hashlib.sha256(numbers.astype("<i8").tobytes())
    for start in range(0, len(sha256), _HASH_CHUNK):
        digest.update("".join(f"{image}\n" for image in sha256[start : start + _HASH_CHUNK]).encode())
    return digest.hexdigest()


def lsun_thresholds(scores: ArrayLike, labels: ArrayLike, precision: float, recall: float) -> tuple[float, float]:
    """LSUN's rule, for comparison only: thresholds read off a held-out sample as if it were the pool.

    `scores`, `labels` (n,), LabelState; UNKNOWN is left out. Returns (accept_above, reject_below): the lowest score
    above which the sample's precision is >= `precision`, and the highest below which at most 1 - `recall` of the
    sample's positives lie. inf and -inf where there is none. A point estimate proves nothing: see `audits`.
    """
    values, states = np.asarray(scores, np.float64), np.asarray(labels)
    known = states != LabelState.UNKNOWN
    order = np.argsort(-values[known], kind="stable")
    top, positive = values[known][order], states[known][order] == LabelState.POSITIVE
    if not positive.any():
        return np.inf, -np.inf
    ends = np.append(top[1:] < top[:-1], True)  # a threshold cannot part equal scores
    right = np.cumsum(positive)
    good = np.flatnonzero(ends & (right >= precision * np.arange(1, len(top) + 1)))
    accept_above = float(top[good[-1]]) if len(good) else np.inf
    lost = right[-1] - right + positive  # positives at or below each score, counted from this image on
    kept = np.flatnonzero(lost <= (1 - recall) * right[-1] + _ROUNDING)
    return accept_above, min(accept_above, _below(top, kept[0] if len(kept) else len(top)))


def _below(top: FloatArray, kept: int) -> float:
    """The threshold under which top[kept:] lies, of falling scores; -inf for nothing."""
    if kept == 0:
        return float(np.nextafter(top[0], np.inf))
    if kept == len(top):
        return -np.inf
    return float(top[kept - 1])


def _sorted_scores(scores: NDArray[np.floating], tag: int) -> FloatArray:
    ascending = np.sort(scores.astype(np.float64))
    if len(ascending) and not (ascending[0] >= 0 and ascending[-1] <= 1):  # NaN sorts last
        raise UsageError(f"tag {tag}: probabilities from {ascending[0]} to {ascending[-1]} must lie in [0, 1]")
    return ascending


def _propose_tag(
    scores: FloatArray, target: float, allowed: float, smallest: int
) -> tuple[float, float, int, int, float, float]:
    """The six values of a Proposal for one tag, from its ascending `scores`."""
    accept_above = _accept_above(scores, target)
    reject_below = _reject_below(scores, allowed)
    if accept_above < reject_below:
        accept_above = reject_below = min(max(0.5, accept_above), reject_below)
    first, last = (int(np.searchsorted(scores, threshold)) for threshold in (accept_above, reject_below))
    if len(scores) - first < smallest:
        accept_above, first = np.inf, len(scores)
    if last < smallest:
        reject_below, last = -np.inf, 0
    return (
        accept_above,
        reject_below,
        len(scores) - first,
        last,
        float(scores[first:].sum()),
        float(scores[:last].sum()),
    )


def _accept_above(scores: FloatArray, target: float) -> float:
    """The score of the largest top set of mean >= target that parts no equal scores; inf for none."""
    top = scores[::-1]
    means = np.cumsum(top) / np.arange(1, len(top) + 1)
    size = int((means >= target - _ROUNDING).sum())  # the means fall, so these are the first ones
    if 0 < size < len(top) and top[size] == top[size - 1]:
        size = int((top > top[size]).sum())
    return float(top[size - 1]) if size else np.inf


def _reject_below(scores: FloatArray, allowed: float) -> float:
    """The score under which at most `allowed` positives are expected; -inf for none."""
    size = int((np.cumsum(scores) <= allowed).sum())
    if size == len(scores):
        return float(np.nextafter(scores[-1], np.inf)) if size else -np.inf
    return float(scores[size]) if scores[size] > scores[0] else -np.inf
