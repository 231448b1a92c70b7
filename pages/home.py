"""Home: how far the project is, what to do next, what the worker does."""

import altair as alt
import pandas as pd
import streamlit as st

from annotator import jobs
from annotator.errors import AnnotatorError
from annotator.services import models, status
from annotator.terms import JobState
from annotator.ui import Visit, menu, open_page, table_height


def numbers(counts: dict, today: int) -> None:
    images, answered, settled, model, mine = st.columns(5)
    images.metric("Images", f"{counts['images']:,}", help=f"{counts['refused']} files were refused")
    answered.metric("Answered images", f"{counts['answered_images']:,}")
    settled.metric("Rounds settled", counts["rounds"]["settled"])
    held_out = (counts["model"] or {}).get("held_out_mAP")
    model.metric(
        "Held-out mAP",
        "–" if held_out is None else f"{held_out:.3f}",
        help="Mean average precision of the model in use on answers it was never trained on",
    )
    mine.metric("You today", today)


def next_step(counts: dict) -> None:
    """One sentence and one button: what brings the project on now."""
    if not counts["images"]:
        st.info("Start with pictures: annotator import -w WORKSPACE FOLDER")
    elif counts["embedded"] < counts["images"]:
        st.info(f"{counts['images'] - counts['embedded']:,} images have no embedding yet.")
        if st.button("Embed them", type="primary"):
            ask(visit, "embed")
    elif counts["model"] is None:
        st.info("Answer some pictures; the first training starts by itself.")
        menu.link("label", "Label pictures")
    elif counts["rounds"]["proposed"]:
        st.info("A round waits for audits: a few pages in Verify prove what the model is sure of.")
        menu.link("verify", "Audit in Verify")
    else:
        st.info("Label more pictures, or propose a round: the model settles what it can prove.")
        label, rounds = st.columns(2)
        with label:
            menu.link("label", "Label pictures")
        with rounds:
            menu.link("rounds", "Propose a round")


def ask(visit: Visit, kind: str) -> None:
    try:
        jobs.enqueue(visit.workspace, kind)
    except AnnotatorError as error:
        st.error(str(error))


@st.fragment(run_every=2)
def worker(visit: Visit) -> None:
    """What runs now, with a bar; and the last outcomes."""
    found = jobs.list_jobs(visit.workspace, newest=6)
    for job in [job for job in found if job.is_open]:
        bar, button = st.columns([6, 1], vertical_alignment="center")
        share = job.done / job.total if job.total else 0.0
        text = (
            f"{job.kind}: {job.what or 'waiting'} {job.done:,} / {job.total:,}" if job.total else f"{job.kind}: waiting"
        )
        bar.progress(min(1.0, share), text=f"{text} (stalled)" if job.stalled else text)
        if button.button("Cancel", key=f"cancel-{job.id}"):
            jobs.cancel(visit.workspace, job.id)
    for job in [job for job in found if job.state == JobState.FAILED][:1]:
        st.warning(f"{job.kind} failed: {job.error}")
    if not any(job.is_open for job in found):
        st.caption("The worker is idle. A training starts by itself when enough was answered.")


def learning_curve(visit: Visit) -> None:
    history = [
        {"answered images": model.metrics["answered_images"], "held-out mAP": model.metrics["mAP"], "model": model.id}
        for model in models.history(visit.workspace)
        if model.metrics.get("mAP") is not None
    ]
    if not history:
        st.caption("The learning curve appears with the first training.")
        return
    chart = alt.Chart(pd.DataFrame(history)).encode(
        x=alt.X(
            "answered images:Q",
            scale=alt.Scale(domainMin=0, nice=True),
            axis=alt.Axis(format=",d", tickMinStep=1),
        ),
        y=alt.Y("held-out mAP:Q", scale=alt.Scale(domain=[0, 1])),
        tooltip=["model", "answered images", "held-out mAP"],
    )
    st.altair_chart(chart.mark_line() + chart.mark_point(filled=True, size=70))


visit = open_page("Home")
counts = status.status(visit.workspace)
numbers(counts, status.answers_today(visit.workspace, visit.person))
next_step(counts)
left, right = st.columns(2)
with left:
    st.subheader("Learning")
    learning_curve(visit)
    history = models.history(visit.workspace)
    if history:
        st.caption(f"Model {history[-1].id}: {history[-1].verdict}.")
    if st.button("Train now", disabled=not counts["answered_images"]):
        ask(visit, "train")
    worker(visit)
with right:
    st.subheader("Tags")
    rows = pd.DataFrame(status.progress_by_tag(visit.workspace))
    if len(rows):
        st.dataframe(rows, hide_index=True, width="stretch", height=table_height(len(rows)))
if counts["refused"]:
    with st.expander(f"{counts['refused']} refused files"):
        st.dataframe(pd.DataFrame(status.refused_files(visit.workspace)), hide_index=True, width="stretch")
