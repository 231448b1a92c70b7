import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.errors import ConflictError, MissingError
from annotator.learning.audits import Decision, spend
from annotator.services import labelling, rounds, tasks
from annotator.services.round_sets import Positives, audited, pool_rows, settled_sets, spent
from annotator.services.scripted import Truth, answer_from_truth, answer_tag_from_truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Origin, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Round, RoundSet, Task
from tests.services.rows import add_tags
from tests.services.worlds import make_world, put_model

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
COUNT = 1_000
BY_PEOPLE = 40


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    """The truth of a world whose first images a person answered, and whose model is right and sure."""
    truth = make_world(workspace, COUNT, tags=("boat", "car"))
    people = [
        (row, tag, LabelState(truth.labels[row, column]))
        for row in range(BY_PEOPLE)
        for column, tag in enumerate(truth.tag_ids)
    ]
    labelling.set_labels(workspace, "anna", people)
    put_model(workspace, truth, sure(truth.labels))
    return truth


def sure(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    return np.where(labels == YES, 0.995, 0.0005)


def audit(workspace: Workspace, truth: Truth, turns: int = 20) -> None:
    """Answer everything the open round asks, page by page."""
    for _ in range(turns):
        done = sum(answer_tag_from_truth(workspace, truth, "bea", tag, 200) for tag in truth.tag_ids)
        rounds.progress(workspace)
        if not done:
            break


def decisions(workspace: Workspace, number: int = 1) -> dict[tuple[int, str], RoundSet]:
    with workspace.reading() as session:
        query = select(RoundSet).where(RoundSet.round_number == number)
        return {(found.tag_id, found.side): found for found in session.scalars(query)}


def open_questions(workspace: Workspace) -> int:
    with workspace.reading() as session:
        return len(session.scalars(select(Task).where(Task.round_number.is_not(None), Task.done_at.is_(None))).all())


def test_nothing_is_settled_without_an_answer(workspace: Workspace, truth: Truth) -> None:
    before = take(workspace)
    rounds.propose(workspace, "anna", whole_images=0)
    assert len(decisions(workspace)) == 4
    report = rounds.settle(workspace)
    assert (report["settled_sets"], report["settled_positive"], report["settled_negative"]) == (0, 0, 0)
    assert take(workspace).hash == before.hash


def test_nothing_is_settled_after_too_few_answers(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    for tag in truth.tag_ids:
        answer_tag_from_truth(workspace, truth, "bea", tag, 10)
    assert rounds.settle(workspace)["settled_sets"] == 0
    assert not (take(workspace).origins == Origin.ROUND).any()


def test_a_good_model_settles_most_of_the_rest_and_keeps_what_was_promised(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    report = rounds.settle(workspace)
    assert report["settled_sets"] == 4
    snapshot = take(workspace)
    settled = snapshot.origins == Origin.ROUND
    assert report["settled_positive"] + report["settled_negative"] == settled.sum() > 100
    for column in range(2):
        found, right = snapshot.labels[:, column] == YES, truth.labels[:, column] == YES
        assert (found & right).sum() >= 0.95 * found.sum()
        assert (found & right).sum() >= 0.95 * right.sum()


def test_a_settled_set_never_overwrites_people(workspace: Workspace, truth: Truth) -> None:
    """People answered some images against the model, before and while the round was open."""
    rounds.propose(workspace, "anna", whole_images=0)
    stubborn = [(row, 1, LabelState(1 - truth.labels[row, 0])) for row in (50, 60, 70)] + [(80, 1, UNKNOWN)]
    audit(workspace, truth)
    labelling.set_labels(workspace, "carl", stubborn)
    before = take(workspace)
    rounds.settle(workspace)
    after = take(workspace)
    by_people = before.origins == Origin.HUMAN
    assert (after.origins[by_people] == Origin.HUMAN).all()
    assert np.array_equal(after.labels[by_people], before.labels[by_people])
    assert (after.origins == Origin.ROUND).any()
    stored = np.load(workspace.round_file(1))
    assert (stored[by_people] == UNKNOWN).all()


def test_a_person_may_correct_what_a_round_settled(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    snapshot = take(workspace)
    row = int(np.flatnonzero((snapshot.origins[:, 0] == Origin.ROUND) & (snapshot.labels[:, 0] == YES))[0])
    labelling.set_labels(workspace, "carl", [(row, 1, NO)])
    assert take(workspace).labels[row, 0] == NO


def test_a_rollback_takes_back_exactly_what_was_settled(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    before = take(workspace)
    report = rounds.settle(workspace)
    settled = take(workspace)
    assert settled.hash != before.hash
    back = rounds.roll_back(workspace, 1)
    assert back["taken_back"] == report["settled_positive"] + report["settled_negative"]
    assert take(workspace).hash == before.hash
    assert [round_["status"] for round_ in rounds.history(workspace)] == ["rolled back"]


def test_a_rollback_of_one_round_leaves_the_others(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    first = take(workspace)
    try:
        rounds.propose(workspace, "anna", whole_images=0)
    finally:
        rounds.roll_back(workspace, 2)
    assert take(workspace).hash == first.hash


def test_an_accept_set_of_bad_precision_fails(workspace: Workspace, truth: Truth) -> None:
    """A model as sure as before, but wrong on a fifth of what it proposes as present."""
    lying = truth.labels.copy()
    wrong = np.random.default_rng(5).random(lying.shape) < 0.15
    lying[wrong] = YES
    put_model(workspace, truth, sure(lying))
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    sets = decisions(workspace)
    for tag in truth.tag_ids:
        assert sets[tag, "accept"].decision == Decision.FAIL
        assert sets[tag, "reject"].decision == Decision.SETTLE
    assert not (np.load(workspace.round_file(1)) == YES).any()


def test_a_reject_set_that_hides_positives_is_not_settled(workspace: Workspace, truth: Truth) -> None:
    blind = truth.labels.copy()
    blind[np.random.default_rng(6).random(blind.shape) < 0.4] = NO
    put_model(workspace, truth, sure(blind))
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    sets = decisions(workspace)
    assert {sets[tag, "reject"].decision for tag in truth.tag_ids} == {Decision.FAIL}
    assert not (np.load(workspace.round_file(1)) == NO).any()


def test_cannot_tell_proves_nothing(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, Truth(np.full_like(truth.labels, UNKNOWN), truth.tag_ids, {}))
    assert rounds.settle(workspace)["settled_sets"] == 0


def test_answers_out_of_the_drawn_order_prove_nothing(workspace: Workspace, truth: Truth) -> None:
    """Somebody who answers only images of their own choice must not steer the proof."""
    rounds.propose(workspace, "anna", whole_images=0)
    with workspace.reading() as session:
        query = select(Task).where(Task.round_number == 1).order_by(Task.position)
        asked = list(session.scalars(query))
    firsts = {(task.tag_id, task.position // 10**8): task.image_row for task in reversed(asked)}
    kept = [task for task in asked if task.image_row not in firsts.values()]
    column = {tag: place for place, tag in enumerate(truth.tag_ids)}
    labelling.set_labels(
        workspace,
        "bea",
        [
            (task.image_row, task.tag_id, LabelState(truth.labels[task.image_row, column[task.tag_id]]))
            for task in kept
            if task.tag_id is not None
        ],
    )
    assert {found["audited"] for found in rounds.progress(workspace)["sets"]} == {0}
    assert rounds.settle(workspace)["settled_sets"] == 0


def test_one_answered_image_serves_the_sets_of_all_tags(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=100)
    answer_from_truth(workspace, truth, "bea", 100)
    sets = rounds.progress(workspace)["sets"]
    assert len(sets) == 4
    assert sum(found["audited"] for found in sets) == 200


def test_only_one_round_is_open_at_a_time(workspace: Workspace, truth: Truth) -> None:
    assert rounds.propose_or_show(workspace, "anna")["number"] == 1
    with pytest.raises(ConflictError, match="open already"):
        rounds.propose(workspace, "bea")
    assert rounds.propose_or_show(workspace, "bea")["number"] == 1
    assert len(rounds.history(workspace)) == 1


def test_a_changed_pool_stops_the_round(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    with workspace.transaction() as session:
        session.get_one(Image, COUNT - 1).sha256 = "f" * 64
    for call in (rounds.progress, rounds.settle):
        with pytest.raises(ConflictError, match="pool of round 1 has changed; roll the round back"):
            call(workspace)
    rounds.roll_back(workspace, 1)
    assert rounds.propose(workspace, "anna", whole_images=0) == 2


def test_the_draws_follow_from_the_seed_alone(workspace: Workspace, truth: Truth) -> None:
    def asked(number: int) -> list[tuple[int, int | None, int]]:
        with workspace.reading() as session:
            tasks = session.scalars(select(Task).where(Task.round_number == number).order_by(Task.id))
            return [(task.image_row, task.tag_id, task.position) for task in tasks]

    rounds.propose(workspace, "anna")
    first = asked(1)
    with workspace.transaction() as session:
        session.query(Task).delete()
        session.query(RoundSet).delete()
        session.query(Round).delete()
    rounds.propose(workspace, "bea")
    assert asked(1) == first
    rounds.roll_back(workspace, 1)
    rounds.propose(workspace, "anna")
    assert asked(2) != first


def test_each_further_attempt_on_a_side_spends_less_of_the_budget(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    assert {found.alpha for found in decisions(workspace, 1).values()} == {spend(1 - 0.95, 1)}
    answer_tag_from_truth(workspace, truth, "bea", 1, 30)  # of the accept set: a page is of one side
    rounds.settle(workspace)
    rounds.propose(workspace, "anna", whole_images=0)
    alphas = {key: found.alpha for key, found in decisions(workspace, 2).items()}
    assert alphas[1, "accept"] == spend(1 - 0.95, 2)
    assert alphas[1, "reject"] == alphas[2, "accept"] == alphas[2, "reject"] == spend(1 - 0.95, 1)


def test_a_round_that_was_taken_back_counts_as_an_attempt(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    rounds.roll_back(workspace, 1)
    rounds.propose(workspace, "anna", whole_images=0)
    assert {found.alpha for found in decisions(workspace, 2).values()} == {spend(1 - 0.95, 2)}


def test_images_imported_since_are_not_settled(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    with workspace.transaction() as session:
        last = session.get_one(Image, COUNT - 1)
        session.add(
            Image(
                row=COUNT, sha256="e" * 64, byte_size=1, format="JPEG", mode="RGB", width=4, height=3, orientation=1,
                frames=1, perceptual_hash=5, near_duplicate_group=COUNT, given_split=None, added_at=last.added_at,
            )
        )  # fmt: skip
        last.files[0].uri = "/pictures/again.jpg"
        session.flush()
        session.add(ImageFile(uri="/pictures/new.jpg", image_row=COUNT, byte_size=1, mtime_ns=1))
    assert rounds.settle(workspace)["settled_sets"] == 4
    assert (take(workspace).origins[COUNT] == Origin.NOBODY).all()


def test_no_question_of_an_ended_round_stays(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna")
    assert open_questions(workspace) > 0
    rounds.roll_back(workspace, 1)
    assert open_questions(workspace) == 0
    rounds.propose(workspace, "anna")
    rounds.settle(workspace)
    assert open_questions(workspace) == 0


def test_a_split_that_is_left_out_is_neither_asked_nor_settled(workspace: Workspace, truth: Truth) -> None:
    test = take(workspace).in_split(Split.TEST)
    rounds.propose(workspace, "anna", leave_out=Split.TEST, whole_images=20)
    with workspace.reading() as session:
        asked = list(session.scalars(select(Task.image_row).where(Task.round_number == 1)))
    assert not test[asked].any()
    audit(workspace, truth)
    rounds.settle(workspace)
    assert not (take(workspace).origins[test] == Origin.ROUND).any()


def test_a_model_of_another_vocabulary_proposes_nothing(workspace: Workspace, truth: Truth) -> None:
    add_tags(workspace, ["moon"])
    with pytest.raises(ConflictError, match="annotator train"):
        rounds.propose(workspace, "anna")


def test_what_is_missing_is_told_with_what_would_do(workspace: Workspace) -> None:
    with pytest.raises(MissingError, match="annotator train -w"):
        rounds.propose(workspace, "anna")
    with pytest.raises(MissingError, match="annotator round"):
        rounds.settle(workspace)
    with pytest.raises(MissingError, match="no round 3 to roll back; rounds: none"):
        rounds.roll_back(workspace, 3)


def test_a_round_is_rolled_back_once(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna")
    rounds.roll_back(workspace, 1)
    with pytest.raises(MissingError):
        rounds.roll_back(workspace, 1)
    with workspace.reading() as session:
        assert session.get_one(Round, 1).status == RoundStatus.ROLLED_BACK


def test_confirming_what_was_settled_finds_nothing_new(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    rounds.settle(workspace)
    assert decisions(workspace)[1, "accept"].decision == Decision.SETTLE

    def found() -> int:
        with workspace.reading() as session:
            return Positives(workspace, session, take(workspace)).found(0, settled_sets(session))

    before, snapshot = found(), take(workspace)
    settled = np.flatnonzero((snapshot.origins[:, 0] == Origin.ROUND) & (snapshot.labels[:, 0] == YES))
    assert len(settled)
    labelling.set_labels(workspace, "carl", [(int(row), 1, YES) for row in settled])
    assert found() == before <= int((truth.labels[:, 0] == YES).sum())


def test_a_round_that_later_ones_build_on_cannot_be_taken_back_first(workspace: Workspace, truth: Truth) -> None:
    for _ in range(2):
        rounds.propose(workspace, "anna", whole_images=0)
        audit(workspace, truth)
        rounds.settle(workspace)
    with pytest.raises(ConflictError, match="roll these back first: 2"):
        rounds.roll_back(workspace, 1)
    rounds.roll_back(workspace, 2)
    assert rounds.roll_back(workspace, 1)["taken_back"] > 0


def test_an_answer_on_the_whole_image_ends_the_questions_about_its_tags(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=30)
    answer_from_truth(workspace, truth, "bea", 30)
    with workspace.reading() as session:
        waiting = select(Task).where(Task.tag_id.is_not(None), Task.done_at.is_(None))
        again = [task for task in session.scalars(waiting) if take(workspace).origins[task.image_row].any()]
    assert again == []


def test_a_reject_audit_waits_for_positives_that_people_are_about_to_find(workspace: Workspace, truth: Truth) -> None:
    """Most of the positives are doubtful: they lie outside the sets, and the reject set counts on them."""
    doubtful = np.random.default_rng(9).random(truth.labels.shape) < 0.95
    put_model(workspace, truth, np.where((truth.labels == YES) & doubtful, 0.5, sure(truth.labels)))
    rounds.propose(workspace, "anna", whole_images=0)
    column = {tag: place for place, tag in enumerate(truth.tag_ids)}

    def answer(reason: str) -> None:
        for _ in range(20):
            with workspace.reading() as session:
                asked = select(Task).where(Task.round_number == 1, Task.done_at.is_(None), Task.reason.contains(reason))
                waiting = list(session.scalars(asked))
            said = [
                (task.image_row, task.tag_id, LabelState(truth.labels[task.image_row, column[task.tag_id]]))
                for task in waiting
                if task.tag_id is not None
            ]
            labelling.set_labels(workspace, "bea", said)
            rounds.progress(workspace)
            if not said:
                break

    answer("audit of")
    sets = {(row["tag"], row["proposed"]): row["decision"] for row in rounds.progress(workspace)["sets"]}
    assert sets["boat", "absent"] == "waits for the rest"
    answer("people decide")
    sets = {(row["tag"], row["proposed"]): row["decision"] for row in rounds.progress(workspace)["sets"]}
    assert sets["boat", "absent"] == "settle"
    assert rounds.progress(workspace)["outside"] == {"boat": 0, "car": 0}


def test_what_is_proven_so_far_reaches_the_aim_when_a_set_is_settled(workspace: Workspace, truth: Truth) -> None:
    rounds.propose(workspace, "anna", whole_images=0)
    assert all(row["proven"] < row["of"] == 0.95 for row in rounds.progress(workspace)["sets"])
    audit(workspace, truth)
    rows = rounds.progress(workspace)["sets"]
    assert {row["decision"] for row in rows} == {"settle"}
    assert all(row["proven"] >= row["of"] for row in rows)


def surplus_of_boats(workspace: Workspace) -> float:
    snapshot = take(workspace)
    with workspace.transaction() as session:
        round_ = session.get_one(Round, 1)
        found = audited(workspace, session, round_, snapshot, pool_rows(workspace, snapshot, round_))
        return next(one.beside.surplus for one in found if (one.set.tag_id, one.set.side) == (1, "accept"))


def test_positives_that_were_answered_out_of_order_are_not_counted_beside_their_own_set(
    workspace: Workspace, truth: Truth
) -> None:
    """The set's interval counts them already: as a surplus too they would make the proof too easy."""
    rounds.propose(workspace, "anna", whole_images=0)
    before = surplus_of_boats(workspace)
    boats = np.flatnonzero(truth.labels[:, 0] == YES)
    labelling.set_labels(workspace, "carl", [(int(row), 1, YES) for row in boats[len(boats) // 2 :]])
    assert surplus_of_boats(workspace) == before


def test_what_an_earlier_round_settled_does_not_lie_outside_a_later_one(workspace: Workspace, truth: Truth) -> None:
    """Else the later one would wait for positives that nobody can find any more."""
    late = np.arange(COUNT)[:, None] >= 600
    put_model(workspace, truth, np.where(late, 0.5, sure(truth.labels)))
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth, turns=4)
    assert rounds.settle(workspace)["settled_sets"] > 0
    doubtful = late & (np.random.default_rng(9).random(truth.labels.shape) < 0.5) & (truth.labels == YES)
    put_model(workspace, truth, np.where(doubtful, 0.5, sure(truth.labels)))
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    report = rounds.progress(workspace)
    assert set(report["outside"].values()) <= {0}
    assert "waits for the rest" not in {row["decision"] for row in report["sets"]}


def test_a_lower_confidence_before_leaves_less_to_spend_after(workspace: Workspace, truth: Truth) -> None:
    workspace.change_project(confidence=0.9)
    rounds.propose(workspace, "anna", whole_images=0)
    answer_tag_from_truth(workspace, truth, "bea", 1, 30)
    rounds.settle(workspace)
    used = decisions(workspace, 1)[1, "accept"].alpha
    workspace.change_project(confidence=0.95)
    rounds.propose(workspace, "anna", whole_images=0)
    with workspace.reading() as session:
        assert spent(session)[1, "accept"] == used == spend(1 - 0.9, 1)
        next_one = session.get_one(Round, 2).targets["standing"]["accept_alpha"][0]
    assert next_one == pytest.approx(max(0.025 - used, 0), abs=1e-8)


def test_a_question_that_waited_for_another_cause_becomes_the_audits(workspace: Workspace, truth: Truth) -> None:
    """Behind all audits it would hold its own up."""
    boats = np.flatnonzero(truth.labels[:, 0] == YES)[20:60].tolist()
    with workspace.transaction() as session:
        tasks.add_verify_picks(session, 1, boats, "likely to show it")
    rounds.propose(workspace, "anna", whole_images=0)
    with workspace.reading() as session:
        asked = session.scalars(select(Task).where(Task.tag_id == 1, Task.done_at.is_(None))).all()
    rows = [task.image_row for task in asked]
    assert len(set(rows)) == len(rows)
    answer_tag_from_truth(workspace, truth, "bea", 1, 60)
    assert max(row["audited"] for row in rounds.progress(workspace)["sets"]) == 60
