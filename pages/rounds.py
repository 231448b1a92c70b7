"""Rounds: let the model settle what it can prove; see the proof; take a round back."""

import pandas as pd
import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import rounds
from annotator.terms import RoundStatus
from annotator.ui import menu, open_page, table_height

visit = open_page("Rounds")
project = visit.workspace.project
st.caption(
    f"A round proposes sets of images on which the model is sure. People audit a random part of each set. A set is "
    f"settled only when the audit proves, at {project.confidence:.0%} confidence, a precision of at least "
    f"{project.precision:.0%} and a recall of at least {project.recall:.0%}; the proof is exact and "
    "holds whenever you look."
)
history = rounds.history(visit.workspace)
is_open = bool(history) and history[-1]["status"] == RoundStatus.PROPOSED.value

propose, settle, refresh = st.columns(3)
try:
    if propose.button("Propose a round", type="primary", disabled=is_open, width="stretch"):
        rounds.propose(visit.workspace, visit.person)
        st.rerun()
    if settle.button("Settle what is proved", disabled=not is_open, width="stretch"):
        report = rounds.settle(visit.workspace)
        st.toast(f"Settled {report['settled_positive']:,} present and {report['settled_negative']:,} absent")
        st.rerun()
except AnnotatorError as error:
    st.warning(str(error))
if refresh.button("Look again", disabled=not is_open, width="stretch"):
    st.rerun()

if is_open:
    st.subheader(f"Round {history[-1]['number']} waits for audits")
    sets = pd.DataFrame(rounds.progress(visit.workspace)["sets"])
    if len(sets):
        st.dataframe(
            sets,
            hide_index=True,
            width="stretch",
            height=table_height(len(sets)),
            column_config={
                "certified": st.column_config.ProgressColumn("certified", format="percent", min_value=0, max_value=1)
            },
        )
    menu.link("verify", "Audit in Verify")

if history:
    st.subheader("All rounds")
    table = pd.DataFrame(history)
    st.dataframe(table, hide_index=True, width="stretch", height=table_height(len(table)))
    settled = [entry["number"] for entry in history if entry["status"] == RoundStatus.SETTLED.value]
    if settled:
        with st.expander("Roll a round back"):
            number = st.selectbox("Round", settled[::-1])
            sure = st.checkbox("Take back everything this round settled. People's answers stay.")
            if st.button("Roll back", disabled=not sure):
                report = rounds.roll_back(visit.workspace, number)
                st.toast(f"Round {number}: {report['taken_back']:,} settled labels were taken back")
                st.rerun()
else:
    st.info("No round yet. Train first; a round needs a model and some held-out answers.")
