"""Gold, skill, agreement, send-back and assign from the command line, as somebody would type them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from annotator.cli import app
from annotator.errors import AnnotatorError
from annotator.services import tasks
from annotator.workspace import Workspace
from tests.services.crew import NO, TAG, answer, make_questions
from tests.services.journal import stored

Typed = Callable[..., Any]


@pytest.fixture
def typed(workspace: Workspace) -> Typed:
    """What a command prints as JSON; its error is raised."""
    make_questions(workspace, 120)

    def run(*words: str) -> Any:
        result = CliRunner().invoke(app, [*words, "-w", str(workspace.folder), "--json"])
        if isinstance(result.exception, AnnotatorError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def test_gold_is_added_from_a_file_listed_and_measures(typed: Typed, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "known.csv"
    file.write_text("image,tag,state\n" + "".join(f"{row},boat,positive\n" for row in range(60)))
    assert typed("gold", "add", "--from", str(file), "--by", "rita")["added"] == 60
    assert len(typed("gold", "list")) == 60
    workspace.change_project(gold_share=0.5)
    for _ in range(9):
        for task in tasks.claim(workspace, "ben", TAG, 10):
            answer(workspace, "ben", task, NO)
    found = typed("skill")
    assert [alarm["person"] for alarm in found["alarms"]] == ["ben"]
    assert {row["accuracy"] for row in found["skills"]} == {0}
    before = stored(workspace)
    told = typed("send-back", "ben", "--since", "fell", "--preview")
    assert told["labels"] > 0 and stored(workspace) == before
    step = typed("send-back", "ben", "--since", "fell")
    assert step["labels"] == told["labels"]
    assert typed("skill")["alarms"] == []
    typed("send-back", "--undo", str(step["number"]))
    assert stored(workspace) == before


def test_agreement_is_printed_by_tag_and_by_two_people(typed: Typed, workspace: Workspace) -> None:
    for name in ("anna", "ben"):
        assert typed("label", "--image", "3", "--tag", "boat", "--state", "positive", "--annotator", name)
    assert [row["tag"] for row in typed("agreement")] == ["boat"]
    (row,) = typed("agreement", "--pairs")
    assert (row["first"], row["second"], row["same"]) == ("anna", "ben", 1)


def test_pictures_are_asked_of_one_person(typed: Typed, workspace: Workspace, tmp_path: Path) -> None:
    tasks.claim(workspace, "anna", TAG, 0)
    names = tmp_path / "images.txt"
    names.write_text("100\n101.jpg\n\n")
    assert typed("assign", "anna", "--from", str(names), "--tag", "boat")["questions"] == 2
    assert [task.image_row for task in tasks.claim(workspace, "anna", TAG, 2)] == [100, 101]


@pytest.mark.parametrize(
    "words",
    [
        ("gold", "add"),
        ("gold", "add", "--reviewed", "5", "--from", "x.csv"),
        ("send-back", "anna"),
        ("send-back", "anna", "--since", "yesterday"),
        ("send-back", "anna", "--since", "fell"),
        ("assign", "anna", "--from", "nowhere.txt"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(typed: Typed, words: tuple[str, ...]) -> None:
    with pytest.raises(AnnotatorError):
        typed(*words)
