"""What settled sets say of other tags: an implied set is a set of images with a proven bound and no draw of its own.

Where tag c implies tag p, an image that shows c shows p. So of the images settled as present for c those that do not
show p are among those that do not show c, and of these the audit of c's set proved how many there can be. In the same
way "c excludes e" and "p is absent, so its child is" carry a bound from one tag to another. The relation is taken to be
right, as people's answers are.

The proof, for tag p and one side of it. Before the first draw of a round, k proposed sets of other tags are named as
causes, with alpha_1 + ... + alpha_k = B. The exact interval of cause i at level alpha_i (`bounds`: from the cause's own
answers, at all times together) fails with probability <= alpha_i, so with probability >= 1 - B all k of them hold.
When they do, at most `wrong_i` of the UNDRAWN images of cause i are not what the cause says of them, and

    of the rows that count by cause i (undrawn images of it, each row by one cause only), at most
    min(rows_i, wrong_i) are not what the implied set says.

That bounds a count within the whole set of the cause, not a share of a sample, so it holds for ANY part of it, chosen
in whatever way, also after looking at the answers. This is why rows may be left out: those people answered, those that
contradict a person's answer, those settled otherwise. Fewer rows never break a bound; the same `wrong_i` stands for
more of them than are left.

Only the causes and their alphas may not follow from the answers. So B is shared over the sets that were PROPOSED, not
over those that were settled (a bound that fails is the likelier to settle its set), and it is spent whether anything is
settled by it or not. B is one attempt of p's own side, so the statements of p hold together with its 1 - alpha.

What people's answers say of other tags costs nothing and is never wrong: these rows are a part with `wrong` 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.learning.bounds import (
    ACCEPT_PRIOR,
    REJECT_PRIOR,
    Mixture,
    Prior,
    interval_path,
    intervals,
    prior_of_mean,
)
from annotator.terms import LabelState

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
LEAST_ROWS = 10  # of a set that is worth a share of the error budget: they save more seconds than it costs in draws
_ROUNDING = 1e-9


class Part(NamedTuple):
    """The rows of an implied set that count by one cause, and how many images of the cause may not be what it says."""

    rows: int
    wrong: int


def wrong_in_accepted(answers: NDArray[np.int8], size: int, alpha: float, prior: Prior | Mixture = ACCEPT_PRIOR) -> int:
    """Upper bound, at level `alpha`, of the undrawn images of an accepted set that do not show its tag.

    `answers` (n,) LabelState of the first n draws of the set of `size`.
    """
    if not len(answers):
        return size
    positive = answers == LabelState.POSITIVE
    low = int(interval_path(positive, size, alpha, prior).low[-1])
    return size - len(answers) - (low - int(positive.sum()))


def wrong_in_rejected(answers: NDArray[np.int8], size: int, alpha: float, prior: Prior | Mixture = REJECT_PRIOR) -> int:
    """The same for a rejected set: undrawn images that people would not call negative."""
    if not len(answers):
        return size
    counted = answers != LabelState.NEGATIVE
    return int(interval_path(counted, size, alpha, prior).high[-1]) - int(counted.sum())


def least_right(parts: Sequence[Part]) -> int:
    """Lower bound of the rows of an implied set that are what it says."""
    return sum(max(0, part.rows - part.wrong) for part in parts)


def most_wrong(parts: Sequence[Part]) -> int:
    """Upper bound of the rows of an implied set that are not what it says."""
    return sum(min(part.rows, part.wrong) for part in parts)


def precision_stands(surplus: float, parts: Sequence[Part], precision: float) -> bool:
    """Whether a tag's positive labels keep `precision` with the parts of an implied set among them.

    `surplus`: positives to spare above the precision without it, its settled sets included (`audits.surplus_of`).
    """
    return surplus + least_right(parts) - precision * sum(part.rows for part in parts) >= -_ROUNDING


def recall_stands(found: float, missed: float, parts: Sequence[Part], recall: float) -> bool:
    """Whether found / (found + missed) keeps `recall` when the parts are settled as absent."""
    return found >= recall * (found + missed + most_wrong(parts)) - _ROUNDING


def disjoint(claims: Sequence[BoolArray], taken: BoolArray) -> list[BoolArray]:
    """(N,) claims in their order, each row left to the first that claims it; those in `taken` to nobody."""
    left, found = ~taken, []
    for claim in claims:
        found.append(claim & left)
        left = left & ~claim
    return found


@dataclass(frozen=True)
class Causes:
    """K proposed sets that would say something of one tag on one side; all (K,).

    size      images of each set
    rows      of these: open for the tag, in none of its own proposed sets
    draws     expected until its proof
    errors    images of it expected not to be what it says
    """

    size: NDArray[np.int64]
    rows: NDArray[np.int64]
    draws: NDArray[np.int64]
    errors: FloatArray

    def __len__(self) -> int:
        return len(self.size)

    def only(self, places: NDArray[np.int64]) -> "Causes":
        return Causes(self.size[places], self.rows[places], self.draws[places], self.errors[places])

    def forecast(self, alpha: float) -> list[Part]:
        """The parts that are to be expected of an implied set, `alpha` shared equally among them. The drawn rows of an
        accepted set people will have answered by then: what they say costs nothing."""
        drawn = np.clip(self.draws, 1, self.size)
        wrong = forecast_wrong(self.size, drawn, self.errors, alpha / max(1, len(self)))
        undrawn = np.floor(self.rows * (1 - drawn / self.size)).astype(np.int64)
        return [Part(rows, bound) for rows, bound in zip(undrawn.tolist(), wrong.tolist(), strict=True)]

    def answered(self) -> float:
        """Rows that people are expected to answer as draws, and as the cause says."""
        share = np.minimum(1.0, self.draws / self.size) * (1 - self.errors / self.size)
        return float((self.rows * share).sum())


def forecast_wrong(
    size: NDArray[np.int64], draws: NDArray[np.int64], errors: FloatArray, alpha: float
) -> NDArray[np.int64]:
    """(K,) bound of the undrawn images that are not what their set says, errors coming at their expected rate."""
    share = errors / np.maximum(size, 1)
    drawn_wrong = np.minimum(np.ceil(draws * share - _ROUNDING).astype(np.int64), draws)
    _, high = intervals(draws, drawn_wrong, size, alpha, (prior_of_mean(share), REJECT_PRIOR))
    return np.asarray(high - drawn_wrong)


def choose(causes: Causes, alpha: float, stands: Callable[[Causes, list[Part]], bool]) -> NDArray[np.int64]:
    """Places of the causes that should share `alpha`: the most of them with which the promise is expected to stand.

    Those that err least come first; their number is halved until `stands` holds. Empty where no implied set of
    LEAST_ROWS is expected to be settled. It must be called before the first draw: see above.
    """
    if not len(causes) or int(causes.rows.sum()) < LEAST_ROWS:
        return np.empty(0, np.int64)
    share = alpha / len(causes)
    wrong = forecast_wrong(causes.size, np.clip(causes.draws, 1, causes.size), causes.errors, share)
    order = np.argsort(wrong / np.maximum(causes.rows, 1), kind="stable")
    count = len(order)
    while count:
        kept = causes.only(order[:count])
        if int(kept.rows.sum()) >= LEAST_ROWS and stands(kept, kept.forecast(alpha)):
            return np.sort(order[:count])
        count //= 2
    return np.empty(0, np.int64)
