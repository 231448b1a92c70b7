"""What every way to read unknown labels promises."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.errors import BadInputError, UnknownNameError, UsageError
from annotator.learning.fit import fit_head, fit_partial
from annotator.learning.metrics import mean_average_precision
from annotator.learning.partial import PARTIAL, Turn, advised, guess_prevalence

EVERY_WAY = pytest.mark.parametrize("way", PARTIAL)
READ_UNKNOWN = pytest.mark.parametrize("way", [name for name in PARTIAL if name != "masked"])
States = NDArray[np.int8]


def images(seed: int = 0, count: int = 300) -> tuple[NDArray[np.float32], States]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((count, 4)) < np.array([0.5, 0.3, 0.2, 0.1])).astype(np.int8)
    X = (2 * labels - 1) @ rng.normal(size=(4, 16)) + 1.5 * rng.normal(size=(count, 16))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), labels


def only_positives(labels: States, kept: float = 0.5) -> States:
    seen = (labels == 1) & (np.random.default_rng(1).random(labels.shape) < kept)
    return np.where(seen, 1, -1).astype(np.int8)


def turns(way: str, labels: States) -> list[Turn]:
    p = np.random.default_rng(2).random(labels.shape).astype(np.float32)
    last = PARTIAL[way].turns - 1
    return [Turn(labels, number, last, p if number else None, guess_prevalence(labels)) for number in range(last + 1)]


@EVERY_WAY
def test_known_labels_always_keep_their_state_and_full_weight(way: str) -> None:
    labels = np.random.default_rng(0).integers(-1, 2, (40, 5)).astype(np.int8)
    known = labels >= 0
    for turn in turns(way, labels):
        reading = PARTIAL[way].read(turn)
        assert (reading.targets[known] == labels[known]).all()
        assert (reading.weights[known] == 1).all()


@EVERY_WAY
@pytest.mark.parametrize("state", [-1, 0, 1])
def test_targets_and_weights_stay_in_their_ranges_whatever_is_known(way: str, state: int) -> None:
    labels = np.full((30, 3), state, np.int8)
    for turn in turns(way, labels):
        reading = PARTIAL[way].read(turn)
        assert (reading.targets >= 0).all()
        assert (reading.targets <= 1).all()
        assert (reading.weights >= 0).all()
        assert np.isfinite(reading.weights).all()


@EVERY_WAY
@pytest.mark.parametrize("kind", ["nothing known", "one positive", "all positive", "no images"])
def test_a_fit_stays_finite_on_next_to_nothing(way: str, kind: str) -> None:
    X, labels = images(count=60)
    labels = np.full_like(labels, 1 if kind == "all positive" else -1)
    if kind == "one positive":
        labels[3, 1] = 1
    if kind == "no images":
        X, labels = X[:0], labels[:0]
    head, _ = fit_partial("text_anchored", way, X, labels)
    assert np.isfinite(head.logits(images()[0])).all()


def test_masked_is_the_plain_fit() -> None:
    X, labels = images()
    labels[np.random.default_rng(3).random(labels.shape) < 0.4] = -1
    plain, _ = fit_head("text_anchored", X, labels)
    masked, _ = fit_partial("text_anchored", "masked", X, labels)
    np.testing.assert_array_equal(plain.logits(X), masked.logits(X))


@READ_UNKNOWN
def test_where_only_positives_are_known_reading_the_rest_beats_chance_by_far(way: str) -> None:
    X, labels = images(count=600)
    head, _ = fit_partial("text_anchored", way, X[:400], only_positives(labels[:400]))
    found = mean_average_precision(head.logits(X[400:]), labels[400:])
    assert found > 2 * labels.mean()


@EVERY_WAY
def test_permuting_images_or_tags_permutes_the_result(way: str) -> None:
    X, labels = images()
    labels = only_positives(labels)
    rng = np.random.default_rng(4)
    rows, tags = rng.permutation(len(X)), rng.permutation(4)
    plain, _ = fit_partial("text_anchored", way, X, labels, tolerance=1e-7)
    turned, _ = fit_partial("text_anchored", way, X[rows], labels[rows][:, tags], tolerance=1e-7)
    np.testing.assert_allclose(turned.logits(X), plain.logits(X)[:, tags], atol=0.05)


@EVERY_WAY
def test_float16_works_and_the_same_arrays_give_the_same_bits(way: str) -> None:
    X, labels = images()
    one, other = (fit_partial("text_anchored", way, X.astype(np.float16), only_positives(labels))[0] for _ in range(2))
    assert one.weights.tobytes() == other.weights.tobytes()


def test_em_grows_its_soft_negatives_from_the_least_likely() -> None:
    labels = np.full((100, 1), -1, np.int8)
    p = np.linspace(0.01, 0.99, 100, dtype=np.float32)[:, None]
    way = PARTIAL["em_apl"]
    last = way.turns - 1
    soft = way.read(Turn(labels, last, last, p, np.array([0.1], np.float32)))
    assert (soft.targets[:90] == p[:90]).all()
    assert (soft.targets[90:] == 0.5).all()


def test_large_losses_are_dropped_or_turned_and_no_others() -> None:
    labels = np.full((500, 2), -1, np.int8)
    labels[0] = 1
    p = np.zeros((500, 2), np.float32)
    p[0], p[7, 1] = 1, 0.9  # an accepted image is never a suspect
    at = Turn(labels, 1, 4, p, np.array([0.1, 0.1], np.float32))
    rejected, corrected = (PARTIAL[f"large_loss_{way}"].read(at) for way in ("reject", "correct"))
    assert rejected.weights[7, 1] == 0
    assert corrected.targets[7, 1] == 1
    assert (rejected.weights == 0).sum() == (corrected.targets[1:] == 1).sum() == 2  # a fifth of a percent of 1,000


def test_the_implicit_posterior_equals_bayes_by_hand() -> None:
    labels = np.full((2, 1), -1, np.int8)
    p = np.array([[0.8], [0.4]], np.float32)
    read = PARTIAL["implicit_posterior"].read(Turn(labels, 1, 5, p, np.array([0.25], np.float32)))
    yes, no = 0.25 * 0.8 / 0.6, 0.75 * 0.2 / 0.4
    assert read.targets[0, 0] == pytest.approx(yes / (yes + no))


def test_the_entropy_slope_is_that_of_the_weighted_cross_entropy() -> None:
    labels = np.full((3, 1), -1, np.int8)
    p = np.array([[0.2], [0.5], [0.9]], np.float32)
    read = PARTIAL["em_apl"].read(Turn(labels, 1, 7, p, np.array([0.1], np.float32)))
    z = np.log(p / (1 - p))
    np.testing.assert_allclose(read.weights * (p - read.targets), 0.1 * z * p * (1 - p), atol=1e-6)


def test_prevalence_is_the_known_share_or_the_least_possible() -> None:
    labels = np.array([[1, 1], [0, -1], [0, -1], [-1, -1]], np.int8)
    np.testing.assert_allclose(guess_prevalence(labels), [1 / 3, 1 / 4])


def test_what_does_not_fit_is_named() -> None:
    X, labels = images()
    with pytest.raises(UnknownNameError, match="way to read unknown labels"):
        fit_partial("text_anchored", "maskd", X, labels)
    with pytest.raises(UsageError, match="targets has shape"):
        fit_head("text_anchored", X, labels, targets=np.zeros((2, 2)))
    with pytest.raises(BadInputError, match="between 0 and 1"):
        fit_head("text_anchored", X, labels, targets=np.full(labels.shape, 1.5))


def test_targets_of_zero_and_one_are_the_labels_themselves() -> None:
    X, labels = images()
    plain, _ = fit_head("text_anchored", X, labels)
    believed, _ = fit_head("text_anchored", X, np.full_like(labels, -1), targets=labels.astype(np.float32))
    np.testing.assert_allclose(plain.logits(X), believed.logits(X), atol=1e-5)


def test_what_is_advised_follows_from_what_is_known() -> None:
    rng = np.random.default_rng(0)
    alike = (rng.random((400, 5)) < 0.2).astype(np.int8)
    unlike = (rng.random((400, 5)) < [0.9, 0.03, 0.03, 0.03, 0.03]).astype(np.int8)
    assert advised(alike) == ("masked", "masked_bce")
    assert advised(unlike) == ("masked", "distribution_balanced")
    assert advised(np.where(unlike == 1, 1, -1).astype(np.int8)) == ("em_apl", "masked_bce")
    for nothing in (np.full((4, 2), -1, np.int8), np.zeros((0, 2), np.int8)):
        assert advised(nothing) == ("masked", "masked_bce")
