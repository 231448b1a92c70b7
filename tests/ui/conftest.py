import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from annotator.settings import Settings
from annotator.workspace import Workspace
from data_samples.scenes import write_scenes
from tests.ui.app import PATIENCE, Served, make_workspace, serving

PICTURES = 180


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no browser: neither chromium nor google-chrome is on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures, enough that no test runs out of questions."""
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, PICTURES, seed=2)
    return folder


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, scenes: Path) -> Path:
    """The folder of the workspace that each file's server gets a copy of: importing and training take their time."""
    folder = tmp_path_factory.mktemp("ready") / "workspace"
    make_workspace(folder, scenes).close()
    return folder


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory, ready: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ui") / "workspace"
    shutil.copytree(ready, folder)
    with Workspace.open(folder, Settings(device="cpu", workers=1)) as workspace, serving(workspace) as served:
        yield served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser of its own, 1280 x 800: nothing is left over from another test."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(PATIENCE * 1000)
        yield context.new_page()
