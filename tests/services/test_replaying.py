from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.learning.replay import Material, Recipe, replay
from annotator.progress import Cancelled
from annotator.services import labelling, replaying, training
from annotator.services.snapshots import take
from annotator.workspace import Workspace
from tests.learning.test_replay import make_material
from tests.services.worlds import BACKBONE, make_world, put_tiles, whole

RECIPES = [Recipe("margin"), Recipe("diversity")]
STEPS = (20, 40)


@pytest.fixture
def answered(workspace: Workspace) -> Workspace:
    truth = make_world(workspace, 300, noise=0.6)
    labelling.set_labels(workspace, "anna", [label for row in range(240) for label in whole(truth, row)])
    return workspace


def test_what_may_train_is_asked_again_and_what_measures_models_measures(answered: Workspace) -> None:
    material = replaying.workspace_material(answered)
    vectors = answered.embeddings(BACKBONE).read()
    data = training.training_set(answered, take(answered), len(vectors))
    for places, rows, labels in (
        (material.pool, data.train_rows, data.train_labels),
        (material.held_out, data.held_rows, data.held_labels),
    ):
        assert len(places) > 20
        np.testing.assert_array_equal(material.X[places], vectors[rows])
        np.testing.assert_array_equal(material.labels[places], labels)


def test_before_there_is_enough_to_replay_it_says_so(workspace: Workspace) -> None:
    with pytest.raises(MissingError, match="annotator embed"):
        replaying.workspace_material(workspace)
    make_world(workspace, 100)
    with pytest.raises(MissingError, match="0 answered images to ask again and 0 held out"):
        replaying.workspace_material(workspace)


@pytest.mark.slow
def test_a_replay_of_a_workspace_is_kept_and_says_what_each_recipe_saved(answered: Workspace) -> None:
    assert replaying.latest(answered) is None
    told: list[tuple[int, int, str]] = []
    report = replaying.replay_workspace(
        answered, RECIPES, seeds=2, budget=40, progress=lambda *state: told.append(state)
    )
    assert replaying.latest(answered) == report
    by_name = {row["strategy"]: row for row in report["table"]}
    assert set(by_name) == {"random", "margin", "diversity"}
    assert by_name["random"]["saved"] is None
    assert by_name["margin"]["saved_low"] <= by_name["margin"]["saved"] <= by_name["margin"]["saved_high"]
    assert all(curve["answers"][-1] == 40 for curve in report["curves"].values())
    assert told[0] == (0, 6, "replaying")
    assert told[-1] == (6, 6, "replaying")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Recipe, int]]:
    """The runs that were played, one after the other and here: a process for each takes longer to start than to run."""
    played: list[tuple[Recipe, int]] = []

    def here(
        materials: Sequence[Material], runs: Sequence[tuple[Recipe, int]], steps: Sequence[int]
    ) -> Iterator[replaying.Curves]:
        for recipe, seed in runs:
            played.append((recipe, seed))
            yield {(recipe, seed): replay(materials[seed], recipe, steps, seed)}

    monkeypatch.setattr(replaying, "_in_processes", here)
    return played


class _Stop:
    """Cancels after some runs."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, done: int, total: int, what: str) -> None:
        if done >= self.after:
            raise Cancelled


@pytest.mark.usefixtures("ran")
def test_a_cancelled_replay_goes_on_where_it_was_and_changes_no_figure(tmp_path: Path) -> None:
    materials = [make_material(0), make_material(1)]
    with pytest.raises(Cancelled):
        replaying.play(materials, RECIPES, STEPS, tmp_path, _Stop(2))
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.glob("*.json")}
    assert len(kept) >= 2
    curves = replaying.play(materials, RECIPES, STEPS, tmp_path)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    plain = replaying.play(materials, RECIPES, STEPS)
    assert {run: curve.mAP.tolist() for run, curve in curves.items()} == {
        run: curve.mAP.tolist() for run, curve in plain.items()
    }


def test_other_labels_are_replayed_anew(tmp_path: Path, ran: list[tuple[Recipe, int]]) -> None:
    material = make_material(0)
    replaying.play([material], [Recipe("random")], STEPS, tmp_path)
    ran.clear()
    replaying.play([material], [Recipe("random")], STEPS, tmp_path)
    assert not ran
    changed = Material(material.X, 1 - material.labels, material.pool, material.held_out)
    replaying.play([changed], [Recipe("random")], STEPS, tmp_path)
    assert ran == [(Recipe("random"), 0)]


def test_random_choice_is_always_replayed_with_the_same_head_and_loss() -> None:
    recipes = replaying.with_random([Recipe("margin", loss="focal"), Recipe("random")])
    assert recipes == [Recipe("random", loss="focal"), Recipe("random"), Recipe("margin", loss="focal")]


def test_recipes_cross_strategies_heads_and_losses() -> None:
    recipes = replaying.recipes_of(["margin", "badge"], losses=["masked_bce", "focal"])
    assert [(recipe.strategy, recipe.loss) for recipe in recipes] == [
        ("margin", "masked_bce"), ("margin", "focal"), ("badge", "masked_bce"), ("badge", "focal"),
    ]  # fmt: skip


@pytest.mark.parametrize(("budget", "steps"), [(3, (1, 2, 3)), (100, tuple(range(10, 101, 10)))])
def test_steps_grow_evenly_to_the_budget(budget: int, steps: tuple[int, ...]) -> None:
    assert replaying.even_steps(budget) == steps
    assert all(np.diff(replaying.even_steps(budget, 7)) > 0)


def test_tiles_are_replayed_where_a_recipe_looks_at_them(answered: Workspace) -> None:
    vectors = np.asarray(answered.embeddings(BACKBONE).read(), np.float32)
    put_tiles(answered, np.repeat(vectors[:, None], 9, axis=1))
    assert replaying.workspace_material(answered, RECIPES).tiles is None
    for recipe in (Recipe("object_focused"), Recipe("random", "dual_prompt")):
        material = replaying.workspace_material(answered, [*RECIPES, recipe])
        assert material.tiles is not None
        np.testing.assert_array_equal(material.tiles[:][:, 4], material.X)


@pytest.mark.usefixtures("ran")
def test_runs_on_other_tiles_are_not_taken_for_the_same(tmp_path: Path) -> None:
    plain = make_material()
    tiles = np.repeat(plain.X[:, None], 2, axis=1)
    for material in (plain, replace(plain, tiles=tiles), replace(plain, tiles=-tiles)):
        replaying.play([material], [Recipe("object_focused", "dual_prompt")], STEPS, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 6
