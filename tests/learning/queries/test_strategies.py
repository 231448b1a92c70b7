"""What sets each strategy apart."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.learning.queries import QUERIES, Pool, top_k
from annotator.learning.queries.base import apart
from annotator.learning.queries.diversity import Space, nearest, spread, thin_out
from annotator.learning.queries.margin import averaged
from annotator.learning.queries.mixed import FEW


def pool_of(probabilities: list[list[float]], **arrays: np.ndarray) -> Pool:
    images, tags = len(probabilities), len(probabilities[0])
    labels = arrays.pop("labels", np.full((images, tags), -1, np.int8))
    names = ("boat", "harbour", "sea")[:tags]
    return Pool(np.arange(images), labels, probabilities=np.array(probabilities, np.float32), tags=names, **arrays)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=30), st.integers(0, 35), st.integers(0, 99))
def test_top_k_takes_the_highest_and_the_highest_first(scores: list[float], k: int, seed: int) -> None:
    places = top_k(np.array(scores), k, np.random.default_rng(seed))
    assert len(set(places.tolist())) == min(k, len(scores))
    assert [scores[place] for place in places] == sorted(scores, reverse=True)[:k]


def test_top_k_breaks_ties_at_random() -> None:
    scores = np.array([0.1, 0.9, 0.9, 0.9, 0.9])
    first = [int(top_k(scores, 1, np.random.default_rng(seed))[0]) for seed in range(400)]
    assert 0 not in first
    assert np.bincount(first, minlength=5)[1:] == pytest.approx(100, abs=35)


def test_near_duplicates_come_after_all_others() -> None:
    ranked, groups = np.array([4, 2, 0, 1, 3]), np.array([7, 8, 7, 7, 9])
    assert apart(ranked, groups, 5).tolist() == [4, 2, 1, 0, 3]
    assert apart(ranked, None, 2).tolist() == [4, 2]


def test_random_picks_each_candidate_equally_often() -> None:
    pool = Pool(np.arange(10, 20), np.full((30, 1), -1, np.int8))
    rows = np.concatenate([QUERIES["random"](pool, 3, np.random.default_rng(seed)).rows for seed in range(1000)])
    assert np.bincount(rows - 10) == pytest.approx(300, abs=80)


def test_margin_asks_where_the_model_hesitates_most() -> None:
    pool = pool_of([[0.99, 0.01], [0.48, 0.9], [0.05, 0.2]])
    picks = QUERIES["margin"](pool, 3, rng())
    assert picks.rows.tolist() == [1, 2, 0]
    assert picks.reasons[0] == "unsure about boat (0.48), harbour (0.90)"


def test_a_posterior_moves_probabilities_towards_one_half_and_never_across() -> None:
    probabilities = [[0.0, 0.2, 0.5], [0.9, 1.0, 0.6]]
    plain = pool_of(probabilities)
    sure = averaged(replace(plain, variance=np.zeros((2, 3), np.float32)), np.arange(2))
    unsure = averaged(replace(plain, variance=np.full((2, 3), 30, np.float32)), np.arange(2))
    assert sure == pytest.approx(np.array(probabilities), abs=1e-5)
    assert (np.abs(unsure - 0.5) <= np.abs(sure - 0.5) + 1e-6).all()
    assert (np.sign(unsure - 0.5) == np.sign(np.array(probabilities) - 0.5)).all()


def test_rare_margin_prefers_the_tag_that_was_seen_rarely() -> None:
    pool = pool_of([[0.5, 0.0], [0.0, 0.5]], positives=np.array([30, 1]))
    picks = QUERIES["rare_margin"](pool, 2, rng())
    assert picks.rows.tolist() == [1, 0]
    assert picks.reasons == ["may show harbour (0.50), seen once so far", "may show boat (0.50), seen 30 times so far"]


def bunches() -> tuple[np.ndarray, np.ndarray]:
    """200 images on a circle in two bunches, 190 and 10."""
    angle = np.concatenate([np.linspace(0, 0.05, 190), np.linspace(2, 2.05, 10)])
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32), np.full((200, 2), -1, np.int8)


def test_diversity_reaches_every_bunch_of_images() -> None:
    embeddings, labels = bunches()
    for seed in range(20):
        picks = QUERIES["diversity"](Pool(np.arange(200), labels, embeddings), 4, np.random.default_rng(seed))
        assert {row >= 190 for row in picks.rows.tolist()} == {True, False}


def test_diversity_turns_away_from_what_was_answered() -> None:
    embeddings, labels = bunches()
    labels[:5] = 0
    first = [
        int(QUERIES["diversity"](Pool(np.arange(5, 200), labels, embeddings), 1, np.random.default_rng(seed)).rows[0])
        for seed in range(50)
    ]
    assert sum(row >= 190 for row in first) > 45


def test_an_answer_of_cannot_tell_alone_covers_nothing() -> None:
    embeddings, labels = bunches()
    assert len(Pool(np.arange(200), labels, embeddings).answered) == 0


def test_distances_are_those_between_every_pair() -> None:
    a, b = rng().normal(size=(30, 5)), rng().normal(size=(7, 5))
    expected = ((a[:, None] - b[None]) ** 2).sum(axis=2).min(axis=1)
    assert nearest(a, b) == pytest.approx(expected)
    assert np.isinf(nearest(a, b[:0])).all()


def test_draws_are_proportional_to_the_squared_distance() -> None:
    vectors = np.array([[0.0], [1.0], [2.0], [3.0]])
    near = nearest(vectors, np.array([[0.0]]))
    first = [
        int(spread(np.arange(4), Space.of(vectors), near, 1, None, np.random.default_rng(seed))[0])
        for seed in range(2000)
    ]
    assert np.bincount(first, minlength=4) / 2000 == pytest.approx(np.array([0, 1, 4, 9]) / 14, abs=0.04)


def test_thinning_follows_the_scores() -> None:
    rows = np.arange(100, 200)
    scores = np.where(np.arange(100) < 50, 0.0, 3.0)
    kept = thin_out(rows, scores, 30, rng())
    assert len(set(kept.tolist())) == 30
    assert (kept >= 150).mean() > 0.8
    assert thin_out(rows, scores, 100, rng()) is rows


def answered_pool(answered: int) -> Pool:
    """300 images, all embeddings alike; the model expects tag 0 everywhere and the unseen tag 1 on the last ten."""
    labels = np.full((3000, 2), -1, np.int8)
    labels[:answered] = [1, 0]
    probabilities = np.tile(np.array([0.9, 0.01], np.float32), (3000, 1))
    probabilities[-10:] = [0.9, 0.8]
    embeddings = np.full((3000, 4), 0.5, np.float16)
    embeddings[1000:1010] *= -1
    return Pool(np.arange(answered, 3000), labels, embeddings, probabilities, tags=("sky", "boat"))


def test_mixed_spreads_over_embeddings_first_and_over_predictions_later() -> None:
    early, late = answered_pool(FEW - 1), answered_pool(FEW)
    assert 1000 <= QUERIES["mixed"](early, 1, rng()).rows[0] < 1010
    picks = QUERIES["mixed"](late, 1, rng())
    assert picks.rows[0] >= 2990
    assert picks.reasons == ["may show boat (0.80), not seen so far"]


def test_a_pool_too_large_to_look_at_whole_is_thinned_and_still_finds_the_rare_tag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("diversity", "mixed"):
        module = import_module(f"annotator.learning.queries.{name}")
        monkeypatch.setattr(module, "CONSIDERED", 50)
        monkeypatch.setattr(module, "COMPARED", 20)
    rows = QUERIES["mixed"](answered_pool(500), 5, rng()).rows
    assert (rows >= 2990).any()
    assert len(QUERIES["diversity"](answered_pool(500), 80, rng()).rows) == 80
