import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.ui.app import PATIENCE, Served, make_workspace


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no browser: neither chromium nor google-chrome is on the PATH (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Served]:
    with make_workspace(tmp_path_factory.mktemp("ui") / "workspace", samples) as workspace:
        served = Served(workspace)
        served.start()
        try:
            yield served
        finally:
            served.end(signal.SIGKILL)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A browser of its own, 1280 x 800: nothing is left over from another test."""
    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(PATIENCE * 1000)
        yield context.new_page()
