"""Rows for tests that need images and tags but no pictures."""

from datetime import UTC, datetime

from annotator.services import vocabulary
from annotator.workspace import Workspace
from db.models import Image, ImageFile


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
