"""The browser part. Every page begins with `open_page`, which draws the frame and says who is there."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import rights, vocabulary
from annotator.ui import menu, who
from annotator.ui.words import say
from annotator.workspace import Workspace, current

ICON = Path(__file__).parent / "icon.png"  # an emoji would be fetched from somebody else's server
STYLE = """
<style>
.stMainBlockContainer { padding-top: 4.4rem; padding-bottom: 1rem; }
.stMainBlockContainer:not([style*="max-width"]) { padding-inline: clamp(0.75rem, 2vw, 2.5rem); }
.stMainBlockContainer h1 { padding-top: 0; }
/* White on the dark theme's own primary colour would be 2.5 to 1. */
[data-testid^="stBaseButton-primary"]:not(:disabled) { background: #1d4ed8; border-color: #1d4ed8; color: #fff; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit; }
/* Streamlit's own download leaves cells as they are, those too that a spreadsheet would run: tables.table_to_take. */
[data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) { display: none; }
[data-testid="stCaptionContainer"] { opacity: 0.8; } /* its own grey is too pale on white: 3.9 to 1 */
</style>
"""


@dataclass(frozen=True)
class Visit:
    """One person on one page. `workspace` acts for the person: services refuse what the person has no right to."""

    workspace: Workspace
    person: str


def open_page(name: str, *, wide: bool = True, heading: bool = True) -> Visit:
    """Begin the page `name`: its title, its width, the workspace and the person.

    Ends the page where there is no workspace, and for somebody who has not signed in or may not open it.
    """
    title = say(f"menu.{name}")
    # Asked here a second time: Streamlit may run a page file on its own, without the script that made the frame.
    st.set_page_config(
        page_title=f"{title} · Annotator",
        page_icon=str(ICON),
        layout="wide" if wide else "centered",
        initial_sidebar_state="collapsed",
    )
    st.html(STYLE)
    if heading:
        st.title(title)
    try:
        workspace = current()
        person = who.person(workspace)
        if person is None:
            st.info(say("menu.sign_in_first"))
            st.stop()
        theirs = workspace.acting_for(person)
        rights.require(theirs, menu.right_of(name))
    except AnnotatorError as error:
        st.error(plain(str(error)))
        st.stop()
    return Visit(theirs, person)


@contextmanager
def attempt() -> Iterator[None]:
    """What a person can mend is shown where it was tried, and the page goes on."""
    try:
        yield
    except AnnotatorError as error:
        st.error(plain(str(error)))


def plain(text: str) -> str:
    """`text` for an element that would read Markdown: names are people's, and an image in one would be fetched."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!<>|~$:])", r"\\\1", text)


def require_tags(workspace: Workspace) -> None:
    """End the page, saying what to do, where the vocabulary is empty."""
    with workspace.reading() as session:
        if vocabulary.count(session):
            return
    st.info(say("menu.no_tags"))
    st.stop()


def table_height(rows: int, most: int = 14) -> int:
    """Pixels that show `rows` rows of a table without an inner scroll bar, up to `most`."""
    return 38 + 35 * max(1, min(rows, most))
