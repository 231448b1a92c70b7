"""Search: by words where the backbone knows words, or by an example picture; what is found can be tagged in bulk."""

import streamlit as st

from annotator.services import embedding, searching, status
from annotator.ui import attempt, open_page
from annotator.ui.components import bulk
from annotator.ui.words import say

visit = open_page("search", heading=False)
words_work = embedding.has_texts(visit.workspace)
words_column, upload_column, count_column = st.columns([4, 3, 2], vertical_alignment="bottom")


def leave_similar() -> None:
    """What is typed or dropped now is searched for, not what was similar to something before."""
    st.session_state.pop("search_like", None)


words = words_column.text_input(
    say("search.words" if words_work else "search.tag"),
    help=None if words_work else say("search.no_words"),
    placeholder=say("search.words_hint" if words_work else "search.tag_hint"),
    on_change=leave_similar,
)
upload = upload_column.file_uploader(say("search.upload"), type=["jpg", "jpeg", "png", "webp"], on_change=leave_similar)
count = count_column.select_slider(say("search.results"), [12, 24, 48, 96], value=48)

like = st.session_state.get("search_like")
if like is not None:
    told, back = st.columns([4, 1], vertical_alignment="center")
    told.caption(say("search.like", row=like))
    back.button(say("search.back"), width="stretch", on_click=leave_similar)
tag_id, found = None, []
with attempt():
    if like is not None:
        found = searching.by_image(visit.workspace, like, count)
    elif upload is not None:
        found = searching.by_picture(visit.workspace, upload.getvalue(), upload.name, count, searching.UPLOADED)
    elif words:
        found = searching.by_words_or_tag(visit.workspace, words, count)
        tag_id = searching.tag_called(visit.workspace, words)
    else:
        st.caption(say("search.empty"))

if found:
    items = status.shown(visit.workspace, [hit.row for hit in found], [hit.score for hit in found])
    wanted = bulk(visit.workspace, visit.person, items, tag_id)
    if wanted is not None:
        st.session_state["search_like"] = wanted
        st.rerun()
