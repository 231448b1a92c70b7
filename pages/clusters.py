"""Clusters: pictures that look alike, to be tagged in bulk."""

import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import clustering, status
from annotator.ui import open_page, plain
from annotator.ui.components import bulk
from annotator.ui.words import say

A_PAGE = 60

visit = open_page("clusters", heading=False)
count_column, group_column, page_column = st.columns([2, 5, 1], vertical_alignment="bottom")
count = count_column.select_slider(say("clusters.count"), [10, 20, 50, 100, 200], value=20)
try:
    groups = clustering.overview(visit.workspace, count)
except AnnotatorError as error:
    st.info(plain(str(error)))
    st.stop()
names = {
    group.number: say(
        "clusters.name",
        number=group.number + 1,
        size=f"{group.size:,}",
        tags=", ".join(f"{tag} {score:.2f}" for tag, score in group.tags) or say("clusters.unnamed"),
    )
    for group in groups
}
number = group_column.selectbox(say("clusters.group"), list(names), format_func=lambda one: names[one])
rows = clustering.rows_of(visit.workspace, count, number)
page = page_column.number_input(say("clusters.page"), 1, max(1, -(-len(rows) // A_PAGE)), 1)
items = status.shown(visit.workspace, rows[(page - 1) * A_PAGE : page * A_PAGE])
wanted = bulk(visit.workspace, visit.person, items)
if wanted is not None:
    st.session_state["search_like"] = wanted
    st.switch_page("pages/search.py")
