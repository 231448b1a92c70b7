"""Rows for tests that need images and tags but no pictures."""

import io
from datetime import UTC, datetime

import numpy as np

from annotator.arrays import write_array, write_whole
from annotator.services import vocabulary
from annotator.services.people import annotator_called
from annotator.terms import LabelState, RoundStatus
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Model, Review, Round

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def add_images(workspace: Workspace, count: int) -> None:
    with workspace.transaction() as session:
        for row in range(count):
            session.add(
                Image(
                    row=row, sha256=f"{row:064x}", byte_size=1, format="JPEG", mode="RGB", width=4, height=3,
                    orientation=1, frames=1, perceptual_hash=row, near_duplicate_group=row, given_split=None,
                    added_at=datetime.now(UTC),
                )
            )  # fmt: skip
            session.flush()
            session.add(ImageFile(uri=f"/pictures/{row}.jpg", image_row=row, byte_size=1, mtime_ns=1))


def add_tags(workspace: Workspace, names: list[str]) -> None:
    with workspace.transaction() as session:
        vocabulary.add_names(session, names)


def settle(workspace: Workspace, number: int, labels: list[list[int]], status: RoundStatus) -> None:
    write_array(workspace.round_file(number), np.array(labels, np.int8))
    with workspace.transaction() as session:
        if session.get(Model, 1) is None:
            session.add(
                Model(
                    id=1, backbone="b", head="h", snapshot_hash="", tag_ids=[1, 2], labels_used=0, images_used=0,
                    metrics={}, in_use=True, verdict="", at=NOW,
                )
            )  # fmt: skip
        person = annotator_called(session, "anna")
        session.flush()
        session.add(
            Round(
                number=number, status=status, seed=1, pool_hash="", pool_size=6, model_id=1, tag_ids=[1, 2],
                targets={}, annotator_id=person.id, at=NOW, settled_at=NOW,
            )
        )  # fmt: skip


def truth(workspace: Workspace, labels: list[list[int]]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, labels=np.array(labels, np.int8), tag_ids=np.array([1, 2]), at=np.array(1000))
    write_whole(workspace.truth_file, buffer.getvalue())


def review(workspace: Workspace, row: int, tag: int, state: LabelState) -> None:
    with workspace.transaction() as session:
        person = annotator_called(session, "rita")
        session.add(Review(image_row=row, tag_id=tag, reviewer_id=person.id, state=state, at=NOW))
