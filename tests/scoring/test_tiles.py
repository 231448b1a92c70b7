from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from annotator.scoring import ScoringInput
from annotator.scoring import tiles as scoring_tiles
from annotator.scoring.tiles import tile_scores
from annotator.scoring.zero_shot import normalise, zero_shot_scores

IMAGES, TAGS, DIM, TILES = 300, 5, 24, 9


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def small_things(seed: int = 0) -> tuple[ScoringInput, np.ndarray]:
    """Images of which a tag shows in one tile only, and hardly in the whole; the truth."""
    rng = np.random.default_rng(seed)
    texts = unit(rng.standard_normal((TAGS, DIM)))
    truth = rng.random((IMAGES, TAGS)) < 0.3
    place = rng.integers(TILES, size=(IMAGES, TAGS))
    shown = np.zeros((IMAGES, TILES, TAGS))
    np.put_along_axis(shown, place[:, None, :], truth[:, None, :], axis=1)
    tiles = unit(shown @ texts + 0.25 * rng.standard_normal((IMAGES, TILES, DIM)))
    whole = unit(tiles.mean(axis=1) + 0.15 * rng.standard_normal((IMAGES, DIM)))
    labels = np.full((IMAGES, TAGS), -1, np.int8)
    return ScoringInput(whole, texts, labels, np.arange(IMAGES), tiles=tiles), truth


def mean_ap(scores: np.ndarray | None, truth: np.ndarray) -> float:
    assert scores is not None
    return float(np.mean([average_precision_score(truth[:, tag], scores[:, tag]) for tag in range(TAGS)]))


def test_what_only_one_tile_shows_is_found() -> None:
    given, truth = small_things()
    assert mean_ap(tile_scores(given), truth) > mean_ap(zero_shot_scores(given), truth) + 0.1


def test_without_tiles_or_words_nothing_is_said() -> None:
    given, _ = small_things()
    assert tile_scores(replace(given, tiles=None)) is None
    assert tile_scores(replace(given, texts=None)) is None


def test_it_is_the_formula_on_normalised_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    given, _ = small_things()
    assert given.texts is not None and given.tiles is not None
    monkeypatch.setattr(scoring_tiles, "ZETA", 1.0)  # so that both branches are taken
    each = normalise((given.tiles[:] @ given.texts.T).reshape(-1, TAGS)).reshape(IMAGES, TILES, TAGS)
    best, worst = each.max(axis=1), each.min(axis=1)
    agreed = np.where(best >= 1.0, best, worst)
    assert 0 < (agreed == worst).mean() < 1
    expected = (normalise(given.images @ given.texts.T) + normalise(agreed)) / 2
    found = tile_scores(given)
    assert found is not None
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_order_of_the_tiles_does_not_matter() -> None:
    given, _ = small_things()
    assert given.tiles is not None
    turned = replace(given, tiles=given.tiles[:][:, ::-1])
    np.testing.assert_allclose(tile_scores(turned), tile_scores(given), atol=1e-5)


def test_statistics_of_a_sample_say_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given, _ = small_things()
    whole = tile_scores(given)
    monkeypatch.setattr(scoring_tiles, "SAMPLED", IMAGES * TILES * TAGS // 3)
    sampled = tile_scores(given)
    assert whole is not None and sampled is not None
    assert not np.array_equal(sampled, whole)
    assert np.corrcoef(sampled.ravel(), whole.ravel())[0, 1] > 0.99
