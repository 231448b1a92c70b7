"""Quality: how far people agree, how well each answers what is known, and sending a stretch of answers back."""

import tempfile
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import altair as alt
import pandas as pd
import streamlit as st

from annotator.errors import AnnotatorError
from annotator.services import gold, label_errors, project_values, reliability, round_views, send_back, skill
from annotator.terms import LabelState
from annotator.ui import Visit, menu, open_page, plain
from annotator.ui.tables import table, table_to_take
from annotator.ui.words import say
from annotator.ui.working import ask, worker

FELL_COLOUR, POINT = "#c2410c", "#1c83e1"
MOST_BARS, ROW = 40, 26  # rows of a chart, and the pixels of one
RATES = [f"{rate}{end}" for rate in ("accuracy", "sensitivity", "specificity") for end in ("", " low", " high")]
TIMES = ("at", "since", "until")
STATES = {"positive": LabelState.POSITIVE, "negative": LabelState.NEGATIVE}


def intervals(rows: list[dict], name: str, value: str, floor: float | None = None) -> None:
    """A point and its interval for each of `rows`, called by its column `name`."""
    known = [
        {**row, "low": row[f"{value} low"], "high": row[f"{value} high"]} for row in rows if row[value] is not None
    ]
    if not known:
        return
    base = alt.Chart(pd.DataFrame(known[:MOST_BARS])).encode(y=alt.Y(f"{name}:N", title=None, sort=None))
    axis = alt.X("low:Q", title=say(f"quality.{value}"), scale=alt.Scale(domainMax=1), axis=alt.Axis(tickCount=10))
    lines = base.mark_rule(size=3, color=POINT, opacity=0.45).encode(x=axis, x2="high:Q")
    points = base.mark_point(size=70, filled=True, color=POINT, opacity=1).encode(
        x=f"{value}:Q", tooltip=[f"{name}:N", f"{value}:Q", "low:Q", "high:Q"]
    )
    chart = lines + points
    if floor is not None:
        rule = alt.Chart(pd.DataFrame([{"floor": floor}])).mark_rule(strokeDash=[4, 2], size=2, color=FELL_COLOUR)
        chart += rule.encode(x="floor:Q")
    st.altair_chart(chart.properties(height=alt.Step(ROW)))


def alarms(visit: Visit) -> None:
    for alarm in skill.alarms(visit.workspace):
        words = say(
            "quality.alarm", person=plain(alarm.person), right=alarm.right, answers=alarm.answers,
            at_most=f"{alarm.at_most:.0%}", since=alarm.since.strftime("%Y-%m-%d %H:%M"),
            floor=f"{visit.workspace.project.skill_floor:.0%}", by=say(f"quality.by_{alarm.by}"),
        )  # fmt: skip
        st.warning(words)
        if st.button(say("quality.look_at", person=alarm.person), key=f"look {alarm.person} {alarm.by}"):
            st.session_state["quality_person"] = alarm.person
            st.session_state["quality_since"] = alarm.since


def skills(visit: Visit) -> None:
    st.subheader(say("quality.skill_title"), help=say("quality.skill_help"))
    rows = skill.skills(visit.workspace)
    if not rows:
        st.caption(say("quality.no_skill"))
        return
    everybody = [row for row in rows if row["tag"] == skill.ALL_TAGS]
    intervals(everybody, "person", "accuracy", visit.workspace.project.skill_floor)
    chosen = st.selectbox(say("quality.person"), [row["person"] for row in everybody], key="skill of")
    columns = {name: st.column_config.NumberColumn(format="percent") for name in RATES}
    table_to_take([row for row in rows if row["person"] == chosen], "skill", column_config=columns)


def agreements(visit: Visit) -> None:
    st.subheader(say("quality.agreement_title"), help=say("quality.agreement_help"))
    rows = reliability.agreement(visit.workspace)
    if not rows:
        st.caption(say("quality.no_agreement"))
        return
    intervals(rows, "tag", "alpha")
    table_to_take(rows, "agreement")
    with st.expander(say("quality.between_two")):
        table_to_take(reliability.between_two(visit.workspace), "between-two")


def errors(visit: Visit) -> None:
    st.subheader(say("quality.errors_title"), help=say("quality.errors_help"))
    found = label_errors.latest(visit.workspace)
    if found is None:
        st.caption(say("quality.errors_never"))
    else:
        counts = found["counts"]
        when = datetime.fromisoformat(found["at"]).strftime("%Y-%m-%d %H:%M")
        told = {"suspects": counts["suspects"], "missing": counts["missing"], "twins": counts["near-duplicates"]}
        st.write(say("quality.errors_at", **told, images=counts["images"], at=when))
    look, review = st.columns(2)
    if look.button(say("quality.errors_look"), width="stretch"):
        ask(visit, "label_errors")
    with review:
        menu.link("review", say("quality.errors_review"))
    worker(visit, "label_errors")
    if found is not None:
        listed(visit, found)


def listed(visit: Visit, found: dict) -> None:
    if found["suspects"]:
        with st.expander(say("quality.errors_list")):
            table_to_take(found["suspects"], "label-errors")
    if found["leaks"]:
        with st.expander(say("quality.errors_leaks", count=len(found["leaks"]))):
            table_to_take(found["leaks"], "split-leaks")
    if st.button(say("quality.errors_compare")):
        brought = label_errors.compare(visit.workspace)
        words = "quality.errors_no_fix" if brought["before"] is None else "quality.errors_compared"
        st.write(say(words, **brought))


