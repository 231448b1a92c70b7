"""Review: what gives cause to look at a label again, one by one with keys, or many at once."""

from typing import Any

import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import reviewing, verdicts
from annotator.services.judgements import CHANGES
from annotator.services.reviewing import Filter
from annotator.terms import LabelState, Verdict
from annotator.ui import Visit, open_page, plain, require_tags
from annotator.ui.components import review
from annotator.ui.words import component_words, say

STATES = {"as_verdict": None, "present": LabelState.POSITIVE, "absent": LabelState.NEGATIVE}


def chosen_filter(found: dict[str, Any], people: list[str]) -> Filter:
    """The filter above the picture, which the verdicts in bulk follow too."""
    names = component_words()["review"]["causeNames"]
    asked = st.query_params.get("cause", "")
    cause, tag, person = st.columns(3)
    causes = [None, *reviewing.CAUSES]
    count = found["by_cause"]
    chosen = cause.selectbox(
        say("review.cause"), causes, index=causes.index(asked) if asked in causes else 0,
        format_func=lambda one: say("review.any_cause") if one is None else f"{names[one]} ({count.get(one, 0)})",
        label_visibility="collapsed",
    )  # fmt: skip
    tags = {one["id"]: f"{one['name']} ({one['count']})" for one in found["tags"]}
    of_tag = tag.selectbox(
        say("review.tag"), [None, *tags], label_visibility="collapsed",
        format_func=lambda one: say("review.any_tag") if one is None else tags[one],
    )  # fmt: skip
    whose = person.selectbox(
        say("review.person"), [None, *people], label_visibility="collapsed",
        format_func=lambda one: say("review.anybody") if one is None else one,
    )  # fmt: skip
    return Filter(chosen, of_tag, whose)


def in_bulk(visit: Visit, chosen: Filter) -> None:
    if not st.toggle(say("review.bulk")):
        return
    with st.container(border=True):
        st.caption(say("review.bulk_help"))
        left, middle, right = st.columns(3)
        what = left.selectbox(say("review.verdict"), list(Verdict), format_func=lambda one: one.value)
        state = middle.selectbox(say("review.leaves"), list(STATES), format_func=lambda one: say(f"review.{one}"))
        most = right.number_input(say("review.most"), 1, verdicts.MOST_IN_BULK, 100)
        told = verdicts.preview(visit.workspace, chosen, what, STATES[state], int(most))
        tags = ", ".join(f"{plain(name)} {count}" for name, count in told["tags"].items()) or "–"
        st.write(say("review.would", pairs=told["pairs"], changed=told["changed"], tags=tags))
        if what in CHANGES and told["open"]:
            st.caption(say("review.stay", count=told["open"]))
        confirm, back = st.columns(2)
        if confirm.button(say("review.decide"), type="primary", disabled=not told["pairs"], width="stretch"):
            done = verdicts.decide_all(
                visit.workspace, visit.person, chosen, what, STATES[state], most=int(most), digest=told["digest"]
            )
            st.toast(say("review.decided", **done))
            st.rerun()
        if back.button(say("review.undo"), width="stretch"):
            st.toast(say("review.undone", what=plain(verdicts.undo(visit.workspace, visit.person))))
            st.rerun()


visit = open_page("review", heading=False)
require_tags(visit.workspace)
overview = reviewing.overview(visit.workspace)
chosen = chosen_filter(overview, overview["people"])
review(visit.workspace, visit.person, chosen)
try:
    in_bulk(visit, chosen)
except AnnotatorError as error:
    st.warning(plain(str(error)))
