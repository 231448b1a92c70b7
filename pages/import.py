"""Import: pictures from the server's machine or the browser, and labels of other tools with a preview."""

import streamlit as st

from annotator.services.image_facts import image_count
from annotator.ui import Visit, attempt, open_page, plain
from annotator.ui.arrivals import choose
from annotator.ui.label_import import labels
from annotator.ui.tables import lines
from annotator.ui.words import say
from annotator.ui.working import ask, last_done, worker

PICTURES = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "zip", "tar"]


def pictures(visit: Visit) -> None:
    """Choose them, have the worker read them, see what came of it."""
    st.subheader(say("import.pictures"))
    source = choose(visit, "pictures", type=PICTURES, accept_multiple_files=True)
    embed = st.checkbox(say("import.embed"), value=True, help=say("import.embed_help"))
    if st.button(say("import.start"), type="primary", disabled=not source):
        with attempt():
            ask(visit, "import", paths=[source.place(visit, pictures=True)], embed=embed)
    worker(visit, "import")
    last = last_done(visit, "import")
    if last is not None and last.result:
        brought(last.result)


def brought(done: dict) -> None:
    counts = {name: f"{done[name]:,}" for name in ("added", "unchanged", "duplicates")}
    st.caption(say("import.done", refused=f"{len(done['refused']):,}", **counts))
    passed_over = [f"{ending} {count:,}" for ending, count in done["skipped"].items() if count]
    if passed_over:
        st.caption(plain(say("import.skipped", endings=", ".join(passed_over))))
    if done["refused"]:
        with st.expander(say("import.refused")):
            lines(done["refused"])


visit = open_page("import", wide=False)
pictures(visit)
with visit.workspace.reading() as session:
    any_pictures = image_count(session) > 0
labels(visit, any_pictures=any_pictures)
