"""What every head in HEADS promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from annotator.learning.fit import fit_head
from annotator.learning.heads import HEADS
from annotator.learning.losses import LOSSES

every_head = pytest.mark.parametrize("name", HEADS)
knowing_words = pytest.mark.parametrize("name", [name for name in HEADS if name != "linear_probe"])
exact = pytest.mark.parametrize("name", ["text_anchored", "linear_probe"])  # one convex problem, no lift before it
every_loss = pytest.mark.parametrize("loss", LOSSES)
EXACT = 1e-7  # tolerance of a fit whose answer is compared

Array = NDArray[np.float32]
States = NDArray[np.int8]


def images(n: int = 240, width: int = 12, tags: int = 5, seed: int = 0) -> tuple[Array, States, Array]:
    """Unit vectors with a common mean, labels of which a third is unknown, texts that tell half the truth."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0.4, 1, (n, width)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    W = rng.normal(size=(tags, width)).astype(np.float32)
    score = (X - X.mean(0)) @ W.T + 0.3 * rng.normal(size=(n, tags))
    labels = (score > np.quantile(score, np.linspace(0.5, 0.95, tags), axis=0).diagonal()).astype(np.int8)
    labels[rng.random(labels.shape) < 1 / 3] = -1
    texts = W + rng.normal(size=W.shape)
    return X, labels, (texts / np.linalg.norm(texts, axis=1, keepdims=True)).astype(np.float32)


@every_head
@every_loss
def test_unknown_labels_do_not_move_the_model(name: str, loss: str) -> None:
    X, labels, texts = images()
    weights = np.ones(labels.shape)
    plain, _ = fit_head(name, X, labels, texts=texts, weights=weights, loss=loss)
    weights[labels == -1] = 1000
    louder, _ = fit_head(name, X, labels, texts=texts, weights=weights, loss=loss)
    np.testing.assert_array_equal(plain.logits(X), louder.logits(X))
    never_asked = np.concatenate([X, 7 * X[::-1]]), np.concatenate([labels, np.full_like(labels, -1)])
    more, _ = fit_head(name, *never_asked, texts=texts, loss=loss)
    np.testing.assert_array_equal(plain.logits(X), more.logits(X))


@every_head
def test_an_answer_is_not_the_same_as_no_answer(name: str) -> None:
    X, labels, _ = images()
    silence, _ = fit_head(name, X, labels)
    assumed, _ = fit_head(name, X, np.maximum(labels, 0))
    assert np.abs(silence.logits(X) - assumed.logits(X)).max() > 0.1


@every_head
def test_permuting_images_or_tags_permutes_the_result(name: str) -> None:
    X, labels, texts = images()
    rng = np.random.default_rng(1)
    rows, tags = rng.permutation(len(X)), rng.permutation(labels.shape[1])
    plain, _ = fit_head(name, X, labels, texts=texts, tolerance=EXACT)
    turned, _ = fit_head(name, X[rows], labels[rows][:, tags], texts=texts[tags], tolerance=EXACT)
    np.testing.assert_allclose(turned.logits(X), plain.logits(X)[:, tags], atol=5e-3)
    np.testing.assert_allclose(turned.variances(X), plain.variances(X)[:, tags], rtol=2e-2)


@every_head
@every_loss
@pytest.mark.parametrize("with_text", [False, True])
def test_tags_without_variety_stay_finite(name: str, loss: str, with_text: bool) -> None:
    X, labels, texts = images()
    labels[:, 0], labels[:, 1], labels[:, 2] = -1, 1, 0
    labels[:, 3] = np.where(np.arange(len(X)) == 17, 1, -1)
    head, report = fit_head(name, X, labels, texts=texts if with_text else None, loss=loss)
    for values in (head.logits(X), head.probabilities(X), head.variances(X), *head.to_arrays().values(), report.loss):
        assert np.isfinite(values).all()
    assert (head.variances(X) > 0).all()
    assert report.converged.all()


@every_head
def test_a_tag_with_only_negatives_is_predicted_rare_and_the_rarer_the_more_answers(name: str) -> None:
    X, labels, _ = images(tags=3)
    labels[:] = -1
    labels[:6, 0], labels[:60, 1], labels[:240, 2] = 0, 0, 0
    head, _ = fit_head(name, X, labels)
    p = head.probabilities(X).mean(0)
    assert p[0] > p[1] > p[2] > 0
    assert p[1] < 0.03


@knowing_words
def test_no_answer_at_all_ranks_as_the_text_does(name: str) -> None:
    X, labels, texts = images()
    texts -= texts.mean(0)  # what all texts have in common says nothing of a tag
    head, report = fit_head(name, X, np.full_like(labels, -1), texts=texts)
    np.testing.assert_array_equal(head.logits(X).argsort(0), (X @ texts.T).argsort(0))
    assert report.converged.all()


@knowing_words
def test_what_all_texts_have_in_common_counts_for_nothing(name: str) -> None:
    X, labels, texts = images(tags=40)
    plain, _ = fit_head(name, X, np.full_like(labels, -1), texts=texts)
    shifted, _ = fit_head(name, X, np.full_like(labels, -1), texts=texts + 5 * texts[0])
    z, moved = plain.logits(X), shifted.logits(X)
    same = [np.corrcoef(z[:, tag], moved[:, tag])[0, 1] for tag in range(40)]
    assert min(same) > 0.98


