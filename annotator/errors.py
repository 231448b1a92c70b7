"""Every error a person may see.

    AnnotatorError
    ├── UsageError              a choice that does not exist or values that do not fit together
    │   └── UnknownNameError    a name that is not in a list; says which names are
    ├── BadInputError           a file or value from outside that cannot be used
    │   ├── PictureError        one picture; carries the reason it is listed under
    │   ├── TableError          one line of a labels, tags or list file
    │   └── EntryError          one entry of a labels file, or the file as a whole
    ├── MissingError            something that has to exist first: a workspace, embeddings, a model
    ├── ConflictError           somebody else holds it, or it changed meanwhile
    ├── ForbiddenError          the person may not do that; says who may
    │   └── TooManyError        too many tries in a short time
    └── DeviceError             the chosen device or library build cannot do it

Each message names the thing, the value and what would do.
"""

import difflib
from collections.abc import Iterable


class AnnotatorError(Exception):
    """Base of all errors that are shown to a person as one line, without a traceback."""


class UsageError(AnnotatorError):
    """A choice that does not exist, or values that do not fit together."""


class UnknownNameError(UsageError):
    """A name that is not in a list.

    >>> str(UnknownNameError("exporter", "cocoa", ["coco", "json"]))
    "no exporter is called 'cocoa' (did you mean 'coco'?); known: coco, json"
    """

    SHOWN = 20  # a vocabulary of 100,000 tags does not fit in a message

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        more = f", and {len(names) - self.SHOWN} more" if len(names) > self.SHOWN else ""
        listed = ", ".join(names[: self.SHOWN]) or "none"
        super().__init__(f"no {kind} is called {name!r}{hint}; known: {listed}{more}")
        self.kind, self.name = kind, name


class BadInputError(AnnotatorError):
    """A file or value from outside that cannot be used."""


class PictureError(BadInputError):
    """One picture that is refused. `reason` is the short word it is listed under, `message` says it in full."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["PictureError"], tuple[str, str]]:
        return type(self), (self.reason, str(self))  # it travels from worker processes


class TableError(BadInputError):
    """One line of a table (labels, tags, list of files) that cannot be used."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}, line {line}: {message}")
        self.file, self.line, self.message = file, line, message

    def __reduce__(self) -> tuple[type["TableError"], tuple[str, int, str]]:
        return type(self), (self.file, self.line, self.message)


class EntryError(BadInputError):
    """One entry of a labels file that cannot be used; `where` is its line or place: "line 4", "annotations[12]"."""

    def __init__(self, file: str, where: str, message: str) -> None:
        super().__init__(f"{file}, {where}: {message}")
        self.file, self.where, self.message = file, where, message

    def __reduce__(self) -> tuple[type["EntryError"], tuple[str, str, str]]:
        return type(self), (self.file, self.where, self.message)


class MissingError(AnnotatorError):
    """Something that has to exist first; the message names the command that makes it."""


class ConflictError(AnnotatorError):
    """Somebody else holds it, or it changed meanwhile."""


class ForbiddenError(AnnotatorError):
    """The person may not do that; the message says who may."""


class TooManyError(ForbiddenError):
    """Too many tries in a short time; the message says when to try again."""


class DeviceError(AnnotatorError):
    """The chosen device or library build cannot do it."""
