"""Fusion: what the suggestion sources say together, as a probability, and which of them spoke loudest.

Per tag: logit p = b + sum over sources of w_s f_s, with w_s > 0 (stacking, Wolpert 1992; non-negative as in Breiman
1996). f_s is the source's score, z-scored per tag over the pool; probabilities enter as log-odds. Without held-out
answers the sources weigh the same, but those that never depend on answers, zero-shot and tiles, more (`START_SHARES`).
Held-out answers first move the weights that all tags share, then, shrunk to those, each tag's own: a tag with few
answers keeps nearly the project's weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.scoring import SCORERS
from annotator.scoring.base import Float, Vectors, chunks
from annotator.terms import LabelState, SuggestionOrigin

ORIGINS = tuple(SuggestionOrigin)
"""What the codes of `Fused.origins` mean; FUSED stands for "no source, only the tag's share of positives"."""

START_SLOPE = 1.5  # of logit p on z: 2.0 on VOC12 with CLIP RN50x64, 1.3 with weaker text-and-image models
START_SHARES = {SuggestionOrigin.ZERO_SHOT: 3.0, SuggestionOrigin.TILES: 2.0}  # others: 1. Corel5k and COCO, 20 images
# answered, none held out: mAP 0.50 and 0.50 with 3, 0.36 and 0.40 with 1; COCO, 50 answered, 10 held out: 0.57 with 3,
# 0.56 with 1. Of tiles 1, 2 and 3 beside those 3: 0.490, 0.493, 0.493 and 0.568, 0.572, 0.574; before any answer, 3 is
# the worst on Corel5k
START_BIAS = -4.0  # -3.9 at 20 tags with 8 % positives, -4.1 at 76 with 4 %, -5.6 at 336 with 1 %
LEAST_WEIGHT = 0.01  # keeps the ranking of a source that is alone
SHARED_STRENGTH = 5.0  # penalties on squared distances, in units of the log-likelihood
WEIGHT_STRENGTH = 30.0  # of 3, 10, 30, 1000 the best held-out likelihood at 10 to 150 held-out images
BIAS_STRENGTH = 0.3  # tags' log-odds differ by about 1 / sqrt(0.3) = 1.8
SWEEPS = 100
TOLERANCE = 1e-4

Scores = Mapping[SuggestionOrigin, Vectors | None]
"""(N, C) scores of each source; NaN where it has nothing to say, None where it says nothing at all."""


@dataclass(frozen=True)
class Fused:
    """probabilities (N, C) float32 in [0, 1]; origins (N, C) int8, index into ORIGINS of the loudest source."""

    probabilities: Float
    origins: NDArray[np.int8]


@dataclass(frozen=True)
class Fusion:
    """How sources are weighed; made by `fit_fusion`. S sources, C tags."""

    sources: tuple[SuggestionOrigin, ...]
    means: Float  # (S, C) of the pool
    spreads: Float  # (S, C)
    weights: Float  # (S, C), >= LEAST_WEIGHT
    bias: Float  # (C,)
    answers: NDArray[np.int64]  # (C,) held-out answers the weights come from

    def apply(self, scores: Scores) -> Fused:
        """Fuse the scores of the pool or of other images. A source that is missing leaves the others as they are."""
        given = [(place, scores.get(source)) for place, source in enumerate(self.sources)]
        present = [(place, values) for place, values in given if values is not None]
        if not present:
            raise UsageError(f"none of the sources {', '.join(self.sources)} gave scores; score with one of them first")
        count, tags = len(present[0][1]), len(self.bias)
        fused = Fused(np.empty((count, tags), np.float32), np.empty((count, tags), np.int8))
        for part in chunks(count, len(present) * tags):
            said = np.stack([self._levelled(place, values[part]) * self.weights[place] for place, values in present])
            pushed = np.nan_to_num(said, nan=0.0).sum(axis=0)
            # the loudest is who pushed most where the sum went; NaN (nothing to say) is quieter than any push
            loudest = np.where(np.isnan(said), -np.inf, said * np.sign(pushed)).argmax(axis=0)
            codes = np.array([ORIGINS.index(self.sources[place]) for place, _ in present], np.int8)
            silent = np.int8(ORIGINS.index(SuggestionOrigin.FUSED))
            fused.origins[part] = np.where(np.isnan(said).all(axis=0), silent, codes[loudest])
            fused.probabilities[part] = _sigmoid(self.bias + pushed)
        return fused

    def _levelled(self, place: int, values: Vectors) -> Float:
        levelled: Float = (_comparable(self.sources[place], values) - self.means[place]) / self.spreads[place]
        return levelled


def fit_fusion(scores: Scores, labels: NDArray[np.int8]) -> Fusion:
    """Learn the weights from held-out answers.

    scores: of each source (N, C), for the whole pool. labels (N, C) int8: held-out answers, -1 everywhere else; no
    source may have learned from them. With none at all the weights are those of the start. A source that is None has
    no part. Raises UsageError when no source gave scores or the shapes do not fit.
    """
    present = {source: values for source, values in scores.items() if values is not None}
    if not present:
        raise UsageError("no source gave scores; embed with a text tower, answer some questions or train first")
    for source, values in present.items():
        if values.shape != labels.shape:
            raise UsageError(f"{source} scores of shape {values.shape} do not fit labels of shape {labels.shape}")
    sources, tags = tuple(present), labels.shape[1]
    means, spreads = (np.stack(part) for part in zip(*(_statistics(*item) for item in present.items()), strict=True))
    shares = np.array([START_SHARES.get(source, 1.0) for source in sources])
    weights = np.repeat((START_SLOPE * shares / shares.sum())[:, None], tags, axis=1).astype(np.float32)
    fusion = Fusion(sources, means, spreads, weights, np.full(tags, START_BIAS, np.float32), np.zeros(tags, np.int64))
    answers = _answers(fusion, present, labels)
    if not len(answers.positive):
        return fusion
    shared, bias = _solve(answers, weights, fusion.bias, SHARED_STRENGTH, shared=True)
    weights, bias = _solve(answers, shared, bias, WEIGHT_STRENGTH, shared=False)
    counts = np.bincount(answers.tags, minlength=tags)
    return Fusion(sources, means, spreads, weights, bias, counts)


@dataclass(frozen=True)
class _Answers:
    """The E known answers one after the other, so that sparse answers cost no (N, C) arrays."""

    said: Float  # (S, E) levelled scores, 0 where the source says nothing
    positive: Float  # (E,) 1 or 0
    tags: NDArray[np.int64]  # (E,)


def _answers(fusion: Fusion, scores: Scores, labels: NDArray[np.int8]) -> _Answers:
    said: list[Float] = []
    positive: list[Float] = []
    tags: list[NDArray[np.int64]] = []
    for part in chunks(len(labels), 4 * labels.shape[1]):
        rows, columns = np.nonzero(labels[part] != LabelState.UNKNOWN)
        if not len(rows):
            continue
        levelled = [
            fusion._levelled(place, values[part])[rows, columns]
            for place, source in enumerate(fusion.sources)
            if (values := scores[source]) is not None
        ]
        said.append(np.nan_to_num(np.stack(levelled), nan=0.0))
        positive.append((labels[part][rows, columns] == LabelState.POSITIVE).astype(np.float32))
        tags.append(columns.astype(np.int64))
    if not said:
        return _Answers(np.empty((len(fusion.sources), 0), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))
    return _Answers(np.concatenate(said, axis=1), np.concatenate(positive), np.concatenate(tags))


def _solve(answers: _Answers, centre: Float, bias: Float, strength: float, *, shared: bool) -> tuple[Float, Float]:
    """(weights (S, C), bias (C,)) of the penalised logistic loss, one coordinate of all tags at a time (Newton steps).

    `centre` (S, C) is what weights are shrunk to; biases are shrunk to their mean. `shared`: one weight for all tags.
    """
    weights, biases = centre.astype(np.float64), bias.astype(np.float64)
    answered = np.bincount(answers.tags, minlength=len(biases)) > 0
    logits = biases[answers.tags] + np.einsum("se,se->e", answers.said, weights[:, answers.tags])
    ones = np.ones(len(answers.positive))
    for _ in range(SWEEPS):
        moved = 0.0
        for place, said in enumerate(answers.said):
            pull = strength * (weights[place] - centre[place])
            steps = _steps(answers, logits, said, pull, strength, shared=shared)
            new = np.maximum(weights[place] - steps, LEAST_WEIGHT)
            logits += (new - weights[place])[answers.tags] * said
            moved = max(moved, float(np.abs(new - weights[place]).max()))
            weights[place] = new
        mean = biases[answered].mean()
        steps = _steps(answers, logits, ones, BIAS_STRENGTH * (biases - mean), BIAS_STRENGTH, shared=False)
        logits -= steps[answers.tags]
        biases -= steps
        moved = max(moved, float(np.abs(steps[answered]).max()))
        biases[~answered] = biases[answered].mean()
        if moved < TOLERANCE:
            break
    return weights.astype(np.float32), biases.astype(np.float32)


def _steps(
    answers: _Answers,
    logits: NDArray[np.float64],
    said: Vectors,
    pull: NDArray[np.float64],
    strength: float,
    *,
    shared: bool,
) -> NDArray[np.float64]:
    """(C,) Newton steps of one coordinate, at most 1 long: far from the minimum the curvature says little."""
    p = _sigmoid(logits)
    tags = len(pull)
    slope = np.bincount(answers.tags, (p - answers.positive) * said, tags)
    curvature = np.bincount(answers.tags, np.maximum(p * (1 - p), 0.01) * said**2, tags)
    if shared:  # the pull is the same for all tags and counts once
        step = (slope.sum() + pull[0]) / (curvature.sum() + strength)
        return np.full(tags, np.clip(step, -1, 1))
    return np.clip((slope + pull) / (curvature + strength), -1, 1)


def _statistics(source: SuggestionOrigin, values: Vectors) -> tuple[Float, Float]:
    """(mean (C,), spread (C,)) of a source's comparable scores over the images of which it says something."""
    tags = values.shape[1]
    level = SCORERS[source].level
    if level is not None:
        return np.full(tags, level[0], np.float32), np.full(tags, level[1], np.float32)
    count, total, squares = np.zeros(tags), np.zeros(tags), np.zeros(tags)
    for part in chunks(*values.shape):
        known = np.isfinite(values[part])
        count += known.sum(axis=0)
        total += np.where(known, _comparable(source, values[part]), 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for part in chunks(*values.shape):
        away = np.nan_to_num(_comparable(source, values[part]) - mean, nan=0.0)
        squares += (away**2).sum(axis=0, dtype=np.float64)
    spread = np.sqrt(squares / np.maximum(count, 1))
    return mean.astype(np.float32), np.where(spread > 1e-6, spread, 1).astype(np.float32)


def _comparable(source: SuggestionOrigin, values: Vectors) -> Float:
    """Scores as float32, probabilities as log-odds."""
    wide = np.asarray(values, np.float32)
    if not SCORERS[source].gives_probabilities:
        return wide
    inside = np.clip(wide, 1e-6, 1 - 1e-6)
    odds: Float = np.log(inside) - np.log1p(-inside)
    return odds


def _sigmoid(logits: Vectors) -> Vectors:
    """(1 + tanh(z / 2)) / 2, which cannot overflow."""
    probabilities: Vectors = (1 + np.tanh(0.5 * logits)) / 2
    return probabilities
