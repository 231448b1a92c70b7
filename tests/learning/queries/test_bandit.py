"""What the bandit over strategies promises."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotator.learning.queries import QUERIES
from annotator.learning.queries.bandit import ARMS, Trial, choose


def played(gains: dict[str, float], rounds: int, seed: int, noise: float = 0.3) -> list[str]:
    """What it chooses where each arm brings its gain of mAP an e-fold, with noise."""
    rng = np.random.default_rng(seed)
    trials: list[Trial] = []
    answered, quality = 100, 0.2
    for _ in range(rounds):
        arm = choose(trials, rng, tuple(gains))
        after = answered + 50
        gain = gains[arm] * np.log(after / answered) * (1 + noise * rng.standard_normal())
        trials.append(Trial(arm, answered, after, quality, quality + gain))
        answered, quality = after, quality + gain
    return [trial.strategy for trial in trials]


def test_its_arms_are_strategies_and_random_is_one_of_them() -> None:
    assert set(ARMS) <= set(QUERIES)
    assert "random" in ARMS


def test_every_arm_is_tried_before_any_is_tried_again() -> None:
    assert sorted(played(dict.fromkeys(ARMS, 0.1), len(ARMS), 0)) == sorted(ARMS)


def test_an_arm_that_brings_more_is_chosen_more() -> None:
    chosen = [arm for seed in range(10) for arm in played({"good": 0.3, "poor": 0.1, "idle": 0.0}, 40, seed)]
    assert chosen.count("good") > 2 * chosen.count("poor") > 0


def test_an_arm_that_turned_bad_is_left() -> None:
    past = [Trial("first", 100, 150, 0.2, 0.3)] * 10 + [Trial("second", 100, 150, 0.2, 0.21)] * 10
    past += [Trial("first", 100, 150, 0.3, 0.2)] * 20
    chosen = [choose(past, np.random.default_rng(seed), ("first", "second")) for seed in range(50)]
    assert chosen.count("second") > 35


@given(
    st.lists(
        st.builds(
            Trial,
            st.sampled_from([*ARMS, "gone"]),
            st.integers(0, 9),
            st.integers(0, 9),
            st.floats(0, 1),
            st.floats(0, 1),
        )
    )
)
def test_whatever_happened_the_choice_is_an_arm_and_the_same_for_the_same_seed(trials: list[Trial]) -> None:
    first, second = (choose(trials, np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert first in ARMS
