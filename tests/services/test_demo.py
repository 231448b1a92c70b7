"""Samples never get among somebody's own pictures."""

from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.errors import UsageError
from annotator.services import vocabulary
from annotator.services.demo import make_demo
from annotator.services.image_facts import image_count
from annotator.services.status import status
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags


@pytest.mark.parametrize(
    "fill", [lambda workspace: add_images(workspace, 1), lambda workspace: add_tags(workspace, ["boat"])]
)
def test_a_project_of_ones_own_is_left_as_it_is(workspace: Workspace, fill: Callable[[Workspace], None]) -> None:
    fill(workspace)
    before = status(workspace)
    with pytest.raises(UsageError, match="a project of its own"):
        make_demo(workspace.folder, 48)
    assert status(workspace) == before


def test_an_interrupted_run_is_brought_to_its_end(tmp_path: Path) -> None:
    def stop(_done: int, _total: int, what: str) -> None:
        if what == "embedding":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "demo", 48, stop)
    assert make_demo(tmp_path / "demo", 48)["images"] == 48
    assert make_demo(tmp_path / "demo", 48) == {"workspace": str(tmp_path / "demo"), "ready": True}
    with Workspace.open(tmp_path / "demo") as workspace, workspace.reading() as session:
        assert image_count(session) == 48 and vocabulary.count(session)
