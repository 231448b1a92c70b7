import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from annotator.errors import BadInputError, UnknownNameError
from annotator.services import label_files, tasks
from annotator.services.answers import Answer
from annotator.services.labelling import record
from annotator.terms import LabelState, TaskKind, WorkMode
from annotator.workspace import Workspace
from db.models import JournalEntry, Label, Submission, Task
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def stocked(any_workspace: Workspace) -> Workspace:
    """Ten images (rows 0 to 9) and three tags (ids 1 to 3)."""
    add_images(any_workspace, 10)
    add_tags(any_workspace, ["boat", "car", "tree"])
    return any_workspace


def states(workspace: Workspace) -> dict[tuple[int, int], LabelState]:
    with workspace.reading() as session:
        return {(label.image_row, label.tag_id): label.state for label in session.scalars(select(Label))}


def test_an_answer_sent_twice_counts_once(stocked: Workspace) -> None:
    answer = Answer(1, ((0, 1, YES), (0, 2, NO)))
    for _ in range(3):
        assert record(stocked, "anna", "c1", [answer]).acked == 1
    assert states(stocked) == {(0, 1): YES, (0, 2): NO}
    with stocked.reading() as session:
        assert len(session.scalars(select(JournalEntry)).all()) == 2


def test_only_answers_without_a_hole_before_them_are_acknowledged(stocked: Workspace) -> None:
    assert record(stocked, "anna", "c1", [Answer(1), Answer(3, ((0, 1, YES),))]).acked == 1
    assert record(stocked, "anna", "c1", [Answer(2)]).acked == 3
    assert states(stocked) == {(0, 1): YES}


def test_two_tabs_of_one_person_do_not_mix_their_numbers(stocked: Workspace) -> None:
    record(stocked, "anna", "c1", [Answer(1, ((0, 1, YES),))])
    record(stocked, "anna", "c2", [Answer(1, ((1, 1, NO),))])
    assert states(stocked) == {(0, 1): YES, (1, 1): NO}


def test_undo_takes_back_step_by_step_to_the_beginning(stocked: Workspace) -> None:
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),)), Answer(2, ((0, 1, NO), (0, 2, YES)))])
    record(stocked, "anna", "c", [Answer(3, undo=2)])
    assert states(stocked) == {(0, 1): YES}
    record(stocked, "anna", "c", [Answer(4, undo=1)])
    assert states(stocked) == {}
    with stocked.reading() as session:
        assert len(session.scalars(select(JournalEntry)).all()) == 6


def test_undo_opens_the_question_again(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.add(Task(kind=TaskKind.PICK, image_row=0, position=0, reason="test"))
    (task,) = tasks.claim(stocked, "anna", None, 1)
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),), (task.id,))])
    assert tasks.claim(stocked, "anna", None, 1) == []
    record(stocked, "anna", "c", [Answer(2, undo=1)])
    assert [again.id for again in tasks.claim(stocked, "anna", None, 1)] == [task.id]


def test_undo_leaves_a_newer_answer_alone(stocked: Workspace) -> None:
    record(stocked, "anna", "c1", [Answer(1, ((0, 1, YES),))])
    record(stocked, "anna", "c2", [Answer(1, ((0, 1, NO),))])
    record(stocked, "anna", "c1", [Answer(2, undo=1)])
    assert states(stocked) == {(0, 1): NO}


def test_an_answer_about_something_unknown_is_reported_and_holds_up_nothing(stocked: Workspace) -> None:
    receipt = record(stocked, "anna", "c", [Answer(1, ((99, 1, YES),)), Answer(2, ((0, 1, YES),))])
    assert receipt.acked == 2
    assert "99" in receipt.problems[0]["message"]
    assert states(stocked) == {(0, 1): YES}


@pytest.mark.parametrize(
    "item",
    [
        {"seq": 1, "labels": [[0, 1, 2]]},
        {"seq": 1, "labels": [[0, 1]]},
        {"seq": 1, "labels": [["0", 1, 1]]},
        {"seq": 1, "labels": [[-1, 1, 1]]},
        {"seq": 1, "labels": [[True, 1, 1]]},
        {"seq": 1, "labels": "all"},
        {"seq": 1, "labels": [], "tasks": ["x"]},
        {"seq": 1, "labels": [], "undo": -1},
        {"seq": 1, "labels": [], "seconds": "long"},
    ],
)
def test_a_malformed_answer_is_noted_with_what_is_wrong(stocked: Workspace, item: object) -> None:
    answer = Answer.received(item)
    assert answer.problem
    assert record(stocked, "anna", "c", [answer]).acked == 1
    assert states(stocked) == {}


@pytest.mark.parametrize("item", [None, [], {"labels": []}, {"seq": 0}, {"seq": "1"}, {"seq": 1.5}, {"seq": True}])
def test_an_answer_without_a_number_is_refused(item: object) -> None:
    with pytest.raises(BadInputError):
        Answer.received(item)


