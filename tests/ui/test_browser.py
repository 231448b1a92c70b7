"""Promises of the browser part, in a real browser against a real server."""

import signal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, WebSocket

from annotator.services import tasks
from annotator.terms import TaskKind
from db.models import Task
from tests.ui.app import LabelPage, Served, until

pytestmark = pytest.mark.browser

PAGES = ["", "label", "verify", "search", "rounds", "export"]


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


def test_a_tag_is_added_by_its_synonym(page: Page, served: Served) -> None:
    label = LabelPage(page, served)
    label.press("x", "/")
    page.keyboard.type("automob")
    assert page.locator("[role=option]").all_text_contents() == ["car"]
    label.press("Enter")
    car = page.locator(".chip", has_text="car").filter(visible=True)
    assert car.first.get_attribute("aria-pressed") == "true"
    label.press("u")


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


def verify(page: Page, served: Served, tag: str) -> int:
    """Open Verify on `tag`; how many pictures are shown, all painted."""
    served.open(page, "verify")
    page.locator(".cell").first.wait_for()
    box = page.get_by_role("combobox", name="Tag")
    box.click()
    box.fill(tag)
    page.locator("[role=option]:visible").filter(has_text=tag).wait_for()
    page.wait_for_timeout(300)  # the list opens with a movement
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".question", has_text=f": {tag}").wait_for()
    cells = page.locator(".cell")
    until(lambda: cells.count() and cells.locator("img").evaluate_all("all => all.every((one) => one.naturalWidth)"))
    return cells.count()


def rows(page: Page) -> list[int]:
    return [
        int(address.rsplit("/", 1)[1])
        for address in page.locator(".cell img").evaluate_all("all => all.map((one) => one.src)")
    ]


def tag_id(served: Served, name: str) -> int:
    from annotator.services.status import vocabulary

    return next(int(tag["id"]) for tag in vocabulary(served.workspace)[0] if tag["name"] == name)


def test_verify_stores_the_exceptions_marked_by_click_range_and_keys(page: Page, served: Served) -> None:
    count = verify(page, served, "fence")
    page.get_by_role("radio", name="show it").or_(page.get_by_role("button", name="show it")).first.click()
    page.locator(".question", has_text="do not show").wait_for()
    shown, tag = rows(page), tag_id(served, "fence")
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
    until(lambda: f"saved · {count} answered" in str(page.locator("[data-part=status]").text_content()))
    expected = {0: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: -1}
    assert [served.labels(row)[tag] for row in shown] == [expected.get(place, 1) for place in range(count)]


def test_verify_takes_pictures_proposed_as_absent_as_absent(page: Page, served: Served) -> None:
    tag = tag_id(served, "balloon")
    fresh = [row for row in range(48) if not served.labels(row)][:8]
    with served.workspace.transaction() as session:
        for row in fresh:
            position = tasks.Band.REJECT.position(row)
            session.add(Task(kind=TaskKind.PICK, image_row=row, tag_id=tag, position=position, reason="unlikely"))
    count = verify(page, served, "balloon")
    shown = rows(page)
    assert sorted(shown) == fresh
    assert "Mark the pictures that show" in str(page.locator(".question").text_content())
    page.locator(".cell").nth(2).click()
    page.keyboard.press("Enter")
    until(lambda: all(tag in served.labels(row) for row in shown))
    assert [served.labels(row)[tag] for row in shown] == [int(place == 2) for place in range(count)]
    page.keyboard.press("u")
    until(lambda: not any(tag in served.labels(row) for row in shown))
    assert rows(page) == shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_draw_without_errors_accessible_and_nothing_leaves_this_machine(
    browser: Browser, served: Served, scheme: str
) -> None:
    errors: list[str] = []
    addresses: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Streamlit looks for its own address below the page's path first; those 404 are meant.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            errors.append(message.text)

    with browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        LabelPage(page, served)
        assert_accessible(page)
        verify(page, served, "tree")
        assert_accessible(page)
    assert not errors
    assert not [one for one in addresses if not one.startswith((served.base, "data:", "blob:"))]


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    grave = [
        f"{violation['id']}: {node['target']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]  # node["any"] says why
    ]
    assert not grave


def test_a_phone_scrolls_no_page_sideways(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True) as context:
        page = context.new_page()
        for name in PAGES:
            served.open(page, name)
            if name in ("label", "verify"):
                page.locator(".chip, .cell").first.wait_for()
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
            assert page.locator("[data-testid=stMain]").evaluate("main => main.scrollWidth <= main.clientWidth"), name
