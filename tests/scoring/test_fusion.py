from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from annotator.errors import UsageError
from annotator.scoring.fusion import LEAST_WEIGHT, ORIGINS, START_SLOPE, Scores, fit_fusion
from annotator.terms import SuggestionOrigin

ZERO_SHOT, NEIGHBOURS, MODEL = SuggestionOrigin.ZERO_SHOT, SuggestionOrigin.NEIGHBOURS, SuggestionOrigin.MODEL
IMAGES, TAGS = 400, 5


def truth(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((IMAGES, TAGS)) < np.linspace(0.1, 0.5, TAGS)


def hints(noises: dict[SuggestionOrigin, float], seed: int = 0) -> Scores:
    """Scores that know the truth up to noise; probabilities but for zero-shot."""
    rng = np.random.default_rng(seed + 1)
    found: dict[SuggestionOrigin, np.ndarray] = {}
    for source, noise in noises.items():
        logits = 2 * truth(seed) - 1 + noise * rng.standard_normal((IMAGES, TAGS))
        found[source] = (logits if source == ZERO_SHOT else 1 / (1 + np.exp(-logits))).astype(np.float32)
    return found


def held_out(images: int, seed: int = 0) -> np.ndarray:
    labels = np.full((IMAGES, TAGS), -1, np.int8)
    labels[:images] = truth(seed)[:images]
    return labels


def mean_ap(scores: np.ndarray, part: slice) -> float:
    wanted = truth()[part]
    return float(np.mean([average_precision_score(wanted[:, tag], scores[part, tag]) for tag in range(TAGS)]))


def order(scores: np.ndarray) -> np.ndarray:
    return np.argsort(scores, axis=0, kind="stable")


@pytest.mark.parametrize("answered", [0, 1, 200])
@pytest.mark.parametrize("source", [ZERO_SHOT, NEIGHBOURS, MODEL])
def test_one_source_alone_keeps_its_ranking(source: SuggestionOrigin, answered: int) -> None:
    scores = hints({source: 1.0})
    fused = fit_fusion(scores, held_out(answered)).apply(scores)
    np.testing.assert_array_equal(order(fused.probabilities), order(scores[source]))
    assert (fused.origins == ORIGINS.index(source)).all()


def test_a_useless_source_alone_is_not_turned_around() -> None:
    scores = {ZERO_SHOT: -np.asarray(hints({ZERO_SHOT: 0.5})[ZERO_SHOT])}
    fusion = fit_fusion(scores, held_out(300))
    assert (fusion.weights >= LEAST_WEIGHT * 0.99).all()


def test_without_answers_sources_weigh_the_same_and_zero_shot_thrice() -> None:
    scores = hints({ZERO_SHOT: 1.0, NEIGHBOURS: 1.0, MODEL: 1.0})
    fusion = fit_fusion(scores, held_out(0))
    np.testing.assert_allclose(fusion.weights / fusion.weights[2], np.repeat([[3], [1], [1]], TAGS, axis=1))
    np.testing.assert_allclose(fusion.weights.sum(axis=0), START_SLOPE, rtol=1e-6)
    assert len(np.unique(fusion.bias)) == 1
    assert (fusion.answers == 0).all()


def test_without_answers_tiles_weigh_less_than_whole_pictures_and_more_than_answers_would() -> None:
    scores = {**hints({ZERO_SHOT: 1.0, NEIGHBOURS: 1.0}), SuggestionOrigin.TILES: hints({ZERO_SHOT: 1.5})[ZERO_SHOT]}
    whole, neighbours, tiles = fit_fusion(scores, held_out(0)).weights
    assert (whole > tiles).all() and (tiles > neighbours).all()


def test_answers_give_weight_to_who_is_right() -> None:
    scores = hints({ZERO_SHOT: 0.5, NEIGHBOURS: 20.0})
    fusion = fit_fusion(scores, held_out(200))
    assert (fusion.weights[0] > 4 * fusion.weights[1]).all()


def test_fused_scores_beat_each_source_on_images_not_used_to_fuse() -> None:
    scores = hints({ZERO_SHOT: 1.0, NEIGHBOURS: 1.5, MODEL: 1.2})
    fused = fit_fusion(scores, held_out(100)).apply(scores)
    rest = slice(100, None)
    assert mean_ap(fused.probabilities, rest) > max(mean_ap(np.asarray(scores[source]), rest) for source in scores)


def test_fused_probabilities_are_calibrated_on_average() -> None:
    scores = hints({ZERO_SHOT: 1.0, MODEL: 1.2})
    fused = fit_fusion(scores, held_out(200)).apply(scores)
    np.testing.assert_allclose(fused.probabilities[200:].mean(axis=0), truth()[200:].mean(axis=0), atol=0.06)


def test_many_answers_give_the_weights_of_logistic_regression() -> None:
    """Against another implementation, where the answers outweigh what weights are shrunk to."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    count = 30_000
    wanted = rng.random((count, 1)) < 0.3
    scores = {ZERO_SHOT: wanted + rng.standard_normal((count, 1)), MODEL: wanted + rng.standard_normal((count, 1))}
    scores[MODEL] = 1 / (1 + np.exp(-scores[MODEL]))
    fusion = fit_fusion(scores, wanted.astype(np.int8))
    odds = np.log(scores[MODEL] / (1 - scores[MODEL]))
    levelled = np.hstack([(values - values.mean()) / values.std() for values in (scores[ZERO_SHOT], odds)])
    expected = LogisticRegression(C=1e6).fit(levelled, wanted.ravel())
    np.testing.assert_allclose(fusion.weights[:, 0], expected.coef_[0], atol=0.02)
    np.testing.assert_allclose(fusion.bias[0], expected.intercept_[0], atol=0.02)


def test_a_tag_without_answers_gets_the_weights_of_the_project() -> None:
    scores = hints({ZERO_SHOT: 0.5, NEIGHBOURS: 20.0})
    labels = held_out(200)
    labels[:, 3] = -1
    fusion = fit_fusion(scores, labels)
    assert fusion.answers[3] == 0
    assert fusion.weights[0, 3] > 4 * fusion.weights[1, 3]
    others = np.delete(fusion.weights[0], 3)
    assert others.min() * 0.8 < fusion.weights[0, 3] < others.max() * 1.2


def test_one_answer_hardly_moves_a_tag() -> None:
    scores = hints({ZERO_SHOT: 0.5, NEIGHBOURS: 20.0})
    few, none = held_out(200), held_out(200)
    few[1:, 3] = none[:, 3] = -1
    moved = np.abs(fit_fusion(scores, few).weights - fit_fusion(scores, none).weights)
    assert moved.max() < 0.1


@given(st.integers(0, 2**16))
def test_unknown_labels_do_not_move_the_weights(seed: int) -> None:
    """Images of which nothing is known may say anything, as long as the pool's statistics stay."""
    scores = hints({ZERO_SHOT: 1.0})
    labels = held_out(50)
    shuffled = np.asarray(scores[ZERO_SHOT]).copy()
    shuffled[50:] = shuffled[50:][np.random.default_rng(seed).permutation(IMAGES - 50)]
    found, expected = fit_fusion({ZERO_SHOT: shuffled}, labels), fit_fusion(scores, labels)
    np.testing.assert_allclose(found.weights, expected.weights, rtol=1e-4)
    np.testing.assert_allclose(found.bias, expected.bias, rtol=1e-4)


def test_what_a_source_does_not_know_leaves_the_others_as_they_are() -> None:
    scores = dict(hints({ZERO_SHOT: 1.0, MODEL: 1.0}))
    holed = np.asarray(scores[MODEL]).copy()
    holed[:, 2] = np.nan
    holed[5] = np.nan
    fused = fit_fusion({**scores, MODEL: holed}, held_out(100)).apply({**scores, MODEL: holed})
    assert np.isfinite(fused.probabilities).all()
    np.testing.assert_array_equal(order(fused.probabilities[:, 2]), order(np.asarray(scores[ZERO_SHOT])[:, 2]))
    assert (fused.origins[5] == ORIGINS.index(ZERO_SHOT)).all()


def test_where_nobody_speaks_the_share_of_the_tag_stands() -> None:
    scores = dict(hints({ZERO_SHOT: 1.0}))
    holed = np.asarray(scores[ZERO_SHOT]).copy()
    holed[7] = np.nan
    fusion = fit_fusion({ZERO_SHOT: holed}, held_out(100))
    fused = fusion.apply({ZERO_SHOT: holed})
    assert (fused.origins[7] == ORIGINS.index(SuggestionOrigin.FUSED)).all()
    np.testing.assert_allclose(fused.probabilities[7], 1 / (1 + np.exp(-fusion.bias)), rtol=1e-5)


def test_the_origin_is_who_pushed_most_where_the_sum_went() -> None:
    pool = np.linspace(-1, 1, 101)[:, None]
    scores = {ZERO_SHOT: pool, NEIGHBOURS: 1 / (1 + np.exp(pool))}  # of opposite opinions
    fusion = fit_fusion(scores, np.full((101, 1), -1, np.int8))
    said = fusion.apply({ZERO_SHOT: np.array([[0.9], [0.1]]), NEIGHBOURS: np.array([[0.45], [0.7]])})
    assert said.origins[:, 0].tolist() == [ORIGINS.index(ZERO_SHOT), ORIGINS.index(NEIGHBOURS)]


def test_a_source_left_out_of_the_page_is_no_error() -> None:
    scores = hints({ZERO_SHOT: 1.0, MODEL: 1.0})
    fusion = fit_fusion({**scores, NEIGHBOURS: None}, held_out(100))
    assert fusion.sources == (ZERO_SHOT, MODEL)
    page = fusion.apply({ZERO_SHOT: np.asarray(scores[ZERO_SHOT])[:3]})
    assert page.probabilities.shape == (3, TAGS)


def test_a_page_is_fused_like_the_pool() -> None:
    scores = hints({ZERO_SHOT: 1.0, MODEL: 1.0})
    fusion = fit_fusion(scores, held_out(100))
    page = fusion.apply({source: np.asarray(values)[10:20] for source, values in scores.items()})
    np.testing.assert_array_equal(page.probabilities, fusion.apply(scores).probabilities[10:20])


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = hints({ZERO_SHOT: 1.0, MODEL: 1.0})
    whole = fit_fusion(scores, held_out(100)).apply(scores)
    monkeypatch.setattr("annotator.scoring.base.CHUNK_NUMBERS", 9 * TAGS)
    parts = fit_fusion(scores, held_out(100)).apply(scores)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_array_equal(parts.origins, whole.origins)


def test_more_answers_do_not_make_a_good_source_worse() -> None:
    scores = hints({ZERO_SHOT: 0.8, NEIGHBOURS: 3.0})
    rest = slice(300, None)
    quality = [mean_ap(fit_fusion(scores, held_out(n)).apply(scores).probabilities, rest) for n in (0, 20, 100, 300)]
    assert all(later > earlier - 0.02 for earlier, later in pairwise(quality))


def test_saying_nothing_at_all_is_an_error_that_names_the_way_out() -> None:
    with pytest.raises(UsageError, match="no source gave scores; embed"):
        fit_fusion({ZERO_SHOT: None}, held_out(3))
    fusion = fit_fusion(hints({ZERO_SHOT: 1.0}), held_out(3))
    with pytest.raises(UsageError, match="none of the sources zero-shot gave scores"):
        fusion.apply({MODEL: np.zeros((3, TAGS))})


def test_scores_that_do_not_fit_the_labels_are_named() -> None:
    with pytest.raises(UsageError, match=r"model scores of shape \(2, 2\) do not fit labels of shape \(400, 5\)"):
        fit_fusion({MODEL: np.zeros((2, 2))}, held_out(3))
