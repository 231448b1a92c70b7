from dataclasses import replace

import numpy as np
import pytest

from annotator.errors import UnknownNameError, UsageError
from annotator.learning.queries import QUERIES
from annotator.learning.replay import Curve, Material, Recipe, answers_to_reach, replay, saving


def make_material(seed: int = 0) -> Material:
    """Three tags that show in the vectors; two thirds may be asked."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((180, 3)) < 0.3).astype(np.int8)
    X = (2 * labels - 1) @ rng.normal(size=(3, 12)) + 0.7 * rng.normal(size=(180, 12))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return Material(X.astype(np.float16), labels, np.arange(120), np.arange(120, 180))


def curve(mAP: list[float]) -> Curve:
    steps = np.arange(1, len(mAP) + 1) * 10
    return Curve(steps, np.array(mAP), np.array(mAP), np.zeros(len(mAP)), np.zeros(len(mAP)))


@pytest.mark.parametrize("strategy", QUERIES)
def test_every_strategy_learns_from_what_it_asks_and_repeats_itself(strategy: str) -> None:
    recipe = Recipe(strategy, control=0.2)
    first, again = (replay(make_material(), recipe, [10, 40, 120], seed=3) for _ in range(2))
    assert first.answers.tolist() == [10, 40, 120]
    assert first.mAP.tolist() == again.mAP.tolist()
    assert first.f1.tolist() == again.f1.tolist()
    assert first.mAP[-1] > 0.6
    assert (first.training > 0).all()


def test_another_seed_asks_otherwise() -> None:
    one, other = (replay(make_material(), Recipe("random"), [2], seed) for seed in (0, 1))
    assert one.mAP[0] != other.mAP[0]


def test_labels_outside_the_pool_teach_nothing() -> None:
    material = replace(make_material(), pool=np.arange(80))
    lies = material.labels.copy()
    lies[80:120] = 1 - lies[80:120]
    plain = replay(material, Recipe(), [20, 60], 0)
    assert plain.mAP.tolist() == replay(replace(material, labels=lies), Recipe(), [20, 60], 0).mAP.tolist()


def test_steps_beyond_the_pool_are_left_out_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    found = replay(make_material(), Recipe(), [60, 120, 121], 0, lambda done, total: told.append((done, total)))
    assert found.answers.tolist() == [60, 120]
    assert told == [(1, 3), (2, 3)]


@pytest.mark.parametrize("steps", [[], [0], [10, 10], [20, 10]])
def test_steps_that_do_not_grow_are_refused(steps: list[int]) -> None:
    with pytest.raises(UsageError, match="growing numbers"):
        replay(make_material(), Recipe(), steps, 0)


def test_an_image_that_is_asked_about_cannot_measure() -> None:
    with pytest.raises(UsageError, match="held out too"):
        replace(make_material(), held_out=np.arange(100, 180))
    with pytest.raises(UsageError, match="needs both"):
        replace(make_material(), held_out=np.arange(0))


def test_a_name_that_is_not_there_brings_the_near_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'margin'"):
        Recipe("margins")
    with pytest.raises(UnknownNameError, match="head"):
        Recipe(head="tail")
    with pytest.raises(UnknownNameError, match="loss"):
        Recipe(loss="gain")


def test_random_saves_nothing_against_itself() -> None:
    runs = [curve([0.1, 0.2, 0.4]), curve([0.2, 0.3, 0.3])]
    found = saving(runs, runs)
    assert (found.saved, found.low, found.high, found.worse) == (0, 0, 0, 0)


def test_half_the_answers_for_the_same_quality_are_half_saved() -> None:
    found = saving([curve([0.2, 0.4, 0.5, 0.6])], [curve([0.1, 0.2, 0.3, 0.4])])
    assert found.saved == pytest.approx(0.5)
    assert found.target == 0.4
    assert found.worse == 0
    # and the other way round random would have saved as much
    mirrored = saving([curve([0.1, 0.2, 0.3, 0.4])], [curve([0.2, 0.4, 0.5, 0.6])])
    assert mirrored.saved == pytest.approx(-0.5)
    assert mirrored.worse == pytest.approx(1 / 3)


def test_the_interval_spans_seeds_that_disagree() -> None:
    random = [curve([0.1, 0.2, 0.3, 0.4])] * 4
    found = saving([curve([0.2, 0.4, 0.5, 0.6]), curve([0.05, 0.1, 0.2, 0.3])] * 2, random)
    assert found.low < found.saved < found.high


def test_curves_without_a_partner_are_refused() -> None:
    with pytest.raises(UsageError, match="seed by seed"):
        saving([curve([0.1])], [])


def test_between_two_steps_the_curve_is_a_straight_line() -> None:
    answers = np.array([10, 20, 40])
    assert answers_to_reach(answers, np.array([0.1, 0.2, 0.4]), 0.3) == pytest.approx(30)
    assert answers_to_reach(answers, np.array([0.1, 0.2, 0.4]), 0.05) == 10
    assert answers_to_reach(answers, np.array([0.1, 0.2, 0.4]), 0.4) == 40
