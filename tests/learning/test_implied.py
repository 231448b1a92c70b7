import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR
from annotator.learning.implied import (
    LEAST_ROWS,
    Causes,
    Part,
    choose,
    disjoint,
    forecast_wrong,
    least_right,
    most_wrong,
    precision_stands,
    recall_stands,
    wrong_in_accepted,
    wrong_in_rejected,
)
from annotator.terms import LabelState

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
LOOKS = (20, 60, 120, 240, 400)
IMAGES = 2_000


def breaks(rng: np.random.Generator, sides: list[bool], alpha: float, wrong_share: float) -> bool:
    """Whether at any look the bound of one implied set is broken.

    Its causes, overlapping sets of which `wrong_share` is not what they say, are accepted ones where `sides` is true.
    The rows that are wrong are kept, the others left out by choice: the worst that may be done with a bound.
    """
    order = rng.permutation(IMAGES)
    causes = []
    for accepts in sides:
        member = np.zeros(IMAGES, bool)
        member[rng.permutation(IMAGES)[:600]] = True
        wrong = member & (rng.random(IMAGES) < wrong_share)
        draws = order[member[order]]
        said, other = (YES, NO) if accepts else (NO, UNKNOWN)
        causes.append((accepts, draws, np.where(wrong, other, said).astype(np.int8), member, wrong))
    for look in LOOKS:
        parts, truly_wrong, taken = [], 0, np.zeros(IMAGES, bool)
        for accepts, draws, answers, member, wrong in causes:
            bound = wrong_in_accepted if accepts else wrong_in_rejected
            drawn = draws[:look]
            most = bound(answers[drawn], len(draws), alpha / len(sides), ACCEPT_PRIOR if accepts else REJECT_PRIOR)
            undrawn = member.copy()
            undrawn[drawn] = False
            rows = undrawn & ~taken & (wrong | (rng.random(IMAGES) < 0.5))
            taken |= rows
            parts.append(Part(int(rows.sum()), most))
            truly_wrong += int((rows & wrong).sum())
        if truly_wrong > most_wrong(parts) or int(taken.sum()) - truly_wrong < least_right(parts):
            return True
    return False


@pytest.mark.parametrize("sides", [[True], [True, True, True], [False], [True, False, False]], ids=str)
@pytest.mark.parametrize("wrong_share", [0.01, 0.08])
def test_implied_bounds_hold_at_all_looks_together_as_often_as_promised(sides: list[bool], wrong_share: float) -> None:
    """A child's parent, several children, a parent's child, and what a tag excludes beside what it is a kind of."""
    rng, runs, alpha = np.random.default_rng([len(sides), round(100 * wrong_share)]), 60, 0.2
    broken = sum(breaks(rng, sides, alpha, wrong_share) for _ in range(runs))
    assert broken <= stats.binom.ppf(0.999, runs, alpha)


def test_the_bound_of_a_share_of_the_budget_is_wider_and_more_draws_narrow_it() -> None:
    answers = np.full(200, YES, np.int8)
    assert wrong_in_accepted(answers, 1_000, 0.001) > wrong_in_accepted(answers, 1_000, 0.0125)
    assert wrong_in_accepted(answers, 1_000, 0.01) < wrong_in_accepted(answers[:100], 1_000, 0.01)
    mirrored = 1 - answers
    assert wrong_in_rejected(mirrored, 1_000, 0.01) == wrong_in_accepted(answers, 1_000, 0.01)
    assert wrong_in_accepted(answers, 200, 0.01) == 0
    assert wrong_in_accepted(answers[:0], 200, 0.01) == wrong_in_rejected(answers[:0], 200, 0.01) == 200


def test_cannot_tell_counts_against_what_is_implied() -> None:
    sure = np.full(100, YES, np.int8)
    doubtful = np.where(np.arange(100) % 10 == 0, UNKNOWN, sure).astype(np.int8)
    assert wrong_in_accepted(doubtful, 1_000, 0.01) > wrong_in_accepted(sure, 1_000, 0.01)
    absent = np.full(100, NO, np.int8)
    doubtful = np.where(np.arange(100) % 10 == 0, UNKNOWN, absent).astype(np.int8)
    assert wrong_in_rejected(doubtful, 1_000, 0.01) > wrong_in_rejected(absent, 1_000, 0.01)


