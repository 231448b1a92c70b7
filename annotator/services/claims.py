"""What an identity provider says of a person (OpenID Connect Core 1.0, section 5.1), and what counts of it."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from annotator.errors import ForbiddenError
from annotator.services import accounts
from annotator.services.accounts import SignedIn
from annotator.workspace import Workspace

FRESH_SECONDS = 300  # from the provider's signature to our cookie; after that only the cookie counts


def sign_in(workspace: Workspace, claims: Mapping[str, Any], now: float | None = None) -> SignedIn | None:
    """The account of the person whose ID token holds `claims`; None where it was signed too long before `now` (Unix
    seconds): what came of it since, a sign-out or the end of the sign-in, counts more.

    Raises ForbiddenError for a person without an account, a paused one, and an address the provider did not verify.
    """
    signed = claims.get("iat")
    if not isinstance(signed, int | float) or (time.time() if now is None else now) - signed > FRESH_SECONDS:
        return None
    who = accounts.sign_in_by_email(workspace, _address(claims, trusting=workspace.settings.oidc_trusts_email))
    return replace(who, sitting=_sitting(claims))


def _sitting(claims: Mapping[str, Any]) -> str:
    """The same for the same ID token: after a sign-out it must not count again."""
    signed = [claims.get(name) for name in ("iss", "sub", "iat", "nonce")]
    return hashlib.sha256(json.dumps(signed, default=str).encode()).hexdigest()[:32]


def _address(claims: Mapping[str, Any], *, trusting: bool) -> str:
    address = claims.get("email")
    if not isinstance(address, str) or not address:
        raise ForbiddenError("the provider gives no e-mail address; its client needs the scope email")
    verified = claims.get("email_verified")
    if verified is None and not trusting:
        raise ForbiddenError(
            f"the provider does not say whether {address} is verified; let it send email_verified, or trust its "
            "addresses with ANNOTATOR_OIDC_TRUSTS_EMAIL=true"
        )
    if verified not in (None, True, "true"):  # some write it as text
        raise ForbiddenError(f"the provider has not verified {address}; verify it there and sign in again")
    return address
