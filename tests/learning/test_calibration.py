"""Calibration: honest probabilities from held-out answers, few or many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from annotator.errors import UsageError
from annotator.learning import calibration
from annotator.learning.calibration import Calibration, fit_calibration, reliability_curve
from annotator.learning.metrics import Labels, Scores, calibration_error, pooled_calibration_error


def overconfident(
    n: int, tags: int = 4, seed: int = 0, slope: float = 0.4, shift: float = -1.0
) -> tuple[Scores, Labels]:
    """Logits whose true probability is sigmoid(slope z + shift)."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 4, (n, tags)).astype(np.float32)
    return z, (rng.random(z.shape) < 1 / (1 + np.exp(-(slope * z + shift)))).astype(np.int8)


def test_many_answers_recover_the_truth_of_each_tag() -> None:
    z, labels = overconfident(4000)
    other, other_labels = overconfident(4000, seed=1, slope=0.9, shift=0.5)
    found = fit_calibration(np.hstack([z, other]), np.hstack([labels, other_labels]))
    np.testing.assert_allclose(found.slope, [0.4] * 4 + [0.9] * 4, rtol=0.15)
    np.testing.assert_allclose(found.intercept, [-1.0] * 4 + [0.5] * 4, atol=0.2)


def test_the_common_fit_equals_scikit_learns_platt_scaling() -> None:
    z, labels = overconfident(3000, tags=1)
    positives, negatives = labels.sum(), (labels == 0).sum()
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))[:, 0]
    both = np.concatenate([z, z]), np.repeat([1, 0], len(z))
    model = LogisticRegression(C=np.inf, tol=1e-10).fit(*both, sample_weight=np.append(target, 1 - target))
    found = fit_calibration(z, labels)
    np.testing.assert_allclose(found.slope, model.coef_[0], rtol=2e-2)
    np.testing.assert_allclose(found.intercept, model.intercept_, atol=2e-2)


def test_calibration_lowers_the_calibration_error_on_new_images() -> None:
    z, labels = overconfident(600)
    new, new_labels = overconfident(4000, seed=9)
    before = Calibration(np.ones(4), np.zeros(4)).apply(new)
    after = fit_calibration(z, labels).apply(new)
    assert pooled_calibration_error(after, new_labels) < 0.3 * pooled_calibration_error(before, new_labels)
    assert (calibration_error(after, new_labels) < calibration_error(before, new_labels)).all()


def test_no_answers_leave_the_logits_as_they_are() -> None:
    z, labels = overconfident(10)
    found = fit_calibration(z, np.full_like(labels, -1))
    np.testing.assert_allclose(found.apply(z), 1 / (1 + np.exp(-z)), rtol=1e-5)
    assert fit_calibration(z[:0], labels[:0]).slope.tolist() == [1, 1, 1, 1]


def test_very_few_answers_give_one_temperature() -> None:
    z, labels = overconfident(3)
    found = fit_calibration(z, labels)
    assert len(set(found.slope)) == 1
    np.testing.assert_allclose(found.intercept, 0, atol=1e-4)


def test_a_tag_with_few_answers_follows_all_tags_and_one_without_does_so_exactly() -> None:
    z, labels = overconfident(2000)
    alone = labels.copy()
    alone[:, 3], alone[3:, 2] = -1, -1
    found = fit_calibration(z, alone)
    common = fit_calibration(z[:, :2], labels[:, :2])
    assert found.slope[3] == pytest.approx(common.slope.mean(), rel=0.05)
    assert found.intercept[3] == pytest.approx(common.intercept.mean(), abs=0.1)
    assert found.slope[2] == pytest.approx(found.slope[3], rel=0.3)


def test_unknown_labels_do_not_move_the_calibration() -> None:
    z, labels = overconfident(200)
    labels[::3] = -1
    plain = fit_calibration(z, labels)
    z[labels == -1] = np.nan
    other = fit_calibration(z, labels)
    np.testing.assert_array_equal(plain.slope, other.slope)
    np.testing.assert_array_equal(plain.intercept, other.intercept)


@pytest.mark.parametrize("sign", [1, -1], ids=["perfect", "upside down"])
def test_separable_answers_stay_finite_and_the_order_is_kept(sign: int) -> None:
    z = np.linspace(-5, 5, 60, dtype=np.float32)[:, None] * np.ones((1, 2), np.float32)
    found = fit_calibration(z, (sign * z > 0).astype(np.int8))
    assert np.isfinite(found.slope).all() and (found.slope > 0).all()
    assert (np.diff(found.apply(z), axis=0) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 5))
def test_any_answers_keep_the_order_of_the_logits(seed: int, rows: int, tags: int) -> None:
    rng = np.random.default_rng(seed)
    z = (rng.normal(size=(rows, tags)) * 10.0 ** rng.integers(-2, 3)).astype(np.float32)
    found = fit_calibration(z, rng.integers(-1, 2, (rows, tags)).astype(np.int8))
    assert (found.slope > 0).all() and np.isfinite(found.intercept).all()
    p = found.apply(np.sort(z, axis=0))
    assert (np.diff(p, axis=0) >= 0).all() and ((p >= 0) & (p <= 1)).all()


def test_wrong_shapes_and_infinite_logits_are_refused() -> None:
    z, labels = overconfident(20)
    with pytest.raises(UsageError, match="shape"):
        fit_calibration(z, labels[:-1])
    z[3, 1] = np.inf
    with pytest.raises(UsageError, match="not finite"):
        fit_calibration(z, labels)


def test_a_reliability_curve_says_what_came_true() -> None:
    p = np.array([[0.1, 0.9], [0.1, 0.8], [0.2, 0.3]], np.float32)
    labels = np.array([[0, 1], [1, 1], [-1, 0]], np.int8)
    curve = reliability_curve(p, labels, bins=2)
    np.testing.assert_array_equal(curve.answers, [2, 3])
    np.testing.assert_allclose(curve.observed, [1 / 2, 2 / 3])
    np.testing.assert_allclose(curve.predicted, [0.1, 2 / 3], rtol=1e-6)
    assert len(reliability_curve(p, np.full_like(labels, -1)).answers) == 0


def test_the_shrinkage_constants_give_way_to_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    z, labels = overconfident(4000)
    loose = fit_calibration(z, labels)
    monkeypatch.setattr(calibration, "SLOPE_PRECISION", 0.0)
    monkeypatch.setattr(calibration, "INTERCEPT_PRECISION", 0.0)
    free = fit_calibration(z, labels)
    np.testing.assert_allclose(loose.slope, free.slope, rtol=0.05)
