"""One kind of bad or odd input, and what must become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BadInput:
    """`make(empty folder)` writes it and returns the path or URL to import.

    `imported` pictures must come of it, and refusals with exactly the reasons `refused` (sorted).
    """

    make: Callable[[Path], str]
    imported: int
    refused: tuple[str, ...] = ()
    root_reads_it: bool = False
    """The super-user may do what this kind forbids: leave it out there."""


def one_file(name: str | bytes, data: Callable[[], bytes], refused: str = "") -> BadInput:
    """A folder with one file in it, that is imported or refused for one reason."""

    def make(folder: Path) -> str:
        place = folder / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        place.write_bytes(data())
        return str(folder)

    return BadInput(make, 0 if refused else 1, (refused,) if refused else ())
