import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.learning.label_errors import conflicting_duplicates, split_leaks


def test_near_duplicates_with_different_tags_are_found_and_unknown_differs_from_nobody() -> None:
    labels = np.array([[1, 0, 1], [0, 0, -1], [1, 1, -1], [0, 1, 0], [1, 1, 1]], np.int8)
    found = conflicting_duplicates(labels, np.array([8, 8, 8, 3, 4]))
    assert found.groups.tolist() == [8, 8]
    assert found.tags.tolist() == [0, 1]
    assert found.positives.tolist() == [2, 1]
    assert found.negatives.tolist() == [1, 2]


@given(st.integers(0, 10**6), st.integers(0, 20), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_conflicts_and_leaks_are_what_a_look_at_every_two_images_finds(seed: int, images: int, tags: int) -> None:
    rng = np.random.default_rng(seed)
    labels, groups = rng.integers(-1, 2, (images, tags)).astype(np.int8), rng.integers(0, 8, images) * 5
    splits = rng.integers(0, 3, images).astype(np.int8)
    conflicts, leaks = set(), set()
    for one in range(images):
        for other in np.flatnonzero(groups == groups[one]):
            leaks |= {one} if splits[one] != splits[other] else set()
            apart = np.flatnonzero((labels[one] == 1) & (labels[other] == 0))
            conflicts |= {(groups[one], tag) for tag in apart}
    found = conflicting_duplicates(labels, groups)
    assert list(zip(found.groups, found.tags, strict=True)) == sorted(conflicts)
    leaking = split_leaks(groups, splits)
    assert set(leaking.tolist()) == leaks
    assert leaking.tolist() == sorted(leaks, key=lambda image: (groups[image], image))


def test_groups_of_other_images_are_named() -> None:
    with pytest.raises(UsageError, match="one number an image"):
        conflicting_duplicates(np.zeros((3, 2), np.int8), np.zeros(2, np.int64))
    with pytest.raises(UsageError, match="one number an image"):
        split_leaks(np.zeros(2, np.int64), np.zeros(3, np.int8))