PARTS = st.lists(st.builds(Part, st.integers(0, 500), st.integers(0, 500)), max_size=6)


@given(PARTS)
def test_bounds_of_parts_are_at_least_as_tight_as_that_of_the_whole(parts: list[Part]) -> None:
    rows, wrong = (sum(part[place] for part in parts) for place in (0, 1))
    assert max(0, rows - wrong) <= least_right(parts) <= rows
    assert most_wrong(parts) == rows - least_right(parts) <= min(rows, wrong)


@given(PARTS, st.floats(-50, 50), st.floats(0.51, 0.99))
def test_a_set_that_is_let_in_leaves_the_precision_as_promised(
    parts: list[Part], surplus: float, precision: float
) -> None:
    """With p positives among l labels before, of which surplus = p - precision x l."""
    rows = sum(part.rows for part in parts)
    labelled = 10_000
    right = surplus + precision * labelled
    holds = (right + least_right(parts)) / (labelled + rows) >= precision - 1e-9
    assert (
        precision_stands(surplus, parts, precision) == holds
        or abs(right + least_right(parts) - precision * (labelled + rows)) < 1e-6
    )


@given(PARTS, st.integers(0, 2_000), st.integers(0, 100), st.floats(0.51, 0.99))
def test_a_set_that_is_let_in_leaves_the_recall_as_promised(
    parts: list[Part], found: int, missed: int, recall: float
) -> None:
    everything = found + missed + most_wrong(parts)
    if recall_stands(found, missed, parts, recall):
        assert found >= recall * everything - 1e-6
    else:
        assert found < recall * everything


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_a_row_counts_once_by_the_first_that_claims_it(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    claims, taken = list(rng.random((count, 40)) < 0.4), rng.random(40) < 0.2
    parts = disjoint(claims, taken)
    assert np.array_equal(np.sum(parts, axis=0), np.logical_or.reduce(claims) & ~taken)
    for row in np.flatnonzero(np.logical_or.reduce(claims) & ~taken):
        assert parts[[bool(claim[row]) for claim in claims].index(True)][row]


def causes(*errors: float, rows: int = 300, draws: int = 100) -> Causes:
    count = len(errors)
    return Causes(np.full(count, 1_000), np.full(count, rows), np.full(count, draws), np.array(errors))


def test_a_forecast_comes_near_what_an_audit_of_that_rate_proves() -> None:
    draws = np.array([200])
    found = int(forecast_wrong(np.array([1_000]), draws, np.array([20.0]), 0.01)[0])
    answers = np.ones(200, np.int8)
    answers[[40, 80, 120, 160]] = NO
    assert abs(found - wrong_in_accepted(answers, 1_000, 0.01)) <= 0.3 * found


def test_the_causes_that_err_least_are_chosen_and_as_many_as_the_promise_bears() -> None:
    found = causes(400.0, 1.0, 2.0, 300.0)

    def stands(kept: Causes, parts: list[Part]) -> bool:
        return precision_stands(0.3 * kept.answered(), parts, 0.7)

    assert choose(found, 0.01, stands).tolist() == [1, 2]
    assert choose(found, 0.01, lambda kept, parts: True).tolist() == [0, 1, 2, 3]
    assert choose(found, 0.01, lambda kept, parts: False).tolist() == []


def test_a_set_too_small_to_be_worth_it_is_not_paid_for() -> None:
    assert choose(causes(0.0, rows=LEAST_ROWS - 1), 0.01, lambda kept, parts: True).tolist() == []
    assert choose(causes(0.0, rows=LEAST_ROWS), 0.01, lambda kept, parts: True).tolist() == [0]
    assert choose(causes(), 0.01, lambda kept, parts: True).tolist() == []
