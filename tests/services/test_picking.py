from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from annotator.arrays import write_array
from annotator.errors import UnknownNameError
from annotator.learning.queries import QUERIES
from annotator.learning.queries.bandit import ARMS
from annotator.services import labelling, models, picking, tasks, training
from annotator.services import questions as questions_service
from annotator.services.answers import Answer
from annotator.services.scripted import Truth, answer_from_truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Origin, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Task
from tests.services.worlds import BACKBONE, DIM, make_world, put_model, put_tiles, put_vectors, whole

COUNT = 200


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT)


def asked(workspace: Workspace) -> list[Task]:
    with workspace.reading() as session:
        query = select(Task).where(Task.done_at.is_(None), Task.tag_id.is_(None)).order_by(Task.position)
        return list(session.scalars(query))


def questions(workspace: Workspace) -> list[tuple[int, TaskKind, str]]:
    return [(task.image_row, task.kind, task.reason) for task in asked(workspace)]


@pytest.fixture(params=[False, True], ids=["before the first training", "after it"])
def trained(request: pytest.FixtureRequest, workspace: Workspace, truth: Truth) -> Workspace:
    if request.param:
        picking.refill(workspace, 60, "random")
        answer_from_truth(workspace, truth, "anna", 60)
        put_model(
            workspace, truth, 0.3 + 0.4 * truth.labels + 0.2 * np.random.default_rng(1).random(truth.labels.shape)
        )
    return workspace


@pytest.mark.parametrize("strategy", QUERIES)
def test_each_strategy_keeps_measuring_and_training_images_apart(trained: Workspace, strategy: str) -> None:
    assert picking.refill(trained, 40, strategy) == 40
    snapshot = take(trained)
    by_kind: dict[bool, list[int]] = {True: [], False: []}
    for task in asked(trained):
        by_kind[task.kind == TaskKind.CALIBRATION].append(task.image_row)
        assert task.reason
    assert len(by_kind[True]) == 6
    assert snapshot.in_split(Split.VALIDATION)[by_kind[True]].all()
    assert snapshot.in_split(Split.TRAIN)[by_kind[False]].all()


@pytest.mark.parametrize("strategy", QUERIES)
def test_no_strategy_asks_about_two_near_duplicates(trained: Workspace, strategy: str) -> None:
    picking.refill(trained, 60, strategy)
    groups = take(trained).groups
    picked = [groups[task.image_row] for task in asked(trained) if task.kind != TaskKind.CALIBRATION]
    assert len(picked) == len(set(picked)) > 0


@pytest.mark.parametrize("strategy", QUERIES)
def test_the_same_answers_and_seed_give_the_same_questions(trained: Workspace, strategy: str) -> None:
    picking.refill(trained, 30, strategy)
    first = questions(trained)
    picking.refill(trained, 30, strategy)
    assert questions(trained) == first


def test_another_seed_gives_other_questions(workspace: Workspace, truth: Truth) -> None:
    picking.refill(workspace, 30)
    first = questions(workspace)
    workspace.change_project(seed=1)
    picking.refill(workspace, 30)
    assert questions(workspace) != first


def test_no_test_image_is_ever_asked(workspace: Workspace, truth: Truth) -> None:
    seen: set[int] = set()
    while picking.refill(workspace, 100):
        seen |= {task.image_row for task in asked(workspace)}
        answer_from_truth(workspace, truth, "anna", 100)
    test = set(np.flatnonzero(take(workspace).in_split(Split.TEST)).tolist())
    assert test
    assert seen == set(range(COUNT)) - test


def test_what_a_person_answered_or_holds_is_not_asked_again(workspace: Workspace, truth: Truth) -> None:
    labelling.set_labels(workspace, "anna", [label for row in range(50) for label in whole(truth, row)])
    picking.refill(workspace, 30)
    held = {task.image_row for task in tasks.claim(workspace, "ben", None, 5)}
    picking.refill(workspace, 30)
    rows = [task.image_row for task in asked(workspace)]
    assert min(rows) >= 50
    assert len(rows) == len(set(rows)) == 35
    assert held < set(rows)


def test_cannot_tell_is_an_answer_and_is_not_asked_again(workspace: Workspace, truth: Truth) -> None:
    labels = [(row, tag, LabelState.UNKNOWN) for row in range(COUNT) for tag in truth.tag_ids]
    labelling.set_labels(workspace, "anna", labels)
    assert picking.refill(workspace, 30) == 0


