"""Label in a real browser against a real server: each key, and what reaches the store."""

import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, WebSocket
from sqlalchemy import select

from annotator.services import tasks
from db.models import Skip
from tests.ui.app import LabelPage, Served, tag_id, until

pytestmark = pytest.mark.browser


def test_number_keys_toggle_tags_and_enter_shows_the_next_picture(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row, before = label.painted(), label.states()
    label.press("1", "9")
    after = label.states()
    changed = [place for place, tag in enumerate(before) if before[tag] != after[tag]]
    assert changed == [0, 8]
    label.press("Enter")
    until(lambda: label.painted() != row)
    label.saved()
    assert "1 answered" in label.status()


def test_answers_reach_the_store_in_order_and_exactly_once(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    before = len(served.submissions())
    shown = [label.answer(str(key)) for key in (1, 2, 3, 4)]
    label.saved()
    sent = served.submissions()[before:]
    assert [seq for _, seq, _ in sent] == [1, 2, 3, 4]
    assert len({client for client, _, _ in sent}) == 1
    assert not any(problem for _, _, problem in sent)
    for row, states in shown:
        assert served.labels(row) == states


def test_undo_takes_back_several_pictures(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    shown = [label.answer("1") for _ in range(3)]
    label.saved()
    label.press("u", "u", "u")
    label.saved()
    assert label.painted() == shown[0][0]
    assert label.states() == shown[0][1]
    until(lambda: not any(served.labels(row) for row, _ in shown))
    again = label.answer("2")
    label.saved()
    assert served.labels(again[0]) == again[1]


def test_undo_takes_back_marks_before_it_takes_back_pictures(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.answer()
    row, before = label.painted(), label.states()
    label.press("1", "x", "Backspace", "u")
    assert (label.painted(), label.states()) == (row, before)
    label.press("u")
    assert label.painted() != row


def test_undo_and_the_way_back_survive_a_reload(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row, states = label.answer("1")
    label.saved()
    page.reload()
    label.painted()
    label.press("ArrowLeft")
    until(lambda: label.painted() == row)
    assert label.states() == states
    label.press("ArrowRight", "u")
    until(lambda: not served.labels(row))
    assert label.painted() == row


def test_x_rejects_the_tag_in_focus_or_all_marks(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.press("x", "1", "2", "ArrowDown", "x")
    states = list(label.states().values())
    assert states[:2] == [0, 1]
    label.press("Escape", "x")
    assert set(label.states().values()) == {0}


def test_question_mark_says_cannot_tell_of_one_tag_or_of_the_picture(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.press("x", "ArrowDown", "ArrowDown", "?")
    assert list(label.states().values())[:3] == [0, -1, 0]
    label.press("Escape", "?")
    row, states = label.painted(), label.states()
    assert set(states.values()) == {-1}
    label.press("Enter")
    label.saved()
    assert served.labels(row) == states


def test_nothing_applies_is_an_answer_of_its_own(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row, tags = label.painted(), list(label.states())
    label.press("n")
    until(lambda: label.painted() != row)
    label.saved()
    assert served.labels(row) == dict.fromkeys(tags, 0)


def test_arrows_skip_and_go_back_and_an_earlier_answer_can_be_changed(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row, _ = label.answer("x")
    skipped = label.painted()
    label.press("ArrowRight")
    until(lambda: label.painted() != skipped)
    assert not served.labels(skipped)
    label.press("ArrowLeft", "ArrowLeft")
    assert label.painted() == row
    label.press("1", "Enter")
    label.saved()
    assert list(served.labels(row).values()).count(1) == 1
    assert label.painted() == skipped  # on to what is open


def test_z_zooms_arrows_pan_and_the_picture_is_fetched_in_full(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    picture = page.locator(".stage img[data-part=picture]")
    label.press("z")
    before = picture.get_attribute("style")
    label.press("ArrowRight")
    assert "scale(2.5)" in str(before)
    assert picture.get_attribute("style") != before
    until(lambda: "/full/" in str(picture.get_attribute("src")))
    label.press("z")
    assert "scale" not in str(picture.get_attribute("style"))


def test_e_shows_what_each_source_says_and_the_nearest_labelled_pictures(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.press("e")
    why = page.locator("[data-part=why]")
    why.locator("li img").first.wait_for()
    for _ in range(8):
        if "measures the sources" not in str(why.text_content()):
            break
        label.press("Enter")  # of a picture that measures, nothing is told
        label.painted()
        page.wait_for_timeout(500)
    assert "model:" in str(why.text_content()) and "fused:" in str(why.text_content())
    label.press("Enter")  # it goes along to the next picture
    label.painted()
    assert why.is_visible()
    label.press("e")
    assert why.is_hidden()


def test_h_shows_all_keys(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.press("h")
    keys = page.locator("[data-part=help]")
    assert keys.is_visible() and "cannot tell" in str(keys.text_content())
    label.press("Escape")
    assert keys.is_hidden()


@pytest.mark.parametrize("typed", ["automob", "atuomobile", "Car", "cra"], ids=["synonym", "typo", "name", "swapped"])
def test_a_tag_is_added_by_what_is_typed(page: Page, served: Served, typed: str) -> None:
    label = LabelPage(page, served)
    label.press("x", "/")
    page.keyboard.type(typed)
    page.locator("[role=option]", has_text="car").first.wait_for()
    assert page.locator("[role=option]").all_text_contents()[0] == "car"
    label.press("Enter")
    assert label.states()[tag_id(served, "car")] == 1


def test_of_a_group_exactly_one_is_marked(page: Page, served: Served) -> None:
    served.workspace.change_project(exactly_one=[["car", "boat", "train"]])
    try:
        label = LabelPage(page, served)
        car, boat = tag_id(served, "car"), tag_id(served, "boat")
        row = label.painted()
        label.press("x", "Enter")
        page.locator("[data-part=problem]", has_text="Exactly one").wait_for()
        assert label.painted() == row
        page.locator(f".chip[data-tag='{car}']").click()
        page.locator(f".chip[data-tag='{boat}']").click()
        assert (label.states()[car], label.states()[boat]) == (0, 1)
        label.press("Enter")
        until(lambda: label.painted() != row)
        label.saved()
        assert served.labels(row)[boat] == 1
    finally:
        served.workspace.change_project(exactly_one=[])


def test_a_key_held_down_answers_one_picture(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    page.keyboard.down("Enter")
    for _ in range(5):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    label.saved()
    assert "1 answered" in label.status()
    label.press("u")
    label.saved()


def test_a_killed_server_loses_and_doubles_nothing(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    before = len(served.submissions())
    shown = [label.answer("1") for _ in range(2)]
    served.end(signal.SIGKILL)
    shown += [label.answer("2") for _ in range(3)]
    until(lambda: "waiting for the server" in label.status())
    served.start()
    label.saved()
    assert [seq for _, seq, _ in served.submissions()[before:]] == [1, 2, 3, 4, 5]
    for row, states in shown:
        assert served.labels(row) == states
    label.painted()  # and labelling goes on


def test_a_reload_delivers_what_was_not_sent(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    page.on("dialog", lambda dialog: dialog.accept())
    before = len(served.submissions())

    def lose(route: Route) -> None:
        route.abort()

    page.route("**/api/answers", lose)
    shown = [label.answer("1") for _ in range(2)]
    until(lambda: "waiting for the server" in label.status())
    page.unroute("**/api/answers", lose)
    page.reload()
    until(lambda: len(served.submissions()) - before >= 2)
    label.painted()
    label.saved()
    assert [seq for _, seq, _ in served.submissions()[before:]] == [1, 2]
    for row, states in shown:
        assert served.labels(row) == states


def test_a_sign_out_holds_answers_back_and_the_page_signs_in_again(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    page.context.clear_cookies()
    row, states = label.answer("1")
    until(lambda: served.labels(row) == states)
    label.saved()


def test_what_others_got_meanwhile_leaves_the_screen_and_the_person_is_told(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row = label.painted()
    held = tasks.held_by(served.workspace, "me")
    tasks.release(served.workspace, "me", held)
    taken = {task.image_row for task in tasks.claim(served.workspace, "somebody else", None, len(held))}
    assert row in taken
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # the laptop wakes up
    page.locator("[data-part=note]", has_text="handed to somebody else").wait_for()
    tasks.release(served.workspace, "somebody else", tasks.held_by(served.workspace, "somebody else"))


def test_no_key_press_runs_the_script(page: Page, served: Served) -> None:
    frames: list[object] = []

    def watch(socket: WebSocket) -> None:
        socket.on("framesent", lambda frame: frames.append(frame))

    page.on("websocket", watch)
    label = LabelPage(page, served)
    page.wait_for_timeout(500)
    opened = len(frames)
    assert opened  # the watch works: opening the page runs the script
    label.answer("1", "2", "z", "z", "h", "h", "r", "c", "ArrowDown", "?")
    label.saved()
    label.press("u")
    label.saved()
    page.wait_for_timeout(500)
    assert len(frames) == opened


@pytest.fixture
def two_tabs(page: Page, served: Served) -> Callable[[], tuple[LabelPage, LabelPage]]:
    return lambda: (LabelPage(page, served), LabelPage(page.context.new_page(), served))


def test_two_tabs_of_one_person_lose_and_double_nothing(
    two_tabs: Callable[[], tuple[LabelPage, LabelPage]], served: Served
) -> None:
    first, second = two_tabs()
    before = len(served.submissions())
    shown = [tab.answer("1") for _ in range(2) for tab in (first, second)]
    first.saved()
    second.saved()
    assert len(served.submissions()) == before + len(shown)
    latest = dict(shown)  # both tabs may show one picture: the later answer stands
    for row, states in latest.items():
        assert served.labels(row) == states


def given_up(served: Served) -> list[tuple[int, str]]:
    with served.workspace.reading() as session:
        return [(skip.image_row, skip.reason) for skip in session.scalars(select(Skip).order_by(Skip.id))]


def test_s_gives_a_picture_up_with_a_reason_words_or_none_and_capital_s_at_once(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    before = len(given_up(served))
    rows = []
    for keys in (("s", "2"), ("s", "f", "o", "g", "Enter"), ("s", "Enter"), ("S",)):
        rows.append(label.painted())
        label.press(*keys)
        until(lambda: label.painted() not in rows)
    until(lambda: len(given_up(served)) == before + 4)
    reasons = ["tag unclear", "other: fog", "", ""]
    assert given_up(served)[before:] == list(zip(rows, reasons, strict=True))
    assert not any(served.labels(row) for row in rows)


def test_escape_closes_the_reasons_and_nothing_is_given_up(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    row, before = label.painted(), len(given_up(served))
    label.press("s", "Escape")
    assert page.locator("[data-part=skipping]").is_hidden()
    label.answer("x")
    label.saved()
    assert served.labels(row) and len(given_up(served)) == before
