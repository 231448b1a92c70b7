"""The library: its tables say what the store says, and its page runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import annotator
from annotator.api import Project
from annotator.errors import MissingError, UnknownNameError
from annotator.services import labelling
from annotator.services.snapshots import take
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Label
from tests.services.worlds import make_world

PAGE = Path(__file__).parent.parent / "docs" / "python.md"


@pytest.fixture
def project(workspace: Workspace) -> Project:
    make_world(workspace, 6)
    labelling.set_labels(workspace, "anna", [(0, 1, LabelState.POSITIVE), (0, 2, LabelState.UNKNOWN)])
    return Project(workspace)


def test_the_blocks_of_the_page_run(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(samples / "images", tmp_path / "pictures")
    shutil.copy(samples / "tags.yaml", tmp_path)
    rows = (samples / "labels.csv").read_text().replace("images/", "pictures/")
    (tmp_path / "labels.csv").write_text(rows)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 8
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    assert (tmp_path / "labels.json").exists()
    counts = names["counts"]
    assert isinstance(counts, pd.Series)
    assert counts.sum() == 48 * len(take(Workspace.open(tmp_path / "project")).tags)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("numpy", "sqlalchemy", "torch", "pandas")
    code = f"import sys, annotator; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_tables_say_what_the_store_says(project: Project) -> None:
    images, tags, labels = project.images, project.tags, project.labels()
    assert images.loc[3, "file"] == "/pictures/3.jpg"
    assert tags["name"].to_dict() == {1: "boat", 2: "car", 3: "tree"}
    assert labels[["row", "tag", "state", "origin", "by"]].values.tolist() == [
        [0, "boat", "positive", "human", "anna"], [0, "car", "unknown", "human", "anna"]
    ]  # fmt: skip
    assert labels["at"].dt.tz is not None
    assert (project.labels(as_frame=False) == project.snapshot().labels).all()


def test_an_empty_project_has_empty_tables_with_their_columns(workspace: Workspace) -> None:
    project = Project(workspace)
    assert len(project.images) == len(project.tags) == len(project.labels()) == 0
    assert list(project.labels().columns) == ["row", "file", "tag", "state", "origin", "by", "at"]


def test_labels_are_set_by_name(project: Project) -> None:
    assert project.label(1, "BOAT", "negative", by="ben")
    assert not project.label("/pictures/1.jpg", "boat", "negative", by="ben")
    assert project.snapshot().labels[1, 0] == LabelState.NEGATIVE


def test_many_labels_are_set_at_once_or_not_at_all(project: Project) -> None:
    table = pd.DataFrame({"row": [1, 2], "tag": ["boat", "car"], "state": ["positive", "perhaps"]})
    with pytest.raises(UnknownNameError, match="perhaps"):
        project.label_many(table)
    with project.workspace.reading() as session:
        assert session.query(Label).count() == 2
    assert project.label_many(table.drop(columns="state")) == 2


def test_suggestions_are_asked_by_image_or_by_tag(filled: Workspace) -> None:
    labelling.set_labels(filled, "anna", [(row, 1, LabelState(row % 2)) for row in range(20)])
    project = Project(filled)
    by_tag = project.suggest(tag=project.tags["name"].iloc[0], most=4)
    assert len(by_tag) == 4
    assert by_tag["score"].is_monotonic_decreasing
    assert set(project.suggest(image=0)["row"]) == {0}
    assert project.suggest(most=3)["row"].tolist() == [0, 1, 2]


def test_a_project_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="annotator init"):
        annotator.open(tmp_path / "nowhere")
    with annotator.create(tmp_path / "new", tags=["boat"]) as made:
        assert made.tags["name"].tolist() == ["boat"]
    with pytest.raises(AttributeError, match="close_all"):
        _ = annotator.close_all  # type: ignore[attr-defined]
