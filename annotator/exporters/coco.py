"""COCO, image-level: one annotation per present tag; absent and unasked stay apart as in LVIS (arXiv 1908.03195)."""

import json
from typing import Any

import numpy as np

from annotator.exporters.names import iso_time, relative_names
from annotator.snapshot import SPLIT_CODES, Snapshot
from annotator.terms import LabelState, Origin

DESCRIPTION = (
    "Image-level tags. annotations: one per present tag, without a box where nobody drew one. "
    "neg_category_ids: tags somebody or a proved round said are absent. not_exhaustive_category_ids: tags on which "
    "a person looked and could not tell. Tags of an image in none of these were never asked about."
)


def coco(snapshot: Snapshot) -> dict[str, bytes]:
    """{"labels.json": COCO with `categories`, `images` and `annotations`}; ids count from 1, in snapshot order."""
    root, names = relative_names(snapshot.files)
    document = {
        "info": {
            "description": DESCRIPTION,
            "version": "1.0",
            "snapshot": snapshot.hash,
            "root": root,
        },
        "licenses": [],
        "categories": [
            {"id": place, "name": tag.name, "supercategory": tag.parent or "tag"}
            for place, tag in enumerate(snapshot.tags, 1)
        ],
        "images": [_image(snapshot, place, name) for place, name in enumerate(names)],
        "annotations": _annotations(snapshot),
    }
    return {"labels.json": json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()}


def _image(snapshot: Snapshot, place: int, name: str) -> dict[str, Any]:
    labels, origins = snapshot.labels[place], snapshot.origins[place]
    could_not_tell = (labels == LabelState.UNKNOWN) & (origins != Origin.NOBODY)
    return {
        "id": place + 1,
        "file_name": name,
        "width": int(snapshot.sizes[place, 0]),
        "height": int(snapshot.sizes[place, 1]),
        "sha256": snapshot.sha256[place],
        "split": SPLIT_CODES[snapshot.splits[place]].value,
        "neg_category_ids": (np.flatnonzero(labels == LabelState.NEGATIVE) + 1).tolist(),
        "not_exhaustive_category_ids": (np.flatnonzero(could_not_tell) + 1).tolist(),
    }


def _annotations(snapshot: Snapshot) -> list[dict[str, Any]]:
    images, tags = np.nonzero(snapshot.labels == LabelState.POSITIVE)
    return [
        {
            "id": number,
            "image_id": image + 1,
            "category_id": tag + 1,
            "iscrowd": 0,
            "origin": Origin(snapshot.origins[image, tag]).name.lower(),
            "decided_by": snapshot.decider_names[snapshot.deciders[image, tag]],
            "decided_at": iso_time(int(snapshot.decided_at[image, tag])),
        }
        for number, (image, tag) in enumerate(zip(images.tolist(), tags.tolist(), strict=True), 1)
    ]
