"""Rounds: what is proven of each tag, the round at work, and the way back."""

import altair as alt
import pandas as pd
import streamlit as st

from annotator.errors import AnnotatorError
from annotator.learning.audits import Decision
from annotator.services import (
    certificates,
    contradictions,
    models,
    round_compare,
    round_replay,
    round_views,
    rounds,
    standing_audit,
)
from annotator.terms import RoundStatus
from annotator.ui import Visit, attempt, menu, open_page, plain
from annotator.ui.tables import table, table_to_take
from annotator.ui.words import say

KINDS = {"by people": "#1c83e1", "settled present": "#21a559", "settled absent": "#7d8590", "open": "#c3c9d1"}
STAGES = {"open": "#c3c9d1", "audited": "#1c83e1", "present": "#21a559", "absent": "#7d8590"}
SIDES = {"accept": "#21a559", "reject": "#7d8590"}
SHARES = ("precision", "recall", "recall with the open", "confidence")
MOST_BARS = 40  # tags; beyond, the table says it better


def bar(name: str) -> object:
    return st.column_config.ProgressColumn(say(f"rounds.{name}"), format="percent", min_value=0, max_value=1)


def coloured(field: str, colours: dict[str, str]) -> alt.Color:
    """One colour for one thing on the whole page."""
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    return alt.Color(f"{field}:N", scale=scale, legend=alt.Legend(orient="bottom", title=None))


def proven(visit: Visit) -> None:
    for alarm in standing_audit.keep_up(visit.workspace)["alarms"]:
        side = {"accept": "present", "reject": "absent"}.get(alarm["side"], alarm["side"])
        st.warning(say("rounds.alarm", number=alarm["round"], tag=plain(alarm["tag"]), side=side))
    rows = certificates.certificates(visit.workspace)
    if not rows:
        return
    st.subheader(say("rounds.proven"), help=say("rounds.proven_help"))
    if len(rows) <= MOST_BARS:
        parts = [{"tag": row["tag"], "who": kind, "images": row[kind]} for row in rows for kind in KINDS]
        chart = alt.Chart(pd.DataFrame(parts)).encode(
            y=alt.Y("tag:N", title=None, sort=None),
            x=alt.X("images:Q", title=say("rounds.pairs"), axis=alt.Axis(format=",d"), scale=alt.Scale(nice=False)),
            color=coloured("who", KINDS),
            order=alt.Order("place:Q"),
            tooltip=["tag:N", "who:N", alt.Tooltip("images:Q", format=",d")],
        )
        places = alt.expr.indexof(list(KINDS), alt.datum.who)
        st.altair_chart(chart.transform_calculate(place=places).mark_bar())
    # A bound on nothing is trivially whole: where no machine settled anything it would look like a proof.
    shown = [
        {**row, **({} if row["settled present"] + row["settled absent"] else dict.fromkeys(SHARES))} for row in rows
    ]
    table_to_take(shown, "proven", column_config={share: bar(share.replace(" ", "_")) for share in SHARES})


def plan(visit: Visit) -> None:
    with st.expander(say("rounds.plan"), expanded=False):
        try:
            table(certificates.forecast(visit.workspace))
        except AnnotatorError as error:
            st.info(plain(str(error)))
        else:
            st.caption(say("rounds.plan_help"))


def at_work(visit: Visit, number: int) -> None:
    st.subheader(say("rounds.waits", number=number))
    report = rounds.progress(visit.workspace)
    if report["sets"]:
        table_to_take(report["sets"], "audits", column_config={"proven": bar("certified")})
    outside = ", ".join(f"{plain(name)} {count:,}" for name, count in report["outside"].items() if count)
    if outside:
        st.caption(say("rounds.outside", counts=outside))
    menu.link("verify", say("rounds.audit"))
    end(visit, report["sets"])


def end(visit: Visit, sets: list[dict]) -> None:
    """Settling ends the round for all of its sets: said before, because it sounds like a step that can be repeated."""
    proved = [one for one in sets if one["decision"] == Decision.SETTLE.value]
    given_up = [one for one in sets if one["decision"] not in (Decision.SETTLE.value, Decision.FAIL.value)]
    with st.popover(say("rounds.end")):
        st.caption(
            say(
                "rounds.ends", proved=len(proved), sets=len(sets), given_up=len(given_up),
                draws=f"{sum(one['audited'] for one in given_up):,}",
            )
        )  # fmt: skip
        if st.button(say("rounds.settle"), type="primary"):
            with attempt():
                report = rounds.settle(visit.workspace)
                st.toast(say("rounds.settled", present=report["settled_positive"], absent=report["settled_negative"]))
                st.rerun()


def opposed(visit: Visit) -> None:
    rows = contradictions.listed(visit.workspace)
    if rows:
        with st.expander(say("rounds.contradictions", count=len(rows))):
            st.caption(say("rounds.contradictions_help"))
            table_to_take(rows, "contradictions")


def closer(visit: Visit, number: int | None) -> None:
    tags = round_views.tags(visit.workspace)
    if not tags:
        return
    st.subheader(say("rounds.closer"))
    chosen = st.selectbox(say("rounds.tag"), list(tags), format_func=tags.__getitem__)
    left, right = st.columns(2)
    with left:
        scores(round_views.histogram(visit.workspace, chosen, number))
    with right:
        if number is not None:
            bounds(round_views.bounds(visit.workspace, chosen, number))


