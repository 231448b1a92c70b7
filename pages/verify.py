"""Verify: one tag, a page of pictures, mark the exceptions."""

import streamlit as st

from annotator.services import pace, status
from annotator.ui import open_page, require_tags
from annotator.ui.components import verify

visit = open_page("verify", heading=False)
require_tags(visit.workspace)
waiting = status.waiting_tags(visit.workspace)
asked = st.query_params.get("tag", "")
tag = int(asked) if asked.isdigit() else (waiting[0]["id"] if waiting else None)
verify(visit.workspace, visit.person, tag, pace.best_page_size(visit.workspace, visit.person), waiting)
