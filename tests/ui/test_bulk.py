"""Bulk in a real browser: select what a search or a cluster shows, tag it at once, take it back."""

import re

import pytest
from playwright.sync_api import Page

from tests.ui.app import Served, tag_id, until

pytestmark = pytest.mark.browser


@pytest.fixture
def found(page: Page, served: Served) -> Page:
    """What the search finds for "boat", all painted."""
    served.open(page, "search")
    page.get_by_label("Tag", exact=True).fill("boat")
    page.keyboard.press("Enter")
    painted(page)
    page.locator(".chosen-tag", has_text="boat").wait_for()
    return page


def painted(page: Page) -> None:
    """What is not on the screen is not tagged."""
    cells = page.locator(".cell img")
    cells.first.wait_for()
    until(lambda: cells.evaluate_all("all => all.every((one) => one.naturalWidth)"))


def rows(page: Page) -> list[int]:
    script = "all => all.map((one) => Number(one.src.split('/').at(-1)))"
    return list(page.locator(".cell img").evaluate_all(script))


def test_a_selection_gets_the_tag_after_its_number_is_confirmed_and_loses_it_in_one_step(
    found: Page, served: Served
) -> None:
    boat, shown = tag_id(served, "boat"), rows(found)
    before = [served.labels(row).get(boat) for row in shown]
    cells = found.locator(".cell")
    cells.nth(1).click()
    cells.nth(4).click(modifiers=["Shift"])
    found.keyboard.press("a")
    assert "4 pictures do not show: boat" in str(found.locator("[data-part=sentence]").text_content())
    assert [served.labels(row).get(boat) for row in shown] == before  # nothing before the confirmation
    found.keyboard.press("Enter")
    until(lambda: [served.labels(row).get(boat) for row in shown[1:5]] == [0] * 4)
    assert [served.labels(row).get(boat) for row in shown[5:]] == before[5:]
    found.keyboard.press("u")
    until(lambda: [served.labels(row).get(boat) for row in shown] == before)


def test_all_are_selected_by_a_key_and_several_tags_set_at_once(found: Page, served: Served) -> None:
    shown = rows(found)
    found.locator(".cell").nth(0).focus()
    found.keyboard.press("Control+a")
    assert f"{len(shown)} of {len(shown)} selected" in str(found.locator("[data-part=count]").text_content())
    found.keyboard.press("/")
    found.keyboard.type("sea")
    found.locator("[role=option]", has_text="sea").first.wait_for()
    found.keyboard.press("Enter")
    for key in ("/", "x", "Escape"):  # thought better of it
        found.keyboard.press(key)
    found.keyboard.press("p")
    found.keyboard.press("Enter")
    wanted = {tag_id(served, "boat"): 1, tag_id(served, "sea"): 1}
    until(lambda: all(wanted.items() <= served.labels(row).items() for row in shown))
    found.keyboard.press("u")
    until(lambda: not any(wanted.items() <= served.labels(row).items() for row in shown[-5:]))


def test_more_like_this_finds_the_pictures_near_one(found: Page, served: Served) -> None:
    wanted = rows(found)[2]
    found.locator(".cell").nth(2).focus()
    found.keyboard.press("m")
    found.get_by_text(f"Similar to picture {wanted}").wait_for()
    until(lambda: rows(found)[0] == wanted)


def test_a_cluster_is_tagged_like_a_search(page: Page, served: Served) -> None:
    served.open(page, "clusters")
    painted(page)
    page.keyboard.press("Control+a")
    page.locator("[data-part=count]", has_text=re.compile(r"^(\d+) of \1 ")).wait_for()
    page.keyboard.press("Escape")
    page.locator(".cell").nth(0).click()
    page.keyboard.press("p")
    page.locator("[data-part=note]", has_text="Choose a tag").wait_for()
    page.keyboard.type("balloon")
    page.locator("[role=option]", has_text="balloon").first.wait_for()
    page.keyboard.press("Enter")
    row, balloon = rows(page)[0], tag_id(served, "balloon")
    page.locator("[data-do=present]").click()
    page.keyboard.press("Enter")
    until(lambda: served.labels(row).get(balloon) == 1)
