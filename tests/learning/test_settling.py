"""What a whole cascade on known labels promises, rule by rule."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.settling import Rule, Terms, oracle_band, settle_all
from tests.learning.test_planning import scores

TERMS = Terms(first=200)
every_rule = pytest.mark.parametrize("rule", list(Rule))


def world(images: int = 6_000, apart: float = 4.0) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    parts = [scores(images, apart, prevalence, seed) for seed, prevalence in enumerate((0.1, 0.3))]
    return np.stack([truth for _, truth in parts], 1).astype(np.int8), np.concatenate([p for p, _ in parts], 1)


@every_rule
def test_everything_is_answered_or_settled_and_counted_once(rule: Rule) -> None:
    truth, p = world()
    found = settle_all(truth, lambda asked, held: p, rule, TERMS)
    np.testing.assert_array_equal(found.answers + found.settled, len(truth))


@every_rule
def test_the_same_seed_gives_the_same_outcome(rule: Rule) -> None:
    truth, p = world()
    first, second = (settle_all(truth, lambda asked, held: p, rule, TERMS) for _ in range(2))
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, vars(second)[name])


def test_the_guarantee_is_kept_for_less_than_everything_by_hand() -> None:
    truth, p = world()
    found = settle_all(truth, lambda asked, held: p, Rule.GUARANTEE, TERMS)
    assert (found.precision >= 0.95).all()
    assert (found.recall >= 0.95).all()
    assert (found.answers < 0.6 * len(truth)).all()
    assert (found.settled > 0).all()


def test_a_model_that_is_sure_and_wrong_costs_answers_but_not_the_promise() -> None:
    truth, p = world()
    wrong = np.where(np.random.default_rng(0).random(p.shape) < 0.3, 1 - p, p)
    found = settle_all(truth, lambda asked, held: wrong, Rule.GUARANTEE, TERMS)
    assert (found.precision >= 0.95).all()
    assert (found.recall >= 0.95).all()
    cut = settle_all(truth, lambda asked, held: wrong, Rule.CUT, TERMS)
    assert (cut.precision < 0.95).all()
    assert (cut.answers == TERMS.first).all()


def test_answers_that_measure_are_told_apart_and_what_was_not_asked_is_not_known() -> None:
    truth, p = world()

    def score(asked: NDArray[np.int8], held: NDArray[np.int64]) -> NDArray[np.float32]:
        assert (asked[held] >= 0).all()
        assert len(held) == TERMS.first / 4
        known = asked >= 0
        np.testing.assert_array_equal(asked[known], truth[known])
        return p

    settle_all(truth, score, Rule.GUARANTEE, TERMS)


def test_lsun_asks_for_less_and_promises_nothing() -> None:
    truth, p = world(apart=2.5)
    ours, theirs = (settle_all(truth, lambda asked, held: p, rule, TERMS) for rule in (Rule.GUARANTEE, Rule.LSUN))
    assert theirs.answers.sum() < ours.answers.sum()
    assert (ours.recall >= 0.95).all()
    assert ((theirs.precision < 0.95) | (theirs.recall < 0.95)).any()


def test_an_oracle_leaves_no_more_to_people_than_keeps_the_promise() -> None:
    p, truth = scores(4_000, 2.0)
    labels = truth.astype(np.int8)
    band = oracle_band(labels, p[:, 0], 0.95, 0.95)
    assert 0 < band < len(labels)
    assert oracle_band(labels, truth.astype(float), 0.95, 0.95) == 0
    assert oracle_band(labels, p[:, 0], 0.99, 0.99) > band


@pytest.mark.parametrize(
    ("truth", "says"),
    [(np.full((500, 2), -1, np.int8), "0 and 1"), (np.zeros((200, 1), np.int8), "first sample of 200")],
)
def test_what_cannot_be_run_is_named(truth: NDArray[np.int8], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        settle_all(truth, lambda asked, held: np.zeros(truth.shape), Rule.GUARANTEE, TERMS)
