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
chosen = max(SMALLEST, min(LARGEST, int(size))) if size.isdigit() else None
usual = max(SMALLEST, min(LARGEST, pace.best_page_size(visit.workspace, visit.person)))
verify(
    visit.workspace,
    visit.person,
    int(tag) if tag.isdigit() else None,
    chosen or usual,
    chosen_size=chosen,
    waiting=waiting,
)
