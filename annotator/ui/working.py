"""What the worker is asked for from a page, and how far it is."""

from typing import Any

import streamlit as st

from annotator import jobs
from annotator.errors import AnnotatorError
from annotator.terms import JobState
from annotator.ui import Visit, plain
from annotator.ui.words import say

SHOWN, LOOKED_THROUGH = 6, 100  # of the newest jobs


def ask(visit: Visit, kind: str, **arguments: Any) -> None:
    """Have the worker do `kind`; why it cannot is shown."""
    try:
        jobs.enqueue(visit.workspace, kind, **arguments)
    except AnnotatorError as error:
        st.error(plain(str(error)))


@st.fragment(run_every=2)
def worker(visit: Visit, kind: str | None = None) -> None:
    """What runs now, with a bar, and the last failure; of one `kind` of job, or of all."""
    newest = jobs.list_jobs(visit.workspace, newest=SHOWN if kind is None else LOOKED_THROUGH)
    found = [job for job in newest if kind in (None, job.kind)]
    is_open = [job for job in found if job.is_open]
    for job in is_open:
        bar, button = st.columns([6, 1], vertical_alignment="center")
        share = job.done / job.total if job.total else 0.0
        text = (
            f"{job.kind}: {job.what} {job.done:,} / {job.total:,}"
            if job.total
            else f"{job.kind}: {say('worker.waiting')}"
        )
        bar.progress(min(1.0, share), text=f"{text} ({say('worker.stalled')})" if job.stalled else text)
        if button.button(say("worker.cancel"), key=f"cancel-{job.id}"):
            jobs.cancel(visit.workspace, job.id)
    for job in [job for job in found if job.state == JobState.FAILED][:1]:
        st.warning(plain(say("worker.failed", kind=job.kind, error=job.error)))
    if not is_open and kind is None:
        st.caption(say("worker.idle"))
    _rerun_when_done(kind, bool(is_open))


def _rerun_when_done(kind: str | None, running: bool) -> None:
    """What a job left is shown by the page around this part, which has to run once more."""
    before = st.session_state.get(f"running {kind}", False)
    st.session_state[f"running {kind}"] = running
    if before and not running:
        st.rerun()
