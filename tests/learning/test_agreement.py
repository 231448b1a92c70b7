"""Cohen's kappa against scikit-learn, Krippendorff's alpha against a calculation by hand and one pair at a time."""

from dataclasses import fields
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotator.errors import UsageError
from annotator.learning.agreement import Alphas, cohen_kappa, krippendorff_alpha
from annotator.learning.votes import VoteTable
from tests.learning.votes.tables import simulate, table, tables


def alphas(votes: VoteTable, seed: int = 0) -> Alphas:
    return krippendorff_alpha(votes, np.random.default_rng(seed))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_kappa_is_that_of_scikit_learn_on_the_images_where_both_could_tell(votes: VoteTable) -> None:
    found = cohen_kappa(votes)
    for first, second, tag, kappa, images in zip(
        found.first, found.second, found.tags, found.kappa, found.images, strict=True
    ):
        said = [
            {
                image: state
                for image, who, on, state in zip(votes.images, votes.annotators, votes.tags, votes.states, strict=True)
                if who == person and on == tag and state >= 0
            }
            for person in (first, second)
        ]
        both = sorted(said[0].keys() & said[1].keys())
        assert images == len(both)
        one, other = ([answers[image] for image in both] for answers in said)
        if len(set(one) | set(other)) < 2:
            assert np.isnan(kappa)
        else:
            assert kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


@given(tables())
@settings(max_examples=40, deadline=None)
def test_cannot_tell_is_counted_by_itself_and_changes_no_figure(votes: VoteTable) -> None:
    told = votes.take(votes.states >= 0)
    found, without = cohen_kappa(votes), cohen_kappa(told)
    kept = found.images > 0
    for name in ("first", "second", "tags", "kappa", "low", "high", "observed", "images"):
        np.testing.assert_array_equal(getattr(found, name)[kept], getattr(without, name))
    both, alone = alphas(votes), alphas(told)
    kept = np.isin(both.tags, alone.tags)
    np.testing.assert_array_equal(both.alpha[kept], alone.alpha)
    assert both.cannot_tell.sum() == (votes.states == -1).sum()


@given(tables(), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_votes_makes_no_difference(votes: VoteTable, seed: int) -> None:
    shuffled = votes.take(np.random.default_rng(seed).permutation(len(votes)))
    for one, other in ((cohen_kappa(votes), cohen_kappa(shuffled)), (alphas(votes), alphas(shuffled))):
        for field in fields(one):  # type: ignore[arg-type]
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def test_the_interval_of_kappa_is_that_of_the_formula_written_out() -> None:
    """40 images both present, 5 and 10 apart, 45 both absent."""
    said = [(1, 1)] * 40 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 45
    found = cohen_kappa(table(*((i, 0, who, state) for i, pair in enumerate(said) for who, state in enumerate(pair))))
    assert found.kappa[0] == pytest.approx(0.7)
    k, p = found.kappa[0], np.array([[0.45, 0.10], [0.05, 0.40]])  # absent, present
    a, b = p.sum(1), p.sum(0)
    same = sum(p[i, i] * ((1 - 0.5) - (a[i] + b[i]) * (1 - 0.85)) ** 2 for i in (0, 1))
    apart = (1 - 0.85) ** 2 * sum(p[i, j] * (b[i] + a[j]) ** 2 for i, j in ((0, 1), (1, 0)))
    error = np.sqrt((same + apart - (0.85 * 0.5 - 2 * 0.5 + 0.85) ** 2) / (100 * (1 - 0.5) ** 4))
    assert found.high[0] - k == pytest.approx(1.959964 * error, rel=1e-6)
    assert k - found.low[0] == pytest.approx(1.959964 * error, rel=1e-6)


def test_intervals_hold_the_agreement_of_a_much_larger_collection() -> None:
    large = simulate(20_000, 1, people=4, each=4).votes
    kappa, alpha = cohen_kappa(large), alphas(large)
    held = {"kappa": 0, "alpha": 0}
    for start in range(0, 20_000, 200):
        part = large.take((large.images >= start) & (large.images < start + 200))
        small, of_all = cohen_kappa(part), alphas(part, start)
        held["kappa"] += int((small.low[5] <= kappa.kappa[5]) & (kappa.kappa[5] <= small.high[5]))
        held["alpha"] += int((of_all.low[0] <= alpha.alpha[0]) & (alpha.alpha[0] <= of_all.high[0]))
    assert min(held.values()) >= 87


def test_alpha_equals_what_was_calculated_by_hand() -> None:
    """Four people, five images: yes-no counts 3-0, 2-1, 0-3, 1-1, and one answer alone, which is not pairable.

    Observed disagreement: 2 (0 + 2/2 + 0 + 1/1) = 4 of 11 answers. Expected: 2 * 6 * 5 / 10 = 6 of 11.
    """
    counts = [(3, 0), (2, 1), (0, 3), (1, 1), (1, 0)]
    votes = table(*((i, 7, who, int(who < yes)) for i, (yes, no) in enumerate(counts) for who in range(yes + no)))
    found = alphas(votes)
    assert found.tags.tolist() == [7]
    assert found.alpha[0] == pytest.approx(1 - 4 / 6)
    assert (found.images[0], found.answers[0]) == (4, 11)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_alpha_is_what_counting_one_pair_of_answers_after_the_other_gives(votes: VoteTable) -> None:
    found = alphas(votes)
    for tag, alpha in zip(found.tags, found.alpha, strict=True):
        coincidences = np.zeros((2, 2))
        for image in np.unique(votes.images):
            said = votes.states[(votes.images == image) & (votes.tags == tag) & (votes.states >= 0)]
            for one, other in permutations(said, 2):
                coincidences[one, other] += 1 / (len(said) - 1)
        totals = coincidences.sum(1)
        if totals.min() == 0:
            assert np.isnan(alpha)
        else:
            expected = totals[0] * totals[1] / (totals.sum() - 1)
            assert alpha == pytest.approx(1 - coincidences[0, 1] / expected)


def test_full_agreement_is_one_and_guessing_is_nothing() -> None:
    full = table(*((image, 0, who, image % 2) for image in range(30) for who in range(3)))
    np.testing.assert_allclose(cohen_kappa(full).kappa, 1)
    assert alphas(full).alpha[0] == alphas(full).low[0] == 1
    rng = np.random.default_rng(0)
    guessed = VoteTable(
        full.images.repeat(20) * 20 + np.tile(np.arange(20), len(full)),
        full.tags.repeat(20),
        full.annotators.repeat(20),
        rng.integers(0, 2, 20 * len(full)).astype(np.int8),
    )
    found = alphas(guessed)
    assert found.low[0] < 0 < found.high[0]
    assert np.abs(cohen_kappa(guessed).kappa).max() < 0.2


def test_one_answer_an_image_says_nothing_and_no_votes_are_fine() -> None:
    alone = alphas(table((0, 0, 1, 1), (1, 0, 2, 0)))
    assert np.isnan(alone.alpha[0]) and np.isnan(alone.low[0])
    assert alone.images[0] == 0
    assert len(cohen_kappa(table((0, 0, 1, 1), (1, 0, 2, 0))).kappa) == 0
    assert len(cohen_kappa(table()).kappa) == len(alphas(table()).alpha) == 0


def test_an_interval_needs_resamples() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        krippendorff_alpha(table(), np.random.default_rng(0), resamples=1)
