"""Signing in with a password, by an invitation, and out again, as a browser sends the forms."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response

from annotator.services import accounts
from annotator.settings import Settings
from annotator.terms import Role
from annotator.workspace import Workspace
from tests.ui.app import Served, serving

pytestmark = pytest.mark.browser
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("accounts") / "workspace"
    with Workspace.create(folder, Settings(device="cpu", workers=1)) as workspace:
        accounts.add(workspace, "Ada", Role.ADMIN, PASSWORD)
        with serving(workspace) as served:
            yield served


def fill(page: Page, **fields: str) -> None:
    for name, value in fields.items():
        page.locator(f"input[name={name}]").fill(value)
    page.locator("form button").click()


def test_who_has_a_password_gets_in_and_out_again(page: Page, served: Served) -> None:
    page.goto(served.base)
    fill(page, name="Ada", password="wrong horse")
    page.get_by_text("do not go together").wait_for()
    fill(page, name="Ada", password=PASSWORD)
    page.get_by_text("Signed in as Ada").wait_for(state="attached")
    page.locator("[data-testid=stExpandSidebarButton]").click()
    page.get_by_role("button", name="Sign out").click()
    page.locator("input[name=password]").wait_for()
    page.goto(f"{served.base}/label")
    page.locator("input[name=password]").wait_for()


def test_an_invitation_leads_to_an_account_and_into_the_app(page: Page, served: Served) -> None:
    token = accounts.invite(served.workspace, Role.ANNOTATOR, "Bob")
    page.goto(f"{served.base}/invitation/{token}")
    fill(page, password="battery staple", again="battery stable")
    page.get_by_text("the two passwords differ").wait_for()
    fill(page, password="battery staple", again="battery staple")
    page.get_by_text("Signed in as Bob").wait_for(state="attached")
    page.get_by_role("link", name="Label").first.wait_for()
    assert not page.get_by_role("link", name="People").count()


def test_a_form_on_somebody_elses_page_signs_nobody_in(page: Page, served: Served) -> None:
    """Another origin on the same machine, which sends the form with the reader's cookies."""
    forged = f'<form method=post action="{served.base}/sign-in"><input name=name><input name=password><button></form>'
    page.route("http://other.localhost/", lambda route: route.fulfill(body=forged, content_type="text/html"))
    page.goto("http://other.localhost/")
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    fill(page, name="Ada", password=PASSWORD)
    page.get_by_text("serves its own pages only").wait_for()
    assert {answer.status for answer in answers} == {403}
