"""Dawid-Skene and the one-coin model: against crowd-kit, and against skills that are known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.votes import Consensus, VoteTable, skill_model
from annotator.learning.votes.dawid_skene import dawid_skene
from annotator.learning.votes.majority import majority
from annotator.learning.votes.one_coin import one_coin
from tests.learning.votes.tables import simulate, table

Model = Callable[..., Consensus]
TURNS = 25
both_models = pytest.mark.parametrize("model", [dawid_skene, one_coin], ids=["dawid_skene", "one_coin"])


def reference(votes: VoteTable, name: str) -> NDArray[np.float64]:
    """(P,) beliefs of crowd-kit, tag by tag, by image and tag."""
    aggregation: Any = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is in the group dev")
    pandas = pytest.importorskip("pandas")
    beliefs = {}
    for tag in np.unique(votes.tags):
        own = votes.take(votes.tags == tag)
        data = pandas.DataFrame({"task": own.images, "worker": own.annotators, "label": own.states.astype(int)})
        found = getattr(aggregation, name)(n_iter=TURNS, tol=-1.0).fit_predict_proba(data)
        beliefs |= {(image, tag): found.loc[image, 1] for image in found.index}
    return np.array([beliefs[key] for key in sorted(beliefs)])


@pytest.mark.filterwarnings("ignore::Warning:crowdkit")
@pytest.mark.parametrize(
    ("model", "name"), [(dawid_skene, "DawidSkene"), (one_coin, "OneCoinDawidSkene")], ids=["dawid_skene", "one_coin"]
)
def test_with_hardly_any_imaginary_vote_the_beliefs_are_those_of_crowd_kit_turn_by_turn(
    model: Model, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skill_model, "TURNS", TURNS)
    monkeypatch.setattr(skill_model, "TOLERANCE", 0)
    votes = simulate(150, 2).votes
    np.testing.assert_allclose(model(votes, strength=1e-9).belief, reference(votes, name), atol=1e-5)


@both_models
def test_knowing_who_is_good_beats_counting_heads(model: Model) -> None:
    world = simulate()
    counted, weighed = majority(world.votes), model(world.votes)
    wrong = (counted.states != world.at(counted)).mean()
    assert (weighed.states != world.at(weighed)).mean() < 0.7 * wrong


@both_models
def test_skills_are_found_again_and_their_intervals_hold_them(model: Model) -> None:
    world = simulate(1500)
    skills = model(world.votes).skills
    assert skills is not None
    for found, true in ((skills.sensitivity, world.sensitivity), (skills.specificity, world.specificity)):
        truth = true[skills.annotators, skills.tags]
        assert np.corrcoef(found.value, truth)[0, 1] > 0.9
        assert np.abs(found.value - truth).mean() < 0.05
        assert ((found.low <= found.value) & (found.value <= found.high)).all()
    if model is dawid_skene:
        truth = world.sensitivity[skills.annotators, skills.tags]
        assert ((skills.sensitivity.low <= truth) & (truth <= skills.sensitivity.high)).mean() > 0.85


@both_models
def test_a_skill_known_from_one_vote_is_near_the_persons_skill_over_all_tags(model: Model) -> None:
    votes = simulate(tags=3).votes
    best = np.argmax(simulate(tags=3).sensitivity.mean(1))
    few = votes.take((votes.annotators != best) | (votes.tags != 2) | (votes.images % 200 == 0))
    skills = model(few).skills
    assert skills is not None
    own = skills.annotators == best
    value, others = skills.accuracy.value[own & (skills.tags == 2)], skills.accuracy.value[own & (skills.tags < 2)]
    assert value == pytest.approx(others.mean(), abs=0.06)
    width = (skills.accuracy.high - skills.accuracy.low)[own]
    assert width[2] > 2 * width[:2].max()


@both_models
def test_a_dispute_goes_to_the_better_person(model: Model) -> None:
    """Annotators 0, 1 and 2 agree on 60 images, 3 says the opposite of them half of the time; then 0 and 3 disagree."""
    shared = [(image, 0, who, image % 2) for image in range(60) for who in range(3)]
    guesses = [(image, 0, 3, (image // 2) % 2) for image in range(60)]
    found = model(table(*shared, *guesses, (60, 0, 0, 1), (60, 0, 3, 0), (61, 0, 0, 0), (61, 0, 3, 1)))
    assert found.states[60:].tolist() == [1, 0]
    assert found.skills is not None
    assert found.skills.accuracy.value[0] > 0.9 > 0.7 > found.skills.accuracy.value[3]


@both_models
def test_a_dispute_among_equals_stays_undecided(model: Model) -> None:
    found = model(table(*((image, 0, who, (image + who) % 2) for image in range(20) for who in range(2))))
    assert (found.states == -1).all()
    np.testing.assert_array_equal(found.belief, 0.5)


@both_models
def test_a_state_needs_the_probability_that_is_asked_for_where_people_disagree(model: Model) -> None:
    votes = simulate(100).votes
    loose, strict = model(votes), model(votes, least=0.99)
    disputed = (loose.yes > 0) & (loose.no > 0)
    doubtful = np.maximum(loose.belief, 1 - loose.belief) < 0.99
    assert (strict.states[disputed & doubtful] == -1).all()
    np.testing.assert_array_equal(strict.states[~(disputed & doubtful)], loose.states[~(disputed & doubtful)])
    assert (disputed & doubtful & (loose.states >= 0)).any()


@both_models
def test_settings_out_of_range_are_named(model: Model) -> None:
    with pytest.raises(UsageError, match="above 0"):
        model(table(), strength=0)
    with pytest.raises(UsageError, match="a probability of"):
        model(table(), least=0.3)
