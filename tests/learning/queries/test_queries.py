"""The contract of every strategy in QUERIES."""

from dataclasses import replace

import numpy as np
import pytest

from annotator.errors import MissingError, UsageError
from annotator.learning.queries import QUERIES, Pool, Strategy

ALL = pytest.mark.parametrize("strategy", QUERIES.values(), ids=QUERIES)
RANKED = pytest.mark.parametrize("strategy", [QUERIES["margin"], QUERIES["rare_margin"]], ids=["margin", "rare_margin"])


def make_pool(images: int = 120, tags: int = 6, answered: int = 40, seed: int = 0) -> Pool:
    """Images in eight bunches; each third image is a near-duplicate of the one before it."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(8, 16))
    embeddings = centres[rng.integers(8, size=images)] + 0.3 * rng.normal(size=(images, 16))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    labels = np.full((images, tags), -1, np.int8)
    labels[:answered] = rng.random((answered, tags)) < 0.3
    return Pool(
        candidates=np.arange(answered, images),
        labels=labels,
        embeddings=embeddings.astype(np.float16),
        probabilities=rng.random((images, tags), np.float32),
        variance=rng.random((images, tags), np.float32),
        duplicates=np.arange(images) - (np.arange(images) % 3 == 2),
        tags=tuple(f"tag-{tag}" for tag in range(tags)),
    )


def with_tiles(pool: Pool, count: int = 4) -> Pool:
    """Each tile is the image, moved a little."""
    assert pool.embeddings is not None
    tiles = pool.embeddings[:, None] + 0.2 * np.random.default_rng(7).normal(size=(len(pool.labels), count, 16))
    return replace(pool, tiles=(tiles / np.linalg.norm(tiles, axis=2, keepdims=True)).astype(np.float16))


STAGES = {
    "everything": make_pool(),
    "few answers": make_pool(answered=5),
    "no answer": make_pool(answered=0),
    "tiles": with_tiles(make_pool()),
    "tiles, no model": replace(with_tiles(make_pool()), probabilities=None, variance=None),
    "no model": replace(make_pool(), probabilities=None, variance=None),
    "no embeddings": replace(make_pool(), embeddings=None),
    "nothing but a list": Pool(np.arange(30), np.full((30, 2), -1, np.int8)),
    "one tag": make_pool(tags=1),
    "all alike": replace(
        make_pool(), embeddings=np.ones((120, 4)) / 2, probabilities=np.full((120, 6), 0.3, np.float32)
    ),
}
EVERY_STAGE = pytest.mark.parametrize("pool", STAGES.values(), ids=STAGES)


@ALL
@EVERY_STAGE
def test_it_picks_candidates_only_and_none_twice_with_a_reason_each(strategy: Strategy, pool: Pool) -> None:
    picks = strategy(pool, 20, np.random.default_rng(1))
    assert len(set(picks.rows.tolist())) == len(picks.rows) == len(picks.reasons) == 20
    assert set(picks.rows.tolist()) <= set(pool.candidates.tolist())
    assert picks.rows.dtype == np.int64
    assert all(0 < len(reason) < 100 for reason in picks.reasons)


@ALL
@EVERY_STAGE
def test_the_same_seed_gives_the_same_picks_in_whatever_order_candidates_come(strategy: Strategy, pool: Pool) -> None:
    shuffled = replace(pool, candidates=np.random.default_rng(9).permutation(pool.candidates))
    first = strategy(pool, 15, np.random.default_rng(4))
    again = strategy(shuffled, 15, np.random.default_rng(4))
    assert first.rows.tolist() == again.rows.tolist()
    assert first.reasons == again.reasons


@ALL
@EVERY_STAGE
def test_a_batch_holds_no_two_near_duplicates_while_others_are_left(strategy: Strategy, pool: Pool) -> None:
    if pool.duplicates is None:
        pool = replace(pool, duplicates=np.arange(len(pool.labels)) // 2)
    assert pool.duplicates is not None
    groups = len(set(pool.duplicates[pool.candidates].tolist()))
    picks = strategy(pool, min(groups, 40), np.random.default_rng(2))
    assert len(set(pool.duplicates[picks.rows].tolist())) == len(picks.rows)
    assert len(strategy(pool, groups + 3, np.random.default_rng(2)).rows) == groups + 3


@ALL
def test_with_fewer_candidates_than_wanted_it_picks_all(strategy: Strategy) -> None:
    pool = replace(make_pool(), candidates=np.array([50, 77, 101]))
    assert sorted(strategy(pool, 10, np.random.default_rng(0)).rows) == [50, 77, 101]


@ALL
def test_it_runs_until_the_pool_is_empty_and_then_says_so(strategy: Strategy) -> None:
    pool, rng = make_pool(answered=0), np.random.default_rng(3)
    while len(pool.candidates):
        rows = strategy(pool, 17, rng).rows
        labels = pool.labels.copy()
        labels[rows] = rng.random((len(rows), 6)) < 0.3
        pool = replace(pool, labels=labels, candidates=np.setdiff1d(pool.candidates, rows))
    assert (pool.labels >= 0).all()
    with pytest.raises(MissingError, match="no image is left"):
        strategy(pool, 17, rng)


@RANKED
def test_renumbering_the_images_renumbers_the_picks(strategy: Strategy) -> None:
    pool = make_pool()
    assert pool.embeddings is not None
    assert pool.probabilities is not None
    assert pool.variance is not None
    assert pool.duplicates is not None
    new = np.random.default_rng(5).permutation(len(pool.labels))  # image i is now called new[i]
    old = np.argsort(new)
    moved = Pool(
        candidates=new[pool.candidates],
        labels=pool.labels[old],
        embeddings=pool.embeddings[old],
        probabilities=pool.probabilities[old],
        variance=pool.variance[old],
        duplicates=pool.duplicates[old],
        tags=pool.tags,
    )
    before = strategy(pool, 12, np.random.default_rng(0))
    after = strategy(moved, 12, np.random.default_rng(0))
    assert after.rows.tolist() == new[before.rows].tolist()
    assert after.reasons == before.reasons


@ALL
def test_arrays_handed_in_are_left_as_they_are(strategy: Strategy) -> None:
    pool, untouched = make_pool(), make_pool()
    strategy(pool, 20, np.random.default_rng(1))
    for name in ("candidates", "labels", "embeddings", "probabilities", "variance", "duplicates"):
        assert (getattr(pool, name) == getattr(untouched, name)).all()


@ALL
@pytest.mark.parametrize(
    ("changes", "k", "message"),
    [
        ({"candidates": np.array([3, 3])}, 1, "only 1 different rows"),
        ({"candidates": np.array([3, 120])}, 1, "from 3 to 120 do not fit a pool of 120 images"),
        ({"probabilities": np.zeros((7, 6), np.float32)}, 1, "probabilities has 7 rows, the labels ask for 120"),
        ({"positives": np.zeros(5, np.int64)}, 1, "positives has 5 rows, the labels ask for 6"),
        ({"tiles": np.zeros((7, 9, 16), np.float16)}, 1, "tiles has 7 rows, the labels ask for 120"),
        ({}, 0, "at least 1"),
    ],
)
def test_what_does_not_fit_is_named(strategy: Strategy, changes: dict[str, np.ndarray], k: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        strategy(replace(make_pool(), **changes), k, np.random.default_rng(0))  # type: ignore[arg-type]
