"""JSON: per image every answered tag with its state, and who or what decided it, and when."""

import json
from typing import Any

import numpy as np

from annotator.exporters.names import iso_time, relative_names
from annotator.snapshot import SPLIT_CODES, Snapshot
from annotator.terms import LabelState, Origin


def json_labels(snapshot: Snapshot) -> dict[str, bytes]:
    """{"labels.json": {"snapshot", "root", "tags", "images"}}; a tag missing from an image was never asked about."""
    root, names = relative_names(snapshot.files)
    document = {
        "snapshot": snapshot.hash,
        "root": root,
        "tags": [
            {"name": tag.name, "definition": tag.definition, "synonyms": list(tag.synonyms), "parent": tag.parent}
            for tag in snapshot.tags
        ],
        "images": [_image(snapshot, place, name) for place, name in enumerate(names)],
    }
    return {"labels.json": json.dumps(document, ensure_ascii=False, indent=1).encode()}


def _image(snapshot: Snapshot, place: int, name: str) -> dict[str, Any]:
    return {
        "file": name,
        "sha256": snapshot.sha256[place],
        "width": int(snapshot.sizes[place, 0]),
        "height": int(snapshot.sizes[place, 1]),
        "split": SPLIT_CODES[snapshot.splits[place]].value,
        "labels": [
            {
                "tag": snapshot.tags[tag].name,
                "state": LabelState(snapshot.labels[place, tag]).name.lower(),
                "origin": Origin(snapshot.origins[place, tag]).name.lower(),
                "by": snapshot.decider_names[snapshot.deciders[place, tag]],
                "at": iso_time(int(snapshot.decided_at[place, tag])),
            }
            for tag in np.flatnonzero(snapshot.origins[place] != Origin.NOBODY).tolist()
        ],
    }
