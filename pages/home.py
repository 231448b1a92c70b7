"""Home: how far the project is, what to do next, what the worker does."""

import pandas as pd
import streamlit as st

from annotator.services import models, savings, status
from annotator.ui import Visit, menu, open_page
from annotator.ui.charts import learning_curve
from annotator.ui.tables import table
from annotator.ui.words import say
from annotator.ui.working import ask, worker


def numbers(counts: dict, today: int) -> None:
    images, answered, settled, model, mine = st.columns(5)
    images.metric(say("home.images"), f"{counts['images']:,}", help=say("home.refused", count=counts["refused"]))
    answered.metric(say("home.answered"), f"{counts['answered_images']:,}")
    settled.metric(say("home.rounds"), counts["rounds"]["settled"])
    held_out = (counts["model"] or {}).get("held_out_mAP")
    model.metric(
        say("home.held_out"),
        "–" if held_out is None else f"{held_out:.3f}",
        help=say("home.held_out_help"),
    )
    mine.metric(say("home.today"), f"{today:,}")


def next_step(counts: dict) -> None:
    """One sentence and one button: what brings the project on now."""
    if not counts["images"]:
        st.info(say("home.start"))
        menu.link("import", say("home.import"))
    elif counts["embedded"] < counts["images"]:
        st.info(say("home.no_embedding", count=f"{counts['images'] - counts['embedded']:,}"))
        agreed = visit.workspace.project.tiles
        tiles = st.checkbox(say("home.tiles"), value=agreed, help=say("home.tiles_help"))
        if st.button(say("home.embed"), type="primary"):
            ask(visit, "embed", **({} if tiles == agreed else {"tiles": tiles}))
    elif counts["model"] is None:
        st.info(say("home.answer_some"))
        menu.link("work", say("home.label"))
    elif counts["rounds"]["proposed"]:
        st.info(say("home.round_waits"))
        menu.link("verify", say("home.audit"))
    else:
        st.info(say("home.go_on"))
        label, rounds = st.columns(2)
        with label:
            menu.link("work", say("home.label"))
        with rounds:
            menu.link("rounds", say("home.propose"))


def saving(visit: Visit) -> None:
    """What the picks brought against the random ones among them."""
    measured = savings.of(models.in_use(visit.workspace))
    if measured is None:
        st.caption(say("home.saving_unknown", count=savings.FEWEST))
        return
    key = "home.saving_lost" if measured.loses(visit.workspace.project.strategy) else "home.saving"
    figures = {name: f"{value:.0%}" for name, value in vars(measured).items() if name in ("saved", "low", "high")}
    st.caption(say(key, images=measured.images, **figures), help=say("home.saving_help"))


visit = open_page("home")
counts = status.status(visit.workspace)
numbers(counts, status.answers_today(visit.workspace, visit.person))
next_step(counts)
left, right = st.columns(2)
with left:
    st.subheader(say("home.learning"))
    learning_curve(visit.workspace)
    history = models.history(visit.workspace)
    if history:
        st.caption(say("home.verdict", number=history[-1].id, verdict=history[-1].verdict))
        saving(visit)
    if st.button(say("home.train"), disabled=not counts["answered_images"]):
        ask(visit, "train")
    worker(visit)
with right:
    st.subheader(say("home.tags"))
    rows = pd.DataFrame(status.progress_by_tag(visit.workspace))
    if len(rows):
        table(rows)
if counts["refused"]:
    with st.expander(say("home.refused_files", count=counts["refused"])):
        st.dataframe(pd.DataFrame(status.refused_files(visit.workspace)), hide_index=True, width="stretch")
