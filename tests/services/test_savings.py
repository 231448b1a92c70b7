import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.learning.queries import DEFAULT
from annotator.services import labelling, models, picking, savings, training
from annotator.services.savings import Answers, Measured
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import Split, TaskKind
from annotator.workspace import Workspace
from db.models import Model, Task
from tests.services.worlds import make_world, whole

HEAD = "text_anchored"
STRATEGY = "margin"


def bunches(count: int, rng: np.random.Generator, tags: int = 6) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Images of which each shows one tag, the first ones far more often."""
    own = rng.choice(tags, count, p=2.0 ** -np.arange(1, tags + 1) / (1 - 2.0**-tags))
    X = np.eye(tags, 12)[own] + 0.35 * rng.normal(size=(count, 12))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32), np.eye(tags, dtype=np.int8)[own]


def answers(picked: str, rng: np.random.Generator) -> Answers:
    """100 picked answers, of all tags alike ("even") or of one tag only ("narrow"), then 100 random ones."""
    X, labels = bunches(4000, rng)
    held_X, held_labels = bunches(600, rng)
    own = labels.argmax(1)
    if picked == "even":
        rows = rng.permutation(np.concatenate([np.flatnonzero(own == tag)[:17] for tag in range(6)]))[:100]
    else:
        rows = np.flatnonzero(own == 0)[:100]
    rows = np.concatenate([rows, rng.choice(np.setdiff1d(np.arange(4000), rows), 100, replace=False)])
    return Answers(X[rows], labels[rows], np.arange(200) >= 100, held_X, held_labels)


def test_picks_that_teach_more_save_answers_and_one_sided_ones_lose() -> None:
    good = savings.measure(answers("even", np.random.default_rng(0)), HEAD, None, 0, STRATEGY)
    assert good is not None
    assert good.images == 100
    assert good.saved > 0.2
    assert good.low > -0.2
    assert good.mAP > good.mAP_random
    assert not good.loses(STRATEGY)
    bad = savings.measure(answers("narrow", np.random.default_rng(0)), HEAD, None, 0, STRATEGY)
    assert bad is not None
    assert bad.loses(STRATEGY)


def test_a_project_that_began_with_random_answers_saved_nothing_and_lost_nothing() -> None:
    """What came later completes them, and must not be blamed for what it left out."""
    found = answers("narrow", np.random.default_rng(2))
    turned = np.r_[np.arange(100, 200), np.arange(100)]
    later = Answers(found.X[turned], found.labels[turned], found.random[turned], found.held_X, found.held_labels)
    measured = savings.measure(later, HEAD, None, 0, STRATEGY)
    assert measured is not None
    assert not measured.loses(STRATEGY)
    assert measured.low < 0 < measured.high


def test_the_same_seed_gives_the_same_figure() -> None:
    found = answers("even", np.random.default_rng(1))
    assert savings.measure(found, HEAD, None, 4, STRATEGY) == savings.measure(found, HEAD, None, 4, STRATEGY)


@pytest.mark.parametrize("few", ["random", "held out"])
def test_with_too_few_of_a_kind_nothing_is_said(few: str) -> None:
    found = answers("even", np.random.default_rng(0))
    kept = slice(0, 125 if few == "random" else None)
    held = slice(0, 20 if few == "held out" else None)
    fewer = Answers(found.X[kept], found.labels[kept], found.random[kept], found.held_X[held], found.held_labels[held])
    assert savings.measure(fewer, HEAD, None, 0, STRATEGY) is None


def test_chance_is_seldom_called_a_loss() -> None:
    """Both kinds random: about one interval in twenty may lie below zero, and as many above."""
    rng = np.random.default_rng(7)
    lost = won = 0
    for trial in range(20):
        X, labels = bunches(80, rng)
        held_X, held_labels = bunches(60, rng)
        found = savings.measure(
            Answers(X, labels, np.arange(80) >= 40, held_X, held_labels), HEAD, None, trial, STRATEGY
        )
        assert found is not None
        lost += found.loses(STRATEGY)
        won += found.low > 0
    assert lost <= 3
    assert won <= 4


def test_where_no_tag_can_be_scored_nothing_is_said() -> None:
    X, labels = bunches(120, np.random.default_rng(0), tags=1)
    found = Answers(X[:80], labels[:80], np.arange(80) >= 40, X[80:], np.zeros((40, 1), np.int8))
    assert savings.measure(found, HEAD, None, 0, STRATEGY) is None


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, 400, noise=0.6)


def test_a_training_holds_the_picks_against_the_random_ones(workspace: Workspace, truth: Truth) -> None:
    training_rows = np.flatnonzero(take(workspace).in_split(Split.TRAIN)).tolist()
    held_rows = np.flatnonzero(take(workspace).in_split(Split.VALIDATION)).tolist()
    for rows, kind in (
        (training_rows[:60], TaskKind.PICK),
        (training_rows[60:110], TaskKind.RANDOM),
        (held_rows, TaskKind.CALIBRATION),
    ):
        labels = [label for row in rows for label in whole(truth, row)]
        labelling.set_labels(workspace, "anna", labels, kind)
    training.train(workspace)
    found = savings.of(models.in_use(workspace))
    assert found is not None
    assert found.images == 50
    assert found.low <= found.saved <= found.high


def put_saving(workspace: Workspace, measured: Measured) -> None:
    with workspace.transaction() as session:
        model = session.query(Model).filter_by(in_use=True).one()
        model.metrics = {**model.metrics, "saving": savings.stored(measured)}


def kinds(workspace: Workspace) -> set[TaskKind]:
    with workspace.reading() as session:
        return {task.kind for task in session.query(Task).filter(Task.done_at.is_(None))}


def test_while_the_picks_surely_lose_random_ones_are_served(workspace: Workspace, truth: Truth) -> None:
    rows = np.flatnonzero(take(workspace).in_split(Split.TRAIN)).tolist()[:60]
    labelling.set_labels(workspace, "anna", [label for row in rows for label in whole(truth, row)])
    training.train(workspace)
    put_saving(workspace, Measured(-0.2, -0.4, 0.1, 40, 0.5, 0.6, DEFAULT))
    picking.refill(workspace, 40)
    assert kinds(workspace) == {TaskKind.PICK, TaskKind.RANDOM, TaskKind.CALIBRATION}
    put_saving(workspace, Measured(-0.2, -0.4, -0.1, 40, 0.5, 0.6, DEFAULT))
    picking.refill(workspace, 40)
    assert kinds(workspace) == {TaskKind.RANDOM, TaskKind.CALIBRATION}
    workspace.change_project(strategy="diversity")  # of which nothing was measured
    picking.refill(workspace, 40)
    assert TaskKind.PICK in kinds(workspace)


def test_the_order_of_answers_is_that_of_the_queue_on_either_store(any_workspace: Workspace) -> None:
    truth = make_world(any_workspace, 12)
    for rows, kind in (
        ([7, 2], TaskKind.PICK),
        ([5], TaskKind.RANDOM),
        ([3], TaskKind.BULK),
        ([9], TaskKind.CALIBRATION),
        ([1], TaskKind.PICK),
    ):
        labelling.set_labels(any_workspace, "anna", [label for row in rows for label in whole(truth, row)], kind)
    order = savings.order_of(any_workspace, np.array([1, 2, 3, 5, 7, 9]))
    # Those that were stored in one call carry one time: their rows decide.
    assert order.rows.tolist() == [2, 7, 5, 1]
    assert order.random.tolist() == [False, False, True, False]
    assert savings.order_of(any_workspace, np.array([5, 1])).rows.tolist() == [5, 1]
