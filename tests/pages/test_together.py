"""Pages where people sign in: the menu and each page follow from the person's rights."""

from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from annotator import workspace as workspaces
from annotator.services import accounts
from annotator.services.rights import RIGHTS
from annotator.settings import Settings
from annotator.terms import Role
from annotator.ui.menu import MENU, right_of
from annotator.web import signing
from annotator.workspace import Workspace
from tests.pages.test_pages import ROOT, SECONDS, words

NAMES = {Role.ADMIN: "Ada", Role.REVIEWER: "Rob", Role.ANNOTATOR: "Ann"}
PASSWORD = "correct horse"
pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def team(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    for role, name in NAMES.items():
        accounts.add(filled, name, role, PASSWORD)
    monkeypatch.setenv("ANNOTATOR_WORKSPACE", str(filled.folder))
    monkeypatch.setattr(signing, "FRESH_SECONDS", 1e-9)
    workspaces.current.cache_clear()
    yield filled
    workspaces.current().close()
    workspaces.current.cache_clear()


def show(workspace: Workspace, page: str, role: Role | None, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    cookies = {}
    if role is not None:
        who = accounts.sign_in(workspace, NAMES[role], PASSWORD)
        cookies[signing.COOKIE] = signing.cookie_of(workspace, who)
    monkeypatch.setattr(type(st.context), "cookies", cookies)
    return AppTest.from_file(str(ROOT / page), default_timeout=SECONDS).run()


@pytest.mark.parametrize("page", MENU)
@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_a_page_opens_for_who_has_its_right_and_for_nobody_else(
    team: Workspace, page: str, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = show(team, f"pages/{page}.py", role, monkeypatch)
    assert not app.exception
    refused = any("may not" in error.value for error in app.error)
    assert refused == (right_of(page) not in RIGHTS[role])


def test_who_has_not_signed_in_sees_no_page(team: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in MENU:
        app = show(team, f"pages/{page}.py", None, monkeypatch)
        assert not app.exception
        assert "Sign in first" in words(app)


def test_the_side_bar_says_who_is_there_and_lets_nobody_be_somebody_else(
    team: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = show(team, "annotator/ui/main.py", Role.ANNOTATOR, monkeypatch)
    assert not app.exception
    assert "Signed in as Ann" in "".join(caption.value for caption in app.sidebar.caption)
    assert not app.sidebar.text_input


def test_an_admin_invites_and_pauses_on_the_page(team: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    app = show(team, "pages/people.py", Role.ADMIN, monkeypatch)
    next(button for button in app.button if button.label == "Make an invitation").click().run()
    assert not app.exception
    assert "/invitation/" in app.code[0].value
    chosen = next(box for box in app.selectbox if box.label == "Person")
    chosen.set_value("Ann").run()
    next(button for button in app.button if button.label == "Pause").click().run()
    assert not app.exception
    with pytest.raises(Exception, match="paused"):
        accounts.sign_in(team, "Ann", PASSWORD)


def test_an_admin_adds_somebody_of_the_identity_provider_on_the_page(
    team: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTATOR_OIDC", "true")
    workspaces.current.cache_clear()
    app = show(team, "pages/people.py", Role.ADMIN, monkeypatch)
    fields = list(app.text_input)
    place = [one.label for one in fields].index("E-mail address at the identity provider")
    fields[place - 1].input("Olga")
    fields[place].input("Olga@Example.org")
    next(one for one in app.button if one.label.startswith("Make the account")).click().run()
    assert not app.exception and not app.error
    assert accounts.sign_in_by_email(team, "olga@example.org").name == "Olga"


def test_the_first_account_is_made_on_the_page(filled: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATOR_WORKSPACE", str(filled.folder))
    workspaces.current.cache_clear()
    app = AppTest.from_file(str(ROOT / "pages" / "people.py"), default_timeout=SECONDS).run()
    app.text_input[1].set_value(PASSWORD)
    next(button for button in app.button if button.label == "Make the account").click().run()
    workspaces.current.cache_clear()
    assert not app.exception
    assert accounts.sign_in(filled, Settings().name, PASSWORD).name == Settings().name