def test_images_of_which_only_some_tags_were_said_are_asked_as_a_whole_when_the_others_are_used_up(
    workspace: Workspace, truth: Truth
) -> None:
    """As after Verify, or an import of labels that lists what is present."""
    first, *others = truth.tag_ids
    train = np.flatnonzero(take(workspace).in_split(Split.TRAIN)).tolist()
    fresh, said, done = train[:3], train[3:], train[-2:]
    labelling.set_labels(workspace, "anna", [(row, first, LabelState.NEGATIVE) for row in said])
    labelling.set_labels(workspace, "anna", [(row, tag, LabelState.NEGATIVE) for row in done for tag in others])
    assert picking.refill(workspace, 10, "random")
    rows = {row for row, kind, _ in questions(workspace) if kind != TaskKind.CALIBRATION}
    assert rows <= {*fresh, *said} - {*done} and rows & {*said}
    before = len(asked(workspace))
    assert picking.refill(workspace, 10, "random") == before
    while asked(workspace):
        answer_from_truth(workspace, truth, "anna", COUNT)
        picking.refill(workspace, COUNT, "random")
    snapshot = take(workspace)
    assert not (snapshot.origins[snapshot.in_split(Split.TRAIN)] == Origin.NOBODY).any()


def test_what_was_said_before_is_marked_where_the_rest_is_asked(workspace: Workspace, truth: Truth) -> None:
    boat, car, *_ = truth.tag_ids
    rows = range(COUNT)
    labelling.set_labels(workspace, "import", [(row, boat, LabelState.POSITIVE) for row in rows])
    labelling.set_labels(workspace, "bea", [(0, boat, LabelState.NEGATIVE), (1, car, LabelState.POSITIVE)])
    picking.refill(workspace, COUNT, "random")
    found = {one["image"]: one for one in questions_service.claim(workspace, "anna", None, COUNT)["questions"]}
    assert found and {one["kind"] for one in found.values()} == {"pick"}
    for row, one in found.items():
        said = {} if row == 0 else {boat: 1, car: 1} if row == 1 else {boat: 1}
        assert one["answered"] == said


def test_a_few_new_images_are_asked_before_many_of_which_something_was_said(workspace: Workspace, truth: Truth) -> None:
    train = np.flatnonzero(take(workspace).in_split(Split.TRAIN)).tolist()
    labelling.set_labels(workspace, "import", [(row, truth.tag_ids[0], LabelState.POSITIVE) for row in train[5:]])
    picking.refill(workspace, 20, "random")
    assert set(train[:5]) <= {row for row, kind, _ in questions(workspace) if kind != TaskKind.CALIBRATION}


