import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from annotator.errors import ForbiddenError
from annotator.services import labelling, skipping, tasks
from annotator.services.answers import Answer
from annotator.services.people import annotator_called
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import Submission, Task
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
    add_tags(any_workspace, ["boat"])
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


def test_questions_for_one_person_go_to_nobody_else(asked: Workspace) -> None:
    with asked.transaction() as session:
        anna = annotator_called(session, "anna").id
        for row in (0, 51):
            session.scalars(select(Task).where(Task.image_row == row)).one().for_id = anna
    assert {task.image_row for task in tasks.claim(asked, "ben", None, 60)} == set(range(60)) - {0, 51}
    assert [task.image_row for task in tasks.claim(asked, "anna", None, 9)] == [0, 51]


def test_a_paused_person_gets_no_question(asked: Workspace) -> None:
    with asked.transaction() as session:
        annotator_called(session, "anna").paused = True
    with pytest.raises(ForbiddenError, match="anna is paused"):
        tasks.claim(asked, "anna", None, 5)


def answer(workspace: Workspace, name: str, task: Task, seq: int, client: str | None = None) -> None:
    given = Answer(seq, ((task.image_row, 1, LabelState.POSITIVE),), (task.id,))
    labelling.record(workspace, name, client or name, [given])


def test_the_days_quota_counts_what_is_answered_and_what_is_in_hand(asked: Workspace) -> None:
    with asked.transaction() as session:
        annotator_called(session, "anna").daily_quota = 4
    first = tasks.claim(asked, "anna", None, 3)
    assert len(first) == 3
    for seq, task in enumerate(first, 1):
        answer(asked, "anna", task, seq)
    answer(asked, "anna", first[0], 4)  # the same picture anew
    (last,) = tasks.claim(asked, "anna", None, 5)
    assert tasks.claim(asked, "anna", None, 5, have=[last.id]) == []
    answer(asked, "anna", last, 5)
    assert tasks.claim(asked, "anna", None, 5) == []
    assert len(tasks.claim(asked, "ben", None, 5)) == 5


def test_yesterdays_answers_do_not_count_against_the_quota(asked: Workspace) -> None:
    with asked.transaction() as session:
        annotator_called(session, "anna").daily_quota = 1
    answer(asked, "anna", *tasks.claim(asked, "anna", None, 1), 1)
    with asked.transaction() as session:
        session.scalars(select(Submission)).one().at -= timedelta(days=1)
    assert len(tasks.claim(asked, "anna", None, 5)) == 1


def test_an_answer_after_the_lease_counts_as_one_of_the_votes_and_leaves_the_others(asked_twice: Workspace) -> None:
    (task,) = tasks.claim(asked_twice, "anna", None, 1)
    with asked_twice.transaction() as session:
        session.get_one(Task, task.id).leased_until = datetime.now(UTC) - timedelta(seconds=1)
    (same,) = tasks.claim(asked_twice, "ben", None, 1)
    assert same.id == task.id
    answer(asked_twice, "anna", task, 1)
    assert 0 not in [again.image_row for again in tasks.claim(asked_twice, "anna", None, 20)]
    assert same.id in tasks.held_by(asked_twice, "ben")


def test_an_answer_given_elsewhere_ends_one_question_of_the_pair(any_workspace: Workspace) -> None:
    add_images(any_workspace, 1)
    add_tags(any_workspace, ["boat"])
    any_workspace.change_project(overlap_tags={"boat": 3})
    with any_workspace.transaction() as session:
        tasks.add_verify_picks(session, 1, [0], "test", {0: 3})
    for time in range(2):
        labelling.set_labels(any_workspace, "anna", [(0, 1, LabelState(time))])
    with any_workspace.reading() as session:
        assert tasks.free_count(session, 1) == 2
    assert tasks.claim(any_workspace, "anna", 1, 5) == []


@settings(max_examples=8, deadline=None)
@given(data=st.data(), votes=st.integers(1, 4), people=st.integers(1, 6))
def test_no_question_is_asked_of_a_person_twice_and_overlap_k_is_k_people(
    data: st.DataObject, votes: int, people: int
) -> None:
    names = [f"person {number}" for number in range(people)]
    with TemporaryDirectory() as folder, Workspace.create(Path(folder) / "w") as made:
        add_images(made, 6)
        add_tags(made, ["boat"])
        made.change_project(overlap=votes)
        with made.transaction() as session:
            tasks.add_verify_picks(session, 1, list(range(6)), "test", dict.fromkeys(range(6), votes))
        asked: dict[str, list[int]] = {name: [] for name in names}
        given_up: dict[str, set[int]] = {name: set() for name in names}
        seq = 0
        for _ in range(data.draw(st.integers(5, 40))):
            name = data.draw(st.sampled_from(names))
            for task in tasks.claim(made, name, 1, data.draw(st.integers(1, 3))):
                assert task.image_row not in given_up[name]
                assert task.image_row not in asked[name]
                seq += 1
                does = data.draw(st.sampled_from(["answer", "skip", "release", "lapse"]))
                if does == "answer":
                    answer(made, name, task, seq, f"{name} {seq}")
                    asked[name].append(task.image_row)
                elif does == "skip":
                    skipping.skip(made, name, task.id)
                    given_up[name].add(task.image_row)
                elif does == "release":
                    tasks.release(made, name, [task.id])
                else:
                    with made.transaction() as session:
                        session.get_one(Task, task.id).leased_until = datetime.now(UTC) - timedelta(seconds=1)
        for row in range(6):
            ended = select(Task.annotator_id).where(Task.image_row == row, Task.done_at.is_not(None))
            with made.reading() as session:
                done = list(session.scalars(ended))
            assert len(done) == len(set(done)) <= votes
