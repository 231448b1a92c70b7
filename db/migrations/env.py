"""Alembic's entry: migrations run on the connection the workspace hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import TypeDecorator
from sqlalchemy.dialects import sqlite

from db.models import Base


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Plain types in migrations: a migration must still run when the code's own types have moved on."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.load_dialect_impl(sqlite.dialect())!r}".replace("DATETIME", "DateTime").replace(
            "DateTime()", "DateTime(timezone=True)"
        )
    return False


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, render_item=render_item)
with context.begin_transaction():
    context.run_migrations()
