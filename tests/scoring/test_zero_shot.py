from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from annotator.errors import UsageError
from annotator.scoring.zero_shot import Normaliser, normalise, prompt_ensemble, scores
from annotator.settings import Settings


def some(images: int = 40, tags: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((images, tags)) * rng.uniform(0.5, 2, tags) + rng.standard_normal((images, 1))
    return values.astype(np.float32)


def encode(texts: Sequence[str]) -> np.ndarray:
    """Every text its own direction, of a length that differs."""
    vectors = [np.random.default_rng(sum(text.encode())).standard_normal(8) * len(text) for text in texts]
    return np.array(vectors, np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_prompt_ensemble_is_the_unit_mean_of_unit_vectors() -> None:
    found = prompt_ensemble(encode, ["cat", "fire truck"], ("a {}", "one {} here"))
    for row, tag in zip(found, ["cat", "fire truck"], strict=True):
        np.testing.assert_allclose(row, unit(unit(encode([f"a {tag}", f"one {tag} here"])).mean(axis=0)), atol=1e-6)


def test_synonyms_count_like_the_name() -> None:
    found = prompt_ensemble(encode, ["cat", "dog"], ("a {}",), {"dog": ["hound", "pooch"]})
    np.testing.assert_allclose(found[0], unit(encode(["a cat"])[0]), atol=1e-6)
    np.testing.assert_allclose(found[1], unit(unit(encode(["a dog", "a hound", "a pooch"])).mean(axis=0)), atol=1e-6)


def test_a_tags_own_prompts_take_the_place_of_the_templates() -> None:
    own = {"cat": ["a kitten asleep", "one {} from above"]}
    found = prompt_ensemble(encode, ["cat", "dog"], ("a {}",), {"cat": ["tom"]}, own)
    wanted = unit(encode(["a kitten asleep", "one cat from above", "one tom from above"]))
    np.testing.assert_allclose(found[0], unit(wanted.mean(axis=0)), atol=1e-6)
    np.testing.assert_allclose(found[1], unit(encode(["a dog"])[0]), atol=1e-6)


def test_a_tag_with_braces_is_only_a_name() -> None:
    seen: list[str] = []

    def remember(texts: Sequence[str]) -> np.ndarray:
        seen.extend(texts)
        return encode(texts)

    prompt_ensemble(remember, ["{0} {name} 100 %"], ("a {}",))
    assert seen == ["a {0} {name} 100 %"]


def test_a_template_without_a_place_for_the_tag_is_refused() -> None:
    with pytest.raises(UsageError, match="'a photo' has no place"):
        prompt_ensemble(encode, ["cat"], ("a {}", "a photo"))


def test_no_tags_are_no_error() -> None:
    assert len(prompt_ensemble(encode, [])) == 0


def test_scores_are_cosines() -> None:
    rng = np.random.default_rng(0)
    images, texts = unit(rng.standard_normal((5, 8))), unit(rng.standard_normal((3, 8)))
    np.testing.assert_allclose(scores(images.astype(np.float16), texts), images @ texts.T, atol=2e-3)


@given(st.integers(0, 2**16), st.integers(1, 30))
def test_a_constant_per_tag_does_not_change_normalised_scores(seed: int, tags: int) -> None:
    values = some(tags=tags, seed=seed)
    shift = np.random.default_rng(seed).standard_normal(tags)
    np.testing.assert_allclose(normalise(values + shift), normalise(values), atol=1e-4)


@given(st.integers(0, 2**16), st.floats(0.01, 100))
def test_the_unit_of_the_scores_does_not_matter(seed: int, factor: float) -> None:
    values = some(seed=seed)
    np.testing.assert_allclose(normalise(values * factor), normalise(values), atol=1e-3)


def test_a_large_constant_per_image_does_not_change_normalised_scores() -> None:
    values = some()
    offsets = 1000 * np.random.default_rng(1).standard_normal((len(values), 1))
    more = 1000 * np.random.default_rng(2).standard_normal((len(values), 1))
    np.testing.assert_allclose(normalise(values.astype(float) + offsets), normalise(values + more), atol=1e-2)


def test_each_tag_of_the_pool_comes_out_with_mean_0_and_spread_1() -> None:
    found = normalise(some())
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.2)  # the image's spread is divided out after centring
    np.testing.assert_allclose((found**2).mean(axis=0), 1, atol=1e-5)


def test_many_tags_come_out_like_plain_z_scores() -> None:
    values = some(images=80, tags=2000)
    plain = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    plain = (plain - plain.mean(axis=0)) / plain.std(axis=0)
    assert np.corrcoef(plain.ravel(), normalise(values).ravel())[0, 1] > 0.99


def test_a_page_of_new_images_uses_the_statistics_of_the_pool() -> None:
    pool = some(images=50)
    statistics = Normaliser.fit(pool)
    np.testing.assert_array_equal(statistics.apply(pool[:3]), statistics.apply(pool)[:3])
    assert not np.allclose(statistics.apply(pool[:3]), normalise(pool[:3]))


@pytest.mark.parametrize("tags", [1, 2, 3])
def test_few_tags_keep_their_ranking_of_images(tags: int) -> None:
    """Plain z-scores over 1 tag are 0 and over 2 tags +-1."""
    rng = np.random.default_rng(0)
    truth = rng.random((400, tags)) < 0.5
    found = normalise(truth + 0.3 * rng.standard_normal((400, tags)))
    assert min(average_precision_score(truth[:, tag], found[:, tag]) for tag in range(tags)) > 0.95


def test_a_tag_whose_score_never_varies_is_0() -> None:
    values = some()
    values[:, 3] = 0.25
    constant = np.full((5, 4), 0.25)
    assert np.isfinite(normalise(values)).all()
    np.testing.assert_array_equal(normalise(constant), 0)


def test_scores_of_other_tags_are_refused() -> None:
    with pytest.raises(UsageError, match="scores of 5 tags cannot be normalised like 12 tags"):
        Normaliser.fit(some()).apply(some(tags=5))


def test_normalising_does_not_cost_map_on_real_clip_scores() -> None:
    file = Settings().real_data / "features" / "voc12train_clip_rn50x64_scores.npz"
    if not file.exists():
        pytest.skip(f"{file} is not there; set ANNOTATOR_REAL_DATA")
    with np.load(file) as stored:
        known = (stored["labels"] >= 0).all(axis=1)
        raw, truth = np.log(stored["global_softmax"][known]), stored["labels"][known]
    for tags in (range(20), range(4)):  # four tags break plain z-scores: 0.57 instead of 0.86 on average
        columns = list(tags)
        found, before = normalise(raw[:, columns]), raw[:, columns]
        gain = [
            average_precision_score(truth[:, tag], found[:, place])
            - average_precision_score(truth[:, tag], before[:, place])
            for place, tag in enumerate(columns)
        ]
        assert np.mean(gain) > -0.005
