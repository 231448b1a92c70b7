"""What tags that are related say of each other when a round is settled."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.services import (
    certificates,
    contradictions,
    labelling,
    round_relations,
    round_replay,
    rounds,
    standing_audit,
)
from annotator.services.round_claims import Beside, Cause, Claims
from annotator.services.round_sets import ABSENT, ACCEPT, PRESENT, REJECT, attempts, spent
from annotator.services.scripted import Truth, answer_tag_from_truth
from annotator.services.snapshots import take
from annotator.services.vocabulary_changes import make, preview, undo
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Round, RoundSet
from tests.services.test_certificates import by_tag
from tests.services.test_rounds import audit, decisions, sure
from tests.services.worlds import make_world, put_model

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
ANIMAL, DOG, CAR = 1, 2, 3
COUNT, BY_PEOPLE = 2_000, 200


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    """Dogs are animals and no cars. The model is sure of dogs and cars and knows nothing of animals."""
    made = make_world(workspace, COUNT, tags=("animal", "dog", "car"))
    labels = made.labels.copy()
    labels[:, 0] |= labels[:, 1]
    labels[:, 2] &= 1 - labels[:, 1]
    truth = Truth(labels, made.tag_ids, {})
    make(workspace, "anna", "parent", tag="dog", parent="animal")
    make(workspace, "anna", "relate", relation="excludes", tag="dog", other="car")
    people = [
        (row, tag, LabelState(labels[row, column]))
        for row in range(BY_PEOPLE)
        for column, tag in enumerate(truth.tag_ids)
    ]
    labelling.set_labels(workspace, "anna", people)
    put_model(workspace, truth, knowing(truth, "dog", "car"))
    return truth


def knowing(truth: Truth, *names: str) -> NDArray[np.float64]:
    """What a model says that is sure of some tags and knows nothing of the others."""
    probabilities = np.full(truth.labels.shape, 0.5)
    for name in names:
        column = ("animal", "dog", "car").index(name)
        probabilities[:, column] = sure(truth.labels)[:, column]
    return probabilities


@pytest.fixture
def said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as they stand where the relations were made after them: nothing was written that follows."""
    monkeypatch.setattr(labelling, "imply", lambda *_: 0)


def audit_dogs_and_cars(workspace: Workspace, truth: Truth) -> None:
    audit(workspace, Truth(truth.labels[:, 1:], truth.tag_ids[1:], {}), turns=4)


def settle(workspace: Workspace, truth: Truth) -> dict[tuple[int, str], RoundSet]:
    rounds.propose(workspace, "anna", whole_images=0)
    audit_dogs_and_cars(workspace, truth)
    rounds.settle(workspace)
    return decisions(workspace)


def test_a_settled_child_settles_its_parent(workspace: Workspace, truth: Truth) -> None:
    sets = settle(workspace, truth)
    found = sets[ANIMAL, PRESENT]
    assert found.decision == "settle"
    assert found.size > 300
    snapshot = take(workspace)
    by_round = snapshot.origins[:, 0] == Origin.ROUND
    assert by_round.sum() == found.size
    assert (snapshot.labels[by_round, 0] == YES).all()
    assert found.low <= (truth.labels[by_round, 0] == YES).sum()
    settled_dogs = (snapshot.origins[:, 1] == Origin.ROUND) & (snapshot.labels[:, 1] == YES)
    assert by_round[settled_dogs].all()
    row = by_tag(certificates.certificates(workspace))["animal"]
    assert row["settled present"] == found.size
    assert 0.95 <= row["precision"] < 1
    assert 0.95 <= row["confidence"] < 1


def test_what_people_answered_of_the_child_is_settled_for_the_parent(workspace: Workspace, truth: Truth) -> None:
    settle(workspace, truth)
    snapshot = take(workspace)
    people = (snapshot.origins[:, 1] == Origin.HUMAN) & (snapshot.labels[:, 1] == YES)
    assert people[BY_PEOPLE:].any()
    assert (snapshot.labels[people, 0] == YES).all()


