import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotator.errors import UsageError
from annotator.learning.audits import (
    AcceptGoal,
    AuditState,
    Certificate,
    Decision,
    RejectGoal,
    answered_prefix,
    audit_accepted,
    audit_rejected,
    certify,
    spend,
    surplus_of,
)
from annotator.learning.bounds import REJECT_PRIOR, Prior, interval_path, model_prior
from annotator.terms import LabelState

GOAL = AcceptGoal(precision=0.95)


def a_set(rng: np.random.Generator, size: int, positives: int) -> np.ndarray:
    """The true labels of a set in draw order."""
    return rng.permutation(np.arange(size) < positives).astype(np.int8)


def accepted(answers: np.ndarray, size: int, goal: AcceptGoal = GOAL, alpha: float = 0.05) -> AuditState:
    return audit_accepted(answers, size, goal, alpha=alpha)


def rejected(answers: np.ndarray, size: int, goal: RejectGoal, prior: Prior = REJECT_PRIOR) -> AuditState:
    return audit_rejected(answers, size, goal, alpha=0.05, prior=prior)


def test_all_attempts_of_both_sides_together_spend_alpha() -> None:
    side = sum(spend(0.05, attempt) for attempt in range(1, 20_001))
    assert 2 * side == pytest.approx(0.05, rel=1e-4)
    assert spend(0.05, 1) == pytest.approx(0.0125)
    assert spend(0.05, 3, share=0.2) == pytest.approx(0.05 * 0.2 / 12)
    for wrong in ((0.05, 0, 0.5), (1.5, 1, 0.5), (0.05, 1, 0.0)):
        with pytest.raises(UsageError, match=f"attempt {wrong[1]}"):
            spend(*wrong)


def test_a_right_set_of_3000_is_settled_after_80_right_answers() -> None:
    assert accepted(np.ones(78, np.int8), 3000).decision == Decision.GO_ON
    state = accepted(np.ones(80, np.int8), 3000)
    assert state.decision == Decision.SETTLE
    assert (state.drawn, state.positives, state.decided_at, state.alarm) == (80, 80, 79, False)
    assert state.low >= 2850


def test_a_set_of_precision_90_fails() -> None:
    assert accepted(a_set(np.random.default_rng(0), 3000, 2700)[:600], 3000).decision == Decision.FAIL


@pytest.mark.parametrize("corrected", [False, True])
def test_a_set_just_below_the_goal_is_settled_at_most_as_rarely_as_promised(corrected: bool) -> None:
    size, precision, alpha, runs = 600, 0.9, 0.1, 200
    goal, rng, broken = AcceptGoal(precision, corrected=corrected), np.random.default_rng(5), 0
    for _ in range(runs):
        truth = a_set(rng, size, 539)
        state = accepted(truth, size, goal, alpha)
        if state.decision == Decision.SETTLE:
            assert state.decided_at is not None
            asked, rest = truth[: state.decided_at], truth[state.decided_at :]
            ending_right = asked.sum() + rest.sum()
            ending_positive = (asked.sum() if corrected else len(asked)) + len(rest)
            broken += ending_right < precision * ending_positive
    assert broken <= stats.binom.ppf(0.999, runs, alpha)


def test_a_rejected_set_that_misses_too_much_is_settled_at_most_as_rarely_as_promised() -> None:
    size, missed, runs, broken = 1500, 30, 200, 0
    rng = np.random.default_rng(6)
    for _ in range(runs):
        truth = a_set(rng, size, missed)
        state = audit_rejected(truth, size, RejectGoal(0.9, found=150), alpha=0.1)
        if state.decision == Decision.SETTLE:
            found = 150 + truth[: state.decided_at].sum()
            broken += found < 0.9 * (150 + missed)
    assert broken <= stats.binom.ppf(0.999, runs, 0.1)


def test_cannot_tell_counts_against_us_on_both_sides() -> None:
    answers = np.ones(80, np.int8)
    answers[[3, 40]] = LabelState.UNKNOWN
    unclear = accepted(answers, 3000)
    wrong = accepted(np.where(answers == -1, 0, answers).astype(np.int8), 3000)
    assert (unclear.low, unclear.high, unclear.decision) == (wrong.low, wrong.high, Decision.GO_ON)
    assert (unclear.positives, unclear.unclear) == (78, 2)

    goal = RejectGoal(0.95, found=1000)
    answers = np.zeros(3000, np.int8)
    clear = rejected(answers, 20_000, goal)
    answers[[3, 40]] = LabelState.UNKNOWN
    unclear = rejected(answers, 20_000, goal)
    assert clear.decision == Decision.SETTLE
    assert unclear.high > clear.high
    answers[[3, 40]] = LabelState.POSITIVE
    found = rejected(answers, 20_000, goal)
    assert (found.low, found.high) == (unclear.low, unclear.high)
    assert certify(1000, [], [found], 0).recall > certify(1000, [], [unclear], 0).recall


def test_the_interval_of_an_audit_is_that_of_its_draws() -> None:
    answers = a_set(np.random.default_rng(1), 500, 470)[:200]
    state, path = accepted(answers, 500), interval_path(answers, 500, 0.05)
    assert (state.low, state.high) == (path.low[-1], path.high[-1])


def test_nothing_answered_decides_nothing() -> None:
    state = accepted(np.array([], np.int8), 70)
    assert (state.low, state.high, state.decision, state.decided_at) == (0, 70, Decision.GO_ON, None)


