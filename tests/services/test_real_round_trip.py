"""A real COCO instances file, and an LVIS file made of it, come in and go out as they were."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from annotator.services import exporting
from annotator.services.importing_records import import_records
from annotator.workspace import Workspace
from db.models import Image, ImageFile
from tests.services.rows import NOW

BESIDE = {"absent": "neg_category_ids", "cannot tell": "not_exhaustive_category_ids"}


@pytest.fixture
def instances(workspace: Workspace, real_data: Path) -> dict[str, Any]:
    """The real document; its 256 pictures are in the workspace, as rows: nothing here looks at them."""
    folder = real_data / "coco256"
    document: dict[str, Any] = json.loads((folder / "instances.json").read_text())
    with workspace.transaction() as session:
        for row, image in enumerate(document["images"]):
            session.add(
                Image(
                    row=row, sha256=f"{row:064x}", byte_size=1, format="JPEG", mode="RGB", width=image["width"],
                    height=image["height"], orientation=1, frames=1, perceptual_hash=row, near_duplicate_group=row,
                    given_split=None, added_at=NOW,
                )
            )  # fmt: skip
            session.flush()
            uri = str(folder / image["file_name"])
            session.add(ImageFile(uri=uri, image_row=row, byte_size=1, mtime_ns=1))
    return document


def there_and_back(workspace: Workspace, document: dict[str, Any], folder: Path) -> dict[str, Any]:
    came, went = folder / "came.json", folder / "went.json"
    came.write_text(json.dumps(document))
    assert import_records(workspace, came).refused_count == 0
    exporting.export(workspace, "coco", went)
    found: dict[str, Any] = json.loads(went.read_text())
    return found


def facts(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says, by names of pictures and categories: its numbers are its own affair."""
    names = {one["id"]: one["name"] for one in document["categories"]}
    files = {one["id"]: Path(one.get("file_name") or one["coco_url"]).name for one in document["images"]}
    boxes = Counter(
        (files[one["image_id"]], names[one["category_id"]], *(round(side, 1) for side in one["bbox"]))
        for one in document["annotations"]
    )
    beside = {
        state: {(files[one["id"]], names[number]) for one in document["images"] for number in one.get(key, ())}
        for state, key in BESIDE.items()
    }
    sizes = {files[one["id"]]: (one["width"], one["height"]) for one in document["images"]}
    return {"categories": set(names.values()), "sizes": sizes, "boxes": boxes, **beside}


def test_real_coco_instances_come_back_equal(workspace: Workspace, instances: dict[str, Any], tmp_path: Path) -> None:
    found = facts(there_and_back(workspace, instances, tmp_path))
    assert sum(found["boxes"].values()) == len(instances["annotations"]) == 1827
    assert found == facts(instances)


def test_an_lvis_file_comes_back_with_what_it_calls_absent_and_what_it_does_not_know(
    workspace: Workspace, instances: dict[str, Any], tmp_path: Path
) -> None:
    """LVIS names pictures by address and says of a few categories an image that they are absent, or not exhaustive."""
    shown: dict[int, set[int]] = {one["id"]: set() for one in instances["images"]}
    for one in instances["annotations"]:
        shown[one["image_id"]].add(one["category_id"])
    categories = [one["id"] for one in instances["categories"]]
    for image in instances["images"]:
        image["coco_url"] = f"http://images.example.org/{image.pop('file_name')}"
        others = [number for number in categories if number not in shown[image["id"]]]
        image["neg_category_ids"] = others[image["id"] % 7 :: 9]
        image["not_exhaustive_category_ids"] = others[image["id"] % 7 + 1 :: 27]
    found = facts(there_and_back(workspace, instances, tmp_path))
    assert len(found["absent"]) > 2000 and len(found["cannot tell"]) > 500
    assert found == facts(instances)
