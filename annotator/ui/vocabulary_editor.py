"""The parts of the Vocabulary page: a change is proposed, its preview shown, and then made or left."""

from typing import Any

import pandas as pd
import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import pictures, vocabulary, vocabulary_changes, vocabulary_doctor, vocabulary_list
from annotator.services.label_store import UNDO
from annotator.terms import RelationKind
from annotator.ui import Visit, plain
from annotator.ui.tables import table
from annotator.ui.words import say

PENDING, DONE, FOUND = "vocabulary_pending", "vocabulary_done", "vocabulary_found"
COUNTS = (
    "labels", "combined", "reviews", "gold", "comments", "settled", "questions dropped", "questions moved",
    "questions asked", "relations",
)  # fmt: skip
COLUMNS = ("name", "parent", "synonyms", "present", "absent", "settled", "open", "questions")
ACTIONS = ("rename", "parent", "merge", "split", "relate", "unrelate", "archive")
SHOWN_FINDINGS = 10
THUMBNAIL = "320"
METRICS = 4  # beside each other


def propose(visit: Visit, kind: str, **arguments: Any) -> None:
    """Look at a change; the page shows it above the list."""
    try:
        report = vocabulary_changes.preview(visit.workspace, visit.person, kind, **arguments)
    except AnnotatorError as error:
        st.session_state.pop(PENDING, None)
        st.session_state[DONE] = ("warning", str(error))
    else:
        st.session_state[PENDING] = (kind, arguments, report)
    st.rerun()


def pending(visit: Visit) -> None:
    """The change that was looked at, to be made or left."""
    if PENDING not in st.session_state:
        return
    kind, arguments, report = st.session_state[PENDING]
    with st.container(border=True):
        st.subheader(say("vocabulary.would", what=plain(report["what"])))
        counted = {name: report[name] for name in COUNTS if report[name]}
        columns = st.columns(METRICS)
        for place, (name, count) in enumerate(counted.items()):
            columns[place % METRICS].metric(say(f"vocabulary.count_{name.replace(' ', '_')}"), f"{count:,}")
        if report["rounds"]:
            st.warning(
                say("vocabulary.rounds", rounds=", ".join(map(str, report["rounds"])), n=f"{report['settled']:,}")
            )
        st.caption(plain(say("vocabulary.touched", tags=", ".join(report["tags"]))) if report["tags"] else "")
        for note in report["notes"]:
            st.caption(plain(note))
        yes, no, _ = st.columns([1, 1, 3])
        if yes.button(say("vocabulary.apply"), type="primary", width="stretch"):
            _act(vocabulary_changes.make, visit, kind, **arguments)
        if no.button(say("vocabulary.leave"), width="stretch"):
            st.session_state.pop(PENDING)
            st.rerun()


def show_done() -> None:
    """What the last click came to."""
    if DONE in st.session_state:
        how, text = st.session_state.pop(DONE)
        (st.warning if how == "warning" else st.success)(plain(text))
        st.toast(plain(text))  # what was pressed may be far below


def _act(act: Any, visit: Visit, *arguments: Any, **named: Any) -> None:
    st.session_state.pop(PENDING, None)
    st.session_state.pop(FOUND, None)
    try:
        report = act(visit.workspace, visit.person, *arguments, **named)
    except AnnotatorError as error:
        st.session_state[DONE] = ("warning", str(error))
    else:
        done = report[0] if isinstance(report, list) else report
        st.session_state[DONE] = ("success", say("vocabulary.done", what=done["what"]))
    st.rerun()


def adding(visit: Visit) -> None:
    with visit.workspace.reading() as session:
        # Empty again after each new tag, and as it was after a mistake.
        key = f"vocabulary_add_{vocabulary.count(session)}"
    with st.popover(say("vocabulary.add"), width="stretch"), st.form(key, border=False):
        name, parent = st.text_input(say("vocabulary.name")), st.text_input(say("vocabulary.parent"))
        if st.form_submit_button(say("vocabulary.preview")):
            propose(visit, "add", name=name, parent=parent or None)


def tags(rows: list[dict[str, Any]]) -> None:
    shown = pd.DataFrame(rows)[list(COLUMNS)]
    table(shown, most=12)


def edit(visit: Visit, rows: list[dict[str, Any]]) -> None:
    """One tag of the page: what is said of it, and what can be done to it."""
    names = {row["id"]: row["name"] for row in rows}
    chosen = st.selectbox(say("vocabulary.edit"), names, format_func=names.__getitem__)
    if chosen is None:
        return
    tag = vocabulary_list.details(visit.workspace, chosen)
    said, done = st.columns([3, 2], gap="large")
    with said:
        _describe(visit, tag)
    with done:
        _actions(visit, tag)


