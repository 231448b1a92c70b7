"""Labelling sessions: paused, resumed elsewhere, reported on."""

from datetime import UTC, datetime, timedelta

import pytest

from annotator.errors import BadInputError, MissingError
from annotator.services import labelling, sessions, tasks
from annotator.services.answers import Answer
from annotator.terms import LabelState, SessionState, TaskKind, WorkMode
from annotator.workspace import Workspace
from db.models import LabellingSession, Task
from tests.services.rows import add_images, add_tags

YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE


@pytest.fixture
def asked(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 30)
    add_tags(any_workspace, ["boat", "car"])
    with any_workspace.transaction() as session:
        for row in range(30):
            session.add(Task(kind=TaskKind.PICK, image_row=row, position=row, reason="test"))
    return any_workspace


def answer(workspace: Workspace, number: int, task: Task, seq: int, client: str = "c", seconds: float = 3) -> None:
    labels = ((task.image_row, 1, YES), (task.image_row, 2, NO))
    given = Answer(seq, labels, (task.id,), seconds, mode=WorkMode.LABEL, session=number)
    assert labelling.record(workspace, "anna", client, [given]).problems == []


def test_a_session_goes_on_where_it_was_even_on_another_machine(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    held = [task.id for task in tasks.claim(asked, "anna", None, 6)]
    sessions.pause(asked, "anna", number, held)
    assert tasks.held_by(asked, "anna") == []
    again = sessions.begin(asked, "anna", WorkMode.LABEL)
    assert (again["session"], again["resumed"]) == (number, True)
    assert [task.id for task in tasks.claim(asked, "anna", None, 6)] == held


def test_questions_of_a_paused_session_that_others_took_stay_with_them(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    sessions.pause(asked, "anna", number, [task.id for task in tasks.claim(asked, "anna", None, 4)])
    taken = {task.id for task in tasks.claim(asked, "ben", None, 2)}
    sessions.begin(asked, "anna", WorkMode.LABEL)
    mine = {task.id for task in tasks.claim(asked, "anna", None, 30)}
    assert len(taken) == 2 and not taken & mine


def test_pausing_from_elsewhere_rests_all_the_person_holds(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    tasks.claim(asked, "anna", None, 5)
    sessions.pause(asked, "anna", number)
    assert len(tasks.claim(asked, "ben", None, 30)) == 30


def test_an_ended_session_is_followed_by_a_new_one(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    report = sessions.end(asked, "anna", number)
    assert (report["state"], report["answers"]) == (SessionState.ENDED.value, 0)
    assert sessions.begin(asked, "anna", WorkMode.VERIFY)["session"] == number + 1


def test_a_session_nobody_came_back_to_has_ended_when_it_was_left(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    yesterday = datetime.now(UTC) - timedelta(hours=20)
    with asked.transaction() as session:
        session.get_one(LabellingSession, number).seen_at = yesterday
    assert sessions.begin(asked, "anna", WorkMode.LABEL)["session"] != number
    assert sessions.report(asked, number)["ended_at"] == yesterday.isoformat()


def test_the_report_counts_what_stands_and_what_was_taken_back(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    first, second, third = tasks.claim(asked, "anna", None, 3)
    answer(asked, number, first, 1)
    answer(asked, number, second, 2, seconds=1000)  # a break counts as five minutes
    answer(asked, number, third, 3)
    labelling.record(asked, "anna", "c", [Answer(4, undo=3, mode=WorkMode.LABEL, session=number)])
    report = sessions.report(asked, number)
    assert (report["pictures"], report["answers"], report["taken back"]) == (2, 4, 1)
    assert (report["present"], report["absent"], report["cannot tell"]) == (2, 2, 0)
    assert report["active_minutes"] == pytest.approx(303 / 60, abs=0.01)
    standing = sessions.standing(asked, "anna", number)
    assert (standing["answers"], standing["today"]) == (4, 4)


def test_the_pictures_answered_last_come_back_with_their_answers_for_undo(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    for seq, task in enumerate(tasks.claim(asked, "anna", None, 3), 1):
        answer(asked, number, task, seq, client="this tab")
    remembered = sessions.recent(asked, "anna", number, count=2)
    assert [(one["image"], one["client"], one["seq"]) for one in remembered] == [(1, "this tab", 2), (2, "this tab", 3)]
    assert remembered[0]["answered"] == {1: 1, 2: 0}
    undo = Answer(1, undo=3, undo_client="this tab", mode=WorkMode.LABEL, session=number)
    assert labelling.record(asked, "anna", "other machine", [undo]).problems == []
    assert [one["image"] for one in sessions.recent(asked, "anna", number)] == [0, 1]
    assert 2 in {task.image_row for task in tasks.claim(asked, "anna", None, 30)}


def test_nobody_pauses_ends_or_reads_another_persons_session(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    for attempt in (sessions.pause, sessions.end, sessions.recent):
        with pytest.raises(BadInputError, match="ben has no session"):
            attempt(asked, "ben", number)
    with pytest.raises(MissingError):
        sessions.report(asked, number + 1)


def test_an_answer_in_somebody_elses_session_is_kept_outside_of_it(asked: Workspace) -> None:
    number = sessions.begin(asked, "ben", WorkMode.LABEL)["session"]
    answer(asked, number, tasks.claim(asked, "anna", None, 1)[0], 1)
    assert sessions.report(asked, number)["answers"] == 0
    assert sessions.standing(asked, "anna", number)["today"] == 2


def test_the_tag_and_the_page_size_go_on_too(asked: Workspace) -> None:
    sessions.begin(asked, "anna", WorkMode.VERIFY, 2, 60)
    again = sessions.begin(asked, "anna", WorkMode.VERIFY)
    assert (again["tag"], again["page_size"]) == (2, 60)
    other = sessions.begin(asked, "anna", WorkMode.VERIFY, 1)
    assert (other["tag"], other["page_size"]) == (1, 60)


def test_a_look_into_search_does_not_move_a_paused_session(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.VERIFY, 2, 60)["session"]
    held = [task.id for task in tasks.claim(asked, "anna", None, 4)]
    sessions.pause(asked, "anna", number, held)
    sessions.begin(asked, "anna", WorkMode.BULK)
    again = sessions.begin(asked, "anna", WorkMode.VERIFY)
    assert (again["session"], again["tag"], again["page_size"]) == (number, 2, 60)
    assert tasks.held_by(asked, "anna") == held


def test_what_was_tagged_in_bulk_makes_nobody_faster(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    answer(asked, number, tasks.claim(asked, "anna", None, 1)[0], 1, seconds=6)
    labels = tuple((row, 1, YES) for row in range(10, 30))
    bulk = Answer(2, labels, (), 0.1, mode=WorkMode.BULK, session=number)
    labelling.record(asked, "anna", "c", [bulk])
    report = sessions.report(asked, number)
    assert (report["answers"], report["answers_per_minute"]) == (22, 20.0)
    assert sessions.standing(asked, "anna", number)["answers"] == 2


def test_a_picture_answered_again_is_remembered_once(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    (task,) = tasks.claim(asked, "anna", None, 1)
    for seq in (1, 2):
        answer(asked, number, task, seq)
    assert [one["seq"] for one in sessions.recent(asked, "anna", number)] == [2]


def test_an_answer_that_could_not_be_used_is_not_counted(asked: Workspace) -> None:
    number = sessions.begin(asked, "anna", WorkMode.LABEL)["session"]
    wrong = Answer(1, ((10_000, 1, YES),), (), 3, mode=WorkMode.LABEL, session=number)
    assert labelling.record(asked, "anna", "c", [wrong]).problems
    assert sessions.report(asked, number)["answers"] == 0
