"""Labels of other tools: what they are, a preview of what would be done, which tag is which, and the import itself."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from annotator.importers.labels import LABEL_IMPORTERS
from annotator.services.image_facts import names_of
from annotator.services.tag_mapping import LEFT_OUT, NEW, TABLE, UNKNOWN
from annotator.services.votes import live_tags
from annotator.ui import Visit, attempt, plain
from annotator.ui.arrivals import choose
from annotator.ui.tables import MOST_LINES, lines, table
from annotator.ui.words import say
from annotator.ui.working import ask, last_done, worker

COUNT_AS = ("labels", "suggestions", "truth")
SWITCHES = ("complete", "add_tags", "keep_people", "overwrite")
Options = dict[str, Any]
Report = dict[str, Any]


def labels(visit: Visit, *, any_pictures: bool) -> None:
    """The part of the Import page about labels."""
    st.subheader(say("import.labels"))
    if not any_pictures:
        st.caption(say("import.no_pictures"))
        return
    st.caption(say("import.labels_about"))
    source = choose(visit, "labels", help=say("import.labels_path_help"))
    options = _options()
    if st.button(say("import.preview"), disabled=not source):
        with attempt():
            ask(visit, "import_labels", path=source.place(visit), options={**options, "preview": True})
    worker(visit, "import_labels")
    last = last_done(visit, "import_labels")
    if last is not None:
        _shown(visit, {**(last.result or {}), "job": last.id}, options)


def _options() -> Options:
    """How the labels count."""
    left, right = st.columns(2)
    format = left.selectbox(
        say("import.format"), ["", *LABEL_IMPORTERS],
        format_func=lambda name: f"{name}: {LABEL_IMPORTERS[name].says}" if name else say("import.format_auto"),
    )  # fmt: skip
    count_as = right.segmented_control(
        say("import.as"), COUNT_AS, default="labels", required=True, help=say("import.as_help"),
        format_func=lambda name: say(f"import.as_{name}"),
    )  # fmt: skip
    switches = {
        name: column.checkbox(say(f"import.{name}")) for name, column in zip(SWITCHES, (left, right) * 2, strict=True)
    }
    return {
        "format": format or None,
        "as_truth": count_as == "truth",
        "as_suggestions": count_as == "suggestions",
        **switches,
    }


def _shown(visit: Visit, report: Report, options: Options) -> None:
    """What was, or would be, done; a preview can be changed and carried out, under the `options` it was made with."""
    preview = bool(report["preview"])
    words = {"name": Path(report["path"]).name, "format": report["format"]}
    (st.info if preview else st.success)(plain(say("import.previewed" if preview else "import.imported", **words)))
    _figures(report)
    if report["tags"]:
        st.markdown(f"**{say('import.tags')}**", help=say("import.tags_help") if preview else None)
        chosen = _tags(visit, report, editable=preview)
        if preview:
            _carry_out(visit, report, chosen, options)
    _problems(visit, report)


def _figures(report: Report) -> None:
    figures = {
        "images": report["images"],
        "written": report["written"] + report["truth"],
        "same": report["unchanged"],
        "suggested": report["suggestions"],
        "conflicts": report["conflict_count"],
    }
    for column, (name, count) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(say(f"import.{name}"), f"{count:,}")


def _tags(visit: Visit, report: Report, *, editable: bool) -> dict[str, str]:
    """The table of tags; as a map of those that are not found by themselves."""
    frame = pd.DataFrame(report["tags"])
    columns = {name: say(f"import.col_{name}") for name in ("name", "to", "how", "labels")}
    if not editable:
        table(frame.rename(columns=columns))
        return {}
    leave = say("import.leave_out")
    # Of a tag that is not here `to` holds a hint for the command line, of one that would be made its own name.
    frame["to"] = frame["to"].mask(frame["how"].isin((UNKNOWN, NEW)), "").mask(frame["how"] == LEFT_OUT, leave)
    with visit.workspace.reading() as session:
        names = [tag.name for tag in live_tags(session)]
    edited = st.data_editor(
        frame,
        key=f"tags of {report['job']}",
        hide_index=True,
        width="stretch",
        disabled=["name", "how", "labels"],
        column_config={**columns, "to": st.column_config.SelectboxColumn(columns["to"], options=[leave, *names])},
    )
    rows = zip(frame["name"], frame["to"], edited["to"], frame["how"], strict=True)
    said = {name: to for name, was, to, how in rows if to and (to != was or how in (TABLE, LEFT_OUT))}
    return {name: "" if to == leave else to for name, to in said.items()}


def _carry_out(visit: Visit, report: Report, table_of_tags: dict[str, str], options: Options) -> None:
    again, forever = st.columns(2)
    before = {name: report["options"][name] for name in options}
    asked = {"path": report["path"], "table": table_of_tags}
    changed = table_of_tags != report["table"] or before != options
    # The keys name the preview on the screen: a press is not to carry out one that ended meanwhile.
    if again.button(say("import.again"), width="stretch", disabled=not changed, key=f"again {report['job']}"):
        ask(visit, "import_labels", options={**options, "preview": True}, **asked)
        st.rerun()
    if forever.button(
        say("import.import"), type="primary", width="stretch", disabled=before != options, key=f"import {report['job']}"
    ):
        ask(visit, "import_labels", options={**options, "preview": False}, **asked)
        st.rerun()
    if before != options:
        st.caption(say("import.choices_changed"))


def _problems(visit: Visit, report: Report) -> None:
    if report["left_out"]:
        what = ", ".join(f"{why}: {count:,}" for why, count in report["left_out"].items())
        st.caption(plain(say("import.left_out", what=what)))
    if report["conflicts"]:
        stands = say("import.overwritten" if report["options"]["overwrite"] else "import.kept")
        with st.expander(say("import.contradictions", count=f"{report['conflict_count']:,}")):
            st.caption(stands)
            shown = report["conflicts"][:MOST_LINES]
            with visit.workspace.reading() as session:
                names = names_of(session, [one["image"] for one in shown])
            table([{**one, "image": names.get(one["image"], one["image"])} for one in shown])
    if report["refused_count"]:
        with st.expander(say("import.problems", count=f"{report['refused_count']:,}")):
            lines(report["refused"])
