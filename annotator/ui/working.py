"""What the worker is asked for from a page, and how far it is."""

from typing import Any

import streamlit as st

from annotator import jobs
from annotator.jobs import Job
from annotator.terms import JobState
from annotator.ui import Visit, attempt, plain
from annotator.ui.words import say

SHOWN, LOOKED_THROUGH = 6, 100  # of the newest jobs


def ask(visit: Visit, kind: str, **arguments: Any) -> bool:
    """Have the worker do `kind`; whether it will, and why not is shown."""
    job = None
    with attempt():
        job = jobs.enqueue(visit.workspace, kind, **arguments)
    return job is not None


@st.fragment(run_every=2)
def worker(visit: Visit, *kinds: str) -> None:
    """What runs now, with a bar, and the last failure; of some kinds of jobs, or of all."""
    newest = jobs.list_jobs(visit.workspace, newest=LOOKED_THROUGH if kinds else SHOWN)
    found = [job for job in newest if not kinds or job.kind in kinds]
    is_open = [job for job in found if job.is_open]
    for job in is_open:
        bar, button = st.columns([6, 1], vertical_alignment="center")
        share = job.done / job.total if job.total else 0.0
        text = f"{job.kind}: {_far(job)}"
        bar.progress(min(1.0, share), text=f"{text} ({say('worker.stalled')})" if job.stalled else text)
        if button.button(say("worker.cancel"), key=f"cancel-{job.id}"):
            jobs.cancel(visit.workspace, job.id)
    ended = {job.kind: job for job in reversed(found) if not job.is_open}  # the newest of each kind
    for job in ended.values():
        if job.state == JobState.FAILED:
            st.warning(plain(say("worker.failed", kind=job.kind, error=job.error)))
    if not is_open and not kinds:
        st.caption(say("worker.idle"))
    _rerun_when_done(kinds, len(is_open))


def _far(job: Job) -> str:
    """How far a job is; some do not know how much there will be."""
    if job.total:
        return f"{job.what} {job.done:,} / {job.total:,}"
    return f"{job.what} {job.done:,}" if job.done else say("worker.waiting")


def last_done(visit: Visit, kind: str) -> Job | None:
    """The newest job of `kind` that came to its end."""
    found = jobs.list_jobs(visit.workspace, newest=LOOKED_THROUGH)
    return next((job for job in found if job.kind == kind and job.state == JobState.DONE), None)


def _rerun_when_done(kinds: tuple[str, ...], running: int) -> None:
    """What a job left is shown by the page around this part, which has to run once more."""
    before = st.session_state.get(f"running {kinds}", 0)
    st.session_state[f"running {kinds}"] = running
    if running < before:
        st.rerun()
