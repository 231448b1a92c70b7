"""What names, labels and scores say of a vocabulary."""

import numpy as np
import pytest

from annotator.learning.tag_statistics import (
    count_together,
    implied_by,
    mixed_up,
    near_names,
    near_texts,
    never_together,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sail-boat", "sailboats"), ("café", "Cafe"), ("doughnut", "dougnut"), ("motorcycle", "motorcylce"),
        ("aeroplane", "aeroplanes"), ("basketball", "basketbal"),
    ],
)  # fmt: skip
def test_names_that_are_nearly_the_same_are_found(one: str, other: str) -> None:
    assert near_names(["zebra", one, "tree", other]) == [(1, 3)]


@pytest.mark.parametrize(
    ("one", "other"), [("cat", "car"), ("fountain", "mountain"), ("platform 1", "platform 2"), ("glass", "glas sheet")]
)
def test_names_of_different_things_are_not(one: str, other: str) -> None:
    assert near_names([one, other]) == []


def test_counts_leave_out_what_nobody_decided() -> None:
    counts = count_together(np.array([[1, 1], [1, -1], [1, 0], [-1, 1]], np.int8))
    assert counts.both.tolist() == [[3, 1], [1, 2]]
    assert counts.one.tolist() == [[3, 2], [1, 2]]
    assert counts.decided.tolist() == [[3, 2], [2, 3]]


def test_a_tag_that_always_comes_with_another_is_proposed_as_its_child_from_enough_pictures_on() -> None:
    few, many = (np.repeat([[1, 1], [0, 1], [0, 0]], count, axis=0).astype(np.int8) for count in (20, 200))
    assert implied_by(count_together(few)) == []
    assert implied_by(count_together(many)) == [(0, 1, 1.0)]


def test_tags_that_are_independent_are_seldom_called_exclusive(rng: np.random.Generator) -> None:
    found = sum(
        bool(never_together(count_together((rng.random((400, 12)) < 0.12).astype(np.int8)))) for _ in range(200)
    )
    assert found <= 6  # 1 % of 200 and its chance


def test_tags_that_are_never_together_are_called_exclusive_when_chance_would_have_shown_both(
    rng: np.random.Generator,
) -> None:
    which = rng.integers(0, 3, 600)
    labels = (which[:, None] == np.arange(2)).astype(np.int8)
    assert [pair[:2] for pair in never_together(count_together(labels))] == [(0, 1)]
    assert never_together(count_together(labels[:20])) == []


def test_tags_the_model_takes_for_each_other_are_named_with_their_errors() -> None:
    labels = np.repeat([[1, 0], [0, 1]], 20, axis=0).astype(np.int8)
    probabilities = np.where(labels == 1, 0.9, 0.1)
    probabilities[:8, 1] = 0.7
    assert mixed_up(labels, probabilities) == [(0, 1, 8, 20)]


def test_texts_pair_only_with_their_own_nearest(rng: np.random.Generator) -> None:
    vectors = rng.standard_normal((40, 32)).astype(np.float32)
    vectors[7] = vectors[3] + 0.05 * rng.standard_normal(32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert [pair[:2] for pair in near_texts(vectors, chunk=7)] == [(3, 7)]
