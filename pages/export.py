"""Export: choose a format, see what is in it and what is not, fetch the file; freeze versions and compare them."""

import pandas as pd
import streamlit as st

from annotator.exporters import EXPORTERS, Exporter, ExportOptions
from annotator.services import export_shelf, frozen
from annotator.services.image_facts import is_large
from annotator.services.vocabulary import count
from annotator.terms import Split
from annotator.ui import Visit, attempt, open_page, plain
from annotator.ui.tables import table
from annotator.ui.words import say
from annotator.ui.working import ask, worker
from annotator.web.signing import download_token

PICTURES = ("reference", "copy", "resize")


def choose(format: str) -> ExportOptions:
    """What the person wants of a format; only what it has a place for can be chosen."""
    exporter = EXPORTERS[format]
    st.caption(say("export.about", what=exporter.what, loses=exporter.loses or say("export.nothing")))
    left, right = st.columns(2)
    splits = left.multiselect(say("export.splits"), [split.value for split in Split], placeholder=say("export.all"))
    only_labelled = right.checkbox(say("export.only_labelled"))
    suggestions = exporter.suggestions and right.checkbox(say("export.suggestions"))
    pictures = "reference" if exporter.pictures == "never" else choose_pictures(exporter)
    return ExportOptions(pictures, suggestions, only_labelled, tuple(Split(split) for split in splits))


def choose_pictures(exporter: Exporter) -> str:
    how, size = st.columns([2, 1], vertical_alignment="bottom")
    words = {"reference": "linked" if exporter.pictures == "must" else "reference"}
    chosen = how.segmented_control(
        say("export.pictures"), PICTURES, default="reference", required=True,
        format_func=lambda name: say(f"export.{words.get(name, name)}"),
    )  # fmt: skip
    if chosen != "resize":
        return str(chosen)
    return f"resize:{size.number_input(say('export.longest'), 16, 8192, 1024)}"


def write(visit: Visit, format: str, options: ExportOptions) -> None:
    """At once where that takes seconds, else by the worker."""
    with visit.workspace.reading() as session:
        large = is_large(session, count(session))
    if large or options.pictures != "reference":
        chosen = {name: getattr(options, name) for name in ("pictures", "suggestions", "only_labelled")}
        if ask(visit, "export", format=format, options=chosen, splits=list(options.splits)):
            st.info(say("export.queued"))
        return
    with attempt(), st.spinner(say("export.collecting")):
        export_shelf.make(visit.workspace, format, options)


def shown(visit: Visit, entry: dict) -> None:
    """One export of the shelf: the file, and the table that adds up to the store."""
    with st.expander(say("export.made", name=entry["name"], size=f"{entry['bytes'] / 1e6:.1f}"), expanded=True):
        st.link_button(say("export.download"), f"/api/exports/{download_token(visit.workspace, entry['name'])}")
        images, pairs = entry["images"], entry["pairs"]
        first, second = st.columns(2)
        first.metric(say("export.images"), f"{images['written']:,}")
        second.metric(say("export.labels"), f"{pairs['written']:,}")
        st.caption(say("export.reconcile"))
        st.dataframe(reconciled(images, pairs), hide_index=True, width="stretch")
        if entry["labels"]:
            labels = [{name: row[name] for name in ("state", "origin", "store", "written")} for row in entry["labels"]]
            st.dataframe(pd.DataFrame(labels), hide_index=True, width="stretch")
        if entry["unreadable"]:
            st.warning(plain("\n".join(entry["unreadable"])))
        st.caption(say("export.snapshot", hash=entry["snapshot"][:16]))


def reconciled(images: dict, pairs: dict) -> pd.DataFrame:
    """What is in the store, line by line, until nothing is left over."""
    columns = [say("export.what"), say("export.images"), say("export.pairs")]
    reasons = [*pairs["left out"], *(why for why in images["left out"] if why not in pairs["left out"])]
    rows = [
        [say("export.store"), images["store"], pairs["store"]],
        [say("export.written"), images["written"], pairs["written"]],
        *([why, images["left out"].get(why, 0), pairs["left out"].get(why, 0)] for why in reasons),
    ]
    return pd.DataFrame(rows, columns=columns)


def snapshots(visit: Visit) -> None:
    """Freeze the labels under a name, see what changed since, fetch a data card."""
    st.subheader(say("export.snapshots"))
    with st.form("freeze", clear_on_submit=True):
        name, note = st.columns([1, 2])
        chosen, why = name.text_input(say("export.name")), note.text_input(say("export.note"))
        if st.form_submit_button(say("export.freeze")) and chosen:
            with attempt():
                frozen.create(visit.workspace, chosen.strip(), why)
    kept = frozen.listed(visit.workspace)
    if not kept:
        st.caption(say("export.no_snapshot"))
        return
    table(kept)
    names = [one["name"] for one in reversed(kept)]
    before, after, card = st.columns(3, vertical_alignment="bottom")
    first = before.selectbox(say("export.before"), names)
    second = after.selectbox(say("export.after"), [frozen.NOW, *(name for name in names if name != first)])
    text = (frozen.folder_of(visit.workspace, first) / "card.md").read_text(encoding="utf-8")
    card.download_button(say("export.card"), text, f"{first}.md", "text/markdown", width="stretch")
    if st.button(say("export.compare")):
        compared(visit, first, second)


def compared(visit: Visit, before: str, after: str) -> None:
    report = None
    with attempt(), st.spinner(say("export.comparing")):
        report = frozen.compare(visit.workspace, before, after)
    if report is None:
        return
    added = report["images"].get("added", 0)
    st.write(say("export.changed", pairs=f"{report['changed']:,}", tags=len(report["tags"]), images=f"{added:,}"))
    rows = [
        {say("export.tag"): tag["tag"], say("export.change"): change, say("export.pairs"): count}
        for tag in report["tags"]
        for change, count in tag["changes"].items()
    ]
    if rows:
        table(rows)


visit = open_page("export", wide=False)
format = st.segmented_control(say("export.format"), list(EXPORTERS), default=next(iter(EXPORTERS)), required=True)
options = choose(format)
if st.button(say("export.write"), type="primary"):
    write(visit, format, options)
worker(visit, "export")
entries = export_shelf.listed(visit.workspace)
for entry in entries[:1]:
    shown(visit, entry)
for entry in entries[1:]:
    link = f"/api/exports/{download_token(visit.workspace, entry['name'])}"
    st.link_button(say("export.made", name=entry["name"], size=f"{entry['bytes'] / 1e6:.1f}"), link, type="tertiary")
snapshots(visit)