def _describe(visit: Visit, tag: dict[str, Any]) -> None:
    number = tag["id"]
    with st.form(f"vocabulary_describe_{number}"):
        definition = st.text_area(say("vocabulary.definition"), tag["definition"], height=80)
        left, right = st.columns(2)
        synonyms = left.text_area(say("vocabulary.synonyms"), "\n".join(tag["synonyms"]), height=100)
        prompts = right.text_area(say("vocabulary.prompts"), "\n".join(tag["prompts"]), height=100)
        written = "\n".join(f"{language}: {name}" for language, name in tag["names"].items())
        names = left.text_area(say("vocabulary.names"), written, height=100)
        examples = right.text_area(say("vocabulary.examples"), ", ".join(map(str, tag["examples"])), height=100)
        hotkey = left.text_input(say("vocabulary.hotkey"), tag["hotkey"], max_chars=1)
        colour = right.text_input(say("vocabulary.colour"), tag["colour"], placeholder="#1d4ed8")
        _thumbnails(visit, tag["examples"])
        if st.form_submit_button(say("vocabulary.preview")):
            values = {
                "definition": definition, "synonyms": _lines(synonyms), "prompts": _lines(prompts),
                "names": _languages(names), "examples": _numbers(examples), "hotkey": hotkey, "colour": colour,
            }  # fmt: skip
            changed = {name: value for name, value in values.items() if value != tag[name]}
            if changed:
                propose(visit, "describe", tag=number, **changed)


def _thumbnails(visit: Visit, rows: list[int]) -> None:
    files = []
    for row in rows:
        try:
            files.append(str(pictures.file_of(visit.workspace, row, THUMBNAIL)[0]))
        except AnnotatorError:  # its picture is not where it was
            continue
    if files:
        st.image(files, width=120)


def _actions(visit: Visit, tag: dict[str, Any]) -> None:
    with st.container(border=True):
        _relations(tag)
        actions = ["unarchive"] if tag["archived"] else list(ACTIONS)
        action = st.selectbox(say("vocabulary.action"), actions, format_func=lambda name: say(f"vocabulary.do_{name}"))
        st.caption(say(f"vocabulary.help_{action}"))
        arguments = _asked(str(action))
        if st.button(say("vocabulary.preview"), key="vocabulary_preview_action"):
            propose(visit, str(action), tag=tag["id"], **arguments)


def _relations(tag: dict[str, Any]) -> None:
    lines = [say("vocabulary.is_a", parent=plain(tag["parent"]))] if tag["parent"] else []
    for relation, other, first in tag["relations"]:
        ends = (tag["name"], other) if first else (other, tag["name"])
        lines.append(f"{plain(ends[0])} *{relation}* {plain(ends[1])}")
    st.markdown("\n\n".join(lines) or say("vocabulary.no_relations"))


def _asked(action: str) -> dict[str, Any]:
    """What an action needs to know besides the tag."""
    if action == "rename":
        return {"name": st.text_input(say("vocabulary.new_name"))}
    if action == "parent":
        return {"parent": st.text_input(say("vocabulary.parent")) or None}
    if action == "merge":
        return {"into": st.text_input(say("vocabulary.into"))}
    if action == "split":
        return {"into": _lines(st.text_area(say("vocabulary.parts"), height=100))}
    if action in ("relate", "unrelate"):
        kind = st.selectbox(say("vocabulary.relation"), [kind.value for kind in RelationKind])
        return {"relation": kind, "other": st.text_input(say("vocabulary.other"))}
    return {}


def doctor(visit: Visit) -> None:
    """What is wrong, with a button for what mends it."""
    st.subheader(say("vocabulary.doctor"), help=say("vocabulary.doctor_help"))
    if st.button(say("vocabulary.examine")):
        with st.spinner(say("vocabulary.examining")):
            st.session_state[FOUND] = vocabulary_doctor.examine(visit.workspace)
    if FOUND not in st.session_state:
        return
    found = st.session_state[FOUND]
    kinds = list(dict.fromkeys(finding.kind for finding in found))
    if not kinds:
        st.success(say("vocabulary.healthy"))
        return
    counts = {kind: sum(finding.kind == kind for finding in found) for kind in kinds}
    kind = st.segmented_control(
        say("vocabulary.kinds"),
        kinds,
        default=kinds[0],
        required=True,
        format_func=lambda kind: f"{kind} ({counts[kind]})",
    )
    of_kind = [finding for finding in found if finding.kind == kind]
    pages = -(-len(of_kind) // SHOWN_FINDINGS)
    page = int(st.number_input(say("vocabulary.findings_page", pages=pages), 1, pages, width=260)) if pages > 1 else 1
    first = SHOWN_FINDINGS * (page - 1)
    for place, finding in enumerate(of_kind[first : first + SHOWN_FINDINGS], first):
        what, mend = st.columns([5, 1], vertical_alignment="center")
        what.markdown(f"**{plain(', '.join(finding.tags))}**: {plain(finding.why)}")
        if finding.change and mend.button(
            say(f"vocabulary.mend_{finding.change['kind']}"), key=f"mend_{kind}_{place}", width="stretch"
        ):
            propose(visit, **finding.change)


def past(visit: Visit) -> None:
    """The changes that were made, and the way back."""
    history = vocabulary_changes.history(visit.workspace)
    if not history:
        return
    st.subheader(say("vocabulary.history"))
    last = next((one for one in history if not one["undone"] and one["kind"] != UNDO), None)
    if last and st.button(say("vocabulary.undo", what=plain(last["what"]))):
        _act(vocabulary_changes.undo, visit)
    shown = pd.DataFrame(history)
    table(shown, most=8)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _languages(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in _lines(text))
    return {language.strip(): name.strip() for language, _, name in pairs}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.replace(",", " ").split() if part.isdecimal()]
