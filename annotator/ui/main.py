"""The script Streamlit runs: who is there, and the menu over the files of pages/."""

import streamlit as st

from annotator.errors import AnnotatorError, ForbiddenError
from annotator.services import rights
from annotator.services.people import tidy
from annotator.settings import Settings
from annotator.ui import plain, provider, who
from annotator.ui.components import enter
from annotator.ui.menu import MENU, page, right_of
from annotator.ui.words import say
from annotator.workspace import Workspace, current

SIGN_OUT = """
<form method="post" action="/sign-out" target="_top">
<button style="font:inherit;padding:.4rem .8rem;border:1px solid #9ca3af;border-radius:.5rem;cursor:pointer">{}</button>
</form>
"""


def main() -> None:
    allowed = pages()
    # On top: the side bar's menu has list roles that screen readers stumble over.
    st.navigation([page(name) for name in allowed or ["home"]], position="top").run()


def pages() -> list[str]:
    """The pages this person may open; none for somebody who has to sign in first."""
    try:
        workspace = current()
        with workspace.reading() as session:
            together = rights.has_accounts(session)
        if not together:
            ask_name()
            return list(MENU)
        name = who.person(workspace)
    except AnnotatorError as error:
        st.error(plain(str(error)))  # the page itself says the rest
        return []
    if name is None:
        ask_to_sign_in(workspace)
        return []
    with st.sidebar:
        st.caption(plain(say("menu.signed_in", name=name)))
        st.html(SIGN_OUT.format(say("menu.sign_out")))
    with workspace.reading() as session:
        held = rights.rights_of(session, name)
    return [page_name for page_name in MENU if right_of(page_name) in held]


def ask_to_sign_in(workspace: Workspace) -> None:
    """The ways to sign in; ends the page for whom the identity provider vouched, let in or refused."""
    try:
        vouched = provider.vouched_for(workspace)
    except ForbiddenError as error:
        st.error(plain(str(error)))
        st.html(SIGN_OUT.format(say("menu.sign_in_otherwise")))
        st.stop()
    if vouched is not None:
        st.info(plain(say("menu.signing_in", name=vouched.name)))
        enter(workspace, vouched)
        st.stop()
    if workspace.settings.oidc:
        st.button(say("menu.sign_in"), type="primary", on_click=st.login)
    st.markdown(f"[{say('menu.sign_in_here')}](/sign-in)")


def ask_name() -> None:
    with st.sidebar:
        name = st.text_input(say("menu.name"), value=Settings().name, help=say("menu.name_help"))
        st.session_state["person"] = tidy(name) or tidy(Settings().name)


main()
