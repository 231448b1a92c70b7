"""How long work tells how far it is, and hears that it should stop."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""`progress(done, total, what)`. It may raise `Cancelled` to end the work between two steps; what was done stays."""


class Cancelled(Exception):
    """The person who started the work asked to end it."""


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""
