"""The Quality page on a real workspace in which one of two people answers badly."""

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from annotator import jobs
from annotator import workspace as workspaces
from annotator.services import gold, label_error_file, send_back, tasks
from annotator.terms import TaskKind
from annotator.ui.menu import FOLDER
from annotator.workspace import Workspace
from tests.services.crew import NO, TAG, YES, answer, make_questions
from tests.services.journal import stored

SECONDS = 60


@pytest.fixture
def page(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    make_questions(workspace, 260)
    gold.declare(workspace, "rita", [(row, TAG, YES) for row in range(120)])
    workspace.change_project(gold_share=0.5, overlap=2)
    for name in ("anna", "ben"):
        for _ in range(9):
            for task in tasks.claim(workspace, name, TAG, 10):
                wrong = name == "ben" and task.kind == TaskKind.GOLD and task.id % 2
                answer(workspace, name, task, NO if wrong else YES)
    monkeypatch.setenv("ANNOTATOR_WORKSPACE", str(workspace.folder))
    workspaces.current.cache_clear()
    yield AppTest.from_file(str(FOLDER / "quality.py"), default_timeout=SECONDS).run()
    workspaces.current.cache_clear()


def button(page: AppTest, label: str) -> object:
    return next(one for one in page.button if one.label.startswith(label))


def test_the_page_names_who_answers_badly_and_nobody_else(page: AppTest) -> None:
    assert not page.exception
    (alarm,) = [warning.value for warning in page.warning]
    assert alarm.startswith("ben: ") and "80%" in alarm


def test_a_stretch_is_looked_at_sent_back_and_put_back(page: AppTest, workspace: Workspace) -> None:
    before = stored(workspace)
    button(page, "Look at").click().run()  # type: ignore[attr-defined]
    assert next(one for one in page.selectbox if one.label == "Whose answers").value == "ben"
    next(one for one in page.checkbox if one.label == "Take them back").check().run()
    button(page, "Send back").click().run()  # type: ignore[attr-defined]
    assert not page.exception and not page.warning
    (step,) = send_back.history(workspace)
    assert step["person"] == "ben" and len(stored(workspace)) < len(before)
    button(page, "Put it back").click().run()  # type: ignore[attr-defined]
    assert stored(workspace) == before


def test_the_share_of_gold_is_agreed_on_here(page: AppTest, workspace: Workspace) -> None:
    page.slider[0].set_value(10).run()
    assert workspace.project.gold_share == pytest.approx(0.1)


def test_a_search_for_label_errors_is_asked_of_the_worker_and_its_outcome_told(
    page: AppTest, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(jobs, "enqueue", lambda _workspace, kind: asked.append(kind))
    assert any("Nobody looked for label errors" in one.value for one in page.caption)
    button(page, "Look for label errors").click().run()  # type: ignore[attr-defined]
    assert asked == ["label_errors"]
    counts = {"suspects": 1, "missing": 0, "near-duplicates": 0, "leaks": 0, "images": 40}
    suspect = {"row": 3, "tag_id": TAG, "state": 1, "chance": 0.9, "words": "looks wrong", "kind": "contradicted"}
    label_error_file.write(
        workspace, {"at": "2026-05-04T10:00:00+00:00", "counts": counts, "suspects": [suspect], "leaks": []}
    )
    page.run()
    assert not page.exception
    assert any(one.value.startswith("1 labels contradicted") for one in page.markdown)
    assert any("looks wrong" in str(one.value) for one in page.dataframe)
