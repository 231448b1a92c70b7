"""A workspace with a million images and a thousand tags, for what has to stay as fast there as in a small one.

Made of rows and arrays: each image points at one of the given photos, so that any can be shown. The thumbnails of the
images that will be asked about are there beforehand, as after an import.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert

from annotator.arrays import write_array, write_whole
from annotator.services import vocabulary
from annotator.services.image_facts import splits_of
from annotator.services.people import annotator_called
from annotator.services.tasks import Band
from annotator.settings import Settings
from annotator.terms import LabelState, Split, TaskKind
from annotator.workspace import THUMBNAIL_SIZES, Workspace
from db.models import Image, ImageFile, Label, Task

ANSWERED = 20_000
ASKED_EACH = 24
ROWS = 20_000  # inserted at once
BEST = 4000


def make(
    folder: Path,
    photos: Sequence[Path],
    images: int,
    tags: int,
    questions: int,
    verify_tags: int,
    *,
    answered: int = ANSWERED,
    settings: Settings | None = None,
) -> Workspace:
    """`images` images and `tags` tags, answers on `answered` of them, `questions` whole-image questions waiting, and
    scores of all; `verify_tags` tags have thumbnails for their likeliest pictures."""
    workspace = Workspace.create(folder, settings or Settings(device="cpu"))
    rng = np.random.default_rng(0)
    now = datetime.now(UTC)
    with workspace.transaction() as session:
        vocabulary.add_names(session, [f"thing {number}" for number in range(tags)])
        for part in parts(_images(images, now)):
            session.execute(insert(Image), part)
        for part in parts(_files(images, photos)):
            session.execute(insert(ImageFile), part)
        person = annotator_called(session, "somebody").id
        for part in parts(_labels(rng, min(answered, images), tags, person, now)):
            session.execute(insert(Label), part)
    best = _scores(workspace, rng, images, tags, answered)
    workspace.change_project(retrain_images=10**9)  # no training starts while seconds are measured
    with workspace.transaction() as session:
        rows = np.arange(answered, images)[: 3 * questions]
        splits = splits_of(workspace, session, rows.tolist())
        free = [row for row in rows.tolist() if splits[row] == Split.TRAIN][:questions]
        asked = [
            {"kind": TaskKind.PICK, "image_row": row, "position": Band.PICK.position(place), "reason": "picked"}
            for place, row in enumerate(free)
        ]
        if asked:
            session.execute(insert(Task), asked)
    for row in {*free, *best[:verify_tags, :1000].ravel().tolist()}:
        _thumbnails(workspace, photos[row % len(photos)], sha256(row))
    return workspace


def sha256(row: int) -> str:
    return hashlib.sha256(str(row).encode()).hexdigest()


def _images(images: int, now: datetime) -> Iterator[dict[str, Any]]:
    for row in range(images):
        yield {
            "row": row, "sha256": sha256(row), "byte_size": 1, "format": "JPEG", "mode": "RGB", "width": 1280,
            "height": 960, "orientation": 1, "frames": 1, "perceptual_hash": row, "near_duplicate_group": row,
            "given_split": None, "added_at": now,
        }  # fmt: skip


def _files(images: int, photos: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for row in range(images):
        uri = f"{photos[row % len(photos)]}#{row}"  # unique; the thumbnails are what is read
        yield {"uri": uri, "image_row": row, "byte_size": 1, "mtime_ns": 1}


def _labels(rng: np.random.Generator, answered: int, tags: int, person: int, now: datetime) -> Iterator[dict[str, Any]]:
    for row in range(answered):
        for tag in rng.choice(tags, min(ASKED_EACH, tags), replace=False).tolist():
            state = LabelState(int(rng.random() < 0.1))
            yield {
                "image_row": row, "tag_id": tag + 1, "annotator_id": person, "state": state,
                "kind": TaskKind.PICK, "round_number": None, "at": now,
            }  # fmt: skip


def _scores(workspace: Workspace, rng: np.random.Generator, images: int, tags: int, answered: int) -> NDArray[np.int32]:
    """Random scores of everything, as the scoring leaves them; (C, K) the likeliest rows of each tag."""
    folder = workspace.folder / "suggestions" / "million"
    folder.mkdir(parents=True)
    scores = np.lib.format.open_memmap(folder / "scores.npy", "w+", np.float16, (images, tags))
    origins = np.lib.format.open_memmap(folder / "origins.npy", "w+", np.int8, (images, tags))
    for start in range(0, images, ROWS):
        part = slice(start, min(start + ROWS, images))
        scores[part] = rng.random((part.stop - part.start, tags), np.float32) ** 4
        origins[part] = 2
    scores.flush()
    origins.flush()
    best = rng.integers(answered, images, (tags, min(BEST, images))).astype(np.int32)
    write_array(folder / "best.npy", best)
    note = {
        "folder": folder.name, "tag_ids": list(range(1, tags + 1)),
        "tag_names": [f"thing {number}" for number in range(tags)], "model_id": None, "mean_average_precision": {},
    }  # fmt: skip
    write_whole(folder.parent / "current.json", json.dumps(note).encode())
    return best


def _thumbnails(workspace: Workspace, photo: Path, digest: str) -> None:
    """As an import makes them; one file a photo, linked for all images that show it."""
    from PIL import Image as Picture

    for size in THUMBNAIL_SIZES:
        file = workspace.thumbnail(size, digest)
        if file.exists():
            continue
        made = workspace.folder / "made" / str(size) / photo.name
        if not made.exists():
            made.parent.mkdir(parents=True, exist_ok=True)
            with Picture.open(photo) as opened:
                picture = opened.convert("RGB")
            picture.thumbnail((size, size))
            picture.save(made, "JPEG", quality=90)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.hardlink_to(made)


def parts(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while part := list(islice(rows, ROWS)):
        yield part
