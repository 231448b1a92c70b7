"""People: who works here and may do what; invitations, pauses, limits; what was done."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
import streamlit as st

from annotator.services import accounts, rights
from annotator.services.rights import Right
from annotator.terms import Role
from annotator.ui import Visit, attempt, open_page, plain
from annotator.ui.tables import table
from annotator.ui.words import say


def tried(work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What `work` gives; None, with the error shown, where it cannot."""
    with attempt():
        return work(*given, **named)
    return None


def first_account(visit: Visit) -> None:
    st.info(say("people.intro_alone"))
    with st.form("first"):
        st.subheader(say("people.first"))
        name = st.text_input(say("people.name"), value=visit.person)
        password = st.text_input(say("people.password"), type="password", help=say("people.password_help"))
        if st.form_submit_button(say("people.make"), type="primary"):
            made = tried(accounts.add, visit.workspace, name, Role.ADMIN, password)
            if made:
                st.success(plain(say("people.made", name=made["name"])))
                st.markdown(f"[{say('people.sign_in')}](/sign-in)")


def everybody(visit: Visit) -> dict[str, dict]:
    """Those with an account, by name."""
    found = accounts.people(visit.workspace)
    frame = pd.DataFrame(found)
    frame["since"] = pd.to_datetime(frame["since"])
    table(frame, column_config={"since": st.column_config.DatetimeColumn(format="YYYY-MM-DD")})
    return {person["name"]: person for person in found if person["signs in"] != "no"}


def invite(visit: Visit) -> None:
    with st.form("invite"):
        st.subheader(say("people.invite"))
        name, role = st.text_input(say("people.name")), chosen_role("invited-role")
        if st.form_submit_button(say("people.invite_button")):
            token = tried(accounts.invite, visit.workspace, role, name)
            if token:
                st.write(say("people.invited"))
                here = urlsplit(st.context.url or "")
                st.code(urlunsplit((here.scheme, here.netloc, f"/invitation/{token}", "", "")), language=None)


def by_address(visit: Visit) -> None:
    """An account for whom the identity provider vouches."""
    with st.form("by address", clear_on_submit=True):
        st.subheader(say("people.by_address"))
        name, address = st.text_input(say("people.name")), st.text_input(say("people.email"))
        role = chosen_role("vouched-role")
        if st.form_submit_button(say("people.make")):
            made = tried(accounts.add, visit.workspace, name, role, email=address)
            if made:
                st.session_state["people_done"] = say("people.added_by_address", name=made["name"], email=address)
                st.rerun()


def chosen_role(key: str, now: Role = Role.ANNOTATOR) -> Role:
    chosen: Role = st.selectbox(
        say("people.role"), list(Role), list(Role).index(now), key=key,
        format_func=lambda role: f"{role}: {say(f'people.role_{role}')}",
    )  # fmt: skip
    return chosen


def change(visit: Visit, named: dict[str, dict]) -> None:
    st.subheader(say("people.change"))
    name = st.selectbox(say("people.person"), list(named))
    role = chosen_role(f"role of {name}", Role(named[name]["role"]))
    quota = st.number_input(
        say("people.quota"), min_value=0, value=named[name]["daily quota"] or 0, key=f"quota {name}"
    )
    work = visit.workspace
    does: dict[str, Callable[[], Any]] = {
        "set_role": lambda: accounts.set_role(work, name, role),
        "set_quota": lambda: accounts.set_quota(work, name, int(quota) or None),
        "pause": lambda: accounts.set_paused(work, name, True),
        "resume": lambda: accounts.set_paused(work, name, False),
        "sign_out": lambda: accounts.sign_out_everywhere(work, name),
    }
    with st.container(horizontal=True):
        for key, act in does.items():
            if st.button(say(f"people.{key}")) and tried(act):
                st.session_state["people_done"] = say("people.done", name=name, what=say(f"people.{key}").lower())
                st.rerun()


def own_password(visit: Visit) -> None:
    with st.form("own", clear_on_submit=True):
        st.subheader(say("people.own"))
        old = st.text_input(say("people.old"), type="password")
        new = st.text_input(say("people.new"), type="password", help=say("people.password_help"))
        if st.form_submit_button(say("people.set_password")) and tried(
            accounts.change_own_password, visit.workspace, old, new
        ):
            st.success(say("people.changed"))


def acts(visit: Visit) -> None:
    st.subheader(say("people.acts"))
    st.caption(say("people.acts_intro"))
    frame = pd.DataFrame(accounts.acts(visit.workspace))
    if len(frame):
        table(frame.fillna(""))


visit = open_page("people")
with visit.workspace.reading() as session:
    together = rights.has_accounts(session)
if not together:
    first_account(visit)
else:
    done = st.session_state.pop("people_done", None)
    if done:
        st.success(plain(done))
    st.subheader(say("people.everybody"))
    named = everybody(visit)
    if rights.allows(visit.workspace, Right.PEOPLE):
        left, right = st.columns(2)
        with left:
            change(visit, named)
        with right:
            invite(visit)
            if visit.workspace.settings.oidc:
                by_address(visit)
        acts(visit)
    own_password(visit)
