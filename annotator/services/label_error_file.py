"""The file in which a search for label errors leaves what it found."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotator.arrays import write_whole
from annotator.workspace import Workspace


@dataclass(frozen=True)
class Suspect:
    """One (image, tag) pair to look at again, and the label it had when it was found."""

    row: int
    tag_id: int
    state: int
    chance: float
    words: str
    kind: str
    """contradicted, missing or near-duplicate"""


def write(workspace: Workspace, found: dict[str, Any]) -> None:
    write_whole(_file(workspace), json.dumps(found).encode())


def read_all(workspace: Workspace) -> dict[str, Any] | None:
    """What the last search left; None before the first."""
    file = _file(workspace)
    if not file.exists():
        return None
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def suspects(workspace: Workspace) -> list[Suspect]:
    found = read_all(workspace)
    return [] if found is None else [Suspect(**one) for one in found["suspects"]]


def _file(workspace: Workspace) -> Path:
    return workspace.folder / "label_errors" / "latest.json"