def test_the_probe_leaves_words_out_and_is_the_other_head_without_them() -> None:
    X, labels, texts = images()
    probe, _ = fit_head("linear_probe", X, labels, texts=texts)
    wordless, _ = fit_head("text_anchored", X, labels)
    np.testing.assert_array_equal(probe.logits(X), wordless.logits(X))


@knowing_words
def test_no_images_at_all_give_a_head(name: str) -> None:
    X, labels, texts = images()
    head, _ = fit_head(name, X[:0], labels[:0], texts=texts)
    np.testing.assert_array_equal(head.logits(X).argsort(0), (X @ texts.T).argsort(0))
    head, _ = fit_head(name, X[:0], labels[:0])
    assert np.isfinite(head.logits(X)).all()


@every_head
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_handful_of_equal_images_stays_finite(name: str, rows: int) -> None:
    X, labels, texts = images()
    same = np.repeat(X[:1], rows, 0)
    head, _ = fit_head(name, same, np.tile(labels[:1], (rows, 1)), texts=texts)
    assert np.isfinite(head.logits(X)).all()


@every_head
def test_the_same_arrays_give_the_same_bits(name: str) -> None:
    X, labels, texts = images()
    first, second = (fit_head(name, X, labels, texts=texts)[0] for _ in range(2))
    for key, values in first.to_arrays().items():
        assert values.tobytes() == second.to_arrays()[key].tobytes(), key


@every_head
def test_float16_and_read_only_embeddings_work(name: str) -> None:
    X, labels, _ = images()
    half = X.astype(np.float16)
    half.flags.writeable = labels.flags.writeable = False
    head, _ = fit_head(name, half, labels, tolerance=EXACT)
    wide, _ = fit_head(name, half.astype(np.float64), labels, tolerance=EXACT)
    np.testing.assert_allclose(head.logits(half), wide.logits(half.astype(np.float32)), atol=1e-3)
    assert head.logits(half).dtype == np.float32


@exact
def test_a_weight_of_two_is_the_same_answer_twice(name: str) -> None:
    X, labels, _ = images(n=100)
    labels[:, 0] = np.maximum(labels[:, 0], 0)
    twice = np.concatenate([X, X]), np.concatenate([labels, labels])
    doubled, _ = fit_head(name, *twice, tolerance=EXACT, ridge=0.1)
    # the squared scale of the embeddings divides by n - 1, and the penalty is in units of it
    n = len(X)
    factor = (2 * n - 2) / (2 * n - 1)
    weighted, _ = fit_head(name, X, labels, weights=np.full(labels.shape, 2.0), tolerance=EXACT, ridge=0.1 * factor)
    np.testing.assert_allclose(weighted.logits(X), doubled.logits(X), atol=2e-3)


@exact
def test_a_warm_start_finds_the_same_answer_sooner(name: str) -> None:
    X, labels, texts = images()
    cold, before = fit_head(name, X, labels, texts=texts, tolerance=EXACT)
    warm, after = fit_head(name, X, labels, texts=texts, tolerance=EXACT, warm=cold)
    np.testing.assert_allclose(warm.logits(X), cold.logits(X), atol=2e-3)
    assert after.iterations < before.iterations / 2


@every_head
def test_a_head_survives_storage(name: str) -> None:
    X, labels, texts = images()
    head, _ = fit_head(name, X, labels, texts=texts)
    again = type(head).from_arrays(head.to_arrays())
    np.testing.assert_array_equal(again.probabilities(X), head.probabilities(X))
    np.testing.assert_array_equal(again.variances(X), head.variances(X))


@every_head
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_any_labels_give_probabilities(name: str, seed: int, rows: int, tags: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)).astype(np.float32) * 10.0 ** rng.integers(-3, 4)
    head, _ = fit_head(name, X, rng.integers(-1, 2, (rows, tags)).astype(np.int8))
    p = head.probabilities(X)
    assert ((p >= 0) & (p <= 1)).all()


@pytest.mark.gpu
@every_head
def test_a_gpu_agrees_with_the_cpu(name: str) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    X, labels, texts = images()
    for anchors in (None, texts):
        cpu, _ = fit_head(name, X, labels, texts=anchors, tolerance=EXACT)
        gpu, _ = fit_head(name, X, labels, texts=anchors, tolerance=EXACT, device="cuda")
        again, _ = fit_head(name, X, labels, texts=anchors, tolerance=EXACT, device="cuda")
        # Not convex: from the first rounding on the steps of the two devices go their own ways.
        np.testing.assert_allclose(gpu.logits(X), cpu.logits(X), atol=0.2 if name == "mlp" else 5e-3)
        np.testing.assert_allclose(gpu.variances(X), cpu.variances(X), rtol=5e-2 if name == "mlp" else 2e-2)
        np.testing.assert_array_equal(gpu.logits(X), again.logits(X))
