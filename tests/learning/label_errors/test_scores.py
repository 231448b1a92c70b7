"""Scores of entries and images, against cleanlab where every label is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from annotator.errors import UsageError
from annotator.learning.label_errors import image_scores, lowest, self_confidence
from tests.learning.label_errors.noisy import Noisy, noisy, worlds


def listed(labels: NDArray[np.int8]) -> list[list[int]]:
    return [np.flatnonzero(row == 1).tolist() for row in labels]


@pytest.fixture(scope="module")
def rank() -> Any:
    return pytest.importorskip("cleanlab.multilabel_classification.rank", reason="cleanlab is in the group dev")


@pytest.mark.parametrize(("weight", "method"), [(0.8, "exponential_moving_average"), (1.0, "min")])
def test_scores_are_those_of_cleanlab(rank: Any, weight: float, method: str) -> None:
    world = noisy(200)
    given = listed(world.labels), world.probabilities
    confidence = self_confidence(world.labels, world.probabilities)
    np.testing.assert_allclose(confidence, rank.get_label_quality_scores_per_class(*given))
    settings = {"method": getattr(np, method) if method == "min" else method}
    settings |= {"axis": 1} if method == "min" else {"alpha": weight}
    theirs = rank.get_label_quality_scores(*given, aggregator_kwargs=settings)
    np.testing.assert_allclose(image_scores(confidence, weight), theirs)


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_unknown_entries_have_no_score_and_change_none(world: Noisy) -> None:
    confidence = self_confidence(world.labels, world.probabilities)
    np.testing.assert_array_equal(np.isnan(confidence), world.labels == -1)
    scores = image_scores(confidence)
    for row, score in zip(confidence, scores, strict=True):
        known = row[~np.isnan(row)]
        if len(known):
            assert score == image_scores(known[None])[0]
            assert known.min() <= score <= known.max()
        else:
            assert np.isnan(score)


@given(worlds())
@settings(max_examples=30, deadline=None)
def test_the_order_of_tags_makes_no_difference_to_an_image(world: Noisy) -> None:
    confidence = self_confidence(world.labels, world.probabilities)
    np.testing.assert_allclose(image_scores(confidence[:, ::-1]), image_scores(confidence))


def test_planted_errors_come_first() -> None:
    world = noisy(2000)
    confidence = self_confidence(world.labels, world.probabilities)
    assert average_precision_score(world.flipped.ravel(), 1 - confidence.ravel()) > 5 * world.flipped.mean()
    first = lowest(confidence)
    assert world.flipped[first.images[:50], first.tags[:50]].mean() > 0.9
    assert (np.diff(first.scores) >= 0).all()


def test_two_errors_in_an_image_outweigh_one_by_the_moving_average_only() -> None:
    confidence = np.array([[0.1, 0.9, 0.9], [0.12, 0.12, 0.9]])
    assert image_scores(confidence).argmin() == 1
    assert image_scores(confidence, 1.0).argmin() == 0


def test_only_entries_asked_for_are_listed_and_equal_ones_in_their_order() -> None:
    found = lowest(np.array([[0.5, 0.2], [np.nan, 0.2]]), np.array([[False, True], [True, True]]))
    assert (found.images.tolist(), found.tags.tolist(), found.scores.tolist()) == ([0, 1], [1, 1], [0.2, 0.2])


def test_what_is_no_probability_is_named() -> None:
    labels = np.array([[1, -1]], np.int8)
    self_confidence(labels, np.array([[0.5, np.nan]]))
    with pytest.raises(UsageError, match="not logits"):
        self_confidence(labels, np.array([[3.0, 0.5]]))
    with pytest.raises(UsageError, match="N, C"):
        self_confidence(labels, np.array([[0.5]]))
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        image_scores(np.array([[0.5]]), 0)
