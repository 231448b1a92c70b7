"""Rounds: let the model settle what it can prove; see the proof; take a round back."""

import pandas as pd
import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import rounds
from annotator.terms import RoundStatus
from annotator.ui import menu, open_page, plain, table_height
from annotator.ui.words import say

visit = open_page("rounds")
project = visit.workspace.project
st.caption(
    say(
        "rounds.intro",
        confidence=f"{project.confidence:.0%}",
        precision=f"{project.precision:.0%}",
        recall=f"{project.recall:.0%}",
    )
)
history = rounds.history(visit.workspace)
is_open = bool(history) and history[-1]["status"] == RoundStatus.PROPOSED.value

propose, settle, refresh = st.columns(3)
try:
    if propose.button(say("rounds.propose"), type="primary", disabled=is_open, width="stretch"):
        rounds.propose(visit.workspace, visit.person)
        st.rerun()
    if settle.button(say("rounds.settle"), disabled=not is_open, width="stretch"):
        report = rounds.settle(visit.workspace)
        st.toast(say("rounds.settled", present=report["settled_positive"], absent=report["settled_negative"]))
        st.rerun()
except AnnotatorError as error:
    st.warning(plain(str(error)))
if refresh.button(say("rounds.look_again"), disabled=not is_open, width="stretch"):
    st.rerun()

if is_open:
    st.subheader(say("rounds.waits", number=history[-1]["number"]))
    sets = pd.DataFrame(rounds.progress(visit.workspace)["sets"])
    if len(sets):
        st.dataframe(
            sets,
            hide_index=True,
            width="stretch",
            height=table_height(len(sets)),
            column_config={
                "certified": st.column_config.ProgressColumn(
                    say("rounds.certified"), format="percent", min_value=0, max_value=1
                )
            },
        )
    menu.link("verify", say("rounds.audit"))

if history:
    st.subheader(say("rounds.all"))
    table = pd.DataFrame(history)
    st.dataframe(table, hide_index=True, width="stretch", height=table_height(len(table)))
    settled = [entry["number"] for entry in history if entry["status"] == RoundStatus.SETTLED.value]
    if settled:
        with st.expander(say("rounds.roll_back_title")):
            number = st.selectbox(say("rounds.round"), settled[::-1])
            sure = st.checkbox(say("rounds.sure"))
            if st.button(say("rounds.roll_back"), disabled=not sure):
                report = rounds.roll_back(visit.workspace, number)
                st.toast(say("rounds.taken_back", number=number, count=report["taken_back"]))
                st.rerun()
else:
    st.info(say("rounds.none"))
