"""What the tag tree promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.learning.tag_tree import NO_PARENT, parent_places, raise_parents


@st.composite
def trees(draw: st.DrawFn) -> np.ndarray:
    """Parents in an order that is not the tree's: each tag's parent is one of a shuffled order before it."""
    order = draw(st.permutations(range(draw(st.integers(1, 8)))))
    parents = np.full(len(order), NO_PARENT, np.int64)
    for number, tag in enumerate(order[1:], 1):
        parents[tag] = draw(st.sampled_from([NO_PARENT, *order[:number]]))
    return parents


@given(trees(), st.integers(0, 2**32 - 1))
def test_no_child_is_likelier_than_its_parent_and_nothing_falls(parents: np.ndarray, seed: int) -> None:
    before = np.random.default_rng(seed).random((5, len(parents))).astype(np.float32)
    after = before.copy()
    raise_parents(after, parents)
    for tag, parent in enumerate(parents):
        if parent != NO_PARENT:
            assert (after[:, tag] <= after[:, parent]).all()
    assert (after >= before).all()
    leaves = np.setdiff1d(np.arange(len(parents)), parents)
    np.testing.assert_array_equal(after[:, leaves], before[:, leaves])
    again = after.copy()
    raise_parents(again, parents)
    np.testing.assert_array_equal(again, after)


def test_parents_are_found_by_name_and_one_that_is_not_there_is_none() -> None:
    found = parent_places(["apple", "fruit", "pear"], ["fruit", None, "archived"])
    assert found.tolist() == [1, NO_PARENT, NO_PARENT]


def test_a_child_that_says_nothing_does_not_silence_its_parent() -> None:
    p = np.array([[np.nan, 0.25]])
    raise_parents(p, np.array([1, NO_PARENT]))
    assert p[0, 1] == 0.25


def test_a_circle_of_parents_is_named() -> None:
    with pytest.raises(UsageError, match="tag 0 is its own ancestor"):
        raise_parents(np.zeros((1, 2)), np.array([1, 0]))
