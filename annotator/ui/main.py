"""The script Streamlit runs: who is there, and the menu over the files of pages/."""

from pathlib import Path

import streamlit as st

import annotator
from annotator.settings import Settings

PAGES = Path(annotator.__file__).resolve().parent.parent / "pages"
MENU = (
    ("home.py", "Home", ":material/home:"),
    ("label.py", "Label", ":material/sell:"),
    ("verify.py", "Verify", ":material/grid_view:"),
    ("search.py", "Search", ":material/search:"),
    ("rounds.py", "Rounds", ":material/verified:"),
    ("export.py", "Export", ":material/download:"),
)


def main() -> None:
    pages = [
        st.Page(PAGES / file, title=title, icon=icon, default=file == "home.py", url_path=file.removesuffix(".py"))
        for file, title, icon in MENU
    ]
    # On top: the side bar's menu has list roles that screen readers stumble over.
    page = st.navigation(pages, position="top")
    with st.sidebar:
        name = st.text_input("Your name", value=Settings().name, help="Your answers are kept under this name.")
        st.session_state["person"] = name.strip() or Settings().name
    page.run()


main()
