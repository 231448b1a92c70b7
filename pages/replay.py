"""Replay: what each way of asking would have saved on the labels of this workspace."""

import altair as alt
import pandas as pd
import streamlit as st

from annotator.errors import MissingError
from annotator.learning.heads import HEADS
from annotator.learning.losses import LOSSES
from annotator.learning.queries import DEFAULT, QUERIES
from annotator.learning.replay import Recipe
from annotator.services import project_values, replaying
from annotator.ui import Visit, attempt, open_page, plain, table_height
from annotator.ui.words import say
from annotator.ui.working import ask, worker

CHOICES = ("strategy", "head", "loss")


def form(visit: Visit, most: int) -> None:
    """What to replay; the worker does it."""
    with st.form("replay", border=False):
        others = [name for name in QUERIES if name != "random"]
        strategies = st.multiselect(say("replay.strategies"), others, [DEFAULT, "diversity"])
        left, middle, right, last = st.columns(4)
        heads = left.multiselect(say("replay.heads"), list(HEADS), [Recipe().head])
        losses = middle.multiselect(say("replay.losses"), list(LOSSES), [Recipe().loss])
        seeds = right.number_input(say("replay.seeds"), 1, 20, 3, help=say("replay.seeds_help"))
        budget = last.number_input(say("replay.budget"), 1, most, max(1, most // 2))
        if not st.form_submit_button(say("replay.start"), type="primary"):
            return
    with attempt():
        replaying.recipes_of(strategies)
        chosen = {"strategies": strategies, "heads": heads, "losses": losses, "seeds": seeds, "budget": budget}
        if ask(visit, "replay", **chosen):
            st.info(say("replay.running"))


def curves(found: dict) -> None:
    answers, recipe = say("replay.answers"), say("replay.recipe")
    points = [
        {recipe: name, answers: at, "mAP": value}
        for name, curve in found.items()
        for at, value in zip(curve["answers"], curve["mAP"], strict=True)
    ]
    chart = alt.Chart(pd.DataFrame(points)).encode(
        x=alt.X(f"{answers}:Q", axis=alt.Axis(format=",d", tickMinStep=1)),
        y=alt.Y("mAP:Q", scale=alt.Scale(zero=False)),
        color=alt.Color(f"{recipe}:N", legend=alt.Legend(orient="bottom", columns=2, labelLimit=400)),
        tooltip=[f"{recipe}:N", f"{answers}:Q", alt.Tooltip("mAP:Q", format=".3f")],
    )
    st.altair_chart(chart.mark_line(point=True))


def adopt(visit: Visit, rows: list[dict]) -> None:
    """Take one of the compared ways for the project."""
    names = [" · ".join(row[part] for part in CHOICES) for row in rows]
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    chosen = left.selectbox(say("replay.adopt_which"), range(len(rows)), format_func=names.__getitem__)
    if right.button(say("replay.adopt"), width="stretch"):
        project_values.change(visit.workspace, [f"{part}={rows[chosen][part]}" for part in CHOICES])
        st.toast(say("replay.adopted", name=names[chosen]))


visit = open_page("replay")
st.caption(say("replay.about"))
try:
    most = replaying.answers_to_ask(visit.workspace)
except MissingError as error:
    st.info(say("replay.not_yet", why=plain(str(error))))
else:
    form(visit, most)
worker(visit, "replay")
report = replaying.latest(visit.workspace)
if report is None:
    st.caption(say("replay.none"))
    st.stop()
st.caption(say("replay.found", **{name: report[name] for name in ("pool", "held_out", "seeds")}))
curves(report["curves"])
table = pd.DataFrame(report["table"])
st.dataframe(table, hide_index=True, width="stretch", height=table_height(len(table)))
st.caption(say("replay.saved"))
adopt(visit, report["table"])
st.download_button(say("replay.download"), table.to_csv(index=False), "replay.csv", "text/csv")
