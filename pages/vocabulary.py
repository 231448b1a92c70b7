"""Vocabulary: the tags with what is known of each, and every change of them, looked at before it is made."""

import streamlit as st

from annotator.services.vocabulary_list import listing
from annotator.ui import open_page, vocabulary_editor
from annotator.ui.words import say

PAGE_SIZE = 50

visit = open_page("vocabulary")
st.caption(say("vocabulary.intro"))
vocabulary_editor.show_done()

find, archived_box, new = st.columns([5, 2, 2], vertical_alignment="bottom")
search = find.text_input(say("vocabulary.search"), placeholder=say("vocabulary.search_help"))
archived = archived_box.checkbox(say("vocabulary.archived"))
with new:
    vocabulary_editor.adding(visit)
vocabulary_editor.pending(visit)

found = listing(visit.workspace, search, archived=archived, count=PAGE_SIZE)
pages = -(-found["total"] // PAGE_SIZE)
if pages > 1:
    number = st.number_input(
        say("vocabulary.page", pages=f"{pages:,}", total=f"{found['total']:,}"), 1, pages, width=260
    )
    if number > 1:
        start = PAGE_SIZE * (int(number) - 1)
        found = listing(visit.workspace, search, archived=archived, start=start, count=PAGE_SIZE)
if found["tags"]:
    vocabulary_editor.tags(found["tags"])
    vocabulary_editor.edit(visit, found["tags"])
else:
    st.info(say("vocabulary.nothing"))

vocabulary_editor.doctor(visit)
vocabulary_editor.past(visit)
