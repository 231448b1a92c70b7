"""Accepted labels out to files: streamed, whole or not at all, and reconciled with the store."""

import json
from pathlib import Path
from typing import Any

from annotator.errors import UnknownNameError, UsageError
from annotator.exporters import EXPORTERS, Exporter, ExportOptions
from annotator.progress import Progress, silent
from annotator.services.reconciling import reconcile
from annotator.services.records import collected
from annotator.services.rights import Right, needs
from annotator.services.sinks import REFERENCE, longest_side, whole
from annotator.workspace import Workspace

TABLE = "reconcile.json"


@needs(Right.EXPORT)
def export(
    workspace: Workspace,
    format: str,
    path: Path,
    options: ExportOptions | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write an export to `path`: a file when the format makes one, else a folder that does not exist yet.

    Answers with the table of `reconcile`; a folder holds it as reconcile.json. Raises UnknownNameError for a format
    that is not in EXPORTERS, UsageError for a target or options that do not fit it.
    """
    options = options or ExportOptions()
    exporter = chosen(format, options)
    with (
        whole(path, exporter, options.pictures) as sink,
        collected(workspace, options, progress) as found,
    ):
        exporter(found.records, sink)
        table = {
            "format": format,
            "snapshot": found.records.header.snapshot,
            "tags": found.tags,
            **reconcile(found, sink),
            "loses": exporter.loses,
            "unreadable": sink.unreadable,
        }
        if exporter.file is None:
            with sink.open(TABLE) as out:
                out.write(json.dumps(table, ensure_ascii=False, indent=1).encode())
    return {"path": str(path.expanduser().absolute()), **table}


def formats() -> list[dict[str, str]]:
    """What there is to choose from: one line a format."""
    return [
        {
            "format": name,
            "what": one.what,
            "writes": one.file or "a folder",
            "pictures": {"never": "", "may": "on request", "must": "linked or copied"}[one.pictures],
            "loses": one.loses or "nothing",
        }
        for name, one in EXPORTERS.items()
    ]


def chosen(format: str, options: ExportOptions) -> Exporter:
    """The exporter called `format`, with what was asked of it checked before anything is read."""
    if format not in EXPORTERS:
        raise UnknownNameError("export format", format, EXPORTERS)
    exporter = EXPORTERS[format]
    longest_side(options.pictures)
    if options.pictures != REFERENCE and exporter.pictures == "never":
        others = ", ".join(name for name, one in EXPORTERS.items() if one.pictures != "never")
        raise UsageError(f"{format} holds no pictures; formats that do: {others}")
    if options.suggestions and not exporter.suggestions:
        others = ", ".join(name for name, one in EXPORTERS.items() if one.suggestions)
        raise UsageError(f"{format} has no place for suggestions; formats that have: {others}")
    return exporter