def test_what_somebody_answered_while_the_queue_was_filled_is_not_asked_again(
    workspace: Workspace, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = np.flatnonzero(take(workspace).in_split(Split.TRAIN)).tolist()
    labelling.set_labels(workspace, "import", [(row, truth.tag_ids[0], LabelState.POSITIVE) for row in train])
    picking.refill(workspace, 20, "random")
    replace, done = tasks.replace_picks, []

    def late(session: Any, picks: list[Task], partly: Any) -> None:
        done.extend(session.scalars(select(Task).where(Task.kind == TaskKind.PICK).limit(5)))
        for task in done:
            task.done_at = datetime.now(UTC)
        session.flush()
        replace(session, picks, partly)

    monkeypatch.setattr(tasks, "replace_picks", late)
    picking.refill(workspace, COUNT, "random")
    assert len(done) == 5 and not {task.image_row for task in done} & {row for row, _, _ in questions(workspace)}


def test_what_was_seen_as_a_whole_is_not_asked_again_though_tags_of_it_are_open(
    workspace: Workspace, truth: Truth
) -> None:
    """Of a large vocabulary only the likeliest tags are shown."""
    picking.refill(workspace, COUNT, "random")
    held = tasks.claim(workspace, "anna", None, COUNT)
    for seq, task in enumerate(held, 1):
        said = ((task.image_row, truth.tag_ids[0], LabelState.POSITIVE),)
        labelling.record(workspace, "anna", "c", [Answer(seq, said, tasks=(task.id,))])
    assert picking.refill(workspace, COUNT, "random") == 0


def test_random_questions_are_spread_among_the_picked_ones(workspace: Workspace, truth: Truth) -> None:
    picking.refill(workspace, 60)
    kinds = [task.kind for task in asked(workspace)]
    for third in (kinds[:20], kinds[20:40], kinds[40:]):
        assert third.count(TaskKind.CALIBRATION) == 3


def test_held_out_answers_steer_no_pick(workspace: Workspace, truth: Truth) -> None:
    training_rows = np.flatnonzero(take(workspace).in_split(Split.TRAIN))[:40].tolist()
    held_out = np.flatnonzero(~take(workspace).in_split(Split.TRAIN))[:20].tolist()
    labelling.set_labels(workspace, "anna", [label for row in training_rows for label in whole(truth, row)])
    labelling.set_labels(workspace, "anna", [label for row in held_out for label in whole(truth, row)])
    picking.refill(workspace, 30)
    first = questions(workspace)
    flipped = [(row, tag, LabelState(1 - state)) for row in held_out for _, tag, state in whole(truth, row)]
    labelling.set_labels(workspace, "anna", flipped)
    picking.refill(workspace, 30)
    assert questions(workspace) == first


def test_a_wrong_strategy_brings_the_near_one(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mixed'"):
        picking.refill(workspace, 10, "mixt")


@pytest.mark.parametrize("strategy", QUERIES)
def test_an_empty_workspace_asks_nothing(workspace: Workspace, strategy: str) -> None:
    assert picking.refill(workspace, 10, strategy) == 0


def test_images_that_came_after_the_embedding_are_left_out_until_they_are_embedded(
    workspace: Workspace, truth: Truth
) -> None:
    folder = workspace.embeddings_folder(BACKBONE)
    vectors = np.load(next(folder.glob("rows-*.npy")))
    write_array(next(folder.glob("rows-*.npy")), vectors[:150])
    assert picking.refill(workspace, 60) == 60
    picked = [task.image_row for task in asked(workspace) if task.kind != TaskKind.CALIBRATION]
    assert max(picked) < 150


def test_a_share_of_the_picks_is_random_so_that_they_can_be_held_against_it(workspace: Workspace, truth: Truth) -> None:
    workspace.change_project(control_share=0.25)
    picking.refill(workspace, 40)
    found = [task.kind for task in asked(workspace)]
    assert found.count(TaskKind.RANDOM) in (8, 9)  # a quarter of the 34 that are not drawn for measuring
    workspace.change_project(control_share=0.0)
    picking.refill(workspace, 40)
    assert TaskKind.RANDOM not in [task.kind for task in asked(workspace)]


def test_a_model_of_another_backbone_does_not_stop_the_queue(workspace: Workspace, truth: Truth) -> None:
    put_model(workspace, truth, 0.2 + 0.5 * truth.labels)
    vectors = np.random.default_rng(0).normal(size=(COUNT, 24))
    put_vectors(workspace, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), "other@1")
    assert picking.refill(workspace, 30) == 30


def test_the_bandit_tries_its_arms_and_each_training_tells_it_what_one_brought(
    workspace: Workspace, truth: Truth
) -> None:
    workspace.change_project(strategy="bandit")
    for _ in range(len(ARMS) + 2):
        picking.refill(workspace, 30)
        answer_from_truth(workspace, truth, "anna", 20)
        training.train(workspace)
    picking.refill(workspace, 30)
    asked_by = [model.metrics["asks_next"] for model in models.history(workspace)]
    assert set(asked_by) == set(ARMS)


def test_tiles_reach_the_strategy_when_every_image_has_them(workspace: Workspace, truth: Truth) -> None:
    put_model(workspace, truth, 0.2 + 0.5 * truth.labels)
    picking.refill(workspace, 30, "object_focused")
    first = questions(workspace)
    tiles = np.random.default_rng(0).normal(size=(COUNT, 9, DIM))
    put_tiles(workspace, tiles[:-1])
    picking.refill(workspace, 30, "object_focused")
    assert questions(workspace) == first
    put_tiles(workspace, tiles[-1:])
    picking.refill(workspace, 30, "object_focused")
    assert questions(workspace) != first


def test_a_model_that_looks_at_tiles_says_how_sure_it_is_by_them(workspace: Workspace, truth: Truth) -> None:
    workspace.change_project(head="dual_prompt")
    put_tiles(workspace, np.random.default_rng(0).normal(size=(COUNT, 9, DIM)))
    picking.refill(workspace, 60, "random")
    answer_from_truth(workspace, truth, "anna", 60)
    training.train(workspace)
    seen = picking.pool(workspace, take(workspace), np.arange(COUNT), np.empty(0, np.int64))
    assert seen.variance is not None and seen.tiles is not None and seen.embeddings is not None
    model = models.required(workspace)
    rows = np.array([3, 70, 11])
    by_tiles = models.variances(workspace, model)(seen.embeddings[rows], seen.tiles[rows])
    np.testing.assert_array_equal(seen.variance[rows], by_tiles)
    assert not np.array_equal(by_tiles, models.variances(workspace, model)(seen.embeddings[rows]))
