"""Accounts: who signs in, as what, and since when. Passwords are kept as argon2id hashes (RFC 9106)."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, ConflictError, ForbiddenError, TooManyError, UsageError
from annotator.services import rights
from annotator.services.people import annotator_called, required, tidy
from annotator.services.rights import Right, needs
from annotator.terms import Role
from annotator.workspace import Workspace
from db.models import Act, Annotator, EndedSitting, Invitation, SignInAttempt

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 1000  # characters of a password
INVITATION = timedelta(days=7)
WINDOW = timedelta(minutes=15)
FAILURES = {"name": 5, "address": 30}  # in the window, before the door closes for the rest of it
NO_INVITATION = "this invitation was used, has ended or never was; ask for a new one"
MOST_ACTS = 1000


@dataclass(frozen=True)
class SignedIn:
    """Who signed in; a cookie made of it ends when the account's stamp rises."""

    name: str
    stamp: int
    sitting: str = ""
    """Which of the person's sign-ins it is: a sign-out ends this one in all tabs of the browser, and no other."""


def sign_in(workspace: Workspace, name: str, password: str, address: str = "") -> SignedIn:
    """Check a password.

    Raises ForbiddenError, which does not say whether the name or the password is wrong, and TooManyError after five
    failures of one name or thirty of one address within fifteen minutes.
    """
    name = tidy(name)
    keys = {"name": f"name:{name.casefold()[:100]}", **_address_key(address)}
    with workspace.transaction() as session:
        _check_tries(session, keys)
        person = session.scalar(select(Annotator).where(Annotator.name == name))
        # The same work for a name that nobody has: the time it takes tells nothing.
        stored = person.password_hash if person and person.password_hash else _nobodys_hash()
        right = _matches(stored, password) and person is not None and person.password_hash is not None
        if person is not None and right and not person.paused:
            if _hasher().check_needs_rehash(stored):
                person.password_hash = _hasher().hash(password)
            session.execute(delete(SignInAttempt).where(SignInAttempt.key == keys["name"]))
            return SignedIn(person.name, person.stamp)
        _note_failure(session, keys)
    raise ForbiddenError("this name and password do not go together, or the account is paused")


def sign_in_by_email(workspace: Workspace, email: str) -> SignedIn:
    """Whom an identity provider vouches for. Raises ForbiddenError for an address nobody was given, and for a pause."""
    with workspace.reading() as session:
        person = session.scalar(select(Annotator).where(Annotator.email == email.strip().casefold()))
        if person is None:
            raise ForbiddenError(f"{email} has no account here; an admin adds it: annotator people add NAME --email")
        if person.paused:
            raise ForbiddenError(f"the account of {email} is paused; ask an admin to resume it")
        return SignedIn(person.name, person.stamp)


def stands(workspace: Workspace, who: SignedIn) -> bool:
    """Whether a sign-in still counts: under the account's stamp, and not signed out."""
    with workspace.reading() as session:
        if session.get(EndedSitting, who.sitting) is not None:
            return False
        if not rights.has_accounts(session):
            return who.stamp == 0
        person = session.scalar(select(Annotator).where(Annotator.name == who.name))
        return person is not None and person.stamp == who.stamp and bool(person.password_hash or person.email)


def end_sitting(workspace: Workspace, sitting: str) -> None:
    """A sign-out: this sign-in never counts again. Those whose hours are over anyway are forgotten."""
    now = datetime.now(UTC)
    hours = timedelta(hours=workspace.settings.sign_in_hours)
    with workspace.transaction() as session:
        session.execute(delete(EndedSitting).where(EndedSitting.at < now - hours))
        session.merge(EndedSitting(sitting=sitting, at=now))


def has_ended(workspace: Workspace, sitting: str) -> bool:
    """Whether a sign-out ended this sign-in."""
    with workspace.reading() as session:
        return session.get(EndedSitting, sitting) is not None


def stamp_of(workspace: Workspace, name: str) -> int:
    with workspace.reading() as session:
        return session.scalar(select(Annotator.stamp).where(Annotator.name == name)) or 0


