import threading
from datetime import UTC, datetime, timedelta

import pytest

from annotator.services import tasks
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Task
from tests.services.rows import add_images, add_tags


def ask(workspace: Workspace, count: int, tag_id: int | None = None) -> None:
    with workspace.transaction() as session:
        for row in range(count):
            session.add(Task(kind=TaskKind.PICK, image_row=row, tag_id=tag_id, position=row, reason="test"))


@pytest.fixture
def asked(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 60)
    add_tags(any_workspace, ["boat"])
    ask(any_workspace, 60)
    return any_workspace


def test_eight_people_at_once_never_hold_the_same_question(asked: Workspace) -> None:
    held: dict[str, list[int]] = {}

    def work(name: str) -> None:
        mine: list[int] = []
        for count in range(3, 16, 3):
            mine = [task.id for task in tasks.claim(asked, name, None, count)]
        held[name] = mine

    threads = [threading.Thread(target=work, args=(f"person {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [task for mine in held.values() for task in mine]
    assert len(everything) == len(set(everything)) == 60


def test_asking_again_gives_the_same_questions_first(asked: Workspace) -> None:
    first = [task.id for task in tasks.claim(asked, "anna", None, 5)]
    assert [task.id for task in tasks.claim(asked, "anna", None, 5)] == first
    assert [task.id for task in tasks.claim(asked, "anna", None, 8)][:5] == first


def test_a_lease_that_ended_comes_back_to_others(asked: Workspace) -> None:
    first = {task.id for task in tasks.claim(asked, "anna", None, 60)}
    assert tasks.claim(asked, "ben", None, 5) == []
    with asked.transaction() as session:
        for task in session.query(Task):
            task.leased_until = datetime.now(UTC) - timedelta(seconds=1)
    assert {task.id for task in tasks.claim(asked, "ben", None, 60)} == first


def test_released_questions_are_free_at_once_and_only_by_their_holder(asked: Workspace) -> None:
    mine = [task.id for task in tasks.claim(asked, "anna", None, 10)]
    assert tasks.release(asked, "ben", mine) == 0
    assert tasks.release(asked, "anna", mine[:4]) == 4
    assert [task.id for task in tasks.claim(asked, "ben", None, 4)] == mine[:4]


def test_image_and_tag_questions_are_kept_apart(asked: Workspace) -> None:
    ask(asked, 3, tag_id=1)
    assert {task.tag_id for task in tasks.claim(asked, "anna", 1, 50)} == {1}
    assert {task.tag_id for task in tasks.claim(asked, "anna", None, 50)} == {None}


def test_new_picks_leave_alone_what_somebody_holds(asked: Workspace) -> None:
    mine = [task.id for task in tasks.claim(asked, "anna", None, 2)]
    with asked.transaction() as session:
        tasks.replace_picks(session, [Task(kind=TaskKind.PICK, image_row=40, position=0, reason="new")])
    assert [task.id for task in tasks.claim(asked, "anna", None, 2)] == mine
    assert [task.image_row for task in tasks.claim(asked, "ben", None, 9)] == [40]


def test_what_is_on_a_screen_is_leased_anew_and_what_others_have_is_lost(asked: Workspace) -> None:
    mine = [task.id for task in tasks.claim(asked, "anna", None, 4)]
    with asked.transaction() as session:
        for task in session.query(Task):
            task.leased_until = datetime.now(UTC) - timedelta(seconds=1)
    theirs = [task.id for task in tasks.claim(asked, "ben", None, 2)]
    assert tasks.renew(asked, "anna", mine) == set(theirs) == set(mine[:2])
    assert not {task.id for task in tasks.claim(asked, "ben", None, 60)} & set(mine[2:])


def test_one_that_the_person_answered_is_not_lost(asked: Workspace) -> None:
    (task,) = tasks.claim(asked, "anna", None, 1)
    with asked.transaction() as session:
        session.get_one(Task, task.id).done_at = datetime.now(UTC)
    assert tasks.renew(asked, "anna", [task.id]) == set()
    assert tasks.renew(asked, "ben", [task.id]) == {task.id}


@pytest.fixture
def asked_twice(any_workspace: Workspace) -> Workspace:
    """Five images, each to be asked of two people."""
    add_images(any_workspace, 5)
    any_workspace.change_project(overlap=2)
    with any_workspace.transaction() as session:
        for copy in range(2):
            for row in range(5):
                task = Task(kind=TaskKind.PICK, image_row=row, tag_id=None, position=5 * copy + row, reason="test")
                session.add(task)
                session.flush()
    return any_workspace


def test_overlap_asks_each_image_of_so_many_people_and_of_nobody_twice(asked_twice: Workspace) -> None:
    held = {}
    for name in ("anna", "ben", "carl"):
        held[name] = [task.image_row for task in tasks.claim(asked_twice, name, None, 20)]
        assert tasks.claim(asked_twice, name, None, 20, tasks.held_by(asked_twice, name)) == []
    assert held == {"anna": [0, 1, 2, 3, 4], "ben": [0, 1, 2, 3, 4], "carl": []}


def test_new_picks_leave_the_second_question_of_an_image_that_one_person_answered(asked_twice: Workspace) -> None:
    (task,) = tasks.claim(asked_twice, "anna", None, 1)
    with asked_twice.transaction() as session:
        session.get_one(Task, task.id).done_at = datetime.now(UTC)
        tasks.replace_picks(session, [])
    assert [task.image_row for task in tasks.claim(asked_twice, "ben", None, 20)] == [0]
    assert tasks.claim(asked_twice, "anna", None, 20) == []
