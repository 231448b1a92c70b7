"""What sets the strategies apart that look at the embeddings, or at both."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.learning.queries import QUERIES, Computed, Pool
from annotator.learning.queries.badge import gradients
from annotator.learning.queries.bald import information
from annotator.learning.queries.base import Left
from annotator.learning.queries.entropy import binary_entropy
from annotator.learning.queries.optimal_design import RIDGE, _greedy
from tests.learning.queries.test_strategies import pool_of, rng


def bunches(sizes: list[int], spread: float = 0.05, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors around the axes, one bunch after the other."""
    chance = np.random.default_rng(seed)
    centres = np.repeat(np.eye(len(sizes), 8), sizes, axis=0)
    vectors = centres + spread * chance.normal(size=centres.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def looks(sizes: list[int], answered: list[int] | None = None, **arrays: np.ndarray) -> Pool:
    """A pool of bunches, of which some rows are answered."""
    images = sum(sizes)
    labels = np.full((images, 1), -1, np.int8)
    labels[answered or []] = 0
    left = np.setdiff1d(np.arange(images), answered or [])
    return Pool(left, labels, embeddings=bunches(sizes), **arrays)


def bunch_of(rows: NDArray[np.int64], sizes: list[int]) -> list[int]:
    return np.searchsorted(np.cumsum(sizes), rows, side="right").tolist()


def test_entropy_counts_all_tags() -> None:
    pool = pool_of([[0.5, 0.01], [0.3, 0.3], [0.9, 0.05]])
    assert QUERIES["entropy"](pool, 3, rng()).rows.tolist() == [1, 0, 2]
    assert binary_entropy(np.array([0.0, 0.5, 1.0])) == pytest.approx([0, np.log(2), 0], abs=1e-9)


def test_bald_asks_what_the_model_does_not_know_and_not_what_is_a_toss() -> None:
    pool = pool_of([[0.5], [0.5], [0.5]], variance=np.array([[0.01], [4.0], [1.0]], np.float32))
    assert QUERIES["bald"](pool, 3, rng()).rows.tolist() == [1, 2, 0]


@pytest.mark.parametrize("mean", [-3.0, 0.0, 1.5])
@pytest.mark.parametrize("variance", [0.1, 1.0, 6.0])
def test_bald_is_near_the_mutual_information_by_simulation(mean: float, variance: float) -> None:
    p = 1 / (1 + np.exp(-mean))
    pool = pool_of([[p]], variance=np.array([[variance]], np.float32))
    drawn = 1 / (1 + np.exp(-(mean + np.sqrt(variance) * rng().normal(size=200_000))))
    true = binary_entropy(np.array(drawn.mean())) - binary_entropy(drawn).mean()
    assert information(pool, np.array([0]))[0, 0] == pytest.approx(float(true), abs=0.007)


def test_badge_measures_distances_between_whole_gradients() -> None:
    chance = rng()
    left, right = chance.normal(size=(6, 3)), chance.normal(size=(6, 4))
    whole = np.einsum("ic,id->icd", left, right).reshape(6, -1)
    expected = ((whole - whole[2]) ** 2).sum(axis=1)
    assert gradients(left, right).distances(2) == pytest.approx(expected)


def test_core_set_takes_the_farthest_each_time() -> None:
    sizes = [30, 30, 1, 1]
    picks = QUERIES["core_set"](looks(sizes, answered=[0]), 3, rng())
    assert sorted(bunch_of(picks.rows, sizes)) == [1, 2, 3]


def test_facility_location_begins_with_the_largest_kinds_and_leaves_outliers() -> None:
    sizes = [40, 20, 10, 1, 1]
    picks = QUERIES["facility_location"](looks(sizes), 3, rng())
    assert bunch_of(picks.rows, sizes) == [0, 1, 2]


def test_facility_location_turns_away_from_what_is_answered_or_waits() -> None:
    sizes = [40, 20, 20]
    answered = looks(sizes, answered=[0, 1])
    assert bunch_of(QUERIES["facility_location"](answered, 2, rng()).rows, sizes) in ([1, 2], [2, 1])
    waiting = replace(answered, waiting=np.array([45]), candidates=np.setdiff1d(answered.candidates, [45]))
    assert bunch_of(QUERIES["facility_location"](waiting, 1, rng()).rows, sizes) == [2]


def test_facility_location_covers_what_the_model_doubts_once_there_is_one() -> None:
    sizes = [30, 30]
    probabilities = np.zeros((60, 1), np.float32)
    probabilities[30:] = 0.5
    pool = looks(sizes, probabilities=probabilities)
    assert bunch_of(QUERIES["facility_location"](pool, 1, rng()).rows, sizes) == [1]


def test_typiclust_takes_the_middle_of_each_unanswered_kind() -> None:
    sizes = [30, 60, 60]
    pool = looks(sizes, answered=[0])
    picks = QUERIES["typiclust"](pool, 2, rng())
    assert set(bunch_of(picks.rows, sizes)) <= {1, 2}
    assert pool.embeddings is not None
    for row in picks.rows:
        own = slice(30, 90) if row < 90 else slice(90, 150)
        closeness = pool.embeddings[own] @ pool.embeddings[own].mean(axis=0)
        assert (closeness > closeness[row - own.start]).mean() < 0.3


def test_prob_cover_covers_the_dense_kinds_first() -> None:
    sizes = [60, 30, 5]
    picks = QUERIES["prob_cover"](looks(sizes), 2, rng())
    assert bunch_of(picks.rows, sizes) == [0, 0] or set(bunch_of(picks.rows, sizes)) == {0, 1}
    answered = QUERIES["prob_cover"](looks(sizes, answered=list(range(0, 60, 3))), 1, rng())
    assert bunch_of(answered.rows, sizes) == [1]


def test_galaxy_asks_in_the_middle_between_opposite_answers() -> None:
    scores = np.linspace(0.0, 1.0, 21, dtype=np.float32)[:, None]
    labels = np.full((21, 1), -1, np.int8)
    labels[4], labels[16] = 0, 1
    pool = Pool(np.setdiff1d(np.arange(21), [4, 16]), labels, probabilities=scores)
    picks = QUERIES["galaxy"](pool, 1, rng())
    assert picks.rows.tolist() == [10]
    assert picks.reasons == ["where tag 0 begins and ends (0.50)"]


def test_galaxy_looks_for_the_first_positive_at_the_top() -> None:
    scores = np.linspace(0.0, 1.0, 21, dtype=np.float32)[:, None]
    labels = np.full((21, 1), -1, np.int8)
    labels[4] = 0
    pool = Pool(np.setdiff1d(np.arange(21), [4]), labels, probabilities=scores)
    assert QUERIES["galaxy"](pool, 1, rng()).rows.tolist() == [20]


def test_optimal_design_takes_what_lowers_the_pools_variance_most() -> None:
    places = np.concatenate([rng().normal(size=(25, 5)), np.ones((25, 1))], axis=1)
    answered, x = places[:5], places[5:]
    picked = _greedy(places, 5, Left(20, None), 3)
    information = RIDGE * np.eye(6) + answered.T @ answered
    for place in picked:
        left = [np.trace(np.linalg.inv(information + np.outer(one, one)) @ x.T @ x) for one in x]
        assert left[place] == pytest.approx(min(left))
        information = information + np.outer(x[place], x[place])


def test_balanced_asks_for_the_tag_that_lacks_positives() -> None:
    pool = pool_of([[0.9, 0.0], [0.8, 0.1], [0.1, 0.6]], positives=np.array([50, 1]))
    picks = QUERIES["balanced"](pool, 1, rng())
    assert picks.rows.tolist() == [2]
    assert picks.reasons == ["may show harbour (0.60), which has few positives"]


def test_expected_positives_finds_more_of_what_is_known() -> None:
    pool = pool_of([[0.5, 0.5], [0.9, 0.8], [0.99, 0.0]])
    assert QUERIES["expected_positives"](pool, 3, rng()).rows[0] == 1


@pytest.mark.parametrize("name", ["bald", "margin", "entropy", "badge", "balanced", "facility_location"])
def test_variances_may_be_computed_on_demand(name: str) -> None:
    chance = rng()
    X = bunches([40, 40])
    directions = chance.random((8, 3)).astype(np.float32)

    def compute(rows: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((rows**2) @ directions)

    p = chance.random((80, 3)).astype(np.float32)
    pool = Pool(np.arange(80), np.full((80, 3), -1, np.int8), X, p, compute(X))
    lazy = replace(pool, variance=Computed(compute, X))
    assert QUERIES[name](pool, 10, rng()).rows.tolist() == QUERIES[name](lazy, 10, rng()).rows.tolist()


def objects(images: int = 240, tags: int = 3) -> tuple[Pool, np.ndarray]:
    """Each image shows one tag in one of its four tiles; the whole hardly tells. The last tag is rare, none answered.

    The pool, and which tag each image shows.
    """
    rng = np.random.default_rng(3)
    directions = np.linalg.qr(rng.normal(size=(24, tags)))[0].T
    shows = rng.choice(tags, size=images, p=[0.48, 0.48, 0.04])
    tiles = 0.1 * rng.normal(size=(images, 4, 24))
    tiles[np.arange(images), rng.integers(4, size=images)] += directions[shows]
    tiles /= np.linalg.norm(tiles, axis=2, keepdims=True)
    whole = tiles.mean(axis=1) + 0.02 * rng.normal(size=(images, 24))
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    probabilities = np.clip(np.eye(tags)[shows] + 0.1 * rng.normal(size=(images, tags)), 0.01, 0.99)
    pool = Pool(
        np.arange(images), np.full((images, tags), -1, np.int8), whole.astype(np.float16),
        probabilities.astype(np.float32), tiles=tiles.astype(np.float16),
    )  # fmt: skip
    return pool, shows


def test_object_focused_finds_as_many_of_a_rare_tag_as_of_the_others() -> None:
    pool, shows = objects()
    found = np.bincount(shows[QUERIES["object_focused"](pool, 18, np.random.default_rng(0)).rows], minlength=3)
    drawn = np.bincount(shows[QUERIES["random"](pool, 18, np.random.default_rng(0)).rows], minlength=3)
    assert found[2] >= 4 > drawn[2]


def test_object_focused_leaves_a_tag_alone_that_has_enough() -> None:
    pool, shows = objects()
    fed = replace(pool, positives=np.array([0, 500, 0]))
    picked = shows[QUERIES["object_focused"](fed, 18, np.random.default_rng(0)).rows]
    assert (picked == 1).sum() <= 3  # of six


def test_object_focused_looks_at_tiles_where_there_are_any() -> None:
    pool, _ = objects()
    with_tiles, without = (
        QUERIES["object_focused"](each, 18, np.random.default_rng(0)).rows.tolist()
        for each in (pool, replace(pool, tiles=None))
    )
    assert with_tiles != without
