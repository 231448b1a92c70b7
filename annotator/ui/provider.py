"""Sign-in at an identity provider: Streamlit asks it (`st.login`), and its word is traded for our cookie once.

From then on the cookie alone says who is there, as with a password: it ends after its hours, with a sign-out and where
an admin ends it. Streamlit's own cookie would last thirty days.
"""

from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from streamlit import config
from streamlit.errors import StreamlitSecretNotFoundError

from annotator.errors import UsageError
from annotator.services import accounts, claims
from annotator.services.accounts import SignedIn
from annotator.settings import Settings
from annotator.workspace import Workspace

SECRETS = Path(".streamlit") / "secrets.toml"
NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
CALLBACK = "/oauth2callback"
SHORTEST_SECRET = 32


def prepare(settings: Settings) -> None:
    """Let Streamlit find the provider's client, also in the workspace. Raises UsageError for what is missing."""
    if find_spec("authlib") is None:
        raise UsageError("ANNOTATOR_OIDC needs Authlib; install it with: pip install 'annotator[oidc]'")
    beside = settings.workspace / SECRETS
    config.set_option("secrets.files", [*config.get_option("secrets.files"), str(beside)])
    try:
        section = dict(st.secrets.get("auth", {}))
    except StreamlitSecretNotFoundError:
        section = {}
    missing = [name for name in NEEDED if not section.get(name)]
    if missing:
        raise UsageError(f"ANNOTATOR_OIDC needs {', '.join(missing)} under [auth] in {beside} or {SECRETS.resolve()}")
    if not str(section["redirect_uri"]).endswith(CALLBACK):
        raise UsageError(f"redirect_uri {section['redirect_uri']!r} must be the app's address and end with {CALLBACK}")
    if len(str(section["cookie_secret"])) < SHORTEST_SECRET:
        raise UsageError(
            f"cookie_secret has {len(str(section['cookie_secret']))} characters: who guesses it signs in as anybody; "
            "write 64 random ones: python -c 'import secrets; print(secrets.token_hex(32))'"
        )


def vouched_for(workspace: Workspace) -> SignedIn | None:
    """The account of whom the provider vouched for just now; None where it did not, or where a sign-out came since.

    Raises ForbiddenError.
    """
    if not workspace.settings.oidc or not st.user.is_logged_in:
        return None
    who = claims.sign_in(workspace, st.user.to_dict())
    return None if who is None or accounts.has_ended(workspace, who.sitting) else who
