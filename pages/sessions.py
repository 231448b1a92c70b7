"""Sessions: what was done in how long, by whom; go on with a paused one; the pace that Work chooses by."""

import pandas as pd
import streamlit as st

from annotator.services import pace, sessions
from annotator.terms import SessionState
from annotator.ui import menu, open_page, table_height
from annotator.ui.words import say

COLUMNS = [
    "session", "person", "state", "mode", "started_at", "last_seen_at", "pictures", "answers", "present", "absent",
    "cannot tell", "taken back", "active_minutes", "answers_per_minute",
]  # fmt: skip

visit = open_page("sessions")
st.caption(say("sessions.intro"))
history = sessions.history(visit.workspace)
mine = [entry for entry in history if entry["person"] == visit.person]
current = next((entry for entry in mine if entry["state"] != SessionState.ENDED.value), None)

st.subheader(say("sessions.yours"))
if current is None:
    st.info(say("sessions.none"))
    menu.link("work", say("menu.work"))
else:
    st.write(
        say(
            "sessions.figures",
            number=current["session"],
            state=current["state"],
            since=current["started_at"][:16].replace("T", " "),
            pictures=f"{current['pictures']:,}",
            answers=f"{current['answers']:,}",
            minutes=f"{current['active_minutes']:.1f}",
        )
    )
    go_on, rest, end = st.columns(3)
    with go_on:
        menu.link(current["mode"] if current["mode"] in ("label", "verify") else "search", say("sessions.go_on"))
    if rest.button(say("sessions.pause"), disabled=current["state"] == SessionState.PAUSED.value, width="stretch"):
        sessions.pause(visit.workspace, visit.person, current["session"])
        st.rerun()
    if end.button(say("sessions.end"), width="stretch"):
        st.session_state["session_report"] = sessions.end(visit.workspace, visit.person, current["session"])
        st.rerun()

report = st.session_state.get("session_report")
if report:
    st.subheader(say("sessions.report", number=report["session"]))
    figures = {
        "pictures": f"{report['pictures']:,}",
        "answers": f"{report['answers']:,}",
        "states": f"{report['present']} / {report['absent']} / {report['cannot tell']}",
        "taken_back": report["taken back"],
        "minutes": f"{report['active_minutes']:.1f}",
        "pace": report["answers_per_minute"] or "–",
    }
    for column, (name, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(say(f"sessions.{name}"), value)

st.subheader(say("sessions.pace_title"))
st.caption(say("sessions.pace_intro"))
measured = pd.DataFrame(pace.table(visit.workspace, visit.person))
if len(measured):
    st.dataframe(measured, hide_index=True, width="stretch", height=table_height(len(measured)))
else:
    st.caption(say("sessions.no_pace"))

if history:
    st.subheader(say("sessions.all"))
    table = pd.DataFrame(history)[COLUMNS]
    for times in ("started_at", "last_seen_at"):
        table[times] = pd.to_datetime(table[times])
    st.dataframe(
        table.rename(columns=lambda name: name.replace("_", " ")),
        hide_index=True,
        width="stretch",
        height=table_height(len(table)),
        column_config={
            name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm") for name in ("started at", "last seen at")
        },
    )
