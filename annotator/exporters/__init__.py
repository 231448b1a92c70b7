"""Snapshot to files: `EXPORTERS[format](snapshot)` gives {file name: content}; writing is the service's."""

from collections.abc import Callable

from annotator.exporters.coco import coco
from annotator.exporters.json import json_labels
from annotator.snapshot import Snapshot

Exporter = Callable[[Snapshot], dict[str, bytes]]

EXPORTERS: dict[str, Exporter] = {
    "coco": coco,
    "json": json_labels,
}
