from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.scoring import ScoringInput
from annotator.scoring.neighbours import PRIOR_VOTES, votes


def some(seed: int = 0, images: int = 30, tags: int = 4, known: float = 0.6, group_size: int = 1) -> ScoringInput:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((images, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.where(rng.random((images, tags)) < known, rng.random((images, tags)) < 0.4, -1).astype(np.int8)
    return ScoringInput(vectors, None, labels, np.arange(images) // group_size)


def by_hand(given: ScoringInput, image: int, tag: int, voters: int, temperature: float) -> tuple[float, float]:
    """Votes of one image and tag, written as they are explained."""
    others = [
        row
        for row in given.answered.tolist()
        if given.groups[row] != given.groups[image] and given.labels[row, tag] != -1
    ]
    others.sort(key=lambda row: -float(given.images[row] @ given.images[image]))
    others = others[:voters]
    if not others:
        return float("nan"), 0.0
    cosines = np.array([given.images[row] @ given.images[image] for row in others])
    weights = np.exp((cosines - cosines.max()) / temperature)
    weights /= weights.sum()
    support = 1 / (weights**2).sum()
    share = float(weights @ (given.labels[others, tag] == 1))
    away = given.labels[given.groups != given.groups[image]]
    everywhere = (away == 1).sum() / (away != -1).sum()
    prior = ((away[:, tag] == 1).sum() + everywhere) / ((away[:, tag] != -1).sum() + 1)
    return (support * share + PRIOR_VOTES * prior) / (support + PRIOR_VOTES), support


@pytest.mark.parametrize("known", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("group_size", [1, 3])
def test_votes_are_those_counted_by_hand(known: float, group_size: int) -> None:
    given = some(known=known, group_size=group_size)
    found = votes(given, voters=5, temperature=0.2)
    for image in range(len(given.images)):
        for tag in range(4):
            score, support = by_hand(given, image, tag, 5, 0.2)
            np.testing.assert_allclose(found.scores[image, tag], score, atol=1e-4)
            np.testing.assert_allclose(found.support[image, tag], support, rtol=1e-3)


def test_given_neighbours_vote_like_those_found() -> None:
    given = some(known=1.0, group_size=2)
    cosines = given.images @ given.images.T
    np.fill_diagonal(cosines, -np.inf)
    rows = np.argsort(-cosines, axis=1)
    told = replace(given, neighbours=(rows, np.take_along_axis(cosines, rows, axis=1)))
    found, expected = votes(told, voters=6), votes(given, voters=6)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(found.support, expected.support, rtol=1e-4)


def test_padding_of_given_neighbours_does_not_vote() -> None:
    given = some(known=1.0)
    rows = np.array([[1, 2], *[[0, -1]] * 29])
    scores = np.array([[0.9, 0.8], *[[0.9, -np.inf]] * 29], np.float32)
    found = votes(replace(given, neighbours=(rows, scores)))
    assert (found.support[1:] == 1).all()
    none = votes(replace(given, neighbours=(np.full_like(rows, -1), np.full_like(scores, -np.inf))))
    assert np.isnan(none.scores).all()
    assert (none.support == 0).all()


@for_all(st.integers(0, 2**16))
def test_unknown_labels_carry_no_weight(seed: int) -> None:
    """An image of which nothing is known may come and go."""
    given = some(seed)
    labels = given.labels.copy()
    labels[7] = -1
    without = replace(given, labels=labels)
    moved = given.images.copy()
    moved[7] = moved[3]
    found, expected = votes(replace(without, images=moved)), votes(without)
    others = np.arange(30) != 7
    np.testing.assert_array_equal(found.scores[others], expected.scores[others])


@for_all(st.integers(0, 2**16))
def test_neither_its_own_labels_nor_those_of_its_duplicates_move_an_image(seed: int) -> None:
    given = some(seed, group_size=3)
    group = given.groups == 4
    labels = given.labels.copy()
    labels[group] = np.random.default_rng(seed).integers(-1, 2, labels[group].shape)
    found, expected = votes(replace(given, labels=labels)), votes(given)
    np.testing.assert_allclose(found.scores[group], expected.scores[group], atol=1e-5)


@for_all(st.integers(0, 2**16), st.integers(1, 40), st.floats(0.01, 1))
def test_votes_are_shares_with_at_most_as_much_support_as_voters(seed: int, voters: int, temperature: float) -> None:
    found = votes(some(seed), voters=voters, temperature=temperature)
    said = ~np.isnan(found.scores)
    assert (found.scores[said] >= 0).all()
    assert (found.scores[said] <= 1).all()
    assert (found.support <= voters + 1e-3).all()
    assert (found.support[said] >= 1 - 1e-4).all()
    assert (found.support[~said] == 0).all()


def test_a_tag_nobody_was_asked_about_gets_no_score() -> None:
    given = some()
    given.labels[:, 2] = -1
    found = votes(given)
    assert np.isnan(found.scores[:, 2]).all()
    assert np.isfinite(found.scores[:, [0, 1, 3]]).all()


def test_sparse_answers_are_found_beyond_the_nearest_images() -> None:
    """One tag known of each answered image: the 20 nearest would know each tag about five times."""
    given = some(images=200)
    labels = np.full((200, 4), -1, np.int8)
    labels[np.arange(200), np.arange(200) % 4] = 1
    assert votes(replace(given, labels=labels), temperature=100).support.min() > 18


def test_no_voters_are_refused() -> None:
    with pytest.raises(UsageError, match="0 voters at temperature"):
        votes(some(), voters=0)
