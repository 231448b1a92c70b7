from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from annotator.errors import BadInputError, ConflictError, ForbiddenError, MissingError, TooManyError, UsageError
from annotator.services import accounts, labelling
from annotator.terms import LabelState, Role
from annotator.workspace import Workspace
from db.models import Act, Annotator, EndedSitting, Invitation, SignInAttempt
from tests.services.rows import add_images, add_tags

PASSWORD, OTHER = "correct horse", "battery staple"
pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def team(any_workspace: Workspace) -> Workspace:
    """Ada is an admin, Rob a reviewer, Ann an annotator."""
    for name, role in (("Ada", Role.ADMIN), ("Rob", Role.REVIEWER), ("Ann", Role.ANNOTATOR)):
        accounts.add(any_workspace, name, role, PASSWORD)
    return any_workspace


def test_the_right_password_signs_in_and_no_other_does(team: Workspace) -> None:
    assert accounts.sign_in(team, " Ann ", PASSWORD).name == "Ann"
    for name, password in (("Ann", OTHER), ("Ann", ""), ("Nobody", PASSWORD), ("ann", PASSWORD)):
        with pytest.raises(ForbiddenError, match="do not go together"):
            accounts.sign_in(team, name, password)


def test_passwords_are_kept_as_argon2_hashes_only(team: Workspace) -> None:
    with team.reading() as session:
        hashes = list(session.scalars(select(Annotator.password_hash)))
    assert all(one is not None and one.startswith("$argon2id$") and PASSWORD not in one for one in hashes)
    assert len(set(hashes)) == 3


def test_five_failures_close_the_door_even_to_the_right_password(team: Workspace) -> None:
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            accounts.sign_in(team, "Ann", OTHER)
    with pytest.raises(TooManyError, match="15 minutes"):
        accounts.sign_in(team, "Ann", PASSWORD)
    assert accounts.sign_in(team, "Rob", PASSWORD).name == "Rob"
    with team.transaction() as session:
        session.execute(update(SignInAttempt).values(at=datetime.now(UTC) - timedelta(minutes=16)))
    assert accounts.sign_in(team, "Ann", PASSWORD).name == "Ann"


def test_one_address_cannot_try_many_names(team: Workspace) -> None:
    for number in range(30):
        with pytest.raises(ForbiddenError):
            accounts.sign_in(team, f"name {number}", OTHER, "192.0.2.7")
    with pytest.raises(TooManyError):
        accounts.sign_in(team, "Ann", PASSWORD, "192.0.2.7")
    assert accounts.sign_in(team, "Ann", PASSWORD, "192.0.2.8").name == "Ann"


def test_invitations_cannot_be_guessed_from_one_address(team: Workspace) -> None:
    token = accounts.invite(team, Role.REVIEWER)
    for number in range(15):
        with pytest.raises(ForbiddenError, match="never was"):
            accounts.invited_as(team, f"guess {number}", "192.0.2.7")
        with pytest.raises(ForbiddenError, match="never was"):
            accounts.accept_invitation(team, f"guess {number}", "Eve", OTHER, "192.0.2.7")
    with pytest.raises(TooManyError, match="15 minutes"):
        accounts.invited_as(team, token, "192.0.2.7")
    with pytest.raises(TooManyError):
        accounts.accept_invitation(team, token, "Eve", OTHER, "192.0.2.7")
    with pytest.raises(TooManyError):
        accounts.sign_in(team, "Ann", PASSWORD, "192.0.2.7")
    assert accounts.invited_as(team, token, "192.0.2.8")["role"] == "reviewer"


def test_one_name_cannot_be_tried_from_many_addresses(team: Workspace) -> None:
    for number in range(5):
        with pytest.raises(ForbiddenError):
            accounts.sign_in(team, ("Ann", " Ann", "ANN", "ann", "Ann ")[number], OTHER, f"192.0.2.{number}")
    with pytest.raises(TooManyError):
        accounts.sign_in(team, "Ann", PASSWORD, "192.0.2.9")


def test_tries_while_the_door_is_closed_do_not_keep_it_closed(team: Workspace) -> None:
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            accounts.sign_in(team, "Ann", OTHER)
    with team.transaction() as session:
        session.execute(update(SignInAttempt).values(at=datetime.now(UTC) - timedelta(minutes=14)))
    with pytest.raises(TooManyError):
        accounts.sign_in(team, "Ann", OTHER)
    with team.transaction() as session:
        session.execute(update(SignInAttempt).values(at=datetime.now(UTC) - timedelta(minutes=16)))
    assert accounts.sign_in(team, "Ann", PASSWORD).name == "Ann"


def test_a_paused_person_cannot_sign_in_until_resumed(team: Workspace) -> None:
    accounts.set_paused(team, "Ann", True)
    with pytest.raises(ForbiddenError):
        accounts.sign_in(team, "Ann", PASSWORD)
    accounts.set_paused(team, "Ann", False)
    assert accounts.sign_in(team, "Ann", PASSWORD).name == "Ann"


