"""Pictures in: read in parallel, stored once by content, the refused ones listed; a second run adds nothing."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from annotator.arrays import write_whole
from annotator.importers.addresses import show
from annotator.importers.near_duplicates import group_near_duplicates
from annotator.importers.pictures import Picture
from annotator.importers.refusals import REFUSALS, Refused
from annotator.importers.sources import Found, read_found, scan
from annotator.progress import Progress, silent
from annotator.workspace import THUMBNAIL_SIZES, Workspace
from db.models import Image, ImageFile, RefusedFile

BATCH = 256  # pictures a transaction: a killed run reads at most so many again
T = TypeVar("T")


@dataclass
class ImportReport:
    """What an import did. `refused` are the files it listed: "name: what is wrong; what would do"."""

    added: int = 0
    duplicates: int = 0
    """Files with the content of an image that is there already."""
    unchanged: int = 0
    """Files an earlier run had read, of the same size and time."""
    refused: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    """Files passed over as no pictures, by their ending."""
    near_duplicate_groups: int = 0
    """Groups of at least two images that look nearly the same."""


def import_pictures(workspace: Workspace, paths: Sequence[str | Path], *, progress: Progress = silent) -> ImportReport:
    """Import `paths` (folders, files, archives, lists, URLs) in place: nothing is copied but thumbnails.

    Rows are given in the order of the scan, whatever the order in which reading ends: the same folder makes the same
    workspace, also when a run was killed and resumed.
    """
    report = ImportReport()
    skipped: Counter[str] = Counter()
    with FileLock(workspace.folder / "import.lock"):
        known = _known_files(workspace)
        fresh = _unknown_ones(scan([str(path) for path in paths], skipped=skipped), known, report)
        done = 0
        for batch in _batches(_read(workspace, fresh), BATCH):
            with workspace.transaction() as session:
                _store(session, batch, report)
            done += len(batch)
            progress(done, 0, "importing")
        report.near_duplicate_groups = _group(workspace)
    report.skipped = dict(skipped)
    return report


def _known_files(workspace: Workspace) -> dict[str, tuple[int | None, int | None]]:
    """Size and time of every file an earlier run took in or refused, by URI."""
    with workspace.reading() as session:
        taken = session.execute(select(ImageFile.uri, ImageFile.byte_size, ImageFile.mtime_ns)).all()
        refused = session.execute(select(RefusedFile.uri, RefusedFile.byte_size, RefusedFile.mtime_ns)).all()
    known = {row.uri: (row.byte_size, row.mtime_ns) for row in taken}
    # A second archive member of a name is refused under the address of the first one, which was taken.
    known |= {
        row.uri: (row.byte_size, row.mtime_ns) for row in refused if row.uri not in known or row.byte_size is not None
    }
    return known


def _unknown_ones(
    found: Iterable[Found | Refused], known: dict[str, tuple[int | None, int | None]], report: ImportReport
) -> Iterator[Found | Refused]:
    for item in found:
        # A file whose size and time cannot be asked cheaply, such as one behind a URL, counts as unchanged.
        if isinstance(item, Found) and known.get(item.uri) == (item.size, item.mtime_ns):
            report.unchanged += 1
        else:
            yield item


def _read(workspace: Workspace, items: Iterator[Found | Refused]) -> Iterator[tuple[Found | None, Picture | Refused]]:
    """Read ahead in parallel, give back in order. Thumbnails are on disk before the picture is given back.

    Threads, because Pillow decodes, scales and encodes outside the interpreter lock: on two cores they were more than
    twice as fast as processes, which each import the package and send their results through a pipe.
    """
    workers = workspace.settings.workers or cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="import") as pool:
        waiting: deque[tuple[Found | None, Future[Picture | Refused] | Refused]] = deque()
        for item in items:
            if isinstance(item, Refused):
                waiting.append((None, item))
            else:
                waiting.append((item, pool.submit(_read_one, workspace.folder, item)))
            if len(waiting) >= 8 * workers:
                yield _finished(waiting.popleft())
        while waiting:
            yield _finished(waiting.popleft())


def _read_one(folder: Path, found: Found) -> Picture | Refused:
    """In a thread: read one file and write its thumbnails; only the facts are kept."""
    picture = read_found(found, thumbnail_sizes=THUMBNAIL_SIZES)
    if isinstance(picture, Refused):
        return picture
    for size, content in picture.thumbnails.items():
        file = folder / "thumbnails" / str(size) / picture.sha256[:2] / f"{picture.sha256}.jpg"
        if not file.exists():
            write_whole(file, content)
    return replace(picture, thumbnails={})


def _finished(
    item: tuple[Found | None, "Future[Picture | Refused] | Refused"],
) -> tuple[Found | None, Picture | Refused]:
    found, outcome = item
    return found, outcome if isinstance(outcome, Refused) else outcome.result()


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch


def _store(session: Session, batch: list[tuple[Found | None, Picture | Refused]], report: ImportReport) -> None:
    next_row = (session.scalar(select(func.max(Image.row))) or 0) + 1 if _any_image(session) else 0
    now = datetime.now(UTC)
    for found, outcome in batch:
        if isinstance(outcome, Refused):
            _refuse(session, found, outcome, now)
            report.refused.append(outcome.message)
            continue
        row = session.scalar(select(Image.row).where(Image.sha256 == outcome.sha256))
        if row is None and _is_last_place(session, outcome.uri):
            changed = _changed(outcome.uri)
            _refuse(session, found, changed, now)
            report.refused.append(changed.message)
            continue
        if row is None:
            row, next_row = next_row, next_row + 1
            session.add(_image(row, outcome, now))
            session.flush()
            report.added += 1
        else:
            report.duplicates += 1
        _place(session, found, outcome, row)


def _is_last_place(session: Session, uri: str) -> bool:
    """Whether an image was found at `uri` and nowhere else."""
    row = session.scalar(select(ImageFile.image_row).where(ImageFile.uri == uri))
    return row is not None and session.scalar(select(func.count(ImageFile.id)).where(ImageFile.image_row == row)) == 1


def _changed(uri: str) -> Refused:
    """A new picture in the place of an image: that image's labels would name a picture nobody can find."""
    return Refused(
        uri, "changed", f"{show(uri)}: another picture than the one imported from here; {REFUSALS['changed']}"
    )


