"""Label: one picture at a time, its tags, by keyboard."""

import streamlit as st

from annotator.services import status
from annotator.ui import open_page
from annotator.ui.components import labeler

visit = open_page("Label", heading=False)
tags, exactly_one = status.vocabulary(visit.workspace)
if not tags:
    st.info("The vocabulary is empty. Add tags with: annotator init --tags FILE")
    st.stop()
labeler(visit.workspace, visit.person, tags, exactly_one)
