"""Who is who."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import MissingError, UsageError
from annotator.terms import Role
from db.models import Annotator

NAME_LENGTH = 100


def tidy(name: str) -> str:
    """A name as it is kept: without spaces around it and with single ones in it."""
    return " ".join(name.split())


def annotator_called(session: Session, name: str, role: Role = Role.ANNOTATOR) -> Annotator:
    """The annotator called `name`, made when there is none."""
    name = tidy(name)
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise UsageError(f"annotator name {name[:40]!r}: give 1 to {NAME_LENGTH} printable characters")
    found = session.scalar(select(Annotator).where(Annotator.name == name))
    if found is None:
        found = Annotator(name=name, role=role, created_at=datetime.now(UTC))
        session.add(found)
        session.flush()
    return found


def required(session: Session, name: str) -> Annotator:
    """The annotator called `name`. Raises MissingError for a name nobody has."""
    found = session.scalar(select(Annotator).where(Annotator.name == tidy(name)))
    if found is None:
        raise MissingError(f"nobody here is called {name!r}; see: annotator people list")
    return found