@needs(Right.PEOPLE)
def add(
    workspace: Workspace, name: str, role: Role, password: str | None = None, email: str | None = None
) -> dict[str, Any]:
    """Give `name` an account. The first one must be an admin's, because from then on everybody needs rights."""
    if password is None and email is None:
        raise UsageError("an account needs a password or the e-mail address that an identity provider knows")
    with workspace.transaction() as session:
        if not rights.has_accounts(session) and role != Role.ADMIN:
            raise UsageError(f"the first account must be an admin's, not {role.value}: somebody has to give rights")
        person = annotator_called(session, name)
        if person.password_hash or person.email:
            raise ConflictError(f"{person.name} has an account; change its role or password instead")
        _set(session, person, password, email)
        person.role = role
        person.stamp += 1  # who worked here under this name before, without a password, has to sign in now
        return _described(person)


@needs(Right.PEOPLE)
def set_role(workspace: Workspace, name: str, role: Role) -> dict[str, Any]:
    with workspace.transaction() as session:
        person = required(session, name)
        if role != Role.ADMIN:
            _keep_an_admin(session, person)
        person.role = role
        return _described(person)


@needs(Right.PEOPLE)
def set_paused(workspace: Workspace, name: str, paused: bool) -> dict[str, Any]:
    """A paused person keeps name and answers, and may do nothing until resumed."""
    with workspace.transaction() as session:
        person = required(session, name)
        if paused:
            _keep_an_admin(session, person)
        person.paused = paused
        return _described(person)


@needs(Right.PEOPLE)
def set_quota(workspace: Workspace, name: str, pictures_a_day: int | None) -> dict[str, Any]:
    if pictures_a_day is not None and pictures_a_day < 0:
        raise UsageError(f"a quota of {pictures_a_day} pictures a day; give 0 or more, or none")
    with workspace.transaction() as session:
        person = required(session, name)
        person.daily_quota = pictures_a_day
        return _described(person)


@needs(Right.PEOPLE)
def set_password(workspace: Workspace, name: str, password: str) -> dict[str, Any]:
    """A new password; whoever is signed in as `name` has to sign in anew."""
    with workspace.transaction() as session:
        person = required(session, name)
        _set(session, person, password, None)
        person.stamp += 1
        return _described(person)


def change_own_password(workspace: Workspace, old: str, password: str) -> SignedIn:
    """The actor's own. Raises ForbiddenError when `old` is not the one in use."""
    name = workspace.actor or ""
    sign_in(workspace, name, old)
    with workspace.transaction() as session:
        person = required(session, name)
        _set(session, person, password, None)
        person.stamp += 1
        return SignedIn(person.name, person.stamp)


@needs(Right.PEOPLE)
def sign_out_everywhere(workspace: Workspace, name: str) -> dict[str, Any]:
    with workspace.transaction() as session:
        person = required(session, name)
        person.stamp += 1
        return _described(person)


@needs(Right.PEOPLE)
def invite(workspace: Workspace, role: Role, name: str = "") -> str:
    """A secret that makes one account within a week; it is shown once and kept nowhere."""
    token = secrets.token_urlsafe(24)
    now = datetime.now(UTC)
    with workspace.transaction() as session:
        if not rights.has_accounts(session):
            raise UsageError("make an account for yourself first: annotator people add NAME --role admin")
        session.add(
            Invitation(
                digest=_digest(token), role=role, name=tidy(name), invited_by=workspace.actor or "",
                created_at=now, expires_at=now + INVITATION, used_at=None,
            )
        )  # fmt: skip
    return token


def invited_as(workspace: Workspace, token: str, address: str = "") -> dict[str, str]:
    """{name, role, by} of an invitation that still counts.

    Raises ForbiddenError, and TooManyError where thirty tries of one address, sign-ins included, failed.
    """
    with workspace.transaction() as session:
        found = _invitation(session, token, address)
        if found is not None:
            return {"name": found.name, "role": found.role.value, "by": found.invited_by}
    raise ForbiddenError(NO_INVITATION)


