import time
from typing import Any

import pytest

from annotator.errors import ForbiddenError
from annotator.services import accounts, claims
from annotator.settings import Settings
from annotator.terms import Role
from annotator.workspace import Workspace

NOW = 1_800_000_000
SAID = {"email": " Olga@Example.org", "email_verified": True, "iat": NOW}


@pytest.fixture
def team(workspace: Workspace) -> Workspace:
    accounts.add(workspace, "Olga", Role.ADMIN, email="olga@example.org")
    accounts.add(workspace, "Paul", Role.ADMIN, email="paul@example.org")
    return workspace


@pytest.mark.parametrize("verified", [True, "true"])
def test_a_verified_address_signs_in_whom_it_was_given_to(team: Workspace, verified: Any) -> None:
    signed_in = claims.sign_in(team, {**SAID, "email_verified": verified}, NOW)
    assert signed_in is not None and signed_in.name == "Olga"


def test_what_was_signed_just_now_counts_by_the_clock(team: Workspace) -> None:
    assert claims.sign_in(team, {**SAID, "iat": int(time.time())}) is not None


@pytest.mark.parametrize("verified", [False, "false", "", 0, 1.5, "yes", []])
def test_an_address_that_is_not_verified_opens_nothing(team: Workspace, verified: Any) -> None:
    team.settings = Settings(oidc_trusts_email=True)
    with pytest.raises(ForbiddenError, match="has not verified"):
        claims.sign_in(team, {**SAID, "email_verified": verified}, NOW)


def test_an_address_said_to_be_nothing_counts_only_where_the_provider_is_trusted(team: Workspace) -> None:
    said = {"email": "olga@example.org", "iat": NOW}
    with pytest.raises(ForbiddenError, match="ANNOTATOR_OIDC_TRUSTS_EMAIL"):
        claims.sign_in(team, said, NOW)
    team.settings = Settings(oidc_trusts_email=True)
    assert claims.sign_in(team, said, NOW) is not None


@pytest.mark.parametrize("address", [None, "", 7, ["olga@example.org"]])
def test_a_person_without_an_address_is_told_so(team: Workspace, address: Any) -> None:
    with pytest.raises(ForbiddenError, match="no e-mail address"):
        claims.sign_in(team, {**SAID, "email": address}, NOW)


def test_a_pause_is_told_to_who_proved_who_they_are(team: Workspace) -> None:
    accounts.set_paused(team, "Paul", True)
    with pytest.raises(ForbiddenError, match="is paused"):
        claims.sign_in(team, {**SAID, "email": "paul@example.org"}, NOW)


@pytest.mark.parametrize("signed", [None, "now", NOW - claims.FRESH_SECONDS - 1, 0])
def test_what_was_signed_long_ago_opens_nothing(team: Workspace, signed: Any) -> None:
    assert claims.sign_in(team, {**SAID, "iat": signed}, NOW) is None


def test_what_was_signed_within_the_time_does(team: Workspace) -> None:
    assert claims.sign_in(team, {**SAID, "iat": NOW - claims.FRESH_SECONDS + 1}, NOW) is not None


def test_each_sign_in_at_the_provider_is_a_sitting_of_its_own(team: Workspace) -> None:
    signed = [claims.sign_in(team, {**SAID, "nonce": nonce}, NOW) for nonce in ("a", "a", "b")]
    assert signed[0] == signed[1] != signed[2]
