"""What is said to be proven, what is kept an eye on, and that a round can be recomputed."""

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.services import certificates, labelling, round_replay, rounds, standing_audit
from annotator.services.certificates import Counted
from annotator.services.round_sets import Positives, sets_file, settled_sets
from annotator.services.scripted import Truth
from annotator.services.snapshots import parts, take
from annotator.terms import LabelState, RoundStatus
from annotator.workspace import Workspace
from db.models import Round, Task
from tests.services.test_rounds import NO, YES, audit, decisions, sure, truth  # noqa: F401 (a fixture)
from tests.services.worlds import put_model


@pytest.fixture
def settled(workspace: Workspace, truth: Truth) -> Workspace:  # noqa: F811
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    assert rounds.settle(workspace)["settled_sets"] == 4
    return workspace


def by_tag(rows: list[dict]) -> dict[str, dict]:
    return {row["tag"]: row for row in rows}


def answer_draws(workspace: Workspace, states: dict[int, int]) -> None:
    labelling.set_labels(workspace, "carl", [(row, 1, LabelState(state)) for row, state in states.items()])


def test_before_a_round_people_are_right_and_nothing_more_is_known(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    row = by_tag(certificates.certificates(workspace))["boat"]
    assert (row["precision"], row["confidence"], row["settled present"]) == (1.0, 1.0, 0)
    assert row["recall with the open"] < 0.1
    assert row["by people"] + row["open"] == len(truth.labels)


def test_certified_bounds_reach_the_promise_and_hold_against_the_truth(settled: Workspace, truth: Truth) -> None:  # noqa: F811
    snapshot = take(settled)
    for place, row in enumerate(certificates.certificates(settled)):
        found, right = snapshot.labels[:, place] == YES, truth.labels[:, place] == YES
        decided = snapshot.labels[:, place] != LabelState.UNKNOWN
        assert row["precision"] >= 0.95
        assert row["recall"] >= 0.95
        assert row["precision"] <= (found & right).sum() / found.sum() + 1e-9
        assert row["recall"] <= (found & right).sum() / (right & decided).sum() + 1e-9
        assert 0.95 <= row["confidence"] < 1
        assert row["by people"] + row["settled present"] + row["settled absent"] + row["open"] == len(snapshot)


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_certificates_do_not_depend_on_how_many_images_are_read_at_once(settled: Workspace, size: int) -> None:
    with settled.reading() as session:
        counted, positives = Counted(settled, session), Positives(settled, session, take(settled))
        for part in parts(settled, session, size):
            counted.add(part.labels, part.origins)
        sets = settled_sets(session)
        rows = counted.certificates()
        assert rows == certificates.certificates(settled)
        assert len(sets) == 4
        for place in range(len(rows)):
            # Counted on all images at once, as a round counts them.
            assert counted.people_outside(place) == positives.of_people(place, sets)
            assert counted.people_outside(place) < (positives.snapshot.by_people()[:, place] == YES).sum()


def test_the_forecast_adds_up_and_says_what_to_do(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    for row in certificates.forecast(workspace):
        assert row["present"] + row["absent"] + row["outside"] == row["open"]
        assert 0 < row["audit of present"] < row["present"]
        assert row["minutes"] < row["minutes by hand"]
        assert row["advice"] == "audit"
    put_model(workspace, truth, np.full(truth.labels.shape, 0.4))
    for row in certificates.forecast(workspace):
        assert row["minutes"] == row["minutes by hand"]
        assert row["advice"] == "answer more, then train"


def test_a_standing_audit_asks_the_next_draws_and_the_bounds_follow(settled: Workspace, truth: Truth) -> None:  # noqa: F811
    before = {key: (found.draws, found.high) for key, found in decisions(settled).items()}
    report = standing_audit.keep_up(settled)
    assert report["asked"] == 4 * standing_audit.WAITING
    assert report["alarms"] == []
    assert standing_audit.keep_up(settled)["asked"] == 0
    audit_of_one = [task for task in tasks(settled) if task.tag_id == 1]
    answer_draws(settled, {task.image_row: truth.labels[task.image_row, 0] for task in audit_of_one})
    standing_audit.keep_up(settled)
    after = {key: (found.draws, found.high) for key, found in decisions(settled).items()}
    for side in ("accept", "reject"):
        assert after[1, side][0] == before[1, side][0] + standing_audit.WAITING
        assert after[2, side] == before[2, side]
    assert {found.decision for found in decisions(settled).values()} == {"settle"}


def tasks(workspace: Workspace) -> list[Task]:
    with workspace.reading() as session:
        return session.query(Task).where(Task.done_at.is_(None), Task.round_number.is_not(None)).all()


def test_draws_that_contradict_what_was_settled_raise_an_alarm(settled: Workspace, truth: Truth) -> None:  # noqa: F811
    """Whoever answers the standing audit finds no boat where the round saw one."""
    for _ in range(8):
        standing_audit.keep_up(settled)
        asked = [task.image_row for task in tasks(settled) if task.tag_id == 1]
        answer_draws(settled, dict.fromkeys(asked, int(NO)))
    alarms = standing_audit.keep_up(settled)["alarms"]
    assert ("boat", "accept") in {(alarm["tag"], alarm["side"]) for alarm in alarms}
    assert "car" not in {alarm["tag"] for alarm in alarms}
    rounds.roll_back(settled, 1)
    assert standing_audit.keep_up(settled)["alarms"] == []


def test_a_round_is_recomputed_bit_for_bit_open_settled_and_after_more_answers(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    assert round_replay.replay(workspace, 1) == {"number": 1, "same": True, "sets": True, "thresholds": True}
    audit(workspace, truth)
    rounds.settle(workspace)
    everything = {"sets": True, "thresholds": True, "draws": True, "decisions": True, "labels": True}
    assert round_replay.replay(workspace, 1) == {"number": 1, "same": True, **everything}
    answer_draws(workspace, dict.fromkeys(range(200, 260), int(NO)))
    standing_audit.keep_up(workspace)
    put_model(workspace, truth, sure(1 - truth.labels))
    assert round_replay.replay(workspace, 1)["same"]


def test_what_was_tampered_with_does_not_come_out_the_same(settled: Workspace, truth: Truth) -> None:  # noqa: F811
    file = settled.round_file(1)
    labels = np.load(file)
    labels[np.argwhere(labels == YES)[0][0], 0] = NO
    np.save(file, labels)
    found = round_replay.replay(settled, 1)
    assert (found["same"], found["labels"], found["sets"]) == (False, False, True)
    who = np.load(sets_file(settled, 1))
    np.save(sets_file(settled, 1), np.where(who == NO, YES, who))
    assert not round_replay.replay(settled, 1)["sets"]


def test_a_round_that_is_not_there_or_kept_nothing_is_told(settled: Workspace) -> None:
    with pytest.raises(MissingError, match="no round 7"):
        round_replay.replay(settled, 7)
    settled.round_file(1).with_suffix(".open.npz").unlink()
    with pytest.raises(MissingError, match="earlier version"):
        round_replay.replay(settled, 1)


def test_a_rollback_says_beforehand_what_leaves(settled: Workspace) -> None:
    preview = rounds.what_leaves(settled, 1)
    assert {tag["tag"] for tag in preview["tags"]} == {"boat", "car"}
    assert sum(tag["present"] + tag["absent"] for tag in preview["tags"]) == preview["taken_back"]
    with settled.reading() as session:
        assert session.get_one(Round, 1).status == RoundStatus.SETTLED
    assert rounds.roll_back(settled, 1)["taken_back"] == preview["taken_back"]


def test_failed_attempts_count_in_the_confidence_that_is_stated(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    lying = np.where(np.random.default_rng(5).random(truth.labels.shape) < 0.15, YES, truth.labels)
    put_model(workspace, truth, sure(lying))
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    failed = decisions(workspace, 1)
    assert failed[1, "accept"].decision == "fail"
    confidence = by_tag(certificates.certificates(workspace))["boat"]["confidence"]
    assert confidence == pytest.approx(1 - failed[1, "accept"].alpha - failed[1, "reject"].alpha, abs=1e-4)


def test_a_standing_audit_never_asks_what_was_answered(settled: Workspace, truth: Truth) -> None:  # noqa: F811
    standing_audit.keep_up(settled)
    waiting = [task.image_row for task in tasks(settled) if task.tag_id == 1]
    answer_draws(settled, {row: truth.labels[row, 0] for row in waiting[1:]})
    for _ in range(3):
        standing_audit.keep_up(settled)
        asked = [task.image_row for task in tasks(settled) if task.tag_id == 1]
        assert not set(asked) & set(waiting[1:])


def test_plans_count_with_the_seconds_the_project_agreed_on_and_a_round_is_recomputed_with_its_own(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    before = by_tag(certificates.forecast(workspace))["boat"]
    workspace.change_project(seconds_outside=2.4)
    after = by_tag(certificates.forecast(workspace))["boat"]
    assert after["minutes by hand"] == pytest.approx(2 * before["minutes by hand"], abs=0.2)
    workspace.change_project(seconds_accept=1e6, seconds_reject=1e6)
    assert by_tag(certificates.forecast(workspace))["boat"]["present"] == 0
    assert round_replay.replay(workspace, 1)["same"]
