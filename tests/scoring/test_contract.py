"""What every suggestion source promises."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from annotator.errors import UsageError
from annotator.scoring import SCORERS, Scorer, ScoringInput
from annotator.terms import SuggestionOrigin

IMAGES, TAGS, DIM, TILES = 60, 6, 16, 4


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def given() -> ScoringInput:
    rng = np.random.default_rng(0)
    texts = unit(rng.standard_normal((TAGS, DIM)))
    truth = rng.random((IMAGES, TAGS)) < 0.3
    images = unit(truth @ texts + 0.4 * rng.standard_normal((IMAGES, DIM)))
    labels = np.where(rng.random((IMAGES, TAGS)) < 0.4, truth, -1).astype(np.int8)
    probabilities = np.clip(0.7 * truth + 0.3 * rng.random((IMAGES, TAGS)), 0.01, 0.99).astype(np.float32)
    tiles = unit(images[:, None] + 0.4 * rng.standard_normal((IMAGES, TILES, DIM)))
    return ScoringInput(
        images,
        texts,
        labels,
        np.arange(IMAGES),
        probabilities=probabilities,
        tiles=tiles,
        imported=probabilities[::-1],
    )


every_source = pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)


def test_every_source_has_the_name_of_an_origin() -> None:
    assert set(SCORERS) == set(SuggestionOrigin) - {SuggestionOrigin.FUSED}


@every_source
def test_a_score_for_every_image_and_tag(scorer: Scorer, given: ScoringInput) -> None:
    scores = scorer.score(given)
    assert scores is not None
    assert scores.shape == (IMAGES, TAGS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


@every_source
def test_declared_probabilities_are_between_0_and_1(scorer: Scorer, given: ScoringInput) -> None:
    scores = scorer.score(given)
    assert scores is not None
    assert scorer.gives_probabilities == bool(((scores >= 0) & (scores <= 1)).all())


@every_source
def test_a_source_without_what_it_needs_says_nothing(scorer: Scorer, given: ScoringInput) -> None:
    nothing = replace(given, texts=None, probabilities=None, imported=None, labels=np.full_like(given.labels, -1))
    assert scorer.score(nothing) is None


@every_source
def test_the_same_input_gives_the_same_scores_and_is_left_as_it_was(scorer: Scorer, given: ScoringInput) -> None:
    before = {name: np.copy(getattr(given, name)) for name in ("images", "texts", "labels", "probabilities", "tiles")}
    np.testing.assert_array_equal(scorer.score(given), scorer.score(given))
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(given, name), array)


@every_source
def test_memory_mapped_float16_vectors_score_like_float32(scorer: Scorer, given: ScoringInput) -> None:
    assert given.tiles is not None
    narrow = replace(given, images=given.images.astype(np.float16), tiles=given.tiles[:].astype(np.float16))
    np.testing.assert_allclose(scorer.score(narrow), scorer.score(given), atol=0.02)


@every_source
def test_order_of_tags_does_not_matter(scorer: Scorer, given: ScoringInput) -> None:
    order = np.random.default_rng(1).permutation(TAGS)
    assert given.texts is not None and given.probabilities is not None and given.imported is not None
    permuted = replace(
        given,
        texts=given.texts[order],
        labels=given.labels[:, order],
        probabilities=given.probabilities[:, order],
        imported=given.imported[:, order],
    )
    scores = scorer.score(given)
    assert scores is not None
    np.testing.assert_allclose(scorer.score(permuted), scores[:, order], atol=1e-5)


@every_source
def test_chunks_do_not_show(scorer: Scorer, given: ScoringInput, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scorer.score(given)
    monkeypatch.setattr("annotator.scoring.base.CHUNK_NUMBERS", 7 * TAGS)
    np.testing.assert_allclose(scorer.score(given), whole, atol=1e-5)


@every_source
def test_no_images_are_no_error(scorer: Scorer, given: ScoringInput) -> None:
    assert given.probabilities is not None
    empty = ScoringInput(
        given.images[:0], given.texts, given.labels[:0], given.groups[:0], probabilities=given.probabilities[:0]
    )
    scores = scorer.score(empty)
    assert scores is None or scores.shape == (0, TAGS)


Change = Callable[[ScoringInput], object]


@pytest.mark.parametrize(
    ("name", "change"),
    {
        "images": lambda given: replace(given, images=given.images[1:]),
        "texts": lambda given: replace(given, texts=given.texts[1:]),
        "groups": lambda given: replace(given, groups=given.groups[1:]),
        "neighbours": lambda given: replace(given, neighbours=(np.zeros((3, 2), np.int64), np.zeros((3, 2)))),
        "probabilities": lambda given: replace(given, probabilities=given.probabilities[:, 1:]),
        "tiles": lambda given: replace(given, tiles=given.tiles[:, :, 1:]),
    }.items(),
)
def test_arrays_that_do_not_fit_are_named(name: str, change: Change, given: ScoringInput) -> None:
    with pytest.raises(UsageError, match=rf"{name} of shape .* do not fit labels of shape \(60, 6\)"):
        change(given)
