"""Who looks at the page: the one who signed in, or on a machine of one person whoever the side bar names."""

import streamlit as st

from annotator.errors import ForbiddenError
from annotator.services import accounts, rights
from annotator.services.people import tidy
from annotator.web import signing
from annotator.workspace import Workspace


def person(workspace: Workspace) -> str | None:
    """The person's name; None for somebody who still has to sign in."""
    with workspace.reading() as session:
        if not rights.has_accounts(session):
            return str(st.session_state.get("person") or tidy(workspace.settings.name))
    by_cookie = signing.person_of(workspace, st.context.cookies.get(signing.COOKIE, ""))
    return by_cookie or _by_provider(workspace)


def _by_provider(workspace: Workspace) -> str | None:
    """The account of whoever the identity provider vouches for."""
    if not workspace.settings.oidc or not st.user.is_logged_in:
        return None
    if not st.user.get("email_verified", True):
        raise ForbiddenError(f"the provider has not verified {st.user.email}; verify it there and sign in again")
    return accounts.sign_in_by_email(workspace, str(st.user.email)).name