def test_many_threads_sending_the_same_outbox_write_it_once(stocked: Workspace) -> None:
    answers = [Answer(seq, ((seq % 10, 1 + seq % 3, YES),)) for seq in range(1, 31)]
    outcomes: list[int] = []

    def send() -> None:
        try:
            outcomes.append(record(stocked, "anna", "c", answers).acked)
        except Exception as error:  # PostgreSQL may end one of two equal transactions: the client sends again
            outcomes.append(-1)
            assert "submission" in str(error) or "annotator" in str(error)

    record(stocked, "anna", "other", [Answer(1)])
    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 30 in outcomes
    with stocked.reading() as session:
        assert len(session.scalars(select(JournalEntry)).all()) == 30


def test_labels_by_name_take_rows_paths_and_synonyms(stocked: Workspace) -> None:
    label_files.label_by_name(stocked, "0", "Boat", "positive", "cli")
    label_files.label_by_name(stocked, "/pictures/1.jpg", "boat", "unknown", "cli")
    label_files.label_by_name(stocked, "2.jpg", "car", "negative", "cli")
    assert states(stocked) == {(0, 1): YES, (1, 1): UNKNOWN, (2, 2): NO}


def test_a_wrong_tag_name_brings_the_near_one(stocked: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'boat'"):
        label_files.label_by_name(stocked, "0", "boats", "positive", "cli")


def test_a_file_of_labels_is_written_except_its_bad_lines(stocked: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(
        "image,tag,state\n0,boat,positive\n1,plane,positive\n77,boat,positive\n2,car,perhaps\n3,tree,unknown\n"
    )
    report = label_files.label_from_file(stocked, file, "cli")
    assert (report.written, len(report.refused)) == (2, 3)
    assert all(f"line {line}" in refused for line, refused in zip((3, 4, 5), report.refused, strict=True))
    assert states(stocked) == {(0, 1): YES, (3, 3): UNKNOWN}


def test_undo_of_another_clients_answer_is_the_persons_own_alone(stocked: Workspace) -> None:
    record(stocked, "anna", "yesterday", [Answer(1, ((0, 1, YES),))])
    problem = record(stocked, "ben", "b", [Answer(1, undo=1, undo_client="yesterday")]).problems
    assert "no answer 1" in problem[0]["message"]
    assert states(stocked) == {(0, 1): YES}
    assert record(stocked, "anna", "today", [Answer(1, undo=1, undo_client="yesterday")]).problems == []
    assert states(stocked) == {}


def test_the_same_answer_taken_back_in_two_tabs_is_taken_back_once(stocked: Workspace) -> None:
    record(stocked, "anna", "c", [Answer(1, ((0, 1, NO),)), Answer(2, ((0, 1, YES),))])
    record(stocked, "anna", "c", [Answer(3, undo=2)])
    record(stocked, "anna", "d", [Answer(1, undo=2, undo_client="c")])
    assert states(stocked) == {(0, 1): NO}


def test_undo_gives_a_label_back_why_it_was_asked(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.add(Task(kind=TaskKind.CALIBRATION, image_row=0, position=0, reason="test"))
    (task,) = tasks.claim(stocked, "anna", None, 1)
    record(stocked, "anna", "c", [Answer(1, ((0, 1, NO),), (task.id,)), Answer(2, ((0, 1, YES),), mode=WorkMode.BULK)])
    record(stocked, "anna", "c", [Answer(3, undo=2)])
    with stocked.reading() as session:
        (label,) = session.scalars(select(Label))
        assert (label.state, label.kind) == (NO, TaskKind.CALIBRATION)


def test_an_answer_after_the_lease_ended_is_kept_and_the_person_is_told(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.add(Task(kind=TaskKind.PICK, image_row=0, position=0, reason="test"))
    (task,) = tasks.claim(stocked, "anna", None, 1)
    tasks.release(stocked, "anna", [task.id])
    tasks.claim(stocked, "ben", None, 1)
    receipt = record(stocked, "anna", "a", [Answer(1, ((0, 1, YES),), (task.id,))])
    assert receipt.acked == 1 and "somebody else" in receipt.notes[0]["message"]
    assert record(stocked, "ben", "b", [Answer(1, ((0, 1, NO),), (task.id,))]).notes
    with stocked.reading() as session:
        assert {label.state for label in session.scalars(select(Label))} == {YES, NO}


def test_answers_keep_how_they_were_given(stocked: Workspace) -> None:
    given = Answer(1, ((0, 1, YES), (1, 1, NO)), (), 7.5, mode=WorkMode.VERIFY, tag=1)
    record(stocked, "anna", "c", [given])
    with stocked.reading() as session:
        (stored,) = session.scalars(select(Submission))
        assert (stored.mode, stored.tag_id, stored.pictures, stored.labels) == (WorkMode.VERIFY, 1, 2, 2)
        assert (stored.seconds, stored.undone, stored.session_id) == (7.5, False, None)


@pytest.mark.parametrize(
    "wrong", [{"mode": "play"}, {"tag": "boat"}, {"session": -1}, {"undo": 1, "undo_client": ""}], ids=str
)
def test_circumstances_that_cannot_be_are_a_problem_of_their_answer_only(wrong: dict[str, object]) -> None:
    assert Answer.received({"seq": 1, **wrong}).problem


def test_the_same_answers_sent_by_many_at_once_are_written_once(stocked: Workspace) -> None:
    """A request that timed out is sent again while the first one is still at work."""
    answers = [Answer(seq, ((seq, 1, YES),)) for seq in range(1, 6)]
    acked: list[int] = []

    def send() -> None:
        acked.append(record(stocked, "anna", "c", answers).acked)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert acked == [5] * 6
    with stocked.reading() as session:
        assert len(session.scalars(select(JournalEntry)).all()) == 5


@pytest.mark.parametrize("count", [700])
def test_a_bulk_of_many_images_is_one_answer(any_workspace: Workspace, count: int) -> None:
    add_images(any_workspace, count)
    add_tags(any_workspace, ["boat"])
    labels = tuple((row, 1, YES) for row in range(count))
    record(any_workspace, "anna", "c", [Answer(1, labels, mode=WorkMode.BULK)])
    with any_workspace.reading() as session:
        assert {label.kind for label in session.scalars(select(Label))} == {TaskKind.BULK}
    record(any_workspace, "anna", "c", [Answer(2, undo=1)])
    assert states(any_workspace) == {}


def test_undo_leaves_a_newer_answer_of_the_same_state_alone(stocked: Workspace) -> None:
    record(stocked, "anna", "tab 1", [Answer(1, ((0, 1, YES),))])
    record(stocked, "anna", "tab 2", [Answer(1, ((0, 1, YES),))])
    record(stocked, "anna", "tab 1", [Answer(2, undo=1)])
    assert states(stocked) == {(0, 1): YES}
    record(stocked, "anna", "tab 2", [Answer(2, undo=1)])
    assert states(stocked) == {}


def test_undo_brings_nothing_back_that_was_taken_back_itself(stocked: Workspace) -> None:
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),)), Answer(2, ((0, 1, NO),))])
    record(stocked, "anna", "c", [Answer(3, undo=1), Answer(4, undo=2)])
    assert states(stocked) == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(st.tuples(st.just("say"), st.sampled_from([YES, NO, UNKNOWN])),
                                st.tuples(st.just("undo"), st.integers(0, 8))), max_size=14))  # fmt: skip
