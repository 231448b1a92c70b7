"""Label in a real browser on a vocabulary with relations: what follows is shown, can be changed, and is saved."""

import pytest
from playwright.sync_api import Page

from annotator.services.vocabulary_changes import make
from tests.ui.app import LabelPage, Served, VerifyPage, tag_id, until

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


def test_verify_says_what_an_answer_also_sets_and_sets_it(page: Page, served: Served, related: dict[str, int]) -> None:
    verify = VerifyPage(page, served, "sea")
    follows = page.locator("[data-part=follows]")
    until(lambda: follows.text_content() == "✓ also sets road absent · ✗ also sets boat absent")
    verify.choose("boat")
    until(lambda: follows.text_content() == "✓ also sets sea present, road absent")
    verify.choose("tree")
    until(lambda: not follows.is_visible())


def test_tagging_in_bulk_names_what_it_also_sets_before_it_does(
    page: Page, served: Served, related: dict[str, int]
) -> None:
    served.open(page, "search")
    page.get_by_label("Tag", exact=True).fill("boat")
    page.keyboard.press("Enter")
    page.locator(".chosen-tag", has_text="boat").wait_for()
    cell = page.locator(".cell").first
    until(lambda: cell.locator("img").evaluate("one => one.naturalWidth"))
    row = int(str(cell.locator("img").get_attribute("src")).rsplit("/", 1)[-1])
    cell.click()
    page.keyboard.press("p")
    sentence = str(page.locator("[data-part=sentence]").text_content())
    assert sentence.endswith("This also sets sea present, road absent, where you have not said otherwise.")
    page.keyboard.press("Enter")
    wanted = {related["boat"]: 1, related["sea"]: 1, related["road"]: 0}
    until(lambda: wanted.items() <= served.labels(row).items())