def test_an_implied_set_is_paid_for_by_the_tag_it_speaks_of(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    alpha = decisions(workspace)[ANIMAL, PRESENT].alpha
    assert alpha == pytest.approx(0.05 / 4)
    with workspace.reading() as session:
        assert (spent(session)[ANIMAL, ACCEPT], attempts(session)[ANIMAL, ACCEPT]) == (alpha, 1)
        assert (ANIMAL, ACCEPT) not in attempts(session, RoundSet.decision == "fail")
    rounds.settle(workspace)  # nothing was audited, so nothing is implied; what might have been is spent all the same
    assert decisions(workspace)[ANIMAL, PRESENT].size == 0
    assert by_tag(certificates.certificates(workspace))["animal"]["confidence"] == pytest.approx(1 - alpha, abs=1e-4)


def test_a_round_with_implied_sets_is_recomputed_and_taken_back(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit_dogs_and_cars(workspace, truth)
    before = take(workspace)
    report = rounds.settle(workspace)
    assert report["implied"] > 300
    everything = {"sets": True, "thresholds": True, "draws": True, "decisions": True, "labels": True}
    assert round_replay.replay(workspace, 1) == {"number": 1, "same": True, **everything}
    leaves = rounds.what_leaves(workspace, 1)
    assert leaves["taken_back"] == report["settled_positive"] + report["settled_negative"]
    assert rounds.roll_back(workspace, 1)["taken_back"] == leaves["taken_back"]
    assert take(workspace).hash == before.hash


def test_a_tampered_bound_does_not_come_out_the_same(workspace: Workspace, truth: Truth) -> None:
    settle(workspace, truth)
    file = workspace.round_file(1).with_suffix(".implied.npz")
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays[f"{ANIMAL}.{PRESENT}.claimed.wrong"] = arrays[f"{ANIMAL}.{PRESENT}.claimed.wrong"] - 1
    np.savez(file, **arrays)
    found = round_replay.replay(workspace, 1)
    assert (found["same"], found["decisions"]) == (False, False)


def test_an_implied_set_that_would_break_the_promise_stays_open(workspace: Workspace, truth: Truth) -> None:
    """At a precision of 0.999 no audit of this length bears a set that nobody drew from."""
    rounds.propose(workspace, "anna", whole_images=0)
    audit_dogs_and_cars(workspace, truth)
    with workspace.transaction() as session:
        round_ = session.get_one(Round, 1)
        round_.targets = {**round_.targets, "precision": 0.999}
    rounds.settle(workspace)
    snapshot = take(workspace)
    by_round = snapshot.origins[:, 0] == Origin.ROUND
    said = (snapshot.origins == Origin.HUMAN) & (snapshot.labels == YES)
    assert said[by_round, 1].all()


@pytest.mark.usefixtures("said_before")
def test_a_row_on_which_a_person_contradicts_the_child_stays_open(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit_dogs_and_cars(workspace, truth)
    who = take(workspace).origins
    free = (who[:, 1] == Origin.NOBODY) & (who[:, 0] == Origin.NOBODY)
    dogs = np.flatnonzero(free & (truth.labels[:, 1] == YES))[:2].tolist()
    labelling.set_labels(workspace, "carl", [(dogs[0], ANIMAL, NO), (dogs[1], CAR, YES)])
    rounds.settle(workspace)
    snapshot = take(workspace)
    assert snapshot.labels[dogs, 1].tolist() == [UNKNOWN, UNKNOWN]
    assert (snapshot.origins[dogs, 1] == Origin.NOBODY).all()
    assert snapshot.labels[dogs[1], 0] == UNKNOWN  # nothing says that it is an animal any more
    assert round_replay.replay(workspace, 1)["same"]
    listed = contradictions.listed(workspace)
    assert [(row["row"], row["tag"], row["said"]) for row in listed] == [
        (dogs[0], "dog", "present"),
        (dogs[1], "dog", "present"),
    ]
    assert [(row["against"], row["against said"], row["against by"]) for row in listed] == [
        ("animal", "absent", "carl"),
        ("car", "present", "carl"),
    ]
    labelling.set_labels(workspace, "carl", [(dogs[0], ANIMAL, YES)])
    assert [row["row"] for row in contradictions.listed(workspace)] == dogs[1:]


def test_a_relation_that_was_removed_says_nothing(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit_dogs_and_cars(workspace, truth)
    make(workspace, "anna", "parent", tag="dog", parent=None)
    rounds.settle(workspace)
    assert not (take(workspace).origins[:, 0] == Origin.ROUND).any()


def test_a_relation_that_is_made_while_the_round_is_open_takes_part_in_the_next(
    workspace: Workspace, truth: Truth
) -> None:
    make(workspace, "anna", "parent", tag="dog", parent=None)
    rounds.propose(workspace, "anna", whole_images=0)
    assert not any(side == PRESENT for _, side in decisions(workspace))
    audit_dogs_and_cars(workspace, truth)
    make(workspace, "anna", "parent", tag="dog", parent="animal")
    rounds.settle(workspace)
    snapshot = take(workspace)
    settled_dogs = (snapshot.origins[:, 1] == Origin.ROUND) & (snapshot.labels[:, 1] == YES)
    assert (snapshot.origins[settled_dogs, 0] == Origin.NOBODY).all()


def test_the_bounds_of_an_implied_set_follow_the_audit_of_its_cause(workspace: Workspace, truth: Truth) -> None:
    before = settle(workspace, truth)[ANIMAL, PRESENT]
    lows = [before.low]
    for _ in range(6):
        standing_audit.keep_up(workspace)
        answer_tag_from_truth(workspace, truth, "bea", DOG, 200)
        standing_audit.keep_up(workspace)
        lows.append(decisions(workspace)[ANIMAL, PRESENT].low)
    assert lows[-1] > lows[0]
    assert lows == sorted(lows)
    assert lows[-1] <= before.size


def test_draws_that_contradict_a_cause_raise_an_alarm_for_what_it_implied(workspace: Workspace, truth: Truth) -> None:
    settle(workspace, truth)
    no_dogs = Truth(np.where([[False, True, False]], NO, truth.labels).astype(np.int8), truth.tag_ids, {})
    for _ in range(12):
        standing_audit.keep_up(workspace)
        answer_tag_from_truth(workspace, no_dogs, "bea", DOG, 200)
    alarms = standing_audit.keep_up(workspace)["alarms"]
    assert ("animal", PRESENT) in {(alarm["tag"], alarm["side"]) for alarm in alarms}
    rounds.roll_back(workspace, 1)
    assert standing_audit.keep_up(workspace)["alarms"] == []


def test_people_who_answer_implied_rows_add_nothing_to_what_is_found(workspace: Workspace, truth: Truth) -> None:
    settle(workspace, truth)
    before, snapshot = by_tag(certificates.certificates(workspace))["animal"], take(workspace)
    rows = np.flatnonzero(snapshot.origins[:, 0] == Origin.ROUND).tolist()
    labelling.set_labels(workspace, "carl", [(row, ANIMAL, YES) for row in rows])
    after = by_tag(certificates.certificates(workspace))["animal"]
    assert (after["precision"], after["recall"]) == (before["precision"], before["recall"])


@pytest.mark.usefixtures("said_before")
def test_a_settled_set_says_that_what_it_excludes_is_absent(workspace: Workspace, truth: Truth) -> None:
    """The model knows nothing of cars: people's answers on dogs say that these are none."""
    put_model(workspace, truth, knowing(truth, "dog"))
    sets = settle(workspace, truth)
    snapshot = take(workspace)
    by_round = snapshot.origins[:, 2] == Origin.ROUND
    found = sets[CAR, ABSENT]
    assert found.decision == "settle"
    assert by_round.sum() == found.size
    assert (snapshot.labels[by_round, 2] == NO).all()
    assert (truth.labels[by_round, 2] == YES).sum() <= found.high
    row = by_tag(certificates.certificates(workspace))["car"]
    assert row["recall"] >= 0.95


def test_tags_without_relations_are_settled_as_before(workspace: Workspace, truth: Truth) -> None:
    make(workspace, "anna", "parent", tag="dog", parent=None)
    make(workspace, "anna", "unrelate", relation="excludes", tag="dog", other="car")
    sets = settle(workspace, truth)
    assert {side for _, side in sets} == {"accept", "reject"}
    assert contradictions.listed(workspace) == []
    assert not workspace.round_file(1).with_suffix(".implied.npz").exists()


def assembled(own: list[list[int]], given: dict[tuple[int, str], Claims], **targets: float) -> dict:
    labels = np.array(own, np.int8)
    asked = {"precision": 0.95, "recall": 0.95, **targets}
    return round_relations.assemble(given, labels, labels == UNKNOWN, (ANIMAL, DOG, CAR), asked)


def test_what_a_settled_absence_says_of_a_child_counts_as_missed() -> None:
    own = [[NO, UNKNOWN, UNKNOWN]] * 40 + [[NO, NO, UNKNOWN]] * 5
    causes = (Cause(ANIMAL, REJECT, 3),)
    enough, too_few = Beside(0.0, 100.0, 2.0), Beside(0.0, 90.0, 2.0)
    found = assembled(own, {(DOG, ABSENT): Claims(np.array([], np.int64), causes, enough)})[DOG, ABSENT]
    assert found.rows.tolist() == list(range(40))
    assert found.counts() == [(0, 0), (40, 3)]
    assert assembled(own, {(DOG, ABSENT): Claims(np.array([], np.int64), causes, too_few)}) == {}


def test_rows_of_which_two_causes_say_the_opposite_stay_open() -> None:
    own = [[UNKNOWN, YES, YES], [UNKNOWN, YES, UNKNOWN], [UNKNOWN, UNKNOWN, YES], [UNKNOWN, UNKNOWN, UNKNOWN]]
    beside = Beside(10.0, 1_000.0, 0.0)
    people = np.array([3])
    found = assembled(
        own,
        {
            (ANIMAL, PRESENT): Claims(people, (Cause(DOG, ACCEPT, 0),), beside),
            (ANIMAL, ABSENT): Claims(people[:0], (Cause(CAR, ACCEPT, 0),), beside),
        },
    )
    assert found[ANIMAL, PRESENT].rows.tolist() == [1, 3]
    assert found[ANIMAL, ABSENT].rows.tolist() == [2]


def test_what_is_implied_as_present_counts_as_found_when_absence_is_judged() -> None:
    own = [[UNKNOWN, YES, UNKNOWN]] * 60 + [[UNKNOWN, UNKNOWN, YES]] * 60
    beside = Beside(10.0, 40.0, 0.0)
    absent = Claims(np.array([], np.int64), (Cause(CAR, ACCEPT, 5),), beside)
    present = Claims(np.array([], np.int64), (Cause(DOG, ACCEPT, 2),), beside)
    assert assembled(own, {(ANIMAL, ABSENT): absent}) == {}
    both = assembled(own, {(ANIMAL, ABSENT): absent, (ANIMAL, PRESENT): present})
    assert {key: len(found.rows) for key, found in both.items()} == {(ANIMAL, PRESENT): 60, (ANIMAL, ABSENT): 60}


def test_a_merge_takes_back_what_was_implied_of_a_tag_and_undo_brings_it_back(
    workspace: Workspace, truth: Truth
) -> None:
    settle(workspace, truth)
    make(workspace, "anna", "unrelate", relation="excludes", tag="dog", other="car")  # no animal would be a dog
    before = take(workspace)
    gone = (before.origins[:, [0, 2]] == Origin.ROUND).sum()
    report = preview(workspace, "anna", "merge", tag="car", into="animal")
    assert report["settled"] == gone
    make(workspace, "anna", "merge", tag="car", into="animal")
    assert not (take(workspace).origins[:, 0] == Origin.ROUND).any()
    assert standing_audit.keep_up(workspace)["alarms"] == []
    undo(workspace, "anna")
    assert take(workspace).hash == before.hash
