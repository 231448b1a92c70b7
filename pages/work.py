"""Work: the way of working that gives this person more correct answers a minute, tag by tag."""

import streamlit as st

from annotator.services import pace, status
from annotator.ui import menu, open_page, plain, require_tags
from annotator.ui.components import serve
from annotator.ui.words import say

visit = open_page("work", heading=False)
require_tags(visit.workspace)
waiting = status.waiting_tags(visit.workspace)
asked = st.query_params.get("tag", "")
turn = pace.serve(visit.workspace, visit.person, int(asked) if asked.isdigit() else None)
told, label, verify = st.columns([6, 1, 1], vertical_alignment="center")
told.caption(plain(say("work.served", mode=say(f"menu.{turn.mode.value}"), reason=turn.reason)))
with label:
    menu.link("label", say("menu.label"))
with verify:
    menu.link("verify", say("menu.verify"))
serve(visit.workspace, visit.person, turn)
