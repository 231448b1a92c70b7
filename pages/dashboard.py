"""Dashboard: how the project goes, for those who run it; every table can be taken along."""

import altair as alt
import pandas as pd
import streamlit as st

from annotator.services import dashboard, status
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.ui import Visit, menu, open_page
from annotator.ui.charts import learning_curve
from annotator.ui.tables import table_to_take
from annotator.ui.words import say

COLOURS = ["#1d4ed8", "#15803d", "#9ca3af"]  # by people, settled, open


def numbers(visit: Visit, snapshot: Snapshot, left: list[dict]) -> None:
    cost = dashboard.cost(visit.workspace, snapshot)
    hours, people, settled, each, finish = st.columns(5)
    hours.metric(say("dashboard.hours"), f"{cost['hours']:,.1f}")
    people.metric(say("dashboard.by_people"), f"{cost['by people']:,}")
    settled.metric(say("dashboard.settled"), f"{cost['settled']:,}")
    by_hand = cost["seconds each by hand"]
    each.metric(
        say("dashboard.each"),
        "–" if cost["seconds each"] is None else f"{cost['seconds each']:.2f}",
        help=say("dashboard.each_help", hand="–" if by_hand is None else f"{by_hand:.2f}"),
    )
    sums = {name: sum(row[name] for row in left) / 60 for name in ("minutes", "minutes by hand")}
    finish.metric(
        say("dashboard.left"),
        f"{sums['minutes']:,.1f}" if left else "–",
        help=say("dashboard.left_help", hand=f"{sums['minutes by hand']:,.1f}"),
    )


def days(visit: Visit) -> None:
    st.subheader(say("dashboard.days"))
    frame = pd.DataFrame(dashboard.by_day(visit.workspace))
    if not len(frame):
        st.caption(say("dashboard.no_answers"))
        return
    bars = alt.Chart(frame).mark_bar().encode(
        x=alt.X("day:O", title=say("dashboard.day"), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("answers:Q", title=say("dashboard.answers")),
        color=alt.Color("person:N", title=say("dashboard.person")),
        tooltip=["day", "person", "answers", "hours"],
    )  # fmt: skip
    st.altair_chart(bars)


def tags(visit: Visit, snapshot: Snapshot) -> None:
    rows = status.progress_by_tag(visit.workspace, snapshot)
    if rows:
        state = {key: say(f"dashboard.state_{key.replace(' ', '_')}") for key in ("by people", "settled", "open")}
        long = [{"tag": row["tag"], "state": shown, "count": row[key]} for row in rows for key, shown in state.items()]
        order = [row["tag"] for row in sorted(rows, key=lambda row: row["open"])][:40]
        frame = pd.DataFrame(long)
        bars = alt.Chart(frame[frame["tag"].isin(order)]).mark_bar().encode(
            y=alt.Y("tag:N", sort=order, title=None),
            x=alt.X("count:Q", stack="normalize", title=None, axis=alt.Axis(format="%")),
            color=alt.Color("state:N", title=None, scale=alt.Scale(domain=list(state.values()), range=COLOURS)),
            tooltip=["tag", "state", "count"],
        )  # fmt: skip
        st.altair_chart(bars)
        table_to_take(rows, "tags")


visit = open_page("dashboard")
snapshot = take(visit.workspace)
left = dashboard.to_finish(visit.workspace)
numbers(visit, snapshot, left)
people, curve = st.columns(2)
with people:
    days(visit)
with curve:
    st.subheader(say("dashboard.learning"))
    learning_curve(visit.workspace)
st.subheader(say("dashboard.people"), help=say("dashboard.agreed_help"))
who = dashboard.by_person(visit.workspace, snapshot)
if who:
    table_to_take(who, "people")
    menu.link("quality", say("dashboard.quality"))
else:
    st.caption(say("dashboard.no_answers"))
st.subheader(say("dashboard.tags"))
tags(visit, snapshot)
st.subheader(say("dashboard.finish"))
if left:
    table_to_take(left, "left")
else:
    st.caption(say("dashboard.finish_later"))
