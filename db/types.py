"""Column types: enums by value, and times that are always UTC."""

from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, SmallInteger, String, TypeDecorator
from sqlalchemy.types import TypeEngine


class EnumValue(TypeDecorator[Any]):
    """Stores the enum's value, readable in any database tool and without a migration when a member is added."""

    impl = String
    cache_ok = True

    def __init__(self, enum: type[Enum]) -> None:
        super().__init__()
        self.enum = enum

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(SmallInteger() if issubclass(self.enum, IntEnum) else String(24))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else self.enum(value)


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones: times go in as UTC and come out aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
