"""The script Streamlit runs: who is there, and the menu over the files of pages/."""

import streamlit as st

from annotator.services.people import tidy
from annotator.settings import Settings
from annotator.ui.menu import MENU, page
from annotator.ui.words import say


def main() -> None:
    # On top: the side bar's menu has list roles that screen readers stumble over.
    chosen = st.navigation([page(name) for name in MENU], position="top")
    with st.sidebar:
        name = st.text_input(say("menu.name"), value=Settings().name, help=say("menu.name_help"))
        st.session_state["person"] = tidy(name) or tidy(Settings().name)
    chosen.run()


main()
