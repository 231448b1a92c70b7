"""One batch of an import into the store: read what the batch touches once, decide in memory, write in bulk."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from annotator.importers.addresses import show
from annotator.importers.pictures import Picture
from annotator.importers.refusals import REFUSALS, Refused
from annotator.importers.sources import Found
from db.models import Image, ImageFile, RefusedFile


class Batch:
    """What a batch adds. `add` and `refuse` in the order of the scan, then `write`."""

    def __init__(self, session: Session, pictures: list[Picture]) -> None:
        self.session, self.now = session, datetime.now(UTC)
        shas, uris = {picture.sha256 for picture in pictures}, {picture.uri for picture in pictures}
        self.rows: dict[str, int] = {
            row.sha256: row.row
            for row in session.execute(select(Image.sha256, Image.row).where(Image.sha256.in_(shas)))
        }
        self.files = {file.uri: file for file in session.scalars(select(ImageFile).where(ImageFile.uri.in_(uris)))}
        places = select(ImageFile.image_row, func.count()).where(
            ImageFile.image_row.in_({file.image_row for file in self.files.values()})
        )
        self.places = {row[0]: row[1] for row in session.execute(places.group_by(ImageFile.image_row))}
        last = session.scalar(select(func.max(Image.row)))
        self.next_row = 0 if last is None else last + 1
        self.images: list[dict[str, Any]] = []
        self.new_files: dict[str, dict[str, Any]] = {}
        self.mended: set[str] = set()
        self.refusals: dict[str, dict[str, Any]] = {}

    def add(self, found: Found | None, picture: Picture) -> bool | Refused:
        """Take a picture in; whether it is a new image, or why it is refused after all."""
        file, row = self.files.get(picture.uri), self.rows.get(picture.sha256)
        if row is None and file is not None and self.places[file.image_row] == 1:
            # The last place of an image is never taken from it: its labels would name a picture nobody can find.
            message = f"{show(picture.uri)}: another picture than the one imported from here; {REFUSALS['changed']}"
            return Refused(picture.uri, "changed", message)
        is_new = row is None
        if row is None:
            row, self.next_row = self.next_row, self.next_row + 1
            self.rows[picture.sha256] = row
            self.images.append(_image(row, picture, self.now))
        self._place(found, picture.uri, file, row)
        self.mended.add(picture.uri)
        return is_new

    def refuse(self, found: Found | None, refused: Refused) -> None:
        """List a file with the reason it is left out for."""
        size, mtime = (found.size, found.mtime_ns) if found else (None, None)
        self.refusals[refused.uri] = {
            "uri": refused.uri, "reason": refused.reason, "message": refused.message, "byte_size": size,
            "mtime_ns": mtime, "at": self.now,
        }  # fmt: skip

    def write(self) -> None:
        if self.images:
            self.session.execute(insert(Image), self.images)
        if self.new_files:
            self.session.execute(insert(ImageFile), list(self.new_files.values()))
        gone = self.mended | set(self.refusals)
        self.session.execute(delete(RefusedFile).where(RefusedFile.uri.in_(gone)))
        if self.refusals:
            self.session.execute(insert(RefusedFile), list(self.refusals.values()))

    def _place(self, found: Found | None, uri: str, file: ImageFile | None, row: int) -> None:
        """Note where the image lies; a file that now holds another known image moves to it."""
        size, mtime = (found.size, found.mtime_ns) if found else (None, None)
        if file is None:
            self.new_files[uri] = {"uri": uri, "image_row": row, "byte_size": size, "mtime_ns": mtime}
            return
        if file.image_row != row and self.places[file.image_row] > 1:
            self.places[file.image_row] -= 1
            file.image_row = row
        file.byte_size, file.mtime_ns = size, mtime


def _image(row: int, picture: Picture, now: datetime) -> dict[str, Any]:
    return {
        "row": row, "sha256": picture.sha256, "byte_size": picture.byte_size, "format": picture.format,
        "mode": picture.mode, "width": picture.width, "height": picture.height, "orientation": picture.orientation,
        "frames": picture.frames, "perceptual_hash": picture.perceptual_hash, "near_duplicate_group": None,
        "given_split": None, "added_at": now,
    }  # fmt: skip
