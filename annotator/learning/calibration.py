"""Logits to probabilities that mean what they say: Platt scaling per tag, shrunk to that of all tags.

p = sigmoid(slope_t z + intercept_t), slope_t > 0, so the order of images never changes. Fitted on held-out answers
only: on the answers a head was trained with, every head looks surer than it is. Platt 1999, "Probabilistic outputs
for support vector machines"; the shrinkage is a Gaussian prior around the common fit (see `stacking`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.metrics import equal_mass_bins, pooled
from annotator.learning.stacking import Figures, Known, Labels, Prior, fit_coefficients, known_entries

FEW = 10  # positive or negative answers of all tags together, below which only a temperature is fitted
SLOPE_PRECISION = 20.0  # of a tag's slope around the common one, relative to it: about +-0.2
INTERCEPT_PRECISION = 2.0  # of a tag's intercept around the common one, in logits: about +-0.7
LEAST_SLOPE = 0.01
LEAST_SHARE = 0.1  # of the common slope


@dataclass(frozen=True)
class Calibration:
    slope: Figures  # (C,), > 0
    intercept: Figures  # (C,)

    def logits(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(N, C) logits of the head to (N, C) calibrated logits."""
        return logits.astype(np.float32) * self.slope.astype(np.float32) + self.intercept.astype(np.float32)

    def apply(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(N, C) logits of the head to (N, C) probabilities; never decreasing in the logit."""
        return np.float32(0.5) + np.float32(0.5) * np.tanh(self.logits(logits) / 2)


def fit_calibration(logits: NDArray[np.floating[Any]], labels: Labels) -> Calibration:
    """Calibrate (N, C) held-out logits on (N, C) labels, -1 unknown.

    Without an answer: identity. With fewer than FEW positives or negatives in all: one temperature for all tags.
    Else a common slope and intercept, and per tag as much of its own as its answers carry.
    Raises UsageError where shapes do not fit or a logit of a known entry is not finite.
    """
    if logits.ndim != 2 or logits.shape != labels.shape:
        raise UsageError(f"logits have shape {logits.shape}, labels {labels.shape}; both have to be (N, C)")
    tags = labels.shape[1]
    known = known_entries(logits[None], labels)
    if not np.isfinite(known.scores).all():
        raise UsageError("a logit of a known entry is not finite; calibrate finite scores")
    if not len(known.tag):
        return Calibration(np.ones(tags), np.zeros(tags))
    slope, intercept = common = _common(known)
    if _few(known):
        return Calibration(np.full(tags, slope), np.full(tags, intercept))
    precision = np.array([SLOPE_PRECISION / slope**2, INTERCEPT_PRECISION])
    lower = np.array([max(LEAST_SLOPE, LEAST_SHARE * slope), -np.inf])
    theta = fit_coefficients(known, tags, Prior(common, precision, lower))
    return Calibration(theta[:, 0], theta[:, 1])


def _few(known: Known) -> bool:
    positives = known.targets.sum()
    return bool(min(positives, len(known.targets) - positives) < FEW)


def _common(known: Known) -> Figures:
    """(2,) slope and intercept of all entries, with Platt's smoothed targets: a perfect order stays finite."""
    positives = known.targets.sum()
    negatives = len(known.targets) - positives
    targets = np.where(known.targets > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    everyone = Known(known.scores, targets, np.zeros_like(known.tag))
    precision = np.array([1.0, 1e6 if _few(known) else 1e-3])
    found: Figures = fit_coefficients(
        everyone, 1, Prior(np.array([1.0, 0.0]), precision, np.array([LEAST_SLOPE, -np.inf]))
    )[0]
    return found


@dataclass(frozen=True)
class Reliability:
    """(B,) per bin, least probable first, the empty ones left out."""

    predicted: Figures  # mean probability
    observed: Figures  # share of positives
    answers: NDArray[np.int64]


def reliability_curve(probabilities: NDArray[np.floating[Any]], labels: Labels, *, bins: int = 10) -> Reliability:
    """What was promised against what came true, over the known entries of (N, C) arrays, in bins of equal mass."""
    answers, predicted, positive = (sums[0, ::-1] for sums in equal_mass_bins(*pooled(probabilities, labels), bins))
    full = answers > 0
    answers = answers[full]
    return Reliability(predicted[full] / answers, positive[full] / answers, answers.astype(np.int64))