def accept_invitation(workspace: Workspace, token: str, name: str, password: str, address: str = "") -> SignedIn:
    """Make the account. Raises as `invited_as`, and ConflictError for a name that is taken."""
    with workspace.transaction() as session:
        found = _invitation(session, token, address)
        if found is not None:
            if session.scalar(select(Annotator.id).where(Annotator.name == tidy(name))) is not None:
                raise ConflictError(f"the name {tidy(name)!r} is taken; choose another one")
            person = annotator_called(session, name)
            _set(session, person, password, None)
            person.role, found.used_at = found.role, datetime.now(UTC)
            return SignedIn(person.name, person.stamp)
    raise ForbiddenError(NO_INVITATION)


def people(workspace: Workspace) -> list[dict[str, Any]]:
    """Everybody who has an account or ever answered."""
    rights.require(workspace, Right.REVIEW)
    with workspace.reading() as session:
        return [_described(person) for person in session.scalars(select(Annotator).order_by(Annotator.name))]


def acts(workspace: Workspace) -> list[dict[str, Any]]:
    """What was done with more than an annotator's rights, the newest first."""
    rights.require(workspace, Right.PEOPLE)
    with workspace.reading() as session:
        return [
            {"at": act.at.isoformat(timespec="seconds"), "person": act.person, "what": act.what, **act.details}
            for act in session.scalars(select(Act).order_by(Act.id.desc()).limit(MOST_ACTS))
        ]


def _described(person: Annotator) -> dict[str, Any]:
    return {
        "name": person.name,
        "role": person.role.value,
        "signs in": "password" if person.password_hash else "provider" if person.email else "no",
        "paused": person.paused,
        "daily quota": person.daily_quota,
        "since": person.created_at.isoformat(timespec="seconds"),
    }


def _keep_an_admin(session: Session, leaving: Annotator) -> None:
    account = or_(Annotator.password_hash.is_not(None), Annotator.email.is_not(None))
    admins = select(func.count(Annotator.id)).where(
        Annotator.role == Role.ADMIN, Annotator.paused.is_(False), account, Annotator.id != leaving.id
    )
    if leaving.role == Role.ADMIN and not session.scalar(admins):
        raise ConflictError(f"{leaving.name} is the only admin; make somebody else one first")


def _set(session: Session, person: Annotator, password: str | None, email: str | None) -> None:
    if password is not None:
        if not SHORTEST <= len(password) <= LONGEST or password.casefold() == person.name.casefold():
            raise BadInputError(f"a password has {SHORTEST} to {LONGEST} characters and is not the name")
        person.password_hash = _hasher().hash(password)
    if email is not None:
        email = email.strip().casefold()
        if "@" not in email or len(email) > 254 or not email.isprintable():
            raise BadInputError(f"{email[:60]!r} is no e-mail address")
        if session.scalar(select(Annotator.id).where(Annotator.email == email, Annotator.id != person.id)) is not None:
            raise ConflictError(f"{email} belongs to somebody else here")
        person.email = email


def _check_tries(session: Session, keys: dict[str, str]) -> None:
    since = datetime.now(UTC) - WINDOW
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < since))
    for kind, key in keys.items():
        tries = session.scalar(select(func.count(SignInAttempt.id)).where(SignInAttempt.key == key)) or 0
        if tries >= FAILURES[kind] and key != "address:":
            minutes = int(WINDOW.total_seconds() // 60)
            raise TooManyError(f"too many failed tries; try again in {minutes} minutes")


def _note_failure(session: Session, keys: dict[str, str]) -> None:
    session.add_all(SignInAttempt(key=key, at=datetime.now(UTC)) for key in keys.values())


def _address_key(address: str) -> dict[str, str]:
    return {"address": f"address:{address[:60]}"}


def _invitation(session: Session, token: str, address: str) -> Invitation | None:
    """The invitation of this token that still counts; None counts as a failed try of the address."""
    _check_tries(session, _address_key(address))
    found = session.scalar(select(Invitation).where(Invitation.digest == _digest(token)))
    if found is not None and found.used_at is None and found.expires_at >= datetime.now(UTC):
        return found
    _note_failure(session, _address_key(address))
    return None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _matches(stored: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(stored, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))
