"""Regions: what a head sees in the tiles of an image."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.fit import fit_head, fit_partial
from annotator.learning.heads import HEADS, WITH_TILES, Training
from annotator.learning.heads import dual_prompt as module
from annotator.learning.heads.answers import entries
from annotator.learning.heads.lifts import PROMPT, DualPrompts, regions_of
from annotator.learning.metrics import mean_average_precision

Array = NDArray[np.float32]
TAGS, PARTS, WIDTH = 4, 9, 24


def unit(vectors: np.ndarray) -> Array:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def small_things(count: int = 300, seed: int = 0) -> tuple[Array, Array, NDArray[np.int8], Array]:
    """Whole vectors, tiles of which one shows a tag, labels, and texts that tell most of the truth."""
    rng = np.random.default_rng(seed)
    directions = unit(np.random.default_rng(99).normal(size=(TAGS, WIDTH)))
    labels = (rng.random((count, TAGS)) < 0.3).astype(np.int8)
    shown = np.zeros((count, PARTS, TAGS))
    np.put_along_axis(shown, rng.integers(PARTS, size=(count, 1, TAGS)), labels[:, None], axis=1)
    tiles = unit(shown @ directions + 0.2 * rng.normal(size=(count, PARTS, WIDTH)))
    whole = unit(tiles.mean(1) + 0.1 * rng.normal(size=(count, WIDTH)))
    texts = unit(directions + 0.1 * np.random.default_rng(98).normal(size=directions.shape))
    return whole, tiles, labels, texts


@pytest.mark.parametrize("worded", [True, False])
def test_what_only_one_tile_shows_is_learned(worded: bool) -> None:
    X, tiles, labels, texts = small_things()
    words = texts if worded else None
    plain, _ = fit_head("text_anchored", X[:150], labels[:150], texts=words)
    looking, _ = fit_head("dual_prompt", X[:150], labels[:150], texts=words, tiles=tiles[:150])
    before = mean_average_precision(plain.logits(X[150:]), labels[150:])
    after = mean_average_precision(looking.logits(X[150:], tiles[150:]), labels[150:])
    assert after > before + 0.05


def test_the_stored_vectors_say_what_the_learned_ones_said() -> None:
    torch = pytest.importorskip("torch")
    X, tiles, _, texts = small_things(700)
    lift = DualPrompts(texts, -texts[::-1], np.ones((), np.float32))
    pair = torch.tensor(np.stack([lift.positive, lift.negative]))
    expected = module._logits(torch.tensor(regions_of(X, tiles)), pair).T
    np.testing.assert_allclose(lift.extra(X, tiles), PROMPT * expected.numpy(), atol=1e-4)


def test_a_head_that_learned_without_tiles_looks_at_none() -> None:
    X, tiles, labels, texts = small_things()
    head, _ = fit_head("dual_prompt", X, labels, texts=texts)
    np.testing.assert_array_equal(head.logits(X, tiles), head.logits(X))


@pytest.mark.parametrize("name", [name for name in HEADS if name not in WITH_TILES])
def test_other_heads_do_not_look_at_tiles(name: str) -> None:
    X, tiles, labels, texts = small_things(120)
    plain, _ = fit_head(name, X, labels, texts=texts)
    given, _ = fit_head(name, X, labels, texts=texts, tiles=tiles)
    np.testing.assert_array_equal(given.logits(X, tiles), plain.logits(X))


def test_unknown_labels_do_not_move_it_with_tiles_either() -> None:
    X, tiles, labels, texts = small_things()
    labels[np.random.default_rng(1).random(labels.shape) < 0.4] = -1
    plain, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    more, _ = fit_head(
        "dual_prompt",
        np.concatenate([X, X[::-1]]),
        np.concatenate([labels, np.full_like(labels, -1)]),
        texts=texts,
        tiles=np.concatenate([tiles, tiles[::-1]]),
    )
    np.testing.assert_array_equal(plain.logits(X, tiles), more.logits(X, tiles))


def test_tags_without_variety_and_pictures_without_vectors_stay_finite() -> None:
    X, tiles, labels, texts = small_things(60)
    labels[:, 0], labels[:, 1], labels[:, 2] = -1, 1, 0
    X[7], tiles[7], texts[3] = 0, 0, 0
    head, report = fit_head("dual_prompt", X.astype(np.float16), labels, texts=texts, tiles=tiles.astype(np.float16))
    for values in (head.logits(X, tiles), head.variances(X, tiles), *head.to_arrays().values(), report.loss):
        assert np.isfinite(values).all()


def test_the_order_of_tiles_does_not_matter_and_the_same_arrays_give_the_same_bits() -> None:
    X, tiles, labels, texts = small_things(120)
    head, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    again, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    assert head.logits(X, tiles).tobytes() == again.logits(X, tiles).tobytes()
    turned, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles[:, ::-1])
    np.testing.assert_allclose(turned.logits(X, tiles), head.logits(X, tiles), atol=5e-2)


def test_it_survives_storage_with_its_eye_for_tiles() -> None:
    X, tiles, labels, texts = small_things(120)
    head, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    again = type(head).from_arrays(head.to_arrays())
    np.testing.assert_array_equal(again.logits(X, tiles), head.logits(X, tiles))
    assert not np.array_equal(again.logits(X), head.logits(X, tiles))


def test_of_many_images_those_with_rare_tags_teach(monkeypatch: pytest.MonkeyPatch) -> None:
    X, tiles, labels, texts = small_things(200)
    labels[:, 0] = 0
    labels[[11, 150], 0] = 1
    monkeypatch.setattr(module, "IMAGES", 50)
    seen: list[NDArray[np.int8]] = []

    def watched(training: Training) -> object:
        seen.append(training.labels)
        return entries(training)

    monkeypatch.setattr(module, "entries", watched)
    fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    assert len(seen[0]) == 50
    assert seen[0][:, 0].sum() == 2


def test_validation_images_choose_the_penalty_by_their_tiles() -> None:
    X, tiles, labels, texts = small_things()
    both = {"texts": texts, "tiles": tiles[:150], "validation": (X[150:], labels[150:])}
    head, _ = fit_head("dual_prompt", X[:150], labels[:150], **both, validation_tiles=tiles[150:])
    other, _ = fit_head("dual_prompt", X[:150], labels[:150], **both, validation_tiles=tiles[150:][::-1])
    assert not np.array_equal(head.ridge, other.ridge)


def test_ways_to_read_unknown_labels_see_tiles_too() -> None:
    X, tiles, labels, texts = small_things(120)
    partial = np.where(labels == 1, 1, -1).astype(np.int8)
    head, _ = fit_partial("dual_prompt", "em_apl", X, partial, texts=texts, tiles=tiles)
    assert mean_average_precision(head.logits(X, tiles), labels) > 0.6


def test_tiles_that_do_not_fit_are_named() -> None:
    X, tiles, labels, texts = small_things(60)
    with pytest.raises(UsageError, match=r"tiles have shape \(59, 9, 24\); the embeddings \(60, 24\)"):
        fit_head("dual_prompt", X, labels, tiles=tiles[1:])
    with pytest.raises(UsageError, match="validation tiles have shape None"):
        fit_head("dual_prompt", X, labels, tiles=tiles, validation=(X, labels))
    head, _ = fit_head("dual_prompt", X, labels, texts=texts, tiles=tiles)
    with pytest.raises(UsageError, match=r"tiles of shape \(60, 9, 23\) do not fit"):
        head.logits(X, tiles[:, :, 1:])
