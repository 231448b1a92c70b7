"""Logistic regressions on a few scores per tag, shrunk to the one of all tags; and with it the fusion of sources.

A tag with many answers gets its own coefficients, a tag with few those of all tags together, a tag between something
between: each tag minimises its loss plus precision_j / 2 (theta_tj - common_j)^2. Slopes never fall below a bound >= 0,
so a higher score never lowers the result. All tags are solved together by a projected Newton method.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

Figures = NDArray[np.float64]
Labels = NDArray[np.int8]

STEPS = 60
HALVINGS = 12
TOLERANCE = 1e-7  # nats
COMMON_PRECISION = 0.1  # of the common coefficients around the start: gives way to a handful of answers
WEIGHT_PRECISION = 10.0  # of a tag's source weights around the common ones
INTERCEPT_PRECISION = 1.0


class Known(NamedTuple):
    """The K known entries of an (N, C) table, in any order."""

    scores: Figures  # (K, S)
    targets: Figures  # (K,) in 0..1
    tag: NDArray[np.intp]  # (K,)


class Prior(NamedTuple):
    """Gaussian around `mean`, cut at `lower`. The intercept is the last of the S + 1 coefficients."""

    mean: Figures  # (S + 1,)
    precision: Figures  # (S + 1,)
    lower: Figures  # (S + 1,), -inf where free


def known_entries(scores: NDArray[np.floating[Any]], labels: Labels) -> Known:
    """(S, N, C) scores and (N, C) labels to the known entries."""
    image, tag = np.nonzero(labels >= 0)
    return Known(scores[:, image, tag].T.astype(np.float64), labels[image, tag].astype(np.float64), tag)


def fit_coefficients(known: Known, tags: int, prior: Prior) -> Figures:
    """(C, S + 1) coefficients of `tags` tags: slopes, then intercept. A tag without answers gets the prior's mean."""
    design = np.concatenate([known.scores, np.ones((len(known.targets), 1))], 1)
    theta = np.tile(np.maximum(prior.mean, prior.lower), (tags, 1))
    loss = _loss(design, known, theta, prior)
    for _ in range(STEPS):
        step, gain = _newton_step(design, known, theta, prior)
        if gain.max(initial=0) < TOLERANCE:
            break
        theta, loss = _shorten(design, known, prior, theta, loss, step)
    return theta


def _loss(design: Figures, known: Known, theta: Figures, prior: Prior) -> Figures:
    """(C,) penalised loss."""
    z = (design * theta[known.tag]).sum(1)
    entry = np.logaddexp(0, z) - known.targets * z
    penalty: Figures = (prior.precision * (theta - prior.mean) ** 2).sum(1) / 2
    return penalty + np.bincount(known.tag, entry, len(theta))


def _newton_step(design: Figures, known: Known, theta: Figures, prior: Prior) -> tuple[Figures, Figures]:
    """(C, P) steps, and (C,) the squared length of each in the local metric. Coefficients held at their bound stay."""
    tags, width = theta.shape
    p = 0.5 + 0.5 * np.tanh((design * theta[known.tag]).sum(1) / 2)
    gradient = prior.precision * (theta - prior.mean)
    hessian = np.zeros((tags, width, width)) + np.diag(prior.precision)
    for i in range(width):
        gradient[:, i] += np.bincount(known.tag, (p - known.targets) * design[:, i], tags)
        for j in range(i + 1):
            hessian[:, i, j] += np.bincount(known.tag, p * (1 - p) * design[:, i] * design[:, j], tags)
            hessian[:, j, i] = hessian[:, i, j]
    held = (theta <= prior.lower) & (gradient > 0)
    gradient[held] = 0
    hessian[held[:, :, None] | held[:, None, :]] = 0
    hessian += 1e-12 * np.eye(width) + held[:, :, None] * np.eye(width)
    step = -np.asarray(np.linalg.solve(hessian, gradient[:, :, None]), np.float64)[:, :, 0]
    gain: Figures = -(step * gradient).sum(1)
    return step, gain


