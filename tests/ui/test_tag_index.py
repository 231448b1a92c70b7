"""The type-ahead's index, run in the browser it is written for."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from tests.ui.app import LabelPage, Served

pytestmark = pytest.mark.browser

SEARCH = """async ([names, typed, most]) => {
  const { TagIndex } = await import("/api/ui/tag_index.js");
  return new TagIndex(names.map((name, id) => [id, name, []])).search(typed, most).map((one) => one.id);
}"""


@pytest.fixture(scope="module")
def searcher(browser: Any, served: Served) -> Any:
    page = browser.new_page()
    LabelPage(page, served)
    yield lambda names, typed, most=10_000: page.evaluate(SEARCH, [names, typed, most])
    page.close()


def typos(name: str, typed: str) -> int:
    """The fewest insertions, deletions, replacements and swaps between `typed` and a beginning of `name`."""
    table = [[max(i, j) if not i or not j else 0 for j in range(len(typed) + 1)] for i in range(len(name) + 1)]
    for i in range(1, len(name) + 1):
        for j in range(1, len(typed) + 1):
            same = int(name[i - 1] != typed[j - 1])
            cost = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + same)
            if i > 1 and j > 1 and name[i - 1] == typed[j - 2] and name[i - 2] == typed[j - 1]:
                cost = min(cost, table[i - 2][j - 2] + 1)
            table[i][j] = cost
    return min(row[len(typed)] for row in table)


word = st.text("abc", min_size=3, max_size=11)


@settings(max_examples=60, deadline=None)
@given(names=st.lists(word, min_size=1, max_size=60, unique=True), typed=word)
def test_what_is_a_typo_or_two_away_is_found_and_nothing_else(searcher: Any, names: list[str], typed: str) -> None:
    """Against a plain table of distances. What begins with the text makes looking further needless."""
    allowed = 2 if len(typed) >= 8 else 1
    found = searcher(names, typed)
    near = [number for number, name in enumerate(names) if typos(name, typed) <= allowed]
    if near:
        assert sorted(found) == near
    else:
        assert all(typed in names[number] for number in found)


def test_names_come_before_words_in_them_and_shorter_ones_first(searcher: Any) -> None:
    names = ["sailing boat", "boathouse", "Boat", "boat trailer", "ferry"]
    assert [names[number] for number in searcher(names, "boat")] == [
        "Boat",
        "boathouse",
        "boat trailer",
        "sailing boat",
    ]


def test_accents_case_and_punctuation_make_no_difference(searcher: Any) -> None:
    names = ["Café-bar", "ski_lift", "ÅNGSTRÖM", "日本 tower"]
    for typed, place in (("cafe bar", 0), ("ski lift", 1), ("angstrom", 2), ("日本", 3), ("tower", 3)):
        assert searcher(names, typed)[0] == place, json.dumps(typed)


def test_a_hundred_thousand_tags_are_searched(searcher: Any) -> None:
    names = [f"thing number {number}" for number in range(100_000)] + ["Zürich lake", "hammerhead shark"]
    assert searcher(names, "zurich", 3) == searcher(names, "lake", 3) == [100_000]
    assert searcher(names, "hamerhaed", 3) == [100_001]
    assert searcher(names, "thing number 4711", 3)[0] == 4711
    assert searcher(names, "qqqqqq", 3) == searcher(names, "  ", 3) == []


def test_no_tags_are_no_trouble(page: Page, searcher: Any) -> None:
    assert searcher([], "boat") == []