def test_a_new_password_ends_earlier_sign_ins(team: Workspace) -> None:
    before = accounts.sign_in(team, "Ann", PASSWORD)
    after = accounts.change_own_password(team.acting_for("Ann"), PASSWORD, OTHER)
    assert not accounts.stands(team, before)
    assert accounts.stands(team, after)
    with pytest.raises(ForbiddenError):
        accounts.change_own_password(team.acting_for("Ann"), PASSWORD, "a third password")


def test_a_sign_in_that_was_ended_never_counts_again_and_is_forgotten_when_its_hours_are_over(team: Workspace) -> None:
    first, second = (
        replace(accounts.sign_in(team, "Ann", PASSWORD), sitting=sitting) for sitting in ("first", "second")
    )
    accounts.end_sitting(team, first.sitting)
    accounts.end_sitting(team, first.sitting)  # from another tab
    assert not accounts.stands(team, first) and accounts.stands(team, second)
    long_ago = datetime.now(UTC) - timedelta(hours=team.settings.sign_in_hours + 1)
    with team.transaction() as session:
        session.execute(update(EndedSitting).values(at=long_ago))
    accounts.end_sitting(team, second.sitting)
    assert not accounts.has_ended(team, first.sitting) and accounts.has_ended(team, second.sitting)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001, "A Long Name"])
def test_weak_passwords_are_refused(any_workspace: Workspace, password: str) -> None:
    with pytest.raises(BadInputError, match="10 to 1000"):
        accounts.add(any_workspace, "a long name", Role.ADMIN, password)


def test_the_first_account_is_an_admins_and_one_admin_stays(any_workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="must be an admin"):
        accounts.add(any_workspace, "Ann", Role.ANNOTATOR, PASSWORD)
    accounts.add(any_workspace, "Ada", Role.ADMIN, PASSWORD)
    for leave in (
        lambda: accounts.set_role(any_workspace, "Ada", Role.REVIEWER),
        lambda: accounts.set_paused(any_workspace, "Ada", True),
    ):
        with pytest.raises(ConflictError, match="only admin"):
            leave()
    accounts.add(any_workspace, "Bea", Role.ADMIN, PASSWORD)
    assert accounts.set_role(any_workspace, "Ada", Role.REVIEWER)["role"] == "reviewer"


def test_an_invitation_makes_one_account_and_is_kept_as_a_digest_only(team: Workspace) -> None:
    token = accounts.invite(team, Role.REVIEWER, "Eve")
    assert accounts.invited_as(team, token)["role"] == "reviewer"
    made = accounts.accept_invitation(team, token, "Eve", OTHER)
    assert accounts.sign_in(team, "Eve", OTHER) == made
    with pytest.raises(ForbiddenError, match="was used"):
        accounts.accept_invitation(team, token, "Mallory", OTHER)
    with team.reading() as session:
        assert token not in str(session.scalars(select(Invitation.digest)).all())


def test_an_invitation_cannot_take_a_name_or_be_used_late(team: Workspace) -> None:
    token = accounts.invite(team, Role.ADMIN)
    with pytest.raises(ConflictError, match="taken"):
        accounts.accept_invitation(team, token, "Ada", OTHER)
    with team.transaction() as session:
        session.execute(update(Invitation).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(ForbiddenError):
        accounts.accept_invitation(team, token, "Eve", OTHER)


def test_an_identity_provider_signs_in_whom_an_admin_named(team: Workspace) -> None:
    accounts.add(team, "Olga", Role.ANNOTATOR, email="Olga@Example.org")
    assert accounts.sign_in_by_email(team, "olga@example.ORG").name == "Olga"
    with pytest.raises(ForbiddenError, match="no account here"):
        accounts.sign_in_by_email(team, "mallory@example.org")
    with pytest.raises(ConflictError, match="somebody else"):
        accounts.add(team, "Twin", Role.ANNOTATOR, email="olga@example.org")
    with pytest.raises(BadInputError, match="no e-mail"):
        accounts.add(team, "Twin", Role.ANNOTATOR, email="not an address")


def test_the_answers_of_a_name_stay_with_its_account(any_workspace: Workspace) -> None:
    add_images(any_workspace, 1)
    add_tags(any_workspace, ["boat"])
    labelling.set_labels(any_workspace, "Ada", [(0, 1, LabelState.POSITIVE)])
    accounts.add(any_workspace, "Ada", Role.ADMIN, PASSWORD)
    assert [person["name"] for person in accounts.people(any_workspace)] == ["Ada"]
    with pytest.raises(ConflictError, match="has an account"):
        accounts.add(any_workspace, "Ada", Role.ADMIN, PASSWORD)
    with pytest.raises(MissingError, match="nobody here"):
        accounts.set_role(any_workspace, "Nobody", Role.ADMIN)


def test_acts_say_who_did_what_and_hold_no_secret(team: Workspace) -> None:
    accounts.set_quota(team.acting_for("Ada"), "Ann", 50)
    accounts.set_password(team.acting_for("Ada"), "Ann", OTHER)
    newest = accounts.acts(team)[1]
    assert (newest["person"], newest["what"], newest["name"], newest["pictures_a_day"]) == (
        "Ada", "accounts.set_quota", "Ann", 50,
    )  # fmt: skip
    with team.reading() as session:
        written = str([(act.what, act.details) for act in session.scalars(select(Act))])
    assert OTHER not in written and PASSWORD not in written
