"""Labelling sessions in a real browser: pause, another machine, go on, report."""

import pytest
from playwright.sync_api import Browser, Page

from annotator.services import sessions, tasks
from tests.ui.app import LabelPage, Served, until

pytestmark = pytest.mark.browser


def test_a_session_is_paused_here_and_goes_on_there_where_it_was(page: Page, browser: Browser, served: Served) -> None:
    label = LabelPage(page, served)
    answered, states = label.answer("1")
    label.saved()
    shown = label.painted()
    page.locator("[data-do=pause]").click()
    page.get_by_text("is paused").wait_for()
    assert tasks.held_by(served.workspace, "me") == []
    with browser.new_context(viewport={"width": 1280, "height": 800}) as other_machine:
        there = LabelPage(other_machine.new_page(), served)
        assert there.painted() == shown
        there.press("ArrowLeft")
        until(lambda: there.painted() == answered)
        assert there.states() == states
        there.press("u")
        until(lambda: not served.labels(answered))


def test_ending_a_session_reports_what_was_done(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.answer("1")
    label.answer("2")
    label.saved()
    page.locator("[data-do=end]").click()
    report = page.locator(".report")
    report.get_by_text("has ended").wait_for()
    (newest, *_) = sessions.history(served.workspace)
    assert newest["state"] == "ended" and newest["pictures"] >= 2
    page.get_by_role("button", name="Start a new session").click()
    label.painted()
    label.answer("1")
    label.saved()
    assert sessions.history(served.workspace)[0]["session"] == newest["session"] + 1


def test_keys_answer_nothing_while_a_session_rests(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    before = len(served.submissions())
    page.locator("[data-do=pause]").click()
    page.get_by_text("is paused").wait_for()
    label.press("1", "n")
    page.wait_for_timeout(300)
    assert len(served.submissions()) == before
    page.get_by_role("button", name="Go on").click()
    label.painted()
