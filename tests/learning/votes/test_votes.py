"""What holds for every policy."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import BadInputError, UnknownNameError, UsageError
from annotator.learning.fit import fit_head
from annotator.learning.votes import VOTES, Consensus, Policy, VoteTable, reach_consensus
from annotator.learning.votes.share_threshold import share_threshold
from tests.learning.votes.tables import simulate, table, tables

every_policy = pytest.mark.parametrize("policy", VOTES.values(), ids=VOTES)


def same(one: Consensus, other: Consensus) -> None:
    for field in fields(Consensus):
        if field.name != "skills":
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


@every_policy
@given(votes=tables(), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_votes_changes_nothing_to_the_last_bit(policy: Policy, votes: VoteTable, seed: int) -> None:
    shuffled = votes.take(np.random.default_rng(seed).permutation(len(votes)))
    same(policy(votes), policy(shuffled))


@every_policy
@given(votes=tables(), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_renaming_people_changes_nothing_and_renaming_images_and_tags_moves_the_results(
    policy: Policy, votes: VoteTable, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    people, images, tags = rng.permutation(6) * 1000 - 3, rng.permutation(7), rng.permutation(4)
    renamed = VoteTable(images[votes.images], tags[votes.tags], people[votes.annotators], votes.states)
    before, after = policy(votes), policy(renamed)
    order = np.lexsort((tags[before.tags], images[before.images]))
    np.testing.assert_array_equal(after.images, images[before.images[order]])
    np.testing.assert_array_equal(after.tags, tags[before.tags[order]])
    np.testing.assert_allclose(after.belief, before.belief[order], atol=1e-5)
    sure = np.abs(before.belief[order] - 0.5) > 1e-4
    np.testing.assert_array_equal(after.states[sure], before.states[order][sure])


@every_policy
@given(votes=tables())
@settings(max_examples=40, deadline=None)
def test_cannot_tell_never_counts(policy: Policy, votes: VoteTable) -> None:
    told = votes.take(votes.states >= 0)
    found, without = policy(votes), policy(told)
    heard = found.yes + found.no > 0
    np.testing.assert_array_equal(found.belief[heard], without.belief)
    np.testing.assert_array_equal(found.states[heard], without.states)
    assert (found.states[~heard] == -1).all()
    assert found.unknown.sum() == (votes.states == -1).sum()


@every_policy
@given(votes=tables())
@settings(max_examples=40, deadline=None)
def test_where_all_agree_the_consensus_is_their_vote_and_beliefs_are_probabilities(
    policy: Policy, votes: VoteTable
) -> None:
    found = policy(votes)
    assert (found.states[(found.yes > 0) & (found.no == 0)] == 1).all()
    assert (found.states[(found.no > 0) & (found.yes == 0)] == 0).all()
    assert ((found.belief >= 0) & (found.belief <= 1)).all()
    assert ((found.disagreement >= 0) & (found.disagreement <= 1)).all()


@every_policy
def test_present_and_absent_are_mirror_images(policy: Policy) -> None:
    """Where nothing but the names of the two answers is changed, the beliefs change places. Dawid-Skene supposes that
    a person of whom nothing is known is as good at one as at the other, so it holds there too."""
    world = simulate(60)
    turned = VoteTable(world.votes.images, world.votes.tags, world.votes.annotators, 1 - world.votes.states)
    np.testing.assert_allclose(policy(turned).belief, 1 - policy(world.votes).belief, atol=1e-4)


@every_policy
@pytest.mark.parametrize("state", [1, 0, -1])
def test_a_single_vote_is_the_consensus(policy: Policy, state: int) -> None:
    found = policy(table((7, 2, 30, state)))
    assert (found.images.tolist(), found.tags.tolist(), found.states.tolist()) == ([7], [2], [state])
    assert np.sign(found.belief[0] - 0.5) == (0 if state == -1 else 2 * state - 1)


@every_policy
def test_without_votes_there_is_no_consensus(policy: Policy) -> None:
    found = policy(table())
    assert len(found.images) == len(found.belief) == len(found.states) == 0
    assert (found.labels(3, 2) == -1).all()


@every_policy
def test_one_annotator_alone_is_taken_at_his_word(policy: Policy) -> None:
    votes = table(*((image, 0, 1, int(image % 10 == 0)) for image in range(200)))
    np.testing.assert_array_equal(policy(votes).states, (np.arange(200) % 10 == 0).astype(np.int8))


@every_policy
def test_a_consensus_can_be_learned_from_and_who_could_not_tell_moves_no_head(policy: Policy) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    votes = simulate(60, 2, people=5, each=3).votes
    silent = table(*((image, tag, 99, -1) for image in range(40, 60) for tag in range(2)))
    asked = votes.take(votes.images < 40)
    more = VoteTable(
        *(np.concatenate([getattr(asked, field.name), getattr(silent, field.name)]) for field in fields(VoteTable))
    )
    labels = np.full((60, 2), -1, np.int8)
    belief = policy(more).targets(60, 2)
    np.testing.assert_array_equal(belief.weights[:, 0], np.arange(60) < 40)
    head, _ = fit_head("text_anchored", X, labels, **belief._asdict())
    same_head, _ = fit_head("text_anchored", X, labels, **policy(asked).targets(60, 2)._asdict())
    np.testing.assert_allclose(head.logits(X), same_head.logits(X), atol=1e-5)


def test_labels_lie_at_their_images_and_tags() -> None:
    found = VOTES["majority"](table((2, 1, 0, 1), (0, 0, 0, 0), (1, 1, 0, -1)))
    np.testing.assert_array_equal(found.labels(3, 2), [[0, -1], [-1, -1], [-1, 1]])


def test_a_policy_is_reached_by_name_with_its_settings_and_what_is_not_there_is_named() -> None:
    votes = simulate(30).votes
    same(reach_consensus("share_threshold", votes, share=0.9), share_threshold(votes, share=0.9))
    with pytest.raises(UnknownNameError, match="no vote policy is called 'majorty'"):
        reach_consensus("majorty", votes)
    with pytest.raises(UnknownNameError, match="no setting of majority is called 'share'"):
        reach_consensus("majority", votes, share=0.9)


def test_two_votes_of_one_person_on_one_pair_are_named() -> None:
    with pytest.raises(UsageError, match="annotator 5 votes twice on tag 2 of image 3"):
        VOTES["majority"](table((3, 2, 5, 1), (3, 2, 4, 1), (3, 2, 5, 0)))


def test_columns_of_other_lengths_and_states_are_named() -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(UsageError, match="four of one length"):
        VoteTable(one, one, np.zeros(2, np.int64), np.zeros(1, np.int8))
    with pytest.raises(BadInputError, match="a vote of 2"):
        table((0, 0, 0, 2))
