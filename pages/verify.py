"""Verify: one tag, a page of pictures, mark the exceptions."""

import streamlit as st

from annotator.services import status
from annotator.ui import open_page
from annotator.ui.components import grid

visit = open_page("Verify", heading=False)
tags, _ = status.vocabulary(visit.workspace)
waiting = status.waiting_by_tag(visit.workspace)
if not tags:
    st.info("The vocabulary is empty. Add tags with: annotator init --tags FILE")
    st.stop()

# Tags whose audit waits come first: their answers settle the most.
tags = sorted(tags, key=lambda tag: (-waiting.get(tag["id"], 0), tag["name"]))
choose, size, mode = st.columns([3, 2, 2], vertical_alignment="bottom")
# The choice is kept by name: the order and the counts change with every answer, the tag in hand must not.
by_name = {tag["name"]: tag for tag in tags}
tag = by_name[choose.selectbox("Tag", list(by_name), key="verify_tag")]
count = size.select_slider("Pictures a page", [12, 24, 36, 48, 60, 100], value=24)
unmarked = mode.segmented_control(
    "Unmarked pictures",
    ["proposed", "present", "absent"],
    default="proposed",
    required=True,
    format_func={"proposed": "as proposed", "present": "show it", "absent": "do not"}.get,
)
to_audit = f"{waiting[tag['id']]} to audit." if waiting.get(tag["id"]) else ""
st.caption(" ".join(part for part in (tag["definition"], to_audit) if part) or "No definition.")
grid(visit.workspace, visit.person, tag, count, unmarked)
