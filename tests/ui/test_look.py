"""How the pages look and whom they reach: themes, widths, screen readers, no address but our own."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page

from annotator.ui.menu import MENU
from tests.ui.app import LabelPage, Served, VerifyPage, until

pytestmark = pytest.mark.browser

PHONE = 390  # pixels
SETTLED = {
    "label": ".chip",
    "work": ".chip, .cell",
    "verify": ".cell",
    "review": ".votes tr",
    "clusters": ".cell",
    "home": "canvas, svg.marks",
}


def open_whole(page: Page, served: Served, name: str) -> None:
    served.open(page, "" if name == "home" else name)
    page.locator(SETTLED.get(name, "[data-testid=stMainBlockContainer]")).first.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(500)  # what was redrawn is pale for a moment


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", PHONE)])
def test_pages_draw_without_errors_accessible_and_nothing_leaves_this_machine(
    browser: Browser, served: Served, scheme: str, width: int
) -> None:
    """On a desk by day, on a phone by night; no page scrolls sideways, dragged to a 4K screen neither."""
    errors: list[str] = []
    addresses: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # Streamlit looks for its own address below the page's path first; those 404 are meant.
        if message.type == "error" and "/_stcore/" not in message.location["url"]:
            errors.append(message.text)

    small = {"width": width, "height": 844}
    with browser.new_context(viewport=small, has_touch=width == PHONE, color_scheme=scheme) as context:
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        for name in MENU:
            open_whole(page, served, name)
            assert_accessible(page, name)
            assert_no_sideways(page, name)
            if width == PHONE:
                page.set_viewport_size({"width": 3840, "height": 2160})
                page.wait_for_timeout(200)
                assert_no_sideways(page, name)
                page.set_viewport_size(small)
        label = LabelPage(page, served)
        label.press("e")
        page.locator("[data-part=why] h3").first.wait_for()
        assert_accessible(page, "why")
        VerifyPage(page, served, "tree")
        page.locator(".cell").nth(1).click()
        page.keyboard.press("h")
        assert_accessible(page, "verify, marked")
    assert not errors
    assert not [one for one in addresses if not one.startswith((served.base, "data:", "blob:"))]


def assert_accessible(page: Page, name: str) -> None:
    found = Axe().run(page).response["violations"]
    grave = [
        f"{name}: {violation['id']}: {node['target']}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]  # node["any"] says why
    ]
    assert not grave


def assert_no_sideways(page: Page, name: str) -> None:
    wide = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], name
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth"), name


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080), (3840, 2160)])
def test_label_and_verify_need_no_scrolling_down(browser: Browser, served: Served, width: int, height: int) -> None:
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        for name in ("label", "verify"):
            open_whole(page, served, name)
            lowest = page.locator(".foot").evaluate("foot => foot.getBoundingClientRect().bottom")
            assert lowest <= height, name
            for chips in page.locator(".chips").all():  # all that Enter answers is on the screen
                assert chips.evaluate("chips => chips.scrollHeight <= chips.clientHeight")


def test_on_a_phone_an_answer_needs_no_scrolling(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        label = LabelPage(page, served)
        for _ in range(3):
            row = label.painted()
            page.locator(".chip").last.scroll_into_view_if_needed()
            accept = page.locator("[data-do=accept]")
            box = accept.bounding_box()
            assert box and box["y"] + box["height"] <= 844
            page.mouse.click(box["x"] + 20, box["y"] + 10)
            until(lambda row=row: label.painted() != row)
            picture = page.locator(".stage img[data-part=picture]:not([hidden])").bounding_box()
            assert picture and picture["y"] >= 0


def test_nothing_moves_when_pictures_arrive(page: Page, served: Served) -> None:
    """Layout shift as the browser itself measures it (web.dev/cls): below 0.1 is good."""
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => list.getEntries().forEach((one) => "
        "{ if (!one.hadRecentInput) window.shift += one.value; })).observe({ type: 'layout-shift', buffered: true });"
    )
    label = LabelPage(page, served)
    page.evaluate("window.shift = 0")
    for _ in range(4):
        label.answer()
        label.painted()
        page.wait_for_timeout(600)  # a shift soon after a key would be excused
    label.saved()
    assert page.evaluate("window.shift") < 0.02


def test_a_large_picture_on_a_large_screen_is_not_blurred(browser: Browser, served: Served) -> None:
    with browser.new_context(viewport={"width": 3840, "height": 2160}) as context:
        page = context.new_page()
        LabelPage(page, served)
        assert "/full/" in str(page.locator(".stage img[data-part=picture]").get_attribute("src"))


def test_no_picture_travels_as_base64(page: Page, served: Served) -> None:
    LabelPage(page, served)
    VerifyPage(page, served, "tree")
    addresses = page.locator("img").evaluate_all("all => all.map((one) => one.src)")
    assert addresses
    assert not [address for address in addresses if address.startswith("data:")]


def test_a_table_offers_only_the_download_that_guards_its_cells(page: Page, served: Served) -> None:
    open_whole(page, served, "dashboard")
    page.get_by_test_id("stDataFrame").first.hover()
    page.get_by_label("Fullscreen").first.wait_for()
    unguarded = page.get_by_label("Download as CSV")
    assert unguarded.count()
    assert not any(one.is_visible() for one in unguarded.all())
    assert page.get_by_role("button", name="Download", exact=True).first.is_visible()


def test_focus_is_seen(page: Page, served: Served) -> None:
    VerifyPage(page, served, "tree")
    page.keyboard.press("ArrowRight")
    outline = page.locator(".cell").nth(1).evaluate("cell => getComputedStyle(cell).outlineWidth")
    assert outline == "3px"


def test_work_serves_a_way_of_working_and_both_stay_at_hand(page: Page, served: Served) -> None:
    open_whole(page, served, "work")
    main = page.locator("[data-testid=stMainBlockContainer]")
    assert main.get_by_role("link", name="Verify").is_visible()
    assert main.get_by_role("link", name="Label").is_visible()


def test_work_runs_the_script_once_a_stretch(page: Page, served: Served) -> None:
    from annotator.ui.components import PICTURES_A_TURN

    frames: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))
    open_whole(page, served, "work")
    label = LabelPage(page, served, name="work")
    page.wait_for_timeout(500)
    opened = len(frames)
    for wanted in range(1, PICTURES_A_TURN + 6):
        until(lambda count=wanted: label.answer() and f" {count} answered" in label.status())
    label.saved()
    page.wait_for_timeout(1000)
    assert len(frames) == opened + 1