def scores(found: dict) -> None:
    frame = pd.DataFrame({"score": found["scores"], "images": found["images"]})
    # The few sure ones matter as much as the many that show nothing.
    bars = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("score:Q", title=say("rounds.scores"), scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("images:Q", title=say("rounds.images"), scale=alt.Scale(type="symlog")),
            tooltip=[alt.Tooltip("score:Q", format=".2f"), "images:Q"],
        )
    )
    ends = [{"score": min(1.0, max(0.0, at)), "side": side} for side, at in found["thresholds"].items()]
    if ends:
        rules = alt.Chart(pd.DataFrame(ends)).mark_rule(strokeDash=[4, 2], size=2)
        st.altair_chart(bars + rules.encode(x="score:Q", color=coloured("side", SIDES)))
    else:
        st.altair_chart(bars)


def bounds(rows: list[dict]) -> None:
    if not rows:
        st.caption(say("rounds.no_draws"))
        return
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("draws:Q", title=say("rounds.draws")), color=coloured("side", SIDES)
    )
    band = base.mark_area(opacity=0.3, interpolate="step-after").encode(
        y=alt.Y("low:Q", title=say("rounds.share")), y2="high:Q"
    )
    st.altair_chart(band + base.mark_line(interpolate="step-after").encode(y="low:Q"))


def funnel(visit: Visit) -> None:
    rows = round_views.funnel(visit.workspace)
    st.subheader(say("rounds.funnel"))
    parts = [
        {"round": str(row["round"]), "what": name, "pairs": row[name]}
        for row in rows
        for name in STAGES
        if row[name] is not None
    ]
    if parts:
        chart = alt.Chart(pd.DataFrame(parts)).encode(
            x=alt.X("round:N", title=say("rounds.round_axis"), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("pairs:Q", title=say("rounds.pairs_axis"), axis=alt.Axis(format=",d")),
            xOffset=alt.XOffset("what:N", sort=list(STAGES)),
            color=coloured("what", STAGES),
            tooltip=["what:N", alt.Tooltip("pairs:Q", format=",d")],
        )
        st.altair_chart(chart.mark_bar())


def way_back(visit: Visit, history: list[dict]) -> None:
    kept = [entry["number"] for entry in history if entry["status"] != RoundStatus.ROLLED_BACK.value]
    if not kept:
        return
    with st.expander(say("rounds.roll_back_title")):
        number = st.selectbox(say("rounds.round"), kept[::-1])
        if st.button(say("rounds.replay")):
            recompute(visit, number)
        try:
            leaves = rounds.what_leaves(visit.workspace, number)
        except AnnotatorError as error:
            st.info(plain(str(error)))
            return
        named = ", ".join(f"{plain(tag['tag'])} {tag['present']} / {tag['absent']}" for tag in leaves["tags"]) or "–"
        st.caption(say("rounds.leaves", number=number, count=leaves["taken_back"], tags=named))
        sure = st.checkbox(say("rounds.sure"))
        if st.button(say("rounds.roll_back"), disabled=not sure):
            report = rounds.roll_back(visit.workspace, number)
            st.toast(say("rounds.taken_back", number=number, count=report["taken_back"]))
            st.rerun()


def beside(visit: Visit, numbers: list[int]) -> None:
    """Two rounds compared."""
    if len(numbers) < 2:
        return
    with st.expander(say("rounds.compare")):
        left, right = st.columns(2)
        first = left.selectbox(say("rounds.compare_first"), numbers, index=len(numbers) - 2)
        second = right.selectbox(say("rounds.compare_second"), numbers, index=len(numbers) - 1)
        if first == second:
            st.info(say("rounds.compare_same"))
        else:
            table_to_take(round_compare.compare(visit.workspace, first, second), "compared")


def recompute(visit: Visit, number: int) -> None:
    try:
        found = round_replay.replay(visit.workspace, number)
    except AnnotatorError as error:
        st.info(plain(str(error)))
        return
    if found["same"]:
        st.success(say("rounds.replayed_same", number=number))
    else:
        parts = ", ".join(name for name, same in found.items() if same is False and name != "same")
        st.error(say("rounds.replayed_other", number=number, parts=parts))


visit = open_page("rounds")
project = visit.workspace.project
shares = {name: f"{getattr(project, name):.0%}" for name in ("confidence", "precision", "recall")}
st.caption(say("rounds.intro", **shares))
st.caption(say("rounds.several_votes" if project.audit_votes > 1 else "rounds.one_vote", votes=project.audit_votes))
history = rounds.history(visit.workspace)
is_open = bool(history) and history[-1]["status"] == RoundStatus.PROPOSED.value

known = round_views.tags(visit.workspace)
chosen = []
if known and not is_open:
    chosen = st.multiselect(say("rounds.only"), list(known.values()), help=say("rounds.only_help"))
propose, refresh = st.columns(2)
if propose.button(say("rounds.propose"), type="primary", disabled=is_open, width="stretch"):
    with attempt():
        rounds.propose(visit.workspace, visit.person, only=chosen or None)
        st.rerun()
if refresh.button(say("rounds.look_again"), disabled=not is_open, width="stretch"):
    st.rerun()

if is_open:
    try:
        at_work(visit, history[-1]["number"])
    except AnnotatorError as error:  # settled by somebody else meanwhile, or its pool has changed
        st.warning(plain(str(error)))
elif models.in_use(visit.workspace) is not None:
    plan(visit)
proven(visit)
opposed(visit)
closer(visit, history[-1]["number"] if history else None)
if history:
    funnel(visit)
    st.subheader(say("rounds.all"))
    table_to_take(history, "rounds")
    beside(visit, [entry["number"] for entry in history])
    way_back(visit, history)
else:
    st.info(say("rounds.none" if known else "rounds.no_model"))
