"""Label in a real browser on a vocabulary with relations: what follows is shown, can be changed, and is saved."""

import pytest
from playwright.sync_api import Page

from annotator.services.vocabulary_changes import make
from tests.ui.app import LabelPage, Served, tag_id

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def related(served: Served) -> dict[str, int]:
    """A boat is a kind of thing on the sea; with a sea there is no road. Boats have a key and a colour."""
    workspace = served.workspace
    make(workspace, "me", "parent", tag="boat", parent="sea")
    make(workspace, "me", "relate", relation="excludes", tag="sea", other="road")
    make(workspace, "me", "describe", tag="boat", hotkey="b", colour="#1d4ed8")
    return {name: tag_id(served, name) for name in ("boat", "sea", "road")}


def test_what_follows_is_marked_and_saved(page: Page, served: Served, related: dict[str, int]) -> None:
    label = LabelPage(page, served)
    row = label.painted()
    if label.states()[related["boat"]] != 1:
        label.press("b")
    states = label.states()
    assert (states[related["boat"]], states[related["sea"]], states[related["road"]]) == (1, 1, 0)
    label.press("Enter")
    label.saved()
    assert served.labels(row) == states


def test_what_follows_is_named_with_its_cause_and_gives_way_to_what_is_said(
    page: Page, served: Served, related: dict[str, int]
) -> None:
    label = LabelPage(page, served)
    boat, sea = (page.locator(f"[data-tag='{related[name]}']") for name in ("boat", "sea"))
    if label.states()[related["boat"]] == 1:
        label.press("b")
    label.press("b")
    assert "implied" in str(sea.get_attribute("class"))
    assert sea.locator(".source").text_content() == "follows from boat"
    assert boat.locator("kbd").text_content() == "b"
    sea.click()
    states = label.states()
    assert (states[related["boat"]], states[related["sea"]]) == (1, 0)
    assert "implied" not in str(sea.get_attribute("class"))
    label.press("u")
    assert label.states()[related["sea"]] == 1
