"""The filter of confident learning, against cleanlab where every label is known, and proposals of missing tags."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.label_errors import class_thresholds, contradicted, likely_errors, missing_tags, self_confidence
from tests.learning.label_errors.noisy import Noisy, noisy, worlds

Filter = Callable[[Any, Any], NDArray[np.bool_]]
both_filters = pytest.mark.parametrize("flag", [contradicted, likely_errors], ids=["contradicted", "likely_errors"])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("flag", "name"), [(contradicted, "confident_learning"), (likely_errors, "prune_by_noise_rate")]
)
def test_the_flagged_labels_are_those_of_cleanlab(flag: Filter, name: str, seed: int) -> None:
    module: Any = pytest.importorskip("cleanlab.filter", reason="cleanlab is in the group dev")
    world = noisy(300, seed=seed)
    found = flag(world.labels, world.probabilities)
    for tag in range(world.labels.shape[1]):
        p = world.probabilities[:, tag]
        theirs = module.find_label_issues(
            world.labels[:, tag].astype(int), np.stack([1 - p, p], 1), filter_by=name, n_jobs=1
        )
        np.testing.assert_array_equal(found[:, tag], theirs)


@both_filters
def test_flagged_labels_are_errors_far_above_chance(flag: Filter) -> None:
    world = noisy(2000, share=0.1)
    found = flag(world.labels, world.probabilities)
    assert world.flipped[found].mean() > 4 * world.flipped.mean()
    assert found[world.flipped].mean() > 0.5


@given(worlds())
@settings(max_examples=50, deadline=None)
def test_likely_errors_are_those_the_model_believes_least_and_never_what_it_thinks_likelier(world: Noisy) -> None:
    found = likely_errors(world.labels, world.probabilities)
    confidence = self_confidence(world.labels, world.probabilities)
    assert (confidence[found] < 0.5).all()
    for tag in range(world.labels.shape[1]):
        for state in (0, 1):
            given = world.labels[:, tag] == state
            flagged, left = confidence[given & found[:, tag], tag], confidence[given & ~found[:, tag], tag]
            assert flagged.max(initial=0) <= left.min(initial=1)


@both_filters
@given(world=worlds())
@settings(max_examples=50, deadline=None)
def test_unknown_labels_are_never_flagged_and_change_nothing(flag: Filter, world: Noisy) -> None:
    found = flag(world.labels, world.probabilities)
    assert not found[world.labels == -1].any()
    other = np.where(world.labels == -1, 0.99, world.probabilities)
    np.testing.assert_array_equal(flag(world.labels, other), found)


@both_filters
def test_a_tag_with_one_answer_only_is_flagged_nowhere(flag: Filter) -> None:
    labels = np.array([[1, 0], [1, 0], [1, -1]], np.int8)
    probabilities = np.array([[0.9, 0.9], [0.01, 0.01], [0.9, 0.5]])
    assert not flag(labels, probabilities).any()
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
