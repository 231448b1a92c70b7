"""The menu: one entry a file of pages/."""

from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.navigation.page import StreamlitPage

import annotator
from annotator.services.rights import Right
from annotator.ui.words import say

FOLDER = Path(annotator.__file__).resolve().parent.parent / "pages"
MENU = {
    "home": ":material/home:",
    "work": ":material/bolt:",
    "label": ":material/sell:",
    "verify": ":material/grid_view:",
    "search": ":material/search:",
    "clusters": ":material/bubble_chart:",
    "rounds": ":material/verified:",
    "vocabulary": ":material/list_alt:",
    "review": ":material/rate_review:",
    "dashboard": ":material/monitoring:",
    "quality": ":material/rule:",
    "sessions": ":material/schedule:",
    "replay": ":material/replay:",
    "import": ":material/upload:",
    "export": ":material/download:",
    "people": ":material/group:",
}
RIGHTS = {
    "home": Right.LOOK,
    "rounds": Right.SETTLE,
    "review": Right.REVIEW,
    "quality": Right.REVIEW,
    "dashboard": Right.REVIEW,
    "replay": Right.TRAIN,
    "import": Right.IMPORT,
    "export": Right.EXPORT,
    "people": Right.REVIEW,
}
"""What a page needs, where that is more or less than labelling. The menu shows what the person may open."""


def right_of(name: str) -> Right:
    return RIGHTS.get(name, Right.LABEL)


def page(name: str) -> StreamlitPage:
    # Without an icon: Streamlit would make it the tab's icon and fetch that from somebody else's server.
    return st.Page(FOLDER / f"{name}.py", title=say(f"menu.{name}"), default=name == "home", url_path=name)


def link(name: str, label: str) -> None:
    """A link to another page; nothing where a page runs on its own and there is no menu."""
    try:
        st.page_link(page(name), label=label, icon=MENU[name])
    except StreamlitAPIException:
        st.caption(label)
