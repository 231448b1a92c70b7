"""The default head against independent references."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from annotator.errors import BadInputError
from annotator.learning.fit import fit_head
from annotator.learning.heads import Head
from annotator.learning.heads.text_anchored import choose
from tests.learning.heads.test_heads import EXACT, Array, States, images


def standardised(X: Array) -> tuple[Array, float]:
    centred = X - X.mean(0)
    scale = float(np.sqrt((centred**2).sum() / (len(X) - 1)))
    return centred / scale, scale


def reference_logits(X: Array, y: States, ridge: float, share: float, tol: float = 1e-9) -> Array:
    """scikit-learn's optimum of the same objective: the imaginary answer at the mean image as two weighted rows."""
    features, _ = standardised(X)
    rows = np.concatenate([features, np.zeros((2, X.shape[1]))]).astype(np.float64)
    model = LogisticRegression(C=1 / ridge, tol=tol, max_iter=10_000)
    model.fit(rows, np.append(y, [1, 0]), sample_weight=np.append(np.ones(len(y)), [share, 1 - share]))
    logits: Array = model.decision_function(features)
    return logits


@pytest.mark.parametrize("ridge", [0.01, 0.1, 1.0])
def test_full_labels_without_text_reach_the_optimum_of_scikit_learn(ridge: float) -> None:
    X, labels, _ = images(n=300)
    labels = np.maximum(labels, 0)
    head, report = fit_head("text_anchored", X, labels, ridge=ridge, tolerance=EXACT)
    share = min(0.5, (labels.sum() + 0.5) / (labels.size + 1))
    for tag in range(labels.shape[1]):
        expected = reference_logits(X, labels[:, tag], ridge, share)
        np.testing.assert_allclose(head.logits(X)[:, tag], expected, atol=5e-3)
    assert report.converged.all()


def test_the_default_tolerance_is_within_a_quarter_of_a_posterior_deviation_of_the_optimum() -> None:
    X, labels, _ = images(n=300)
    quick, _ = fit_head("text_anchored", X, labels)
    exact, _ = fit_head("text_anchored", X, labels, tolerance=EXACT)
    assert (np.abs(quick.logits(X) - exact.logits(X)) < 0.25 * np.sqrt(exact.variances(X))).all()


def test_real_clip_vectors_reach_the_optimum_of_scikit_learn(real_data: Path) -> None:
    X = np.load(real_data / "features" / "unsplash2001_clip_vitb16.npz")["emb"]
    rng = np.random.default_rng(0)
    score = X.astype(np.float32) @ rng.normal(size=(512, 3)).astype(np.float32)
    labels = (score > np.quantile(score, [0.5, 0.9, 0.99], axis=0).diagonal()).astype(np.int8)
    head, _ = fit_head("text_anchored", X, labels, tolerance=1e-5)
    share = (labels.sum() + 0.5) / (labels.size + 1)
    for tag in range(3):
        expected = reference_logits(X.astype(np.float32), labels[:, tag], 0.1, share, tol=1e-5)
        assert np.corrcoef(head.logits(X)[:, tag], expected)[0, 1] > 0.99999
        np.testing.assert_allclose(head.logits(X)[:, tag], expected, atol=0.02 * expected.std())


def test_tags_solved_in_many_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels, texts = images(tags=7)
    whole, _ = fit_head("text_anchored", X, labels, texts=texts, tolerance=EXACT)
    monkeypatch.setattr("annotator.learning.heads.answers.ENTRIES", 500)
    parts, report = fit_head("text_anchored", X, labels, texts=texts, tolerance=EXACT)
    np.testing.assert_allclose(parts.logits(X), whole.logits(X), atol=5e-3)
    assert report.converged.all()


def test_the_scale_of_the_text_hardly_matters_once_there_are_answers() -> None:
    X, labels, texts = images()
    small, large = (fit_head("text_anchored", X, labels, texts=texts, text_scale=scale)[0] for scale in (10, 1000))
    np.testing.assert_allclose(small.logits(X), large.logits(X), atol=0.3)


def test_useless_text_is_turned_down_and_good_text_kept() -> None:
    X, labels, texts = images(n=600)
    noise = np.random.default_rng(2).normal(size=texts.shape).astype(np.float32)
    good, _ = fit_head("text_anchored", X, labels, texts=texts)
    bad, _ = fit_head("text_anchored", X, labels, texts=noise / np.linalg.norm(noise, axis=1, keepdims=True))
    assert np.abs(bad.gain).mean() < 0.3 * good.gain.mean()


def test_few_answers_with_text_rank_better_than_without() -> None:
    X, labels, texts = images(n=1200, width=40)
    few = labels.copy()
    few[30:] = -1
    anchored, _ = fit_head("text_anchored", X, few, texts=texts)
    plain, _ = fit_head("text_anchored", X, few)
    from annotator.learning.metrics import mean_average_precision

    rest = slice(30, None)
    with_text = mean_average_precision(anchored.logits(X[rest]), labels[rest])
    without = mean_average_precision(plain.logits(X[rest]), labels[rest])
    assert with_text > without + 0.05


