from dataclasses import replace

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.learning.queries import QUERIES, with_control
from tests.learning.queries.test_queries import make_pool


@pytest.mark.parametrize("name", QUERIES)
def test_a_share_is_drawn_at_random_and_no_image_twice(name: str) -> None:
    found = with_control(QUERIES[name], make_pool(), 20, 0.25, np.random.default_rng(0))
    assert found.random.sum() == 5
    assert len(set(found.picks.rows.tolist())) == len(found.picks.reasons) == 20
    assert {found.picks.reasons[place] for place in np.flatnonzero(found.random)} == {"drawn at random"}


def test_the_random_ones_are_spread_evenly_over_the_batch() -> None:
    random = with_control(QUERIES["margin"], make_pool(), 40, 0.1, np.random.default_rng(0)).random
    assert [int(part.sum()) for part in np.split(random, 4)] == [1, 1, 1, 1]


@pytest.mark.parametrize(("share", "drawn"), [(0.0, 0), (1.0, 20)])
def test_none_or_all_may_be_random(share: float, drawn: int) -> None:
    found = with_control(QUERIES["margin"], make_pool(), 20, share, np.random.default_rng(0))
    assert found.random.sum() == drawn


def test_a_share_of_small_batches_is_kept_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    drawn = [with_control(QUERIES["random"], make_pool(), 3, 0.1, rng).random.sum() for _ in range(400)]
    assert np.mean(drawn) / 3 == pytest.approx(0.1, abs=0.03)


def test_the_control_is_a_fair_sample_whatever_the_strategy_wants() -> None:
    pool = make_pool(images=60, answered=10)
    counts = np.zeros(60)
    for seed in range(400):
        found = with_control(QUERIES["margin"], pool, 10, 0.5, np.random.default_rng(seed))
        counts[found.picks.rows[found.random]] += 1
    assert counts[:10].sum() == 0
    # near-duplicates keep apart within a batch, so an image of a pair is drawn a little less often
    assert counts[10:].min() > 0.5 * counts[10:].mean()
    assert counts[10:].max() < 1.6 * counts[10:].mean()


def test_the_strategy_keeps_away_from_what_was_drawn() -> None:
    """Two bunches: what is drawn from one of them sends the strategy to the other."""
    centres = np.eye(8)[:2]
    embeddings = np.repeat(centres, 20, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(40, 8))
    pool = replace(
        make_pool(images=40, answered=0), embeddings=embeddings, probabilities=None, variance=None, duplicates=None
    )
    for seed in range(10):
        found = with_control(QUERIES["facility_location"], pool, 2, 0.5, np.random.default_rng(seed))
        assert len(set((found.picks.rows // 20).tolist())) == 2


def test_what_is_drawn_and_what_is_chosen_are_no_near_duplicates() -> None:
    pool = replace(make_pool(images=16, answered=10), duplicates=np.r_[np.arange(10), [20, 20, 21, 22, 23, 24]])
    for seed in range(60):
        rows = with_control(QUERIES["margin"], pool, 2, 0.5, np.random.default_rng(seed)).picks.rows
        assert sorted(rows.tolist()) != [10, 11]


def test_an_empty_pool_says_that_nothing_is_left() -> None:
    pool = replace(make_pool(), candidates=np.empty(0, np.int64))
    with pytest.raises(MissingError, match="no image is left"):
        with_control(QUERIES["margin"], pool, 5, 0.1, np.random.default_rng(0))
