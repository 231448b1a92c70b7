"""Fusion of sources: weights from held-out answers, shrunk to those of all tags."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from annotator.errors import UsageError
from annotator.learning.metrics import Labels, Scores, mean_average_precision
from annotator.learning.stacking import Known, Prior, fit_coefficients, fit_fusion


def sources(n: int = 400, tags: int = 6, seed: int = 0) -> tuple[Scores, Labels]:
    """(3, N, C): a good source on its own scale, a weak one, and noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, tags))
    labels = (truth + 0.3 * rng.normal(size=(n, tags)) > 1).astype(np.int8)
    good, weak = truth + 0.5 * rng.normal(size=(n, tags)), truth + 2 * rng.normal(size=(n, tags))
    return np.stack([50 + 7 * good, weak, rng.normal(size=(n, tags))]).astype(np.float32), labels


def test_better_sources_weigh_more_and_noise_nearly_nothing() -> None:
    scores, labels = sources()
    fusion = fit_fusion(scores, labels)
    assert (fusion.weights[0] > fusion.weights[1]).all()
    assert (fusion.weights[1].mean() > 0.05) and fusion.weights[2].mean() < 0.2
    assert (fusion.weights >= 0).all()


def test_the_fusion_ranks_better_than_each_source_and_than_equal_weights() -> None:
    scores, labels = sources()
    new, new_labels = sources(4000, seed=1)
    fusion = fit_fusion(scores, labels)
    reached = mean_average_precision(fusion.logits(new), new_labels)
    equal = fit_fusion(scores, np.full_like(labels, -1))
    assert reached > max(mean_average_precision(source, new_labels) for source in new)
    assert reached > mean_average_precision(equal.logits(new), new_labels)


def test_before_any_answer_the_sources_weigh_the_same() -> None:
    scores, labels = sources()
    fusion = fit_fusion(scores, np.full_like(labels, -1))
    np.testing.assert_allclose(fusion.weights, 1 / 3)
    np.testing.assert_allclose(fusion.intercept, 0)


def test_a_tag_without_answers_takes_the_weights_of_all_tags() -> None:
    scores, labels = sources()
    labels[:, 2], labels[5:, 4] = -1, -1
    fusion = fit_fusion(scores, labels)
    np.testing.assert_allclose(fusion.weights[:, 2], np.delete(fusion.weights, [2, 4], 1).mean(1), rtol=0.25, atol=0.1)
    np.testing.assert_allclose(fusion.weights[:, 4], fusion.weights[:, 2], rtol=0.25, atol=0.1)


def test_unknown_labels_do_not_move_the_weights_and_a_silent_source_adds_nothing() -> None:
    scores, labels = sources()
    labels[::2] = -1
    pool = scores.copy()
    plain = fit_fusion(scores, labels, pool=pool)
    scores[:, ::2] = 1e3
    np.testing.assert_array_equal(fit_fusion(scores, labels, pool=pool).weights, plain.weights)
    scores[1] = np.nan
    assert (plain.shares(scores)[1] == 0).all()
    assert np.isfinite(fit_fusion(scores, labels).logits(scores)).all()


def test_the_shares_add_up_to_the_logit() -> None:
    scores, labels = sources()
    fusion = fit_fusion(scores, labels)
    total = fusion.shares(scores).sum(0) + fusion.intercept
    np.testing.assert_allclose(fusion.logits(scores), total, rtol=1e-5, atol=1e-5)


def test_without_a_prior_the_coefficients_equal_scikit_learn() -> None:
    scores, labels = sources(tags=1)
    known = Known(scores[:, :, 0].T.astype(float), labels[:, 0].astype(float), np.zeros(len(labels), np.intp))
    free = Prior(np.zeros(4), np.full(4, 1e-9), np.full(4, -np.inf))
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(known.scores, labels[:, 0])
    expected = np.append(model.coef_[0], model.intercept_)
    np.testing.assert_allclose(fit_coefficients(known, 1, free)[0], expected, rtol=1e-2, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 4), st.integers(1, 3))
def test_any_answers_give_finite_non_negative_weights(seed: int, rows: int, tags: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.normal(size=(count, rows, tags)) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    fusion = fit_fusion(scores, rng.integers(-1, 2, (rows, tags)).astype(np.int8))
    assert np.isfinite(fusion.weights).all() and (fusion.weights >= 0).all()
    assert np.isfinite(fusion.logits(scores)).all()


def test_real_clip_scores_gain_from_the_fusion_of_whole_image_and_tiles(real_data: Path) -> None:
    stored = np.load(real_data / "features" / "voc12train_clip_rn50x64_scores.npz")
    scores = np.stack([np.log(stored[name].astype(np.float32)) for name in ("global_softmax", "tile_max", "tile_min")])
    labels = stored["labels"].astype(np.int8)
    held, rest = slice(0, 400), slice(400, None)
    fusion = fit_fusion(scores[:, held], labels[held], pool=scores)
    reached = mean_average_precision(fusion.logits(scores[:, rest]), labels[rest])
    assert reached > mean_average_precision(scores[0, rest], labels[rest]) + 0.01


def test_wrong_shapes_are_refused() -> None:
    scores, labels = sources()
    with pytest.raises(UsageError, match="same images"):
        fit_fusion(scores, labels[:-1])
    with pytest.raises(UsageError, match="6 tags"):
        fit_fusion(scores[:, :, :-1], labels)
    with pytest.raises(UsageError, match="3 sources"):
        fit_fusion(scores, labels).logits(scores[:2])