def test_a_tag_without_a_text_vector_learns_beside_tags_with_one() -> None:
    X, labels, texts = images()
    texts[2] = 0
    head, _ = fit_head("text_anchored", X, labels, texts=texts, tolerance=EXACT)
    plain, _ = fit_head("text_anchored", X, labels, tolerance=EXACT)
    np.testing.assert_allclose(head.logits(X)[:, 2], plain.logits(X)[:, 2], atol=5e-3)
    assert head.gain[2] == 0


def test_the_posterior_is_close_to_the_exact_laplace_posterior() -> None:
    X, _, _ = images(n=400, width=20)
    X *= (1 / np.arange(1, 21)).astype(np.float32)  # as in real embeddings, a few directions carry most
    score = X @ np.random.default_rng(3).normal(size=(20, 4)) + 0.2 * np.random.default_rng(4).normal(size=(400, 4))
    labels = (score > np.quantile(score, [0.5, 0.7, 0.8, 0.9], axis=0).diagonal()).astype(np.int8)
    head, _ = fit_head("text_anchored", X, labels, tolerance=EXACT, rank=10)
    features, _ = standardised(X)
    rows = np.concatenate([features, np.zeros((1, features.shape[1]))])
    rows = np.concatenate([rows, np.ones((len(rows), 1))], 1).astype(np.float64)
    for tag in range(labels.shape[1]):
        p = np.append(head.probabilities(X)[:, tag], labels.mean()).astype(np.float64)
        precision = rows.T @ (rows * (p * (1 - p))[:, None]) + np.diag([0.1] * features.shape[1] + [0])
        exact = np.einsum("nd,de,ne->n", rows[:-1], np.linalg.inv(precision), rows[:-1])
        found = head.variances(X)[:, tag]
        assert 0.7 < np.median(found / exact) < 1.3
        assert np.corrcoef(found, exact)[0, 1] > 0.8


def test_answers_narrow_the_posterior() -> None:
    X, labels, _ = images()
    spread = [fit_head("text_anchored", X[:n], labels[:n])[0].variances(X).mean() for n in (20, 80, 240)]
    assert all(more > less for more, less in pairwise(spread))


def test_held_out_answers_choose_the_penalty_from_the_list() -> None:
    X, labels, texts = images(n=600)
    train, held = slice(0, 300), slice(300, 600)
    ridges = (10.0, 0.1, 0.001)
    head, report = fit_head(
        "text_anchored", X[train], labels[train], texts=texts, validation=(X[held], labels[held]), ridges=ridges
    )
    assert set(np.round(report.ridge.astype(float), 6)) <= set(ridges)
    best = min(held_out_loss(head, X[held], labels[held]), 1e9)
    for ridge in (10.0, 0.001):
        other, _ = fit_head("text_anchored", X[train], labels[train], texts=texts, ridge=ridge)
        assert best <= held_out_loss(other, X[held], labels[held]) + 1e-3


def held_out_loss(head: Head, X: Array, labels: States) -> float:
    z, known = head.logits(X), labels >= 0
    return float((np.logaddexp(0, z) - labels * z)[known].mean())


def test_few_held_out_answers_follow_the_choice_of_all_tags() -> None:
    losses = np.array([[50.0, 1.1, 0.0], [40.0, 1.2, 0.0]])  # the second penalty is better overall
    np.testing.assert_array_equal(choose(losses, np.array([200, 3, 0])), [1, 1, 1])
    losses = np.array([[50.0, 100.0, 0.0], [40.0, 102.5, 0.0]])  # the second tag has enough answers to differ
    np.testing.assert_array_equal(choose(losses * 10, np.array([2000, 2000, 0])), [1, 0, 1])


def test_a_head_for_changed_tags_keeps_the_old_ones() -> None:
    X, labels, _ = images()
    head, _ = fit_head("text_anchored", X, labels)
    changed = head.take(np.array([3, -1, 0]))
    np.testing.assert_array_equal(changed.logits(X)[:, [0, 2]], head.logits(X)[:, [3, 0]])
    assert np.isfinite(changed.variances(X)).all()
    warm, _ = fit_head("text_anchored", X, labels[:, [3, 1, 0]], warm=changed, tolerance=EXACT)
    cold, _ = fit_head("text_anchored", X, labels[:, [3, 1, 0]], tolerance=EXACT)
    np.testing.assert_allclose(warm.logits(X), cold.logits(X), atol=5e-3)


def test_a_damaged_file_says_what_is_wrong() -> None:
    X, labels, _ = images()
    arrays = fit_head("text_anchored", X, labels)[0].to_arrays()
    with pytest.raises(BadInputError, match="lacks bias"):
        Head.from_arrays({key: value for key, value in arrays.items() if key != "bias"})
    with pytest.raises(BadInputError, match="bias has shape"):
        Head.from_arrays({**arrays, "bias": arrays["bias"][:-1]})
    with pytest.raises(BadInputError, match="has shape"):
        Head.from_arrays({**arrays, "weights": arrays["weights"][0]})
