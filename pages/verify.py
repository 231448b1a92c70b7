"""Verify: one tag, a page of pictures, mark the exceptions."""

import streamlit as st

from annotator.services import pace, status
from annotator.ui import open_page, require_tags
from annotator.ui.components import verify

SMALLEST, LARGEST = 12, 100

visit = open_page("verify", heading=False)
require_tags(visit.workspace)
waiting = status.waiting_tags(visit.workspace)
tag, size = (st.query_params.get(name, "") for name in ("tag", "size"))
wanted = int(tag) if tag.isdigit() else (waiting[0]["id"] if waiting else None)
pictures = int(size) if size.isdigit() else pace.best_page_size(visit.workspace, visit.person)
verify(visit.workspace, visit.person, wanted, max(SMALLEST, min(LARGEST, pictures)), waiting)
