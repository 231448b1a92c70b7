"""A short run of the durability benchmark: kills and cuts, and the store equals what was pressed."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from benchmarks import durability

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.usefixtures("browser")
def test_nothing_is_lost_or_doubled_through_kills_and_cuts(tmp_path: Path, browser: Browser) -> None:
    with durability.make(tmp_path, 300) as workspace:
        figures = durability.run(workspace, browser, answers=120, troubles=1)
    assert figures["sent"] == figures["stored"] >= 120
    assert (figures["lost"], figures["doubled"], figures["in_order"]) == (0, 0, True)
    assert (figures["kills"], figures["cuts"]) == (1, 1)