def _shorten(
    design: Figures, known: Known, prior: Prior, theta: Figures, loss: Figures, step: Figures
) -> tuple[Figures, Figures]:
    """The largest of the step's halvings that does not raise a tag's loss."""
    share = np.ones((len(theta), 1))
    for _ in range(HALVINGS):
        after = np.maximum(theta + share * step, prior.lower)
        new = _loss(design, known, after, prior)
        worse = ~(new <= loss)
        if not worse.any():
            return after, new
        share[worse] /= 2
    return np.where(worse[:, None], theta, after), np.where(worse, loss, new)


@dataclass(frozen=True)
class Fusion:
    """Sources joined per tag: z = sum_s weight_s (score_s - mean_s) / deviation_s + intercept."""

    weights: Figures  # (S, C), >= 0
    intercept: Figures  # (C,)
    mean: Figures  # (S, C)
    deviation: Figures  # (S, C)

    def logits(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(S, N, C) scores of the sources, NaN where one is silent, to (N, C)."""
        found: NDArray[np.float32] = (self.shares(scores).sum(0) + self.intercept).astype(np.float32)
        return found

    def shares(self, scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """(S, N, C) what each source adds to the logit; the largest says which source spoke."""
        _check_scores(scores, self.weights.shape)
        found: NDArray[np.float32] = (_z_scores(scores, self.mean, self.deviation) * self.weights[:, None]).astype(
            np.float32
        )
        return found


def fit_fusion(
    scores: NDArray[np.floating[Any]], labels: Labels, *, pool: NDArray[np.floating[Any]] | None = None
) -> Fusion:
    """Weights per tag from held-out answers: non-negative logistic stacking, shrunk to the weights of all tags.

    `scores` (S, N, C) of S sources, NaN where a source is silent; `labels` (N, C), -1 unknown; `pool` (S, M, C) scores
    that give each tag's mean and deviation, default `scores`. Without any answer the sources weigh the same.
    (Stacking: Wolpert 1992; non-negative: Breiman 1996, doi 10.1007/BF00117832)
    """
    _check_scores(scores, (len(scores), labels.shape[1]))
    if scores.shape[1] != len(labels):
        raise UsageError(f"scores have {scores.shape[1]} images, labels {len(labels)}; they have to be the same images")
    mean, deviation = _moments(scores if pool is None else pool)
    sources, tags = mean.shape
    known = known_entries(_z_scores(scores, mean, deviation), labels)
    start = np.append(np.full(sources, 1 / sources), 0.0)
    lower = np.append(np.zeros(sources), -np.inf)
    everyone = Known(known.scores, known.targets, np.zeros_like(known.tag))
    common = fit_coefficients(everyone, 1, Prior(start, np.full(sources + 1, COMMON_PRECISION), lower))[0]
    precision = np.append(np.full(sources, WEIGHT_PRECISION), INTERCEPT_PRECISION)
    theta = fit_coefficients(known, tags, Prior(common, precision, lower))
    return Fusion(theta[:, :-1].T, theta[:, -1], mean, deviation)


def _check_scores(scores: NDArray[np.floating[Any]], shape: tuple[int, ...]) -> None:
    if scores.ndim != 3 or (scores.shape[0], scores.shape[2]) != shape:
        raise UsageError(f"scores have shape {scores.shape}; expected ({shape[0]} sources, images, {shape[1]} tags)")


def _moments(scores: NDArray[np.floating[Any]]) -> tuple[Figures, Figures]:
    """(S, C) mean and standard deviation over the images with a score; 0 and 1 where there is none or all are equal."""
    heard = ~np.isnan(scores)
    count = np.maximum(heard.sum(1), 1)
    values = np.where(heard, scores, 0).astype(np.float64)
    mean = values.sum(1) / count
    variance = (((values - mean[:, None]) ** 2) * heard).sum(1) / count
    return mean, np.where(variance > 1e-16, np.sqrt(variance), 1.0)


def _z_scores(scores: NDArray[np.floating[Any]], mean: Figures, deviation: Figures) -> Figures:
    found: Figures = np.nan_to_num((scores - mean[:, None]) / deviation[:, None], nan=0.0)
    return found
