"""What a plan of sets promises."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit

from annotator.errors import UsageError
from annotator.learning.audits import AcceptGoal, Decision, RejectGoal, audit_accepted, audit_rejected, spend
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, set_prior
from annotator.learning.planning import SMALLEST, Costs, Plan, Standing, plan

Scores = NDArray[np.float32]


def scores(images: int, apart: float, prevalence: float = 0.1, seed: int = 0) -> tuple[Scores, NDArray[np.bool_]]:
    """Calibrated probabilities of one tag, whose classes lie `apart` standard deviations from each other."""
    rng = np.random.default_rng(seed)
    truth = rng.random(images) < prevalence
    z = rng.normal(size=images) + apart * truth
    odds = apart * z - apart**2 / 2 + np.log(prevalence / (1 - prevalence))
    return expit(odds).astype(np.float32)[:, None], truth


def fresh(tags: int = 1, found: float = 0.0) -> Standing:
    alpha = np.full(tags, spend(0.05, 1))
    return Standing(np.full(tags, found), np.zeros(tags), np.zeros(tags), alpha, alpha, np.zeros(tags), np.zeros(tags))


def planned(p: Scores, stands: Standing | None = None, **changes: object) -> Plan:
    options = {"precision": 0.95, "recall": 0.95, **changes}
    return plan(p, np.ones(p.shape, bool), stands or fresh(p.shape[1]), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("apart", [1.5, 2.5, 4.0])
def test_sets_and_the_rest_add_up_and_cost_no_more_than_by_hand(apart: float) -> None:
    p, _ = scores(20_000, apart)
    found = planned(p)
    proposal = found.proposal
    accepted, rejected = p[:, 0] >= proposal.accept_above[0], p[:, 0] < proposal.reject_below[0]
    assert (accepted.sum(), rejected.sum()) == (proposal.accept_size[0], proposal.reject_size[0])
    assert not (accepted & rejected).any()
    assert accepted.sum() + rejected.sum() + found.band[0] == found.open[0] == len(p)
    assert found.seconds[0] < found.by_hand[0]


def test_a_better_model_leaves_less_to_people() -> None:
    costs = [planned(scores(20_000, apart)[0]).seconds[0] for apart in (1.5, 2.5, 3.5, 4.5)]
    assert costs == sorted(costs, reverse=True)


def test_what_it_plans_passes_its_audits_at_about_the_forecast_cost() -> None:
    p, truth = scores(50_000, 4.0)
    found = planned(p)
    proposal, rng = found.proposal, np.random.default_rng(1)
    for side, members in enumerate((p[:, 0] >= proposal.accept_above[0], p[:, 0] < proposal.reject_below[0])):
        answers = rng.permutation(truth[members]).astype(np.int8)
        expected = (proposal.accept_positives, proposal.reject_positives)[side][0] / len(answers)
        if side == 0:
            goal = AcceptGoal(0.95, corrected=True)
            prior = set_prior(expected, ACCEPT_PRIOR)
            state = audit_accepted(answers, len(answers), goal, alpha=spend(0.05, 1), prior=prior)
        else:
            missed = RejectGoal(0.95, float(truth.sum()) - answers.sum())
            prior = set_prior(expected, REJECT_PRIOR)
            state = audit_rejected(answers, len(answers), missed, alpha=spend(0.05, 1), prior=prior)
        assert state.decision == Decision.SETTLE
        assert state.decided_at is not None
        assert 0.2 < state.decided_at / (found.accept_draws, found.reject_draws)[side][0] < 2.0


def test_where_audits_cost_more_than_answers_nothing_is_proposed() -> None:
    p, _ = scores(20_000, 4.0)
    found = planned(p, costs=Costs(band=1.0, accept=1e6, reject=1e6))
    assert (found.proposal.accept_size[0], found.proposal.reject_size[0]) == (0, 0)
    assert found.seconds[0] == found.by_hand[0]


def test_images_that_are_all_surely_present_form_one_set() -> None:
    found = planned(np.ones((2_000, 1), np.float32))
    assert (found.proposal.accept_size[0], found.band[0]) == (2_000, 0)


def test_a_surplus_allows_a_larger_accept_set_and_missed_ones_a_smaller_reject_set() -> None:
    p, _ = scores(20_000, 2.5)
    plain = planned(p)
    rich = planned(p, replace(fresh(found=5_000.0), surplus=np.array([250.0])))
    poor = planned(p, replace(fresh(), missed=np.array([80.0])))
    assert rich.proposal.accept_size[0] > plain.proposal.accept_size[0]
    assert poor.proposal.reject_size[0] < plain.proposal.reject_size[0]


def test_sets_shrink_after_a_failed_audit() -> None:
    p, _ = scores(50_000, 3.0)
    sizes = []
    for fails in range(3):
        proposal = planned(p, replace(fresh(), accept_fails=np.full(1, fails), reject_fails=np.full(1, fails))).proposal
        sizes.append((proposal.accept_size[0], proposal.reject_size[0]))
    assert sizes[0][0] > sizes[1][0] > sizes[2][0]
    assert sizes[0][1] > sizes[1][1] > sizes[2][1]


def test_each_tag_is_planned_by_itself() -> None:
    p = np.concatenate([scores(5_000, apart, seed=seed)[0] for seed, apart in enumerate((1.0, 3.0, 4.5))], 1)
    together = planned(p)
    for tag in range(3):
        alone = planned(p[:, tag : tag + 1])
        assert alone.band[0] == together.band[tag]
        assert alone.proposal.reject_below[0] == together.proposal.reject_below[tag]


@given(st.integers(0, 2**32 - 1), st.integers(0, 400), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_equal_scores_stay_together_and_small_sets_are_not_proposed(seed: int, images: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice(rng.random(levels), (images, 1)).astype(np.float32)
    found = planned(p, fresh(found=100.0))
    sizes = found.proposal.accept_size[0], found.proposal.reject_size[0]
    assert all(size == 0 or size >= SMALLEST for size in sizes)
    assert sum(sizes) + found.band[0] == images
    for value in np.unique(p):
        assert (p[:, 0] == value).sum() <= max(sizes[0], sizes[1], found.band[0])


def test_what_cannot_be_planned_is_named() -> None:
    with pytest.raises(UsageError, match="must both be"):
        plan(np.zeros((4, 2)), np.ones((4, 1), bool), fresh(2), precision=0.95, recall=0.95)
    with pytest.raises(UsageError, match="tag 0: probabilities"):
        planned(np.full((100, 1), np.nan, np.float32))
