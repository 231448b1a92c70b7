"""The filter of confident learning, against cleanlab where every label is known, and proposals of missing tags."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from annotator.errors import UsageError
from annotator.learning.label_errors import class_thresholds, contradicted, missing_tags
from tests.learning.label_errors.noisy import Noisy, noisy, worlds


@pytest.mark.parametrize("seed", range(3))
def test_the_contradicted_labels_are_those_of_cleanlab(seed: int) -> None:
    module: Any = pytest.importorskip("cleanlab.filter", reason="cleanlab is in the group dev")
    world = noisy(300, seed=seed)
    found = contradicted(world.labels, world.probabilities)
    for tag in range(world.labels.shape[1]):
        p = world.probabilities[:, tag]
        theirs = module.find_label_issues(
            world.labels[:, tag].astype(int), np.stack([1 - p, p], 1), filter_by="confident_learning", n_jobs=1
        )
        np.testing.assert_array_equal(found[:, tag], theirs)


def test_contradicted_labels_are_mostly_errors() -> None:
    world = noisy(2000, share=0.1)
    found = contradicted(world.labels, world.probabilities)
    assert world.flipped[found].mean() > 0.5
    assert found[world.flipped].mean() > 0.5


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_unknown_labels_are_never_contradicted_and_change_nothing(world: Noisy) -> None:
    found = contradicted(world.labels, world.probabilities)
    assert not found[world.labels == -1].any()
    other = np.where(world.labels == -1, 0.99, world.probabilities)
    np.testing.assert_array_equal(contradicted(world.labels, other), found)


def test_a_tag_with_one_answer_only_contradicts_nobody() -> None:
    labels = np.array([[1, 0], [1, 0], [1, -1]], np.int8)
    probabilities = np.array([[0.9, 0.9], [0.01, 0.01], [0.9, 0.5]])
    assert not contradicted(labels, probabilities).any()
    present, absent = class_thresholds(labels, probabilities)
    assert np.isnan(present).tolist() == [False, True]
    assert np.isnan(absent).tolist() == [True, False]


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_only_unknown_entries_are_proposed_the_likeliest_first(world: Noisy) -> None:
    found = missing_tags(world.labels, world.probabilities)
    assert (world.labels[found.images, found.tags] == -1).all()
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores >= 0.5).all()


def test_a_missing_tag_is_as_likely_as_known_positives_or_as_is_asked() -> None:
    labels = np.array([[1, -1], [1, -1], [-1, -1], [-1, 0], [0, 0]], np.int8)
    probabilities = np.array([[0.9, 0.2], [0.7, 0.95], [0.85, 0.6], [0.75, 0.9], [0.1, 0.1]])
    found = missing_tags(labels, probabilities)
    assert (found.images.tolist(), found.tags.tolist(), found.scores.tolist()) == ([2], [0], [0.85])
    found = missing_tags(labels, probabilities, at_least=0.6)
    assert list(zip(found.images.tolist(), found.tags.tolist(), strict=True)) == [(1, 1), (2, 0), (3, 0), (2, 1)]
    with pytest.raises(UsageError, match="between 0 and 1"):
        missing_tags(labels, probabilities, at_least=2)