def known(visit: Visit) -> None:
    st.subheader(say("quality.gold_title"), help=say("quality.gold_help"))
    share = visit.workspace.project.gold_share
    wanted = st.slider(say("quality.share"), 0, 50, round(100 * share), format="%d %%") / 100
    if abs(wanted - share) > 0.004:
        project_values.change(visit.workspace, [f"gold_share={wanted}"])
        st.toast(say("quality.share_set", share=f"{wanted:.0%}"))
    rows = gold.listed(visit.workspace)
    if not rows:
        st.caption(say("quality.no_gold"))
    else:
        found = table(
            rows, key="gold", on_select="rerun", selection_mode="multi-row",
            column_order=["name", "tag", "state", "told at once", "by"],
        )  # fmt: skip
        chosen = [rows[place] for place in found.selection.rows if place < len(rows)]
        if st.button(say("quality.remove", count=len(chosen)), disabled=not chosen):
            gold.remove(visit.workspace, [(row["image"], row["tag_id"]) for row in chosen])
            st.rerun()
    with st.expander(say("quality.add"), expanded=not rows):
        instant = st.checkbox(say("quality.instant"), help=say("quality.instant_help"))
        from_reviews(visit, instant)
        from_file(visit, instant)
        from_own(visit, instant)


def from_reviews(visit: Visit, instant: bool) -> None:
    count, press = st.columns([2, 1], vertical_alignment="bottom")
    wanted = count.number_input(say("quality.reviewed"), 1, 10_000, 100)
    if press.button(say("quality.add_reviewed"), width="stretch"):
        added(gold.declare_reviewed(visit.workspace, visit.person, int(wanted), instant=instant))


def from_file(visit: Visit, instant: bool) -> None:
    file = st.file_uploader(say("quality.file"), type="csv", max_upload_size=gold.MOST_BYTES // 1_000_000)
    if file is None or not st.button(say("quality.add_file")):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gold.csv"
        path.write_bytes(file.getvalue())
        added(gold.declare_from_file(visit.workspace, visit.person, path, instant=instant))


def from_own(visit: Visit, instant: bool) -> None:
    names = round_views.tags(visit.workspace)
    tag = st.selectbox(say("quality.own_tag"), list(names), format_func=names.__getitem__)
    rows = gold.own_answers(visit.workspace, visit.person, tag) if tag is not None else []
    if not rows:
        st.caption(say("quality.no_own"))
        return
    found = table(rows, key=f"own {tag}", on_select="rerun", selection_mode="multi-row", column_order=["name", "state"])
    chosen = [rows[place] for place in found.selection.rows if place < len(rows)]
    if st.button(say("quality.add_own", count=len(chosen)), disabled=not chosen):
        pairs = [(row["image"], tag, STATES[row["state"]]) for row in chosen]
        added(gold.declare(visit.workspace, visit.person, pairs, instant=instant))


def added(report: gold.GoldReport) -> None:
    for problem in report.refused[:5]:
        st.warning(plain(problem))
    st.toast(say("quality.added", count=report.added))
    if not report.refused:
        st.rerun()


def stretches(visit: Visit) -> None:
    st.subheader(say("quality.back_title"), help=say("quality.back_help"))
    people = send_back.people_at_work(visit.workspace)
    if not people:
        st.caption(say("quality.nobody"))
        return
    named = st.session_state.get("quality_person")
    begun = st.session_state.get("quality_since") or datetime.now(UTC) - timedelta(days=1)
    who, day, at = st.columns(3)
    person = who.selectbox(say("quality.whose"), people, index=people.index(named) if named in people else 0)
    first = day.date_input(say("quality.since_day"), begun.date())
    minute = at.time_input(say("quality.since_time"), begun.time().replace(second=0, microsecond=0), step=60)
    since = datetime.combine(first, minute or time(), UTC)
    found = send_back.preview(visit.workspace, person, since)
    st.write(
        say(
            "quality.would", pictures=f"{found.pictures:,}", labels=f"{found.labels:,}",
            questions=f"{found.questions:,}", kept=f"{found.kept:,}",
        )
    )  # fmt: skip
    sure = st.checkbox(say("quality.sure"))
    if st.button(say("quality.send_back"), disabled=not (sure and found.labels)):
        send_back.send_back(visit.workspace, person, since)
        st.toast(say("quality.sent", person=person))
        st.rerun()
    done(visit)


def done(visit: Visit) -> None:
    rows = send_back.history(visit.workspace)
    if not rows:
        return
    table(rows, column_config={name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm") for name in TIMES})
    standing = [row["number"] for row in rows if not row["put back"]]
    if standing:
        number, press = st.columns([2, 1], vertical_alignment="bottom")
        chosen = number.selectbox(say("quality.step"), standing)
        if press.button(say("quality.undo"), width="stretch"):
            send_back.undo(visit.workspace, chosen)
            st.rerun()


visit = open_page("quality")
st.caption(say("quality.intro"))
for part in (alarms, skills, agreements, errors, known, stretches):
    try:
        part(visit)
    except AnnotatorError as error:  # what this person may not do, or somebody else undid meanwhile
        st.warning(plain(str(error)))
