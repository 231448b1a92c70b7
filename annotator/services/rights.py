"""Who may do what. A service that not everybody may call says so beside its name: `@needs(Right.SETTLE)`.

The rights are those of `workspace.actor`, the person a page or a request acts for. At the command line there is no
actor: who has this machine has the files. While nobody has an account (one person, this machine only) everybody may
do everything.
"""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from annotator.errors import ForbiddenError
from annotator.services.people import tidy
from annotator.terms import Role
from annotator.workspace import Workspace
from db.models import Act, Annotator

SECRET = frozenset({"password", "token", "content"})
LONGEST = 200  # characters of one argument in the log
Service = TypeVar("Service", bound=Callable[..., Any])


class Right(StrEnum):
    """What a person may do."""

    LOOK = "look at pictures and tags"
    LABEL = "answer questions"
    REVIEW = "review other people's labels"
    TRAIN = "start training and other long work"
    SETTLE = "propose and settle rounds"
    EXPORT = "export labels"
    VOCABULARY = "change the vocabulary"
    IMPORT = "import pictures and labels"
    PROJECT = "change what the project agreed on"
    PEOPLE = "invite people and change their rights"


_ANNOTATOR = frozenset({Right.LOOK, Right.LABEL})
_REVIEWER = _ANNOTATOR | {Right.REVIEW, Right.TRAIN, Right.SETTLE, Right.EXPORT}
RIGHTS: dict[Role, frozenset[Right]] = {
    Role.ANNOTATOR: _ANNOTATOR,
    Role.REVIEWER: _REVIEWER,
    Role.ADMIN: frozenset(Right),
}
UNLOGGED = frozenset({Right.LOOK, Right.LABEL})  # answers have their journal


def has_accounts(session: Session) -> bool:
    """Whether people sign in here."""
    account = or_(Annotator.password_hash.is_not(None), Annotator.email.is_not(None))
    return session.scalar(select(Annotator.id).where(account).limit(1)) is not None


def rights_of(session: Session, name: str | None) -> frozenset[Right]:
    """What the person called `name` may do; None is whoever has this machine."""
    if name is None or not has_accounts(session):
        return frozenset(Right)
    person = session.scalar(select(Annotator).where(Annotator.name == name))
    if person is None or person.paused or not (person.password_hash or person.email):
        return frozenset()
    return RIGHTS[person.role]


def allows(workspace: Workspace, right: Right) -> bool:
    with workspace.reading() as session:
        return right in rights_of(session, workspace.actor)


def require(workspace: Workspace, right: Right) -> None:
    """Raises ForbiddenError when the actor has not this right."""
    if not allows(workspace, right):
        roles = " or ".join(role.value for role, rights in RIGHTS.items() if right in rights)
        raise ForbiddenError(f"{workspace.actor} may not {right.value}; ask somebody who is {roles}, and not paused")


def needs(right: Right, *, own: str | None = None, logged: bool = True) -> Callable[[Service], Service]:
    """Mark a service: only an actor with `right` may call it, and what it did stands in the log of acts.

    `own` names the argument that says whose work it is: an actor's own only. `logged` False where nothing is changed
    for good, or where the service writes a fuller entry itself.
    """

    def mark(service: Service) -> Service:
        signature = inspect.signature(service)

        @wraps(service)
        def checked(workspace: Workspace, *args: Any, **kwargs: Any) -> Any:
            require(workspace, right)
            if own and workspace.actor is not None:
                _check_own(workspace.actor, signature.bind(workspace, *args, **kwargs).arguments[own])
            result = service(workspace, *args, **kwargs)
            if logged and right not in UNLOGGED:
                given = signature.bind(workspace, *args, **kwargs).arguments
                note(workspace, f"{service.__module__.rpartition('.')[2]}.{service.__name__}", given)
            return result

        checked.needs = right  # type: ignore[attr-defined]  # the matrix of rights is tested by it
        return cast(Service, checked)

    return mark


def _check_own(actor: str, person: str) -> None:
    if tidy(person) != tidy(actor):
        raise ForbiddenError(f"{actor} may not do this as {person}")


def note(workspace: Workspace, what: str, given: dict[str, Any]) -> None:
    """Write an act down, where people sign in; of what was given only what is short, plain and no secret."""
    with workspace.reading() as session:
        if not has_accounts(session):
            return
    plain = {name: _plain(value) for name, value in given.items() if name not in SECRET}
    details = {name: value for name, value in plain.items() if value is not None}
    with workspace.transaction() as session:
        session.add(Act(at=datetime.now(UTC), person=workspace.actor or "", what=what, details=details))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str | Path):
        return str(value)[:LONGEST]
    if isinstance(value, list | tuple | set):
        return [plain for one in list(value)[:20] if (plain := _plain(one)) is not None] or None
    return None
