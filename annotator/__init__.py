"""Tag large picture collections with several tags each. `annotator.open(folder)` is the way in from Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annotator.api import Project, create, open

__all__ = ["Project", "create", "open"]


def __getattr__(name: str) -> Any:
    """The names of annotator.api, which loads the database and numpy, once one of them is asked for."""
    if name in __all__:
        from annotator import api

        return getattr(api, name)
    raise AttributeError(f"module 'annotator' has no attribute {name!r}")
