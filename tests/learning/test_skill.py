"""Skills from known pairs, and the alarm when a skill falls."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from annotator.errors import UsageError
from annotator.learning.skill import _log_evidence, fell, measured_skills
from annotator.learning.votes import VoteTable
from tests.learning.votes.tables import simulate, table, tables


@given(tables(), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_rates_are_shares_of_right_answers_on_known_pairs(votes: VoteTable, seed: int) -> None:
    truth = np.random.default_rng(seed).integers(-1, 2, len(votes)).astype(np.int8)
    found = measured_skills(votes, truth)
    counted = (votes.states >= 0) & (truth >= 0)
    assert (found.positives + found.negatives).sum() == counted.sum()
    for i, (person, tag) in enumerate(zip(found.annotators, found.tags, strict=True)):
        own = counted & (votes.annotators == person) & (votes.tags == tag)
        right = votes.states == truth
        for rate, among in (
            (found.sensitivity, own & (truth == 1)),
            (found.specificity, own & (truth == 0)),
            (found.accuracy, own),
        ):
            if not among.any():
                assert np.isnan(rate.value[i]) and (rate.low[i], rate.high[i]) == (0, 1)
                continue
            exact = stats.binomtest(int(right[among].sum()), int(among.sum())).proportion_ci(0.95, "exact")
            assert rate.value[i] == pytest.approx(right[among].mean())
            assert (rate.low[i], rate.high[i]) == pytest.approx((exact.low, exact.high))


@given(tables(), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_cannot_tell_and_unknown_truth_count_for_nothing(votes: VoteTable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(-1, 2, len(votes)).astype(np.int8)
    kept = (votes.states >= 0) & (truth >= 0)
    found, without = measured_skills(votes, truth), measured_skills(votes.take(kept), truth[kept])
    for rates, others in ((found.sensitivity, without.sensitivity), (found.accuracy, without.accuracy)):
        for one, other in zip(rates, others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_true_skills_lie_in_their_intervals_as_often_as_promised() -> None:
    world = simulate(600, tags=50)
    truth = world.truth[world.votes.images, world.votes.tags].astype(np.int8)
    found = measured_skills(world.votes, truth)
    for rates, true in ((found.sensitivity, world.sensitivity), (found.specificity, world.specificity)):
        skill = true[found.annotators, found.tags]
        held = ((rates.low <= skill) & (skill <= rates.high)).sum()
        assert held >= stats.binom.ppf(0.001, len(skill), 0.95)


def test_all_tags_of_a_person_together_are_the_sum() -> None:
    world = simulate(50)
    truth = world.truth[world.votes.images, world.votes.tags].astype(np.int8)
    found, together = measured_skills(world.votes, truth), measured_skills(world.votes, truth, per_tag=False)
    assert (together.tags == -1).all()
    for i, person in enumerate(together.annotators):
        own = found.annotators == person
        assert together.positives[i] == found.positives[own].sum()
        hits = (found.sensitivity.value * found.positives)[own].sum()
        assert together.sensitivity.value[i] == pytest.approx(hits / found.positives[own].sum())


def test_without_answers_nobody_has_a_skill() -> None:
    assert len(measured_skills(table(), np.empty(0, np.int8)).annotators) == 0


@pytest.mark.parametrize("looks", [4, 10])
def test_who_keeps_the_required_skill_hardly_ever_raises_the_alarm_however_often_one_looks(looks: int) -> None:
    rng, alarms, runs = np.random.default_rng(looks), 0, 150
    for _ in range(runs):
        right = rng.random(280) < 0.9
        alarms += any(fell(right[:n], 0.9, alpha=0.1).alarm for n in range(looks, 281, looks))
    assert alarms <= stats.binom.ppf(0.999, runs, 0.1)


def test_a_skill_that_falls_is_noticed_and_the_stretch_begins_about_there() -> None:
    rng, noticed = np.random.default_rng(0), []
    for _ in range(40):
        right = np.concatenate([rng.random(300) < 0.97, rng.random(120) < 0.6])
        found = fell(right, 0.85)
        noticed.append(found.alarm)
        if found.alarm:
            assert 200 <= found.since <= 400
            assert found.answers == 420 - found.since
            assert found.right == right[found.since :].sum()
            assert found.right / found.answers < found.upper < 0.85
    assert np.mean(noticed) > 0.9


def test_bad_answers_of_long_ago_do_not_hide_nor_wake_an_alarm_for_ever() -> None:
    good = np.ones(2000, np.int64)
    assert not fell(good, 0.9).alarm
    assert fell(np.concatenate([good, np.zeros(15, np.int64)]), 0.9).alarm
    assert not fell(np.concatenate([np.zeros(15, np.int64), good]), 0.9).alarm


@given(st.integers(0, 200), st.integers(0, 200), st.floats(0.05, 0.98))
@settings(max_examples=60, deadline=None)
def test_the_evidence_is_the_integral_it_is_said_to_be(right: int, wrong: int, required: float) -> None:
    assume(right < required * (right + wrong))
    prior = stats.beta(0.5, 0.5)

    def ratio(q: float) -> float:
        return float(np.exp(right * np.log(q / required) + wrong * np.log((1 - q) / (1 - required))) * prior.pdf(q))

    peak = min(required, (right + 0.5) / (right + wrong + 1))
    mixture, _ = integrate.quad(ratio, 0, required, points=[peak], limit=400)
    evidence = _log_evidence(np.array([right]), np.array([right + wrong]), np.array([required]))[0]
    assert evidence == pytest.approx(np.log(mixture / prior.cdf(required)), abs=1e-4)


@given(st.integers(0, 100), st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_a_higher_required_skill_is_refuted_more(right: int, wrong: int) -> None:
    above = np.linspace(right / (right + wrong), 1, 52)[1:-1]
    counts = np.full(50, right), np.full(50, right + wrong)
    assert (np.diff(_log_evidence(*counts, above)) > 0).all()


def test_before_any_answer_there_is_no_alarm() -> None:
    found = fell([], 0.9)
    assert (found.answers, found.upper, found.alarm) == (0, 1.0, False)
    assert not fell(np.ones(20_000, np.int64), 0.5).alarm


def test_values_out_of_range_are_named() -> None:
    with pytest.raises(UsageError, match="ones, right, and zeros"):
        fell([1, -1], 0.9)
    with pytest.raises(UsageError, match="between 0 and 1"):
        fell([1], 1.0)
    with pytest.raises(UsageError, match="the truth of each vote"):
        measured_skills(table((0, 0, 0, 1)), np.empty(0, np.int8))
