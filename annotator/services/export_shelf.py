"""Exports made in the browser: files in the workspace's folder exports/, to be fetched from there, not from memory."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from annotator.arrays import write_whole
from annotator.errors import MissingError
from annotator.exporters import ExportOptions
from annotator.progress import Progress, silent
from annotator.services.exporting import chosen, export
from annotator.services.rights import Right, needs
from annotator.workspace import Workspace

KEPT = 20  # the newest; older ones are removed when a new one is made
LONGEST_NAME = 200  # ours have 50; file systems raise for more than 255


@needs(Right.EXPORT)
def make(
    workspace: Workspace, format: str, options: ExportOptions | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Write an export onto the shelf, a folder as a zip file; its entry as in `listed`."""
    exporter = chosen(format, options or ExportOptions())
    stamp = datetime.now(UTC).strftime("%Y-%m-%d-%H%M%S-%f")[:-3]
    shelf = _shelf(workspace)
    made = shelf / f"{format}-{stamp}{exporter.suffix}"
    table = export(workspace, format, made, options, progress)
    if exporter.file is None:
        zipped = Path(shutil.make_archive(str(shelf / f".{made.name}"), "zip", made))
        shutil.rmtree(made)
        made = shelf / f"{made.name}.zip"
        zipped.replace(made)
    entry = {**table, "path": str(made), "name": made.name, "bytes": made.stat().st_size, "at": stamp}
    write_whole(_note(made), json.dumps(entry, ensure_ascii=False).encode())
    for old in listed(workspace)[KEPT:]:
        discard(workspace, old["name"])
    return entry


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    """What lies on the shelf, the newest first: name, bytes, at, format and the table of the export."""
    notes = (json.loads(note.read_text()) for note in _shelf(workspace).glob(".*.note.json"))
    return sorted(notes, key=lambda entry: (entry["at"], entry["name"]), reverse=True)


def file_of(workspace: Workspace, name: str) -> Path:
    """The file called `name` on the shelf. Raises MissingError when there is none."""
    file = _shelf(workspace) / name
    if Path(name).name != name or len(name) > LONGEST_NAME or not _note(file).exists() or not file.exists():
        raise MissingError(f"there is no export {name!r} here; make it anew on the Export page")
    return file


@needs(Right.EXPORT)
def discard(workspace: Workspace, name: str) -> None:
    """Take an export off the shelf."""
    file = file_of(workspace, name)
    _note(file).unlink()
    file.unlink()


def _shelf(workspace: Workspace) -> Path:
    shelf = workspace.folder / "exports"
    shelf.mkdir(exist_ok=True)
    return shelf


def _note(file: Path) -> Path:
    return file.with_name(f".{file.name}.note.json")
