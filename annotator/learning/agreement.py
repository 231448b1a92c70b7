"""How far people agree on a tag, beyond chance. "Cannot tell" is counted by itself: it is no answer to agree with.

cohen_kappa          two people: (observed - expected) / (1 - expected), expected from how often each says present
krippendorff_alpha   any number of people, any of them missing: 1 - observed / expected disagreement, nominal

1 is full agreement, 0 what chance gives, below 0 less than chance; NaN where only one answer was ever given, of which
chance would explain everything.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from annotator.errors import UsageError
from annotator.learning.votes.base import Counts, Figures, IntArray, Tally, VoteTable, ratio, tally

CONFIDENCE = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Kappas:
    """Cohen's kappa of K pairs of people on a tag, by tag and person.

    first, second, tags (K,)    who, first < second, on what
    kappa, low, high (K,)       with its 95 % interval, within -1..1
    observed (K,)               share of images on which both say the same
    images (K,)                 on which both could tell
    cannot_tell (K,)            which both were asked about and at least one could not tell
    """

    first: IntArray
    second: IntArray
    tags: IntArray
    kappa: Figures
    low: Figures
    high: Figures
    observed: Figures
    images: Counts
    cannot_tell: Counts


@dataclass(frozen=True)
class Alphas:
    """Krippendorff's alpha of C tags, by tag.

    tags (C,), alpha, low, high (C,) with its 95 % bootstrap interval
    images (C,)        on which two people or more could tell; all others say nothing of agreement
    answers (C,)       theirs
    cannot_tell (C,)   on any image
    """

    tags: IntArray
    alpha: Figures
    low: Figures
    high: Figures
    images: Counts
    answers: Counts
    cannot_tell: Counts


def cohen_kappa(votes: VoteTable) -> Kappas:
    """Kappa of every two people on every tag that both were asked about on the same image.

    The interval is the large-sample one of Fleiss, Cohen & Everitt, "Large sample standard errors of kappa and weighted
    kappa" (Psychological Bulletin 72, 1969): with few images, or where all agree, it is too narrow.
    (Cohen 1960, doi:10.1177/001316446002000104)
    """
    keys, table, cannot_tell = _cross_tables(tally(votes))
    images = table.sum((1, 2))
    shares = table / np.maximum(images, 1)[:, None, None]
    observed = np.where(images > 0, shares[:, 0, 0] + shares[:, 1, 1], np.nan)
    one, other = shares.sum(2), shares.sum(1)
    expected = (one * other).sum(1)
    kappa = ratio(observed - expected, 1 - expected, np.nan)
    reach = ndtri(0.5 + CONFIDENCE / 2) * _kappa_error(shares, kappa, expected, images)
    low, high = np.maximum(kappa - reach, -1), np.minimum(kappa + reach, 1)
    return Kappas(keys[:, 1], keys[:, 2], keys[:, 0], kappa, low, high, observed, images, cannot_tell)


def _cross_tables(found: Tally) -> tuple[IntArray, Counts, Counts]:
    """(K, 3) tag, first and second person; (K, 2, 2) images by what each said; (K,) where one could not tell."""
    votes, start, most = found.votes, found.pair, int(np.bincount(found.pair, minlength=1).max())
    keys, counts = [np.empty((0, 3), np.int64)], [np.empty((0, 9), np.int64)]
    for apart in range(1, most):  # votes on one pair of image and tag stand together, by person
        first = np.flatnonzero(start[:-apart] == start[apart:])
        second = first + apart
        who = np.stack([votes.tags[first], votes.annotators[first], votes.annotators[second]], 1)
        own, place = np.unique(who, axis=0, return_inverse=True)
        cell = place.ravel() * 9 + 3 * (votes.states[first] + 1) + votes.states[second] + 1
        keys.append(own)
        counts.append(np.bincount(cell, minlength=9 * len(own)).reshape(-1, 9))
    joined, place = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    table = np.zeros((len(joined), 9), np.int64)
    np.add.at(table, place.ravel(), np.concatenate(counts))
    said = table.reshape(-1, 3, 3)
    return joined, said[:, 1:, 1:], table.sum(1) - said[:, 1:, 1:].sum((1, 2))


def _kappa_error(shares: Figures, kappa: Figures, expected: Figures, images: Counts) -> Figures:
    """(K,) standard errors, Fleiss, Cohen & Everitt (1969), equation 13."""
    one, other = shares.sum(2), shares.sum(1)  # (K, 2) how often each gives either answer
    weight = 1 - kappa[:, None]
    same = sum(shares[:, i, i] * (1 - (one[:, i] + other[:, i]) * weight[:, 0]) ** 2 for i in (0, 1))
    apart = sum(shares[:, i, 1 - i] * (other[:, i] + one[:, 1 - i]) ** 2 for i in (0, 1)) * weight[:, 0] ** 2
    rest = (kappa - expected * weight[:, 0]) ** 2
    variance = ratio(same + apart - rest, images * (1 - expected) ** 2, np.nan)
    return np.asarray(np.sqrt(np.maximum(variance, 0)))


def krippendorff_alpha(votes: VoteTable, rng: np.random.Generator, *, resamples: int = RESAMPLES) -> Alphas:
    """Alpha of every tag with two answers on one image; the interval is a bootstrap over images.

    `rng` draws the resamples: the same state gives the same interval. Raises UsageError below 2 resamples.
    (Krippendorff, "Content Analysis"; "Computing Krippendorff's alpha-reliability", 2011)
    """
    if resamples < 2:
        raise UsageError(f"{resamples} resamples; an interval needs at least 2, and {RESAMPLES} are usual")
    found = tally(votes)
    tags = np.unique(found.tags)
    rows = [_alpha_of(found, found.tags == tag, rng, resamples) for tag in tags]
    alpha, low, high, images, answers = (np.array([row[i] for row in rows]) for i in range(5))
    cannot_tell = np.array([found.unknown[found.tags == tag].sum() for tag in tags], np.int64)
    return Alphas(tags, alpha, low, high, images.astype(np.int64), answers.astype(np.int64), cannot_tell)


def _alpha_of(
    found: Tally, own: NDArray[np.bool_], rng: np.random.Generator, resamples: int
) -> tuple[float, float, float, int, int]:
    """Alpha, low, high, images and answers of one tag.

    Images with the same counts of yes and no are alike, so a resample is one draw of how often each kind comes up.
    """
    paired = own & (found.told >= 2)
    kinds, often = np.unique(np.stack([found.yes[paired], found.no[paired]], 1), axis=0, return_counts=True)
    images, answers = int(often.sum()), int(found.told[paired].sum())
    if not images:
        return np.nan, np.nan, np.nan, 0, 0
    drawn = rng.multinomial(images, often / images, resamples)
    again = _alpha(drawn, kinds)
    usual = again[~np.isnan(again)]  # a resample in which only one answer comes up says nothing
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(usual, [tail, 1 - tail]) if len(usual) else (np.nan, np.nan)
    return float(_alpha(often[None], kinds)[0]), float(low), float(high), images, answers


def _alpha(often: Counts, kinds: Counts) -> Figures:
    """(R,) alphas of R collections with (R, K) images of K kinds (K, 2) of yes and no."""
    yes, no = (often @ kinds[:, i] for i in (0, 1))
    disagreement = often @ (kinds[:, 0] * kinds[:, 1] / (kinds.sum(1) - 1))
    return 1 - ratio((yes + no - 1) * disagreement, yes * no, np.nan)
