"""Accepted labels out to files: whole or not at all."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from annotator.arrays import write_whole
from annotator.errors import UnknownNameError, UsageError
from annotator.exporters import EXPORTERS
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace


@needs(Right.EXPORT)
def files(workspace: Workspace, format: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of an export and the table of what is in it."""
    if format not in EXPORTERS:
        raise UnknownNameError("export format", format, EXPORTERS)
    snapshot = take(workspace)
    return EXPORTERS[format](snapshot), summary(snapshot)


@needs(Right.EXPORT)
def export(workspace: Workspace, format: str, path: Path) -> dict[str, Any]:
    """Write an export to `path`: a file when the format makes one, else a folder that does not exist yet."""
    content, table = files(workspace, format)
    path = path.expanduser().absolute()
    if len(content) == 1 and not path.is_dir():
        if not path.suffix:
            raise UsageError(f"{path}: name a file, for example {path / 'labels.json'}, or a folder that exists")
        write_whole(path, next(iter(content.values())))
    else:
        _write_folder(path, content)
    return {"path": str(path), "format": format, **table}


def summary(snapshot: Snapshot) -> dict[str, Any]:
    """Images, tags and labels by state and by origin; unasked pairs are counted, not exported."""
    asked = snapshot.origins != Origin.NOBODY
    return {
        "snapshot": snapshot.hash,
        "images": len(snapshot),
        "tags": len(snapshot.tags),
        "states": {
            **{state.name.lower(): int(((snapshot.labels == state) & asked).sum()) for state in LabelState},
            "never asked": int((~asked).sum()),
        },
        "origins": {
            origin.name.lower(): int(np.count_nonzero(snapshot.origins == origin))
            for origin in Origin
            if origin != Origin.NOBODY
        },
    }


def _write_folder(path: Path, content: dict[str, bytes]) -> None:
    if path.is_dir() and len(content) == 1:
        for name, data in content.items():
            write_whole(path / name, data)
        return
    if path.exists():
        raise UsageError(f"{path} exists; name a folder that does not, or remove it first")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        for name, data in content.items():
            write_whole(temporary / name, data)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
