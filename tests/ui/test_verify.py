"""Verify in a real browser: a page of pictures of one tag, its exceptions, and what reaches the store."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from sqlalchemy import select

from annotator.services import gold, labelling, rounds, status, tasks
from annotator.services.scripted import read_truth
from annotator.terms import LabelState, TaskKind
from db.models import Skip, Task
from tests.services.worlds import put_model
from tests.ui.app import PERSON, Served, VerifyPage, tag_id, until

pytestmark = pytest.mark.browser


def test_exceptions_are_marked_by_click_range_and_keys(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "fence")
    page.get_by_role("radio", name="show it").check()
    page.locator(".question", has_text="do not show").wait_for()
    shown, tag = verify.rows(), tag_id(served, "fence")
    count = len(shown)
    assert count >= 8
    cells = page.locator(".cell")
    cells.nth(0).click()
    cells.nth(3).click()
    cells.nth(5).click(modifiers=["Shift"])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("?")
    page.keyboard.press("Enter")
    until(lambda: verify.status().startswith(f"saved · {count} answered"))
    expected = {0: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: -1}
    assert [served.labels(row)[tag] for row in shown] == [expected.get(place, 1) for place in range(count)]


def test_a_drag_marks_all_it_passes_over(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "tree")
    boxes = [page.locator(".cell").nth(place).bounding_box() for place in range(4)]
    assert all(boxes)
    middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes if box]
    page.mouse.move(*middles[1])
    page.mouse.down()
    for middle in middles[2:]:
        page.mouse.move(*middle, steps=5)
    page.mouse.up()
    assert verify.exceptions()[:5] == [False, True, True, True, False]


def test_shift_and_arrows_carry_a_mark_along(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "tree")
    for key in ("x", "Shift+ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert verify.exceptions()[:4] == [True, True, True, False]


def test_space_and_a_resting_pointer_enlarge_a_picture(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "tree")
    preview = page.locator(".preview")
    page.keyboard.press(" ")
    preview.wait_for()
    first = preview.locator("img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    assert preview.locator("img").get_attribute("src") != first
    assert not any(verify.exceptions())
    page.keyboard.press(" ")
    assert preview.is_hidden()
    page.locator(".cell").nth(2).hover()
    preview.wait_for()


def test_pictures_proposed_as_absent_are_taken_as_absent_and_a_page_is_undone(page: Page, served: Served) -> None:
    tag = tag_id(served, "balloon")
    fresh = [row for row in range(48) if not served.labels(row)][:8]
    with served.workspace.transaction() as session:
        for row in fresh:
            position = tasks.Band.REJECT.position(row)
            session.add(Task(kind=TaskKind.PICK, image_row=row, tag_id=tag, position=position, reason="unlikely"))
    verify = VerifyPage(page, served, "balloon")
    shown = verify.rows()
    assert sorted(shown) == fresh
    assert "Mark the pictures that show" in str(page.locator(".question").text_content())
    page.locator(".cell").nth(2).click()
    page.keyboard.press("Enter")
    until(lambda: all(tag in served.labels(row) for row in shown))
    assert [served.labels(row)[tag] for row in shown] == [int(place == 2) for place in range(len(shown))]
    page.keyboard.press("u")
    until(lambda: not any(tag in served.labels(row) for row in shown))
    assert verify.rows() == shown


def test_the_slider_changes_the_page_and_keeps_the_marks(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "cloud")
    page.keyboard.press("x")
    page.locator("[data-part=size]").fill("12")
    until(lambda: page.locator(".cell").count() == 12)
    assert verify.exceptions()[:2] == [True, False]


def test_another_tag_frees_the_questions_of_the_one_before(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "cloud")
    shown = verify.rows()
    verify.choose("sun")
    cloud = tag_id(served, "cloud")
    until(lambda: set(shown) & {task.image_row for task in tasks.claim(served.workspace, "other", cloud, 60)})
    tasks.release(served.workspace, "other", tasks.held_by(served.workspace, "other"))


def test_the_tag_its_definition_and_examples_stand_on_top(page: Page, served: Served) -> None:
    VerifyPage(page, served, "sea")
    page.locator(".definition", has_text="Open water").wait_for()
    page.locator(".examples img").first.wait_for()


def test_s_gives_up_the_picture_in_focus_and_the_page_goes_on(page: Page, served: Served) -> None:
    verify = VerifyPage(page, served, "tree")
    before = verify.rows()
    page.locator(".cell").nth(2).focus()
    page.keyboard.press("s")
    page.keyboard.press("1")
    until(lambda: before[2] not in verify.rows())

    def reasons() -> list[str]:
        with served.workspace.reading() as session:
            return list(session.scalars(select(Skip.reason).where(Skip.image_row == before[2])))

    until(lambda: reasons() == ["cannot be seen"])


def test_what_is_known_is_shown_at_once_where_the_answer_was_another_one(page: Page, served: Served) -> None:
    tag = tag_id(served, "tree")
    known = [(row, tag) for row in range(90)]
    gold.declare(served.workspace, "rita", [(*pair, LabelState.POSITIVE) for pair in known], instant=True)
    served.workspace.change_project(gold_share=0.5)
    try:
        # What an earlier page left in the person's hands comes first, and has no gold among it.
        tasks.release(served.workspace, PERSON, tasks.held_by(served.workspace, PERSON))
        VerifyPage(page, served, "tree")
        page.get_by_role("radio", name="do not").check()
        page.locator(".question", has_text="Mark the pictures that show").wait_for()
        page.locator(".cell").first.focus()
        page.keyboard.press("Enter")
        note = page.locator("[data-part=note]", has_text="tree is present")
        note.wait_for()
        assert note.locator("img.known").count() == 1
    finally:
        served.workspace.change_project(gold_share=0)
        gold.remove(served.workspace, known)


def test_answered_audits_are_counted_off_and_enter_goes_on_with_the_next_tag(
    page: Page, served: Served, scenes: Path
) -> None:
    truth = read_truth(served.workspace, scenes / "labels.csv")
    put_model(served.workspace, truth, np.where(truth.labels == LabelState.POSITIVE, 0.995, 0.005))
    served.workspace.change_project(precision=0.8, recall=0.8, confidence=0.8)
    rounds.propose(served.workspace, "other", whole_images=0)
    first, second, *_ = status.waiting_tags(served.workspace)
    verify = VerifyPage(page, served, first["name"])
    answered = len(verify.rows())
    button = page.locator("[data-part=waiting] button").first
    assert button.text_content() == f"{first['name']} {first['count']}"
    page.keyboard.press("Enter")
    page.locator("[data-part=waiting]", has_text=f"{first['name']} {first['count'] - answered}").wait_for()
    verify.painted()
    everything = [(row, first["id"], LabelState.NEGATIVE) for row in range(len(truth.labels))]
    labelling.set_labels(served.workspace, "other", everything)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="audits wait").and_(page.locator(":focus")).wait_for()
    assert not page.locator(".links a", has_text="Verify").count()
    page.keyboard.press("Enter")
    page.locator(".question", has_text=f": {second['name']}").wait_for()
    verify.painted()