def _any_image(session: Session) -> bool:
    return session.scalar(select(Image.row).limit(1)) is not None


def _image(row: int, picture: Picture, now: datetime) -> Image:
    return Image(
        row=row, sha256=picture.sha256, byte_size=picture.byte_size, format=picture.format, mode=picture.mode,
        width=picture.width, height=picture.height, orientation=picture.orientation, frames=picture.frames,
        perceptual_hash=picture.perceptual_hash, near_duplicate_group=None, given_split=None, added_at=now,
    )  # fmt: skip


def _place(session: Session, found: Found | None, picture: Picture, row: int) -> None:
    """Note where the image lies; a file that was replaced or mended moves to its new content."""
    size, mtime = (found.size, found.mtime_ns) if found else (None, None)
    file = session.scalar(select(ImageFile).where(ImageFile.uri == picture.uri))
    if file is None:
        session.add(ImageFile(uri=picture.uri, image_row=row, byte_size=size, mtime_ns=mtime))
    elif (
        file.image_row == row
        or session.scalar(select(func.count(ImageFile.id)).where(ImageFile.image_row == file.image_row)) != 1
    ):  # the last place of an image is never taken from it: its labels would name a picture nobody can find
        file.image_row, file.byte_size, file.mtime_ns = row, size, mtime
    else:
        file.byte_size, file.mtime_ns = size, mtime
    for refused in session.scalars(select(RefusedFile).where(RefusedFile.uri == picture.uri)):
        session.delete(refused)


def _refuse(session: Session, found: Found | None, refused: Refused, now: datetime) -> None:
    row = session.scalar(select(RefusedFile).where(RefusedFile.uri == refused.uri))
    if row is None:
        row = RefusedFile(uri=refused.uri)
        session.add(row)
    row.reason, row.message, row.at = refused.reason, refused.message, now
    row.byte_size, row.mtime_ns = (found.size, found.mtime_ns) if found else (None, None)
    session.flush()


def _group(workspace: Workspace) -> int:
    """Put near-duplicates into groups; only when there are images that are in none yet."""
    with workspace.transaction() as session:
        if session.scalar(select(Image.row).where(Image.near_duplicate_group.is_(None)).limit(1)) is not None:
            found = session.execute(
                select(Image.row, Image.perceptual_hash, Image.near_duplicate_group).order_by(Image.row)
            ).all()
            groups = group_near_duplicates(np.array([image.perceptual_hash for image in found], np.int64))
            changed = [
                {"row": image.row, "near_duplicate_group": group}
                for image, group in zip(found, groups.tolist(), strict=True)
                if image.near_duplicate_group != group
            ]
            session.execute(update(Image), changed)
        sizes = select(func.count(Image.row)).group_by(Image.near_duplicate_group).having(func.count(Image.row) > 1)
        return session.scalar(select(func.count()).select_from(sizes.subquery())) or 0
