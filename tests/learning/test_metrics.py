"""Masked metrics against scikit-learn on the known part, ties included."""

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning import metrics
from annotator.learning.metrics import Figures, Labels, Scores

Table = tuple[Scores, Labels]
Metric = Callable[[Scores, Labels], float | Figures]


def table(seed: int, images: int = 40, tags: int = 7, levels: int = 12) -> Table:
    """Scores with ties, a third of the labels unknown, one tag without positives, one without answers."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, (images, tags)).astype(np.int8)
    labels[:, 0] = np.minimum(labels[:, 0], 0)
    labels[:, 1] = -1
    return (rng.integers(0, levels, (images, tags)) / levels).astype(np.float32), labels


def per_tag(
    figure: Callable[[NDArray[np.int8], Scores], float], scores: Scores, labels: Labels, undefined: float = np.nan
) -> Figures:
    """A scikit-learn figure of each tag's known part; `undefined` without a known positive."""
    found = []
    for s, y in zip(scores.T, labels.T, strict=True):
        known = y >= 0
        found.append(figure(y[known], s[known]) if (y == 1).any() else undefined)
    return np.array(found)


seeds = pytest.mark.parametrize("seed", range(5))


@seeds
@pytest.mark.parametrize("levels", [2, 12, 10**6])
def test_average_precision_equals_scikit_learn_on_the_known_part(seed: int, levels: int) -> None:
    scores, labels = table(seed, levels=levels)
    expected = per_tag(reference.average_precision_score, scores, labels)
    np.testing.assert_allclose(metrics.average_precision(scores, labels), expected, rtol=1e-12)
    assert metrics.mean_average_precision(scores, labels) == pytest.approx(np.nanmean(expected))


def test_mean_average_precision_leaves_out_tags_with_too_few_positives() -> None:
    scores, labels = table(0)
    each, positives = metrics.average_precision(scores, labels), (labels == 1).sum(0)
    least = int(np.median(positives[positives > 0]))
    expected = each[positives >= least].mean()
    assert metrics.mean_average_precision(scores, labels, at_least=least) == pytest.approx(expected)
    assert np.isnan(metrics.mean_average_precision(scores, labels, at_least=1000))


@seeds
def test_f1_precision_and_recall_equal_scikit_learn_on_the_known_part(seed: int) -> None:
    scores, labels = table(seed)
    thresholds = np.linspace(0.2, 0.8, labels.shape[1])
    shifted = (scores >= thresholds).astype(np.float32)

    def at(figure: Callable[..., float]) -> Figures:
        return per_tag(lambda y, s: figure(y, s, zero_division=0), shifted, labels)

    counted = (labels == 1).any(0)
    found = metrics.precision_recall(scores, labels, thresholds)
    np.testing.assert_allclose(np.nan_to_num(found.precision[counted]), at(reference.precision_score)[counted])
    np.testing.assert_allclose(found.recall, at(reference.recall_score))
    np.testing.assert_allclose(metrics.f1(scores, labels, thresholds), at(reference.f1_score))
    assert metrics.macro_f1(scores, labels, thresholds) == pytest.approx(np.nanmean(at(reference.f1_score)))
    known = labels >= 0
    assert metrics.micro_f1(scores, labels, thresholds) == pytest.approx(
        reference.f1_score(labels[known], shifted[known])
    )


@seeds
def test_no_threshold_beats_the_best_one(seed: int) -> None:
    scores, labels = table(seed)
    best = metrics.best_thresholds(scores, labels)
    reached = metrics.f1(scores, labels, best)
    every = np.array([metrics.f1(scores, labels, t) for t in np.unique(scores)])
    counted = (labels == 1).any(0)
    np.testing.assert_allclose(reached[counted], every[:, counted].max(0))
    assert (best[~counted] == np.inf).all()


