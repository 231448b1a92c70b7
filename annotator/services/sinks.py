"""Where an export goes on this machine: a temporary name beside the target, renamed when all of it is there."""

import io
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import IO

from annotator.errors import PictureError, UsageError
from annotator.exporters import Exporter, Sink
from annotator.exporters.names import address_of
from annotator.importers.addresses import local_path
from annotator.importers.opening import read_bytes
from annotator.importers.pictures import fit, open_oriented
from annotator.records import Header, Record

LISTED = 20  # pictures that could not be read, by name; all are counted
QUALITY = 90
STALE_SECONDS = 24 * 3600  # an export that still runs is not swept away
REFERENCE, COPY, RESIZE = "reference", "copy", "resize:"


class FolderSink(Sink):
    """An export below `folder`. `pictures` as in `ExportOptions`."""

    def __init__(self, folder: Path, pictures: str = REFERENCE) -> None:
        super().__init__()
        self.folder, self.size = folder, longest_side(pictures)
        self._links, self._carries = pictures == REFERENCE, pictures != REFERENCE
        self.unreadable: list[str] = []

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        path = self._path(name)
        with path.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @property
    def carries_pictures(self) -> bool:
        return self._carries

    def place(self, header: Header, record: Record, name: str) -> str | None:
        uri = address_of(header.root, record.file)
        try:
            return self._resized(uri, name) if self.size else self._as_it_is(uri, name)
        except (PictureError, OSError) as error:
            self._refuse(error)
            return None

    def picture(self, header: Header, record: Record) -> tuple[bytes, str] | None:
        uri = address_of(header.root, record.file)
        try:
            if self.size:
                return _smaller(uri, self.size), "jpg"
            return read_bytes(uri), Path(record.file).suffix[1:].lower() or "jpg"
        except (PictureError, OSError) as error:
            self._refuse(error)
            return None

    def _as_it_is(self, uri: str, name: str) -> str:
        source, target = local_path(uri), self._path(name)
        if source is None:
            target.write_bytes(read_bytes(uri))
        elif self._links:
            source.stat()  # a link that leads nowhere is no picture
            target.symlink_to(source.resolve())
        else:
            shutil.copyfile(source, target)
        return name

    def _resized(self, uri: str, name: str) -> str:
        content = _smaller(uri, self.size)
        # a.png and a.jpg of one folder stay two files.
        name = name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"
        self._path(name).write_bytes(content)
        return name

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _refuse(self, error: Exception) -> None:
        if len(self.unreadable) < LISTED:
            self.unreadable.append(str(error))


def longest_side(pictures: str) -> int:
    """Pixels of "resize:SIZE"; 0 for "reference" and "copy". Raises UsageError for anything else."""
    if pictures in (REFERENCE, COPY):
        return 0
    size = pictures.removeprefix(RESIZE)
    if not pictures.startswith(RESIZE) or not size.isdecimal() or int(size) < 1:
        raise UsageError(f"pictures {pictures!r}: write reference, copy or resize:SIZE (longest side in pixels)")
    return int(size)


@contextmanager
def whole(path: Path, exporter: Exporter, pictures: str) -> Iterator[FolderSink]:
    """A sink whose files stand at `path` when the block ends well; else nothing does, and an earlier file stays.

    Raises UsageError for a target that does not fit the format.
    """
    target = _target(path, exporter)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    try:
        yield FolderSink(temporary, pictures)
        if exporter.file is None:
            temporary.rename(target)
        else:
            (temporary / exporter.file).replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sweep(target: Path) -> None:
    """Remove what a killed export to the same place left behind."""
    for left in target.parent.glob(f".{escape(target.name)}.????????.tmp"):
        if left.stat().st_mtime < time.time() - STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _target(path: Path, exporter: Exporter) -> Path:
    path = path.expanduser().absolute()
    if exporter.file is None:
        if path.exists():
            raise UsageError(f"{path} exists; name a folder that does not, or remove it first")
        return path
    if path.is_dir():
        return path / exporter.file
    if not path.suffix:
        raise UsageError(f"{path}: name a file, for example {path / exporter.file}, or a folder that exists")
    return path


def _smaller(uri: str, size: int) -> bytes:
    picture = open_oriented(read_bytes(uri), name=uri, shorter_side=size)
    smaller = picture.resize(fit(picture.width, picture.height, size), reducing_gap=3.0)
    buffer = io.BytesIO()
    smaller.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
