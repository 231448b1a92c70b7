"""Pictures in: read in parallel, stored once by content, the refused ones listed; a second run adds nothing."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from annotator.arrays import write_whole
from annotator.importers.near_duplicates import group_near_duplicates
from annotator.importers.pictures import Picture
from annotator.importers.refusals import Refused
from annotator.importers.sources import Found, read_found, scan
from annotator.progress import Progress, silent
from annotator.services.image_facts import count_near_duplicate_groups
from annotator.services.importing_store import Batch
from annotator.services.rights import Right, needs
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


@needs(Right.IMPORT)
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
            write_whole(file, content, durable=False)
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
    store = Batch(session, [outcome for _, outcome in batch if isinstance(outcome, Picture)])
    for found, read in batch:
        outcome = read if isinstance(read, Refused) else store.add(found, read)
        if isinstance(outcome, Refused):
            store.refuse(found, outcome)
            report.refused.append(outcome.message)
        elif outcome:
            report.added += 1
        else:
            report.duplicates += 1
    store.write()


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
        return count_near_duplicate_groups(session)
