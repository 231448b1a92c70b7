"""Who looks at the page: the one who signed in, or on a machine of one person whoever the side bar names."""

import streamlit as st

from annotator.services import rights
from annotator.services.people import tidy
from annotator.web import signing
from annotator.workspace import Workspace


def person(workspace: Workspace) -> str | None:
    """The person's name; None for somebody who still has to sign in."""
    with workspace.reading() as session:
        if not rights.has_accounts(session):
            return str(st.session_state.get("person") or tidy(workspace.settings.name))
    return signing.person_of(workspace, st.context.cookies.get(signing.COOKIE, ""))
