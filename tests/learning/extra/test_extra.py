"""What every source of extra material in EXTRA promises."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.semi_supervised import LabelSpreading

from annotator.errors import UnknownNameError, UsageError
from annotator.learning.extra import EXTRA, WEIGHT, Extra, Given
from annotator.learning.extra.unions import ENOUGH
from annotator.learning.fit import fit_head, fit_with

every_source = pytest.mark.parametrize("name", EXTRA)
TAGS = 4


def world(answered: int = 60, waiting: int = 200) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.float32]]:
    """Unit vectors in clumps, one per tag, with a third of the labels unknown; the truth of the images that wait."""
    rng = np.random.default_rng(0)
    clump = rng.integers(0, TAGS, answered + waiting)
    X = np.eye(TAGS, 12)[clump] + 0.25 * rng.normal(size=(answered + waiting, 12))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    labels = (clump[:, None] == np.arange(TAGS)).astype(np.int8)
    labels[:answered][rng.random((answered, TAGS)) < 1 / 3] = -1
    return X, labels, labels[answered:].astype(np.float32)


def given(answered: int = 60) -> Given:
    X, labels, truth = world(answered)
    head, _ = fit_head("text_anchored", X[:answered], labels[:answered])
    return Given(X[:answered], labels[:answered], X[answered:], head, teacher=truth)


@every_source
def test_targets_are_beliefs_and_weigh_at_most_a_share_of_the_answers(name: str) -> None:
    known = given()
    extra = EXTRA[name](known)
    assert len(extra.X) == len(extra.targets) == len(extra.weights) > 0
    assert ((extra.targets >= 0) & (extra.targets <= 1)).all()
    assert (extra.weights >= 0).all()
    answers = (known.labels >= 0).sum(0)
    assert (extra.weights.sum(0) <= WEIGHT * answers * (1 + 1e-5)).all()


@every_source
def test_what_it_believes_is_mostly_true(name: str) -> None:
    """Of each entry of weight; a union's truth is told by its parents."""
    known = given()
    extra = EXTRA[name](known)
    truth = extra.targets > 0.5 if name == "unions" else known.teacher
    right = (extra.targets > 0.5) == truth
    assert (right * extra.weights).sum() > 0.9 * extra.weights.sum()


@every_source
def test_unknown_answers_never_become_negatives(name: str) -> None:
    known = given()
    hidden = known.labels.copy()
    hidden[:, 0] = -1
    extra = EXTRA[name](Given(known.X, hidden, known.unlabelled, known.head, known.teacher))
    assert extra.weights[:, 0].sum() == 0


@every_source
def test_a_head_learns_from_both(name: str) -> None:
    X, labels, truth = world()
    head, _ = fit_with("text_anchored", name, X[:60], labels[:60], X[60:], teacher=truth)
    assert (head.logits(X[60:]).argmax(1) == truth.argmax(1)).mean() > 0.9
    again, _ = fit_with("text_anchored", name, X[:60], labels[:60], X[60:], teacher=truth)
    np.testing.assert_array_equal(head.logits(X), again.logits(X))


@every_source
def test_without_an_answer_the_head_is_the_plain_one_and_without_other_images_there_is_one(name: str) -> None:
    X, labels, truth = world()
    alone, _ = fit_with("text_anchored", name, X[:60], labels[:60], X[:0], teacher=truth[:0])
    assert np.isfinite(alone.logits(X)).all()
    silent = np.full_like(labels[:60], -1)
    plain, _ = fit_head("text_anchored", X[:60], silent)
    with_extra, _ = fit_with("text_anchored", name, X[:60], silent, X[60:])
    np.testing.assert_array_equal(plain.logits(X), with_extra.logits(X))


def test_propagation_agrees_with_scikit_learn_on_one_tag() -> None:
    known = given()
    labels = known.labels.copy()
    labels[:, 0] = np.maximum(labels[:, 0], 0)
    extra = EXTRA["label_propagation"](Given(known.X, labels, known.unlabelled, known.head))
    model = LabelSpreading(kernel="knn", n_neighbors=10, alpha=0.9, max_iter=1000)
    model.fit(np.concatenate([known.X, known.unlabelled]), np.concatenate([labels[:, 0], np.full(200, -1)]))
    theirs = model.label_distributions_[60:, 1]
    assert np.corrcoef(extra.targets[:, 0], theirs)[0, 1] > 0.95


def test_unions_fill_rare_tags_up_and_leave_common_ones() -> None:
    known = given()
    positives = (known.labels == 1).sum(0)
    extra: Extra = EXTRA["unions"](known)
    wanted = np.maximum(0, ENOUGH - positives)[positives > 0].sum()
    assert len(extra.X) == wanted > 0
    np.testing.assert_allclose(np.linalg.norm(extra.X, axis=1), 1, rtol=1e-5)


def test_distillation_asks_for_a_teacher_and_an_unknown_source_is_named() -> None:
    X, labels, _ = world()
    with pytest.raises(UsageError, match="teacher"):
        fit_with("text_anchored", "distillation", X[:60], labels[:60], X[60:])
    with pytest.raises(UnknownNameError, match="label_propagation"):
        fit_with("text_anchored", "label_propagatoin", X[:60], labels[:60], X[60:])