def test_what_stands_is_the_newest_answer_that_was_not_taken_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    with Workspace.create(tmp_path_factory.mktemp("undo") / "w") as workspace:
        add_images(workspace, 1)
        add_tags(workspace, ["boat"])
        said: list[tuple[int, LabelState]] = []
        for seq, (what, value) in enumerate(steps, 1):
            if what == "say":
                record(workspace, "anna", "c", [Answer(seq, ((0, 1, LabelState(value)),))])
                said.append((seq, LabelState(value)))
            elif said:
                undone, _ = said.pop(value % len(said))
                record(workspace, "anna", "c", [Answer(seq, undo=undone)])
        assert states(workspace) == ({(0, 1): said[-1][1]} if said else {})


def test_an_audit_stays_one_when_the_person_changes_the_answer_elsewhere(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.add(Task(kind=TaskKind.AUDIT, image_row=0, tag_id=1, position=0, reason="test"))
    (task,) = tasks.claim(stocked, "anna", 1, 1)
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),), (task.id,))])
    record(stocked, "anna", "c", [Answer(2, ((0, 1, NO),), mode=WorkMode.BULK)])
    with stocked.reading() as session:
        (label,) = session.scalars(select(Label))
        assert (label.state, label.kind) == (NO, TaskKind.AUDIT)


def test_a_question_of_an_answer_taken_back_is_the_persons_again(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.add(Task(kind=TaskKind.PICK, image_row=0, position=0, reason="test"))
    (task,) = tasks.claim(stocked, "anna", None, 1)
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),), (task.id,))])
    with stocked.transaction() as session:
        session.get_one(Task, task.id).leased_until = datetime.now(UTC) - timedelta(minutes=1)
    record(stocked, "anna", "c", [Answer(2, undo=1)])
    assert tasks.claim(stocked, "ben", None, 5) == []
    assert tasks.held_by(stocked, "anna") == [task.id]


def test_of_a_group_exactly_one_stays_present_whichever_way_it_was_said(stocked: Workspace) -> None:
    stocked.change_project(exactly_one=[["boat", "car"]])
    record(stocked, "anna", "c", [Answer(1, ((0, 1, YES),), mode=WorkMode.VERIFY, tag=1)])
    record(stocked, "anna", "c", [Answer(2, ((0, 2, YES), (0, 3, YES)), mode=WorkMode.BULK)])
    assert states(stocked) == {(0, 1): NO, (0, 2): YES, (0, 3): YES}
    record(stocked, "anna", "c", [Answer(3, undo=2)])
    assert states(stocked) == {(0, 1): YES}


def test_a_hole_in_the_numbers_holds_nobody_up(stocked: Workspace) -> None:
    """As after a page was closed whose browser could not keep one answer."""
    receipt = record(stocked, "anna", "c", [Answer(1), Answer(5, ((0, 1, YES),))])
    assert (receipt.acked, receipt.received) == (1, [1, 5])
