"""Masked multi-label metrics: unknown entries count for nothing.

`scores` or `probabilities` (N, C), any float type, higher is surer; `labels` (N, C) int8, 1 positive, 0 negative,
-1 unknown. On the known part every figure equals scikit-learn's, ties included. An entry is predicted positive where
its score is >= its tag's threshold. Raises UsageError for shapes that do not fit and for a NaN score of a known entry.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotator.errors import UsageError

Scores = NDArray[np.floating[Any]]
Labels = NDArray[np.int8]
Figures = NDArray[np.float64]
Counts = NDArray[np.int64]


class Confusion(NamedTuple):
    """(C,) counts over known entries."""

    true_positives: Counts
    false_positives: Counts
    false_negatives: Counts
    true_negatives: Counts


class PrecisionRecall(NamedTuple):
    """(C,) each in 0..1, NaN where nothing was predicted, or nothing is, positive."""

    precision: Figures
    recall: Figures


class Bins(NamedTuple):
    """(C, B) sums over the known entries of each bin."""

    answers: Figures
    predicted: Figures
    positive: Figures


@dataclass(frozen=True)
class _Ranked:
    """Each row sorted, best first, with running counts; `ends` marks the last of entries that share a score."""

    scores: Scores  # (C, N)
    positives: Counts  # (C, N)
    known: Counts  # (C, N)
    ends: NDArray[np.bool_]  # (C, N)


def average_precision(scores: Scores, labels: Labels) -> Figures:
    """(C,) average precision: the mean over positives of the precision at their score. NaN without a known positive."""
    ranked = _rank(scores, labels)
    total = ranked.positives[:, -1:] if ranked.positives.shape[1] else np.zeros((len(ranked.positives), 1))
    gained = np.diff(_at_last_end(ranked.positives, ranked.ends), axis=1, prepend=0)
    precision = ranked.positives / np.maximum(ranked.known, 1)
    return _ratio((gained * precision * ranked.ends).sum(1), total[:, 0])


def mean_average_precision(scores: Scores, labels: Labels, *, at_least: int = 1) -> float:
    """Mean of the average precision over tags with at least that many known positives; NaN if there is none.

    A tag without a known negative does not count either: nothing could be ranked above its positives.
    """
    counted = ((labels == 1).sum(0) >= max(1, at_least)) & (labels == 0).any(0)
    return _mean(average_precision(scores, labels)[counted])


def confusion(scores: Scores, labels: Labels, thresholds: ArrayLike = 0.5) -> Confusion:
    """Counts at the thresholds: one number, or (C,)."""
    scores, labels = _checked(scores, labels)
    yes = scores >= np.asarray(thresholds)
    parts = (yes & (labels == 1), yes & (labels == 0), ~yes & (labels == 1), ~yes & (labels == 0))
    return Confusion(*(part.sum(0, dtype=np.int64) for part in parts))


def precision_recall(scores: Scores, labels: Labels, thresholds: ArrayLike = 0.5) -> PrecisionRecall:
    """Precision and recall of each tag at the thresholds: one number, or (C,)."""
    at = confusion(scores, labels, thresholds)
    hits = at.true_positives
    return PrecisionRecall(_ratio(hits, hits + at.false_positives), _ratio(hits, hits + at.false_negatives))


def f1(scores: Scores, labels: Labels, thresholds: ArrayLike = 0.5) -> Figures:
    """(C,) harmonic mean of precision and recall; NaN for a tag without a known positive."""
    at = confusion(scores, labels, thresholds)
    positives = at.true_positives + at.false_negatives
    value = _ratio(2 * at.true_positives, positives + at.true_positives + at.false_positives)
    return np.where(positives > 0, value, np.nan)


def macro_f1(scores: Scores, labels: Labels, thresholds: ArrayLike = 0.5, *, at_least: int = 1) -> float:
    """Mean F1 over tags with at least that many known positives; NaN if there is none."""
    counted = (labels == 1).sum(0) >= max(1, at_least)
    return _mean(f1(scores, labels, thresholds)[counted])


def micro_f1(scores: Scores, labels: Labels, thresholds: ArrayLike = 0.5) -> float:
    """F1 of all known entries together; NaN where nothing is, and nothing was predicted, positive."""
    hits, wrong, missed, _ = (int(count.sum()) for count in confusion(scores, labels, thresholds))
    return float(_ratio(np.array(2 * hits), np.array(2 * hits + wrong + missed)))


def best_thresholds(scores: Scores, labels: Labels) -> Figures:
    """(C,) the threshold with the highest F1 of each tag, the highest of equal ones; +inf without a known positive.

    Chosen and measured on the same answers it flatters: choose on held-out ones.
    """
    ranked = _rank(scores, labels)
    if not ranked.scores.shape[1]:
        return np.full(len(ranked.scores), np.inf)
    total = ranked.positives[:, -1:]
    value = np.where(ranked.ends, 2 * ranked.positives / np.maximum(ranked.known + total, 1), -1)
    best = value.argmax(1)[:, None]
    chosen = np.take_along_axis(ranked.scores, best, 1)[:, 0]
    return np.where(total[:, 0] > 0, chosen, np.inf).astype(np.float64)


def coverage_error(scores: Scores, labels: Labels) -> float:
    """How many of an image's known tags one reads, best first, until all its positives are seen (ties read together).

    Mean over images with a known tag; an image without positives counts 0. NaN without known tags.
    """
    scores, labels = _checked(scores, labels)
    lowest = np.where(labels == 1, scores, np.inf).min(1, initial=np.inf)
    depth = ((labels >= 0) & (scores >= lowest[:, None])).sum(1)
    depth[~(labels == 1).any(1)] = 0  # a score of +inf would be read even so
    return _mean(depth[(labels >= 0).any(1)])


def ranking_loss(scores: Scores, labels: Labels) -> float:
    """Share of an image's (positive, negative) tag pairs in the wrong order; a tie is wrong.

    Mean over images with a known tag; an image without such a pair counts 0. NaN without known tags.
    """
    scores, labels = _checked(scores, labels)
    ranked = _rank(-scores.T, labels.T)  # worst first: for each negative, the positives at or below it
    below = _at_next_end(ranked.positives, ranked.ends)
    negatives = np.diff(ranked.known - ranked.positives, axis=1, prepend=0)
    positive, negative = (labels == 1).sum(1), (labels == 0).sum(1)
    wrong = (below * negatives).sum(1) / np.maximum(positive * negative, 1)
    return _mean(wrong[positive + negative > 0])


def calibration_error(probabilities: Scores, labels: Labels, *, bins: int = 15) -> Figures:
    """(C,) expected calibration error: |share of positives - mean probability|, averaged over bins of equal mass.

    NaN without a known label. Biased upwards when a bin holds few answers. (Nixon et al. 2019, arXiv 1904.01685)
    """
    found = equal_mass_bins(probabilities, labels, bins)
    return _ratio(np.abs(found.predicted - found.positive).sum(1), found.answers.sum(1))


def pooled_calibration_error(probabilities: Scores, labels: Labels, *, bins: int = 15) -> float:
    """The same over the known entries of all tags together; NaN without any."""
    return float(calibration_error(*pooled(probabilities, labels), bins=bins)[0])


def pooled(scores: Scores, labels: Labels) -> tuple[Scores, Labels]:
    """The K known entries of all tags as one tag: (K, 1) scores and labels."""
    scores, labels = _checked(scores, labels)
    known = labels >= 0
    return scores[known][:, None], labels[known][:, None]


def equal_mass_bins(probabilities: Scores, labels: Labels, bins: int) -> Bins:
    """Known entries of each tag, most probable first, in `bins` groups of about equal size; equals stay together."""
    if bins < 1:
        raise UsageError(f"bins is {bins}; it has to be at least 1")
    ranked = _rank(probabilities, labels)
    tags, images = ranked.scores.shape
    known = np.diff(ranked.known, axis=1, prepend=0)
    # An entry's bin follows from the place of the first of its equals, so the order of equal entries does not matter.
    first = np.zeros_like(ranked.known)
    first[:, 1:] = _at_last_end(ranked.known, ranked.ends)[:, :-1]
    total = ranked.known[:, -1:] if images else np.ones((tags, 1), np.int64)
    place = np.minimum(first * bins // np.maximum(total, 1), bins - 1) + np.arange(tags)[:, None] * bins
    values = np.where(known == 1, ranked.scores, 0).astype(np.float64)
    positive = np.diff(ranked.positives, axis=1, prepend=0)

    def per_bin(weights: NDArray[Any]) -> Figures:
        return np.bincount(place.ravel(), weights.ravel(), tags * bins).astype(np.float64).reshape(tags, bins)

    return Bins(per_bin(known), per_bin(values), per_bin(positive))


def _checked(scores: Scores, labels: Labels) -> tuple[Scores, Labels]:
    """The arrays, with -inf in place of the scores of unknown entries."""
    if scores.ndim != 2 or scores.shape != labels.shape:
        raise UsageError(
            f"scores have shape {scores.shape}, labels {labels.shape}; both have to be (N, C), images by tags"
        )
    scores = np.where(labels >= 0, scores, np.array(-np.inf, scores.dtype))
    if np.isnan(scores).any():
        image, tag = np.argwhere(np.isnan(scores))[0]
        raise UsageError(f"the score of tag {tag} on image {image} is not a number; a metric needs one")
    return scores, labels


def _rank(scores: Scores, labels: Labels) -> _Ranked:
    """(N, C) arrays to (C, N) rows, best first."""
    scores, labels = _checked(scores, labels)
    rows, states = np.ascontiguousarray(scores.T), np.ascontiguousarray(labels.T)
    order = np.argsort(-rows, axis=1)
    rows, states = np.take_along_axis(rows, order, 1), np.take_along_axis(states, order, 1)
    ends = np.ones(rows.shape, np.bool_)
    ends[:, :-1] = rows[:, :-1] != rows[:, 1:]
    return _Ranked(rows, (states == 1).cumsum(1), (states >= 0).cumsum(1), ends)


def _at_last_end(counts: Counts, ends: NDArray[np.bool_]) -> Counts:
    """Running counts at the latest end of equals, this one included."""
    found: Counts = np.maximum.accumulate(counts * ends, axis=1)
    return found


def _at_next_end(counts: Counts, ends: NDArray[np.bool_]) -> Counts:
    """Running counts at the end of the equals an entry belongs to."""
    far = np.where(ends, counts, np.iinfo(counts.dtype).max)
    found: Counts = np.minimum.accumulate(far[:, ::-1], axis=1)[:, ::-1]
    return found


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> Figures:
    """part / whole, NaN where whole is 0."""
    found: Figures = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) != 0)
    return found


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")
