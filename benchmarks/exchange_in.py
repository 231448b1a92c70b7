"""Labels in at the size of a large project: python -m benchmarks.exchange_in [--quick] [--images 200000].

A file of 1,000,000 images (or as many as said) with 20 labels each, written by the exporter of each format, is read
whole (records), and imported into a workspace that has the images: reading, matching, then comparing, labels and their
journal in one transaction. Each in a process of its own; memory is the peak over that of the same process before the
reading; images_per_cpu_s tells what a busy machine would hide; locked_s are the seconds in which nobody else can write.
The imported labels have to be those of the file.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from annotator.exporters import EXPORTERS
from annotator.importers.labels import Problems, open_labels
from annotator.records import Header, Record, RecordLabel, Records, RecordTag
from annotator.services import vocabulary
from annotator.services.import_options import ImportOptions
from annotator.services.importing_records import import_records
from annotator.services.sinks import FolderSink
from annotator.settings import Settings
from annotator.terms import LabelState, Split
from annotator.workspace import Workspace
from benchmarks.report import options, process_kb, show, write
from db.models import Image, ImageFile, Label

FORMATS = ("coco", "jsonl", "parquet")
TAGS = 20
IMAGES, QUICK = 1_000_000, 20_000
AT_ONCE = 10_000


def records(images: int) -> Records:
    """Made up, the same in each reading: every tag of every image, a tenth present, a tenth of those unclear."""
    header = Header(tuple(RecordTag(f"tag {place:02}") for place in range(TAGS)), root="/photos", images=images)

    def read() -> Iterator[Record]:
        for row in range(images):
            labels = tuple(RecordLabel(tag, _state(row, tag), by="somebody", at=1_767_323_045) for tag in range(TAGS))
            yield Record(f"{row % 1000:03}/{row:07}.jpg", _sha256(row), 640, 480, Split.TRAIN, labels)

    return Records(header, read)


def _state(row: int, tag: int) -> LabelState:
    drawn = (row * 31 + tag * 17) % 100
    return LabelState.POSITIVE if drawn < 10 else LabelState.UNKNOWN if drawn < 11 else LabelState.NEGATIVE


def _sha256(row: int) -> str:
    return hashlib.sha256(str(row).encode()).hexdigest()


def make_file(folder: Path, format: str, images: int) -> Path:
    EXPORTERS[format](records(images), FolderSink(folder))
    return folder / str(EXPORTERS[format].file)


def make_workspace(folder: Path, images: int) -> None:
    now = datetime.now(UTC)
    with Workspace.create(folder, Settings(device="cpu")) as workspace, workspace.transaction() as session:
        vocabulary.add_names(session, [f"tag {place:02}" for place in range(TAGS)])
        facts = {
            "byte_size": 1, "format": "JPEG", "mode": "RGB", "width": 640, "height": 480, "orientation": 1, "frames": 1,
            "perceptual_hash": 0, "near_duplicate_group": None, "given_split": None, "added_at": now,
        }  # fmt: skip
        rows = iter(range(images))
        while part := list(islice(rows, AT_ONCE)):
            session.execute(insert(Image), [{"row": row, "sha256": _sha256(row), **facts} for row in part])
            names = [{"uri": f"/photos/{row % 1000:03}/{row:07}.jpg", "image_row": row} for row in part]
            session.execute(insert(ImageFile), names)


def read_whole(path: Path, format: str, images: int) -> dict[str, Any]:
    began = _begin()
    found = open_labels(path, Problems(path), format)
    labels = sum(len(record.labels) for record in found.read())
    row = _row("read", format, images, began, path)
    assert labels == images * TAGS
    return row


def import_whole(path: Path, format: str, images: int, folder: Path) -> dict[str, Any]:
    make_workspace(folder, images)
    with Workspace.open(folder, Settings(device="cpu")) as workspace:
        began = _begin()
        writing: list[float] = []

        def watch(_done: int, _total: int, what: str) -> None:
            if what == "importing labels" and not writing:
                writing.append(time.perf_counter())

        report = import_records(workspace, path, ImportOptions(format), watch)
        row = _row("import", format, images, began, path, time.perf_counter() - writing[0])
        with workspace.reading() as session:
            kept = dict(session.execute(select(Label.state, func.count()).group_by(Label.state)).all())
    assert report.written == sum(kept.values()) == images * TAGS
    assert all(kept[LabelState[name.upper()]] == count for name, count in report.labels.items())
    return row


def _row(
    what: str, format: str, images: int, began: tuple[int, float, float], path: Path, locked: float | None = None
) -> dict[str, Any]:
    idle, wall, processor = began
    seconds, cpu = time.perf_counter() - wall, time.process_time() - processor
    return {
        "what": what,
        "format": format,
        "images": images,
        "seconds": round(seconds, 1),
        "locked_s": None if locked is None else round(locked, 1),
        "images_per_s": round(images / seconds),
        "images_per_cpu_s": round(images / cpu),
        "peak_mb_over_idle": round((process_kb("VmHWM") - idle) / 1024),
        "file_mb": round(path.stat().st_size / 1e6),
    }


def _begin() -> tuple[int, float, float]:
    """(kB in use now, wall clock, processor time); the peak is counted from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return process_kb("VmRSS"), time.perf_counter(), time.process_time()


def alone(work: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def main() -> None:
    arguments = options(__doc__ or "", lambda parser: parser.add_argument("--images", type=int, default=IMAGES))
    images = QUICK if arguments.quick else arguments.images
    rows = []
    for format in FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            path = make_file(Path(folder), format, images)
            rows.append(alone(read_whole, path, format, images))
            rows.append(alone(import_whole, path, format, images, Path(folder) / "workspace"))
            show("so far", rows)
    show("labels in", rows)
    write(arguments.json, {"formats": rows})


if __name__ == "__main__":
    main()