def test_a_decision_stays_and_a_broken_promise_raises_the_alarm() -> None:
    answers = np.repeat(np.array([1, 0], np.int8), [100, 200])
    state = accepted(answers, 1000)
    assert (state.decision, state.decided_at) == (Decision.SETTLE, accepted(answers[:100], 1000).decided_at)
    assert state.alarm
    assert not accepted(answers[:100], 1000).alarm

    goal = RejectGoal(0.9, found=500)
    answers = np.repeat(np.array([0, 1], np.int8), [600, 400])
    state = rejected(answers, 2000, goal, model_prior(0.001))
    assert state.decision == Decision.SETTLE
    assert state.alarm


def test_a_person_who_changes_an_answer_reopens_the_bound() -> None:
    answers = np.ones(80, np.int8)
    assert accepted(answers, 3000).decision == Decision.SETTLE
    answers[10] = LabelState.NEGATIVE
    assert accepted(answers, 3000).decision == Decision.GO_ON


def test_a_set_may_be_worse_where_the_rest_of_the_tag_is_better() -> None:
    answers = a_set(np.random.default_rng(2), 1000, 940)
    surplus = surplus_of(600, [], 0.95)
    assert surplus == pytest.approx(30)
    assert accepted(answers, 1000).decision == Decision.FAIL
    helped = accepted(answers, 1000, AcceptGoal(0.95, surplus))
    assert helped.decision == Decision.SETTLE
    asked = accepted(answers[: helped.decided_at], 1000, AcceptGoal(0.95, surplus))
    assert certify(600 + asked.positives, [asked], [], 0).precision >= 0.95
    # what was spent on this set cannot be spent on the next
    left = surplus_of(600 + asked.positives, [asked], 0.95)
    assert 0 <= left < 0.05 * (600 + asked.positives)


def test_sets_that_share_their_surplus_break_the_tag_at_most_as_rarely_as_promised() -> None:
    size, precision, alpha, runs, broken = 600, 0.9, 0.1, 200, 0
    rng = np.random.default_rng(8)
    for _ in range(runs):
        people, settled, right, labelled = 100, [], 100, 100
        for _ in range(2):
            goal = AcceptGoal(precision, surplus_of(people, settled, precision), corrected=True)
            truth = a_set(rng, size, math.ceil(goal.needed(size, drawn_wrong=8)) - 1)
            state = accepted(truth, size, goal, alpha)
            state = accepted(truth[: state.decided_at], size, goal, alpha)
            people += state.positives
            right, labelled = right + state.positives, labelled + state.positives
            if state.decision == Decision.SETTLE:
                settled.append(state)
                right, labelled = right + truth[state.drawn :].sum(), labelled + size - state.drawn
        proven = certify(people, settled, [], 0).precision
        broken += right / labelled < max(precision, proven)
    assert 0 < broken <= stats.binom.ppf(0.999, runs, 2 * alpha)


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0.5, 1), st.floats(0.5, 0.99))
@settings(max_examples=60, deadline=None)
def test_correcting_never_settles_later(seed: int, size: int, share: float, precision: float) -> None:
    truth = a_set(np.random.default_rng(seed), size, round(size * share))
    plain = accepted(truth, size, AcceptGoal(precision))
    corrected = accepted(truth, size, AcceptGoal(precision, corrected=True))
    if plain.decision == Decision.SETTLE:
        assert corrected.decision == Decision.SETTLE
        assert (corrected.decided_at or 0) <= (plain.decided_at or 0)


def test_a_certificate_counts_every_image_once() -> None:
    a = AuditState(1000, 100, 98, 1, low=960, high=990, decision=Decision.SETTLE, decided_at=90, alarm=False)
    r = AuditState(5000, 800, 2, 1, low=3, high=22, decision=Decision.SETTLE, decided_at=700, alarm=False)
    proven = certify(200, [a], [r], open_missed=5)
    found, labelled = 200 + (960 - 98), 200 + (1000 - 100)
    assert proven == Certificate(found / labelled, found / (found + (22 - 2) + 5))


def test_nothing_labelled_and_nothing_missed_is_no_error() -> None:
    assert certify(0, [], [], 0) == Certificate(1.0, 1.0)
    assert certify(0, [], [], 12).recall == 0.0


@given(st.integers(0, 2**32), st.integers(2, 300), st.floats(0, 1), st.floats(0.02, 1))
@settings(max_examples=60, deadline=None)
def test_an_audit_that_asked_everything_always_decides_rightly(
    seed: int, size: int, share: float, recall: float
) -> None:
    truth = a_set(np.random.default_rng(seed), size, round(size * share))
    state = accepted(truth, size)
    assert state.low == state.high == truth.sum()
    assert state.decision != Decision.GO_ON
    state = rejected(truth, size, RejectGoal(recall, found=3))
    assert state.decision != Decision.GO_ON
    assert certify(3 + state.positives, [], [state], 0) == Certificate(1.0, 1.0)


def test_answers_count_up_to_the_first_draw_that_was_not_asked() -> None:
    answers = np.array([1, -1, 0, 1, 1], np.int8)
    assert list(answered_prefix(answers, np.array([1, 1, 0, 1, 1], bool))) == [1, -1]
    assert list(answered_prefix(answers, np.ones(5, bool))) == list(answers)
    assert len(answered_prefix(answers, np.zeros(5, bool))) == 0


def test_answers_that_are_no_labels_are_named() -> None:
    with pytest.raises(UsageError, match="7"):
        accepted(np.array([1, 7]), 10)