@seeds
def test_image_rankings_equal_scikit_learn_on_the_known_tags(seed: int) -> None:
    scores, labels = table(seed)
    coverage, wrong = [], []
    for s, y in zip(scores, labels, strict=True):
        known = y >= 0
        if known.any():
            coverage.append(
                reference.coverage_error(y[known][None], s[known][None]) if known.sum() > 1 else float(y[known][0])
            )
            wrong.append(reference.label_ranking_loss(y[known][None], s[known][None]) if known.sum() > 1 else 0.0)
    assert metrics.coverage_error(scores, labels) == pytest.approx(np.mean(coverage))
    assert metrics.ranking_loss(scores, labels) == pytest.approx(np.mean(wrong))


def test_calibration_error_of_a_hand_worked_table() -> None:
    p = np.array([[0.1], [0.3], [0.6], [0.8], [0.99]], np.float32)
    labels = np.array([[0], [1], [1], [1], [-1]], np.int8)
    # two bins: means 0.2 against 1/2, 0.7 against 1
    assert metrics.calibration_error(p, labels, bins=2)[0] == pytest.approx(0.3, abs=1e-6)
    assert metrics.pooled_calibration_error(p, labels, bins=1) == pytest.approx(abs(0.45 - 0.75), abs=1e-6)


def test_calibrated_probabilities_have_a_small_calibration_error_and_shifted_ones_a_large() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((20_000, 2)).astype(np.float32)
    labels = (rng.random(p.shape) < p).astype(np.int8)
    assert (metrics.calibration_error(p, labels) < 0.02).all()
    assert metrics.pooled_calibration_error(p, labels) < 0.02
    assert (metrics.calibration_error(p**2, labels) > 0.1).all()


def test_equal_probabilities_share_a_bin() -> None:
    labels = np.array([[0], [1], [0], [1], [1], [1]], np.int8)
    p = np.full(labels.shape, 0.5, np.float32)
    assert metrics.calibration_error(p, labels, bins=3)[0] == pytest.approx(4 / 6 - 0.5)
    np.testing.assert_array_equal(metrics.equal_mass_bins(p, labels, 3).answers, [[6, 0, 0]])


ALL: dict[str, Metric] = {
    "average_precision": metrics.average_precision,
    "mean_average_precision": metrics.mean_average_precision,
    "precision": lambda s, y: metrics.precision_recall(s, y).precision,
    "recall": lambda s, y: metrics.precision_recall(s, y).recall,
    "f1": metrics.f1,
    "micro_f1": metrics.micro_f1,
    "macro_f1": metrics.macro_f1,
    "best_thresholds": metrics.best_thresholds,
    "coverage_error": metrics.coverage_error,
    "ranking_loss": metrics.ranking_loss,
    "calibration_error": metrics.calibration_error,
    "pooled_calibration_error": metrics.pooled_calibration_error,
}
every_metric = pytest.mark.parametrize("metric", ALL.values(), ids=ALL)


@every_metric
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_scores_of_unknown_entries_do_not_matter(metric: Metric, seed: int) -> None:
    scores, labels = table(seed, images=12)
    other = scores.copy()
    other[labels == -1] = np.random.default_rng(seed).choice([np.nan, np.inf, -np.inf, 0.5], (labels == -1).sum())
    np.testing.assert_allclose(metric(other, labels), metric(scores, labels), rtol=1e-12)


@every_metric
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_images_does_not_matter(metric: Metric, seed: int) -> None:
    scores, labels = table(seed, images=12)
    order = np.random.default_rng(seed).permutation(12)
    np.testing.assert_allclose(metric(scores[order], labels[order]), metric(scores, labels), rtol=1e-6)


@every_metric
@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (4, 3)])
def test_without_answers_a_figure_is_nan_and_a_threshold_infinite(metric: Metric, shape: tuple[int, int]) -> None:
    found = np.atleast_1d(metric(np.zeros(shape, np.float32), np.full(shape, -1, np.int8)))
    assert (np.isnan(found) | np.isposinf(found)).all()


@every_metric
def test_a_score_that_is_no_number_or_a_wrong_shape_is_refused(metric: Metric) -> None:
    scores, labels = table(0)
    with pytest.raises(UsageError, match="shape"):
        metric(scores[:-1], labels)
    scores[labels >= 0] = np.nan
    with pytest.raises(UsageError, match="not a number"):
        metric(scores, labels)
