"""What all tests of pages need."""

import sys
from collections.abc import Callable, Iterator

import pytest

from annotator import workspace as workspaces
from annotator.workspace import Workspace

Opened = Callable[[Workspace], None]


@pytest.fixture(autouse=True)
def main_stays() -> Iterator[None]:
    """A page that runs makes itself the main module, which processes started by later tests would run again."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Make a workspace the one the pages serve."""

    def chosen(workspace: Workspace) -> None:
        monkeypatch.setenv("ANNOTATOR_WORKSPACE", str(workspace.folder))
        monkeypatch.setenv("ANNOTATOR_DEVICE", "cpu")
        workspaces.current.cache_clear()

    workspaces.current.cache_clear()
    yield chosen
    if workspaces.current.cache_info().currsize:
        workspaces.current().close()
    workspaces.current.cache_clear()
