"""Pictures for the screen: ready-made files, turned upright, of a size a browser shows at once."""

import io
from pathlib import Path

from annotator.arrays import write_whole
from annotator.errors import MissingError
from annotator.importers.opening import read_bytes
from annotator.importers.pictures import open_oriented
from annotator.workspace import THUMBNAIL_SIZES, Workspace
from db.models import Image

FULL_PIXELS = 4_000_000  # more than a screen shows; larger pictures are sent reduced
SIZES = (*(str(size) for size in THUMBNAIL_SIZES), "full")


def file_of(workspace: Workspace, row: int, size: str) -> tuple[Path, str]:
    """(file, ETag) of an image in one of `SIZES`; made on the first request where it is missing.

    Raises MissingError when there is no such image or size.
    """
    if size not in SIZES:
        raise MissingError(f"pictures come in the sizes {', '.join(SIZES)}, not {size!r}")
    with workspace.reading() as session:
        image = session.get(Image, row)
        if image is None:
            raise MissingError(f"there is no image {row} in this workspace")
        uri, sha256 = image.files[0].uri, image.sha256
    file = workspace.folder / "thumbnails" / size / sha256[:2] / f"{sha256}.jpg"
    if not file.exists():
        write_whole(file, _rendered(uri, size))
    return file, f'"{sha256[:32]}-{size}"'


def _rendered(uri: str, size: str) -> bytes:
    picture = open_oriented(read_bytes(uri))
    if size == "full":
        share = min(1.0, (FULL_PIXELS / (picture.width * picture.height)) ** 0.5)
        box = (max(1, int(picture.width * share)), max(1, int(picture.height * share)))
    else:
        box = (int(size), int(size))
    picture.thumbnail(box)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
