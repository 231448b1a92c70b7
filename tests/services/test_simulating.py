from pathlib import Path

import numpy as np
import pytest

from annotator.errors import UnknownNameError, UsageError
from annotator.learning.settling import Rule
from annotator.services.simulating import ANNOTATOR, Plan, simulate
from annotator.services.snapshots import take
from annotator.terms import Origin, Split
from annotator.workspace import Workspace
from db.models import Label, Task


def plan(samples: Path, **changes: object) -> Plan:
    values = {"answers_per_step": 10, "budget": 20, "audits": 5} | changes
    return Plan(samples / "images", samples / "labels.csv", **values)  # type: ignore[arg-type]


def test_a_run_reports_its_curve_its_rounds_and_its_totals(samples: Path) -> None:
    report = simulate(plan(samples))
    assert set(report) == {"settings", "curve", "rounds", "totals"}
    assert report["settings"]["seed"] == "0"
    answers = [point["answers"] for point in report["curve"]]
    assert answers == sorted(answers)
    assert answers[-1] == 20
    for point in report["curve"]:
        assert set(point) == {"answers", "labels", "seconds", "mAP", "f1", "model_mAP"}
        assert 0 <= point["f1"] <= 1
    tags = report["totals"]["tags"]
    assert [set(tag) for tag in report["rounds"]] == [
        {"tag", "settled_positive", "precision", "settled_negative", "missed"}
    ] * tags
    totals = report["totals"]
    assert totals["images"] == 48
    assert totals["answered_images"] >= 20
    assert totals["human_labels"] >= 20 * tags
    assert totals["final_mAP"] == report["curve"][-1]["mAP"]
    assert totals["settled_positive"] == sum(tag["settled_positive"] for tag in report["rounds"])


def test_images_that_are_held_out_are_never_asked(samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    report = simulate(plan(samples, answers_per_step=50, budget=100, audits=48), folder)
    with Workspace.open(folder) as workspace:
        test = take(workspace).in_split(Split.TEST)
        with workspace.reading() as session:
            asked = {row for (row,) in session.query(Task.image_row)}
            answered = {row for (row,) in session.query(Label.image_row)}
        assert report["totals"]["held_out_images"] == test.sum() > 0
        assert not test[sorted(asked)].any()
        assert not test[sorted(answered)].any()
        assert len(answered) == 48 - test.sum()
        assert (take(workspace).origins[test] == Origin.NOBODY).all()


def test_the_same_plan_gives_the_same_report(samples: Path) -> None:
    def timeless(report: dict) -> dict:  # type: ignore[type-arg]
        curve = [{name: value for name, value in point.items() if name != "seconds"} for point in report["curve"]]
        totals = {name: value for name, value in report["totals"].items() if name != "seconds"}
        return {**report, "curve": curve, "totals": totals}

    first = simulate(plan(samples, answers_per_step=15, budget=15, audits=0))
    assert timeless(first) == timeless(simulate(plan(samples, answers_per_step=15, budget=15, audits=0)))


def test_given_test_images_of_the_truth_are_the_held_out_ones(samples: Path, tmp_path: Path) -> None:
    lines = (samples / "labels.csv").read_text().splitlines()
    table = [f"{lines[0]},split"]
    for number, line in enumerate(lines[1:]):
        table.append(f"{samples}/{line},{'test' if number >= 40 else 'train'}")
    (tmp_path / "labels.csv").write_text("\n".join(table))
    chosen = Plan(samples / "images", tmp_path / "labels.csv", answers_per_step=20, budget=20, audits=0)
    simulate(chosen, tmp_path / "kept")
    with Workspace.open(tmp_path / "kept") as workspace:
        assert np.flatnonzero(take(workspace).in_split(Split.TEST)).tolist() == list(range(40, 48))
        with workspace.reading() as session:
            assert max(row for (row,) in session.query(Label.image_row)) < 40


def test_a_budget_too_small_to_train_ends_with_an_empty_curve(samples: Path) -> None:
    report = simulate(plan(samples, budget=3))
    assert report["curve"] == report["rounds"] == []
    assert report["totals"]["final_mAP"] is None
    assert report["totals"]["answered_images"] == 3


def test_a_folder_in_use_and_a_folder_without_pictures_are_told(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        simulate(plan(samples), tmp_path / "full")
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no picture could be imported"):
        simulate(Plan(tmp_path / "none", samples / "labels.csv"))
    assert ANNOTATOR


@pytest.mark.parametrize("rule", list(Rule))
def test_a_cascade_says_what_every_label_cost_and_what_holds(samples: Path, rule: Rule) -> None:
    report = simulate(plan(samples, audits=0, cascade=rule.value))["cascade"]
    assert report["answers"] + sum(tag["settled"] for tag in report["tags"]) == report["by_hand"]
    assert report["hours"] <= report["hours_by_hand"]
    assert report["tags_that_miss"] == sum(not tag["kept"] for tag in report["tags"])
    if rule == Rule.GUARANTEE:
        assert report["tags_that_miss"] == 0


def test_an_unknown_rule_of_a_cascade_is_named(samples: Path) -> None:
    with pytest.raises(UnknownNameError, match="guarantee"):
        simulate(plan(samples, audits=0, cascade="garantee"))
