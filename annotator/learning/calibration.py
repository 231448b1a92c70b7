"""Logits to probabilities that mean what they say. `CALIBRATIONS` lists the ways; `platt` is the default.

platt        p = sigmoid(slope_t z + intercept_t), slope_t > 0, per tag, shrunk to that of all tags by a Gaussian prior
             around the common fit (see `stacking`). Platt 1999, "Probabilistic outputs for support vector machines"
temperature  the same without an intercept (Guo et al. 2017, arXiv 1706.04599)
isotonic     a non-decreasing step function per tag (Zadrozny & Elkan 2002, doi 10.1145/775047.775151), mixed with
             platt: it weighs as much as its answers, platt as ISOTONIC_ANSWERS

None ever turns the order of two images round. Fitted on held-out answers only: on the answers a head was trained with,
every head looks surer than it is. Measured on the answers it was fitted on, a calibration flatters itself in turn:
`cross_fitted` does not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from annotator.errors import UsageError
from annotator.learning.metrics import equal_mass_bins, pooled
from annotator.learning.stacking import Figures, Known, Labels, Prior, fit_coefficients, known_entries

FEW = 10  # positive or negative answers of all tags together, below which only a temperature is fitted
SLOPE_PRECISION = 20.0  # of a tag's slope around the common one, relative to it: about +-0.2
INTERCEPT_PRECISION = 2.0  # of a tag's intercept around the common one, in logits: about +-0.7
LEAST_SLOPE = 0.01
LEAST_SHARE = 0.1  # of the common slope
NO_INTERCEPT = 1e6  # precision
ISOTONIC_ANSWERS = 300.0


class Calibrated(Protocol):
    """What every fit gives."""

    def apply(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(N, C) logits of the head to (N, C) probabilities; never decreasing in the logit."""
        ...


Fit = Callable[[NDArray[np.floating[Any]], Labels], Calibrated]
"""(N, C) held-out logits and labels, -1 unknown, to a calibration of the C tags."""


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
    return _fit(logits, labels, free=True)


def fit_temperature(logits: NDArray[np.floating[Any]], labels: Labels) -> Calibration:
    """A slope per tag, shrunk to that of all tags, and no intercept. As `fit_calibration` otherwise."""
    return _fit(logits, labels, free=False)


def _fit(logits: NDArray[np.floating[Any]], labels: Labels, *, free: bool) -> Calibration:
    """With an intercept of its own for each tag (`free`), or none."""
    if logits.ndim != 2 or logits.shape != labels.shape:
        raise UsageError(f"logits have shape {logits.shape}, labels {labels.shape}; both have to be (N, C)")
    tags = labels.shape[1]
    known = known_entries(logits[None], labels)
    if not np.isfinite(known.scores).all():
        raise UsageError("a logit of a known entry is not finite; calibrate finite scores")
    if not len(known.tag):
        return Calibration(np.ones(tags), np.zeros(tags))
    slope, intercept = common = _common(known, free)
    if _few(known):
        return Calibration(np.full(tags, slope), np.full(tags, intercept))
    precision = np.array([SLOPE_PRECISION / slope**2, INTERCEPT_PRECISION if free else NO_INTERCEPT])
    lower = np.array([max(LEAST_SLOPE, LEAST_SHARE * slope), -np.inf])
    theta = fit_coefficients(known, tags, Prior(common, precision, lower))
    return Calibration(theta[:, 0], theta[:, 1])


def _few(known: Known) -> bool:
    positives = known.targets.sum()
    return bool(min(positives, len(known.targets) - positives) < FEW)


def _common(known: Known, free: bool) -> Figures:
    """(2,) slope and intercept of all entries, with Platt's smoothed targets: a perfect order stays finite."""
    positives = known.targets.sum()
    negatives = len(known.targets) - positives
    targets = np.where(known.targets > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    everyone = Known(known.scores, targets, np.zeros_like(known.tag))
    precision = np.array([1.0, 1e-3 if free and not _few(known) else NO_INTERCEPT])
    found: Figures = fit_coefficients(
        everyone, 1, Prior(np.array([1.0, 0.0]), precision, np.array([LEAST_SLOPE, -np.inf]))
    )[0]
    return found


@dataclass(frozen=True)
class Isotonic:
    """Per tag a step function of the logit, and how much it weighs beside `platt`."""

    platt: Calibration
    edges: list[Figures]  # (K_t,) logits, ascending
    values: list[Figures]  # (K_t,) shares of positives at them, ascending
    weights: Figures  # (C,) in 0..1

    def apply(self, logits: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """As `Calibration.apply`; between two edges on a straight line, beyond them level."""
        p = self.platt.apply(logits)
        for tag, weight in enumerate(self.weights):
            if weight > 0:
                stepped = np.interp(logits[:, tag], self.edges[tag], self.values[tag])
                p[:, tag] = (1 - weight) * p[:, tag] + weight * stepped
        return p


def fit_isotonic(logits: NDArray[np.floating[Any]], labels: Labels) -> Isotonic:
    """Pool-adjacent-violators per tag beside `platt`. As `fit_calibration` otherwise."""
    platt = fit_calibration(logits, labels)
    edges, values, weights = [], [], np.zeros(labels.shape[1])
    for tag in range(labels.shape[1]):
        known = labels[:, tag] >= 0
        z, y = logits[known, tag].astype(np.float64), labels[known, tag].astype(np.float64)
        levels, place = np.unique(z, return_inverse=True)
        counts = np.bincount(place, minlength=len(levels))
        edges.append(levels)
        if len(levels):
            shares = np.bincount(place, y, len(levels)) / counts
            values.append(np.asarray(isotonic_regression(shares, weights=counts).x))
        else:
            values.append(levels)
        weights[tag] = len(y) / (len(y) + ISOTONIC_ANSWERS)
    return Isotonic(platt, edges, values, weights)


CALIBRATIONS: dict[str, Fit] = {"platt": fit_calibration, "temperature": fit_temperature, "isotonic": fit_isotonic}


def cross_fitted(
    fit: Fit, logits: NDArray[np.floating[Any]], labels: Labels, groups: NDArray[np.integer[Any]], folds: int = 5
) -> NDArray[np.float32]:
    """(N, C) probabilities of each image by a calibration that never saw it nor its near-duplicates.

    `groups` (N,) near-duplicate groups; whole groups share a fold, in the order of their numbers.
    """
    _, place = np.unique(groups, return_inverse=True)
    found = np.empty(logits.shape, np.float32)
    for fold in range(min(folds, len(logits))):
        out = place % folds == fold
        found[out] = fit(logits[~out], labels[~out]).apply(logits[out])
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
