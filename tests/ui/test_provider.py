"""Sign-in at an identity provider in a real browser: the whole way there and back, and out again."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, WebSocketRoute

from annotator.services import accounts
from annotator.services.claims import FRESH_SECONDS
from annotator.settings import Settings
from annotator.terms import Role
from annotator.ui.provider import CALLBACK, SECRETS
from annotator.web import signing
from annotator.workspace import Workspace
from tests.ui.app import Served
from tests.web.provider import Provider, providing

pytestmark = pytest.mark.browser
BUTTON = "Sign in with your organisation"
OLGA = {"email": "Olga@example.org", "email_verified": True, "name": "Olga O."}
REFUSED = {
    "has no account here": {**OLGA, "email": "mallory@example.org"},
    "has not verified olga@example.org": {**OLGA, "email": "olga@example.org", "email_verified": False},
    "is paused": {**OLGA, "email": "paul@example.org"},
}


@pytest.fixture(scope="module")
def both(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Provider]]:
    """The app and the provider it knows: Ada is an admin, Olga a reviewer, Paul is paused."""
    folder = tmp_path_factory.mktemp("oidc") / "workspace"
    with Workspace.create(folder, Settings(device="cpu", workers=1)) as workspace:
        accounts.add(workspace, "Ada", Role.ADMIN, email="ada@example.org")
        accounts.add(workspace, "Olga", Role.REVIEWER, email="olga@example.org")
        accounts.add(workspace, "Paul", Role.ANNOTATOR, email="paul@example.org")
        accounts.set_paused(workspace, "Paul", True)
        served = Served(workspace, {**os.environ, "ANNOTATOR_OIDC": "true"})
        with providing(served.base) as provider:
            (folder / SECRETS).parent.mkdir()
            (folder / SECRETS).write_text(provider.secrets_toml())
            with served:
                yield served, provider


@pytest.fixture
def served(both: tuple[Served, Provider]) -> Served:
    return both[0]


@pytest.fixture
def provider(both: tuple[Served, Provider]) -> Provider:
    return both[1]


def sign_in(page: Page) -> None:
    """By the button of the page that is open, to the provider and back."""
    with page.expect_response(lambda response: CALLBACK in response.url):
        page.get_by_role("button", name=BUTTON).click()


def sign_out(page: Page) -> None:
    """By the side bar's button, until the way to sign in shows again."""
    page.locator("[data-testid=stExpandSidebarButton]").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name=BUTTON).wait_for()


def our_cookies(page: Page) -> dict[str, str]:
    """What the browser would show our routes of who it is."""
    return {cookie["name"]: cookie["value"] for cookie in page.context.cookies() if "xsrf" not in cookie["name"]}


def test_whom_an_admin_named_gets_in_with_their_role_and_out_again(
    page: Page, served: Served, provider: Provider
) -> None:
    provider.knows(**OLGA)
    page.goto(served.base)
    sign_in(page)
    page.get_by_text("Signed in as Olga").wait_for(state="attached")
    page.get_by_role("link", name="Review").first.wait_for()
    cookies = our_cookies(page)
    assert signing.person_of(served.workspace, cookies[signing.COOKIE]) == "Olga"
    assert page.request.get(f"{served.base}/api/tags").status == 200
    other_tab = page.context.new_page()
    other_tab.goto(served.base)
    other_tab.get_by_role("button", name="Train now").wait_for()
    sign_out(page)
    assert provider.signed_out == 1
    assert our_cookies(page) == {}
    assert page.request.get(f"{served.base}/api/tags").status == 401
    with suppress(TimeoutError):  # a tab that lost its connection meanwhile has asked anew by itself
        other_tab.get_by_role("link", name="Review").first.click(timeout=5_000)  # without loading anything anew
    other_tab.get_by_text("Sign in first").wait_for()
    page.wait_for_timeout(500)
    assert our_cookies(page) == {}


def test_a_tab_that_connects_again_after_the_sign_out_is_signed_out_too(
    page: Page, served: Served, provider: Provider
) -> None:
    provider.knows(**OLGA)
    page.goto(served.base)
    sign_in(page)
    page.get_by_role("link", name="Review").first.wait_for()
    connections: list[WebSocketRoute] = []

    def connected(connection: WebSocketRoute) -> None:
        connection.connect_to_server()
        connections.append(connection)

    other_tab = page.context.new_page()
    other_tab.route_web_socket(lambda url: True, connected)
    other_tab.goto(served.base)
    other_tab.get_by_role("link", name="Review").first.wait_for()
    sign_out(page)
    connections[-1].close()
    other_tab.get_by_text("Sign in first").wait_for()
    assert other_tab.get_by_role("link", name="Review").count() == 0
    assert our_cookies(page) == {}


def test_who_is_refused_reads_why_and_can_sign_in_as_somebody_else(
    page: Page, served: Served, provider: Provider
) -> None:
    page.goto(served.base)
    for reason, claims in REFUSED.items():
        provider.knows(**claims)
        sign_in(page)
        page.get_by_text(reason).wait_for()
        assert signing.COOKIE not in our_cookies(page)
        page.get_by_role("button", name="Sign in as somebody else").click()
        page.get_by_role("button", name=BUTTON).wait_for()
        assert our_cookies(page) == {}


def test_an_old_word_of_the_provider_opens_nothing(page: Page, served: Served, provider: Provider) -> None:
    """Streamlit keeps it for thirty days: a sign-in that was ended must not come back with it."""
    provider.knows(**OLGA, iat=time.time() - FRESH_SECONDS - 1)
    page.goto(served.base)
    sign_in(page)
    page.get_by_role("button", name=BUTTON).wait_for()
    assert "_streamlit_user" in our_cookies(page) and signing.COOKIE not in our_cookies(page)
