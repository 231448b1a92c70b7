"""What a person is asked: small and large workspaces alike, and never what somebody decided."""

import numpy as np
import pytest

from annotator.services import image_facts, labelling, picking, questions, suggesting, tasks
from annotator.services.image_facts import decided, image_count, splits_of
from annotator.services.people import annotator_called
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.snapshot import SPLIT_CODES
from annotator.terms import LabelState, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Label, Task
from tests.services.worlds import make_world, put_model

COUNT = 200
YES = LabelState.POSITIVE


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT)


@pytest.fixture
def scored(workspace: Workspace, truth: Truth) -> Workspace:
    rng = np.random.default_rng(0)
    put_model(workspace, truth, rng.random((COUNT, len(truth.tag_ids))))
    suggesting.refresh(workspace)
    return workspace


def test_what_is_on_the_screen_is_not_handed_out_again(workspace: Workspace, truth: Truth) -> None:
    first = questions.claim(workspace, "anna", None, 5)["questions"]
    have = [question["task"] for question in first]
    again = questions.claim(workspace, "anna", None, 5, have)
    assert len(again["questions"]) == 5 and again["lost"] == []
    assert not set(have) & {question["task"] for question in again["questions"]}


def test_what_others_answered_meanwhile_is_named_as_lost(workspace: Workspace, truth: Truth) -> None:
    have = [question["task"] for question in questions.claim(workspace, "anna", None, 3)["questions"]]
    tasks.release(workspace, "anna", have)
    taken = tasks.claim(workspace, "ben", None, 1)[0].id
    assert questions.claim(workspace, "anna", None, 0, have)["lost"] == [taken]


def test_verify_asks_the_likeliest_training_images_that_nobody_decided(scored: Workspace, truth: Truth) -> None:
    tag = truth.tag_ids[0]
    board = suggesting.current(scored)
    assert board is not None
    decided_rows = board.best_images(tag, 5)
    labelling.set_labels(scored, "ben", [(row, tag, YES) for row in decided_rows])
    asked = [question["image"] for question in questions.claim(scored, "anna", tag, 20)["questions"]]
    training = take(scored).in_split(Split.TRAIN)
    wanted = [row for row in board.best_images(tag, COUNT) if row not in decided_rows and training[row]]
    assert asked == wanted[:20]


def test_a_large_workspace_is_asked_at_random_without_a_snapshot(
    workspace: Workspace, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_facts, "LARGE", 10)
    monkeypatch.setattr(picking, "take", None)  # an error, if it were called
    seen: set[int] = set()
    for _ in range(30):
        asked = questions.claim(workspace, "anna", None, 20)["questions"]
        for question in asked:
            labels = ((question["image"], truth.tag_ids[0], YES),)
            labelling.set_labels(workspace, "anna", labels)
            with workspace.transaction() as session:
                task = session.get_one(Task, question["task"])
                task.done_at = task.leased_until
            seen.add(question["image"])
    splits = take(workspace)
    assert len(seen) > COUNT / 2
    assert not seen & set(np.flatnonzero(splits.in_split(Split.TEST)).tolist())
    with workspace.reading() as session:
        kinds = {task.image_row: task.kind for task in session.query(Task)}
    assert len(kinds) == len(seen)
    for row, kind in kinds.items():
        assert (kind == TaskKind.CALIBRATION) == bool(splits.in_split(Split.VALIDATION)[row])


def test_splits_and_decisions_of_a_few_images_agree_with_the_snapshot(scored: Workspace, truth: Truth) -> None:
    tag = truth.tag_ids[1]
    labelling.set_labels(scored, "ben", [(row, tag, LabelState.UNKNOWN) for row in (3, 50, 51)])
    rows = list(range(0, COUNT, 3))
    snapshot = take(scored)
    with scored.reading() as session:
        assert image_count(session) == COUNT
        found = splits_of(scored, session, rows)
        assert decided(scored, session, tag, rows) == {3, 51}
    assert [found[row] for row in rows] == [SPLIT_CODES[snapshot.splits[row]] for row in rows]


def test_bulk_answers_never_measure_and_take_no_image_from_the_random_ones(workspace: Workspace, truth: Truth) -> None:
    held_out = np.flatnonzero(take(workspace).in_split(Split.VALIDATION)).tolist()
    labels = [(row, truth.tag_ids[0], YES) for row in range(COUNT)]
    labelling.set_labels(workspace, "anna", labels, TaskKind.BULK)
    picking.refill(workspace, 1000)
    with workspace.reading() as session:
        asked = {task.image_row for task in session.query(Task).where(Task.kind == TaskKind.CALIBRATION)}
        assert {label.kind for label in session.query(Label)} == {TaskKind.BULK}
    assert asked == set(held_out)


def test_the_queue_grows_with_the_people_at_work(workspace: Workspace, truth: Truth) -> None:
    from annotator.services import sessions
    from annotator.terms import WorkMode

    workspace.change_project(queue_length=10)
    assert picking.refill(workspace) == 10
    for name in ("anna", "ben"):
        sessions.begin(workspace, name, WorkMode.LABEL)
    assert picking.refill(workspace) == 2 * picking.QUESTIONS_EACH


def test_a_low_queue_is_noticed(workspace: Workspace, truth: Truth) -> None:
    assert picking.is_low(workspace)
    picking.refill(workspace)
    assert not picking.is_low(workspace)


def test_a_used_up_quota_is_said_instead_of_asking(workspace: Workspace, truth: Truth) -> None:
    picking.refill(workspace)
    with workspace.transaction() as session:
        annotator_called(session, "anna").daily_quota = 2
    found = questions.claim(workspace, "anna", None, 5)
    assert (len(found["questions"]), found["closed"], found["quota"]) == (2, "quota", 2)
    more = questions.claim(workspace, "ben", None, 5)
    assert (len(more["questions"]), more["closed"]) == (5, None)


def test_who_had_all_that_wait_is_asked_new_ones_and_others_the_same_again(workspace: Workspace, truth: Truth) -> None:
    workspace.change_project(overlap=3, overlap_share=0.5, queue_length=8)
    asked: dict[str, set[int]] = {}
    for name in ("anna", "ben"):
        found = questions.claim(workspace, name, None, 20)["questions"]
        asked[name] = {question["image"] for question in found}
        assert len(asked[name]) == len(found)
    assert asked["anna"] & asked["ben"]
