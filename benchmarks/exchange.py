"""Labels out at the size of a large project: python -m benchmarks.exchange [--quick] [--snapshots].

A workspace of 1,000,000 images and 20 tags, every tag of every image decided: four by a person, as rows of the store,
sixteen by a settled round, one of twenty images without any. Each format is written by `exporting.export`, in a
process of its own; seconds include collecting the labels from the store, and memory is the peak over that of the same
process with the workspace open and nothing done. The reconcile table of each export has to add up. The last rows are of
a frozen snapshot with its data card: made, compared with the store as it is now, restored as a new workspace.
Then the committed sample goes out and comes back by each format that can do both. With --snapshots only the rows of the
snapshot.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from annotator.arrays import write_array
from annotator.exporters import EXPORTERS
from annotator.importers.labels import LABEL_IMPORTERS
from annotator.services import exporting, frozen, picking, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.people import annotator_called
from annotator.services.restoring import restore
from annotator.services.round_trip import round_trips
from annotator.services.scripted import answer_from_truth, read_truth
from annotator.settings import Settings
from annotator.terms import LabelState, RoundStatus, TaskKind
from annotator.workspace import Workspace
from benchmarks import million
from benchmarks.report import options, process_kb, show, write
from db.models import Label, Model, Round

FORMATS = ("coco", "jsonl", "parquet")
TAGS, BY_PEOPLE = 20, 4
WITHOUT = 20  # one image of so many has no label
IMAGES, QUICK = 1_000_000, 100_000
SNAPSHOT = "benchmark"


def make(folder: Path, images: int) -> None:
    """The store, in bulk."""
    rng = np.random.default_rng(0)
    with million.make(folder, [Path("/photos/no-photo.jpg")], images, TAGS, 0, 0, answered=0) as workspace:
        now = datetime.now(UTC)
        settled = (rng.random((images, TAGS)) < 0.1).astype(np.int8)
        settled[:, :BY_PEOPLE] = LabelState.UNKNOWN
        settled[::WITHOUT] = LabelState.UNKNOWN
        write_array(workspace.round_file(1), settled)
        with workspace.transaction() as session:
            person = annotator_called(session, "somebody").id
            session.add(
                Model(
                    id=1, backbone="b", head="h", snapshot_hash="", tag_ids=[], labels_used=0, images_used=0,
                    metrics={}, in_use=False, verdict="", at=now,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Round(
                    number=1, status=RoundStatus.SETTLED, seed=0, pool_hash="", pool_size=images, model_id=1,
                    tag_ids=list(range(1, TAGS + 1)), targets={}, annotator_id=person, at=now, settled_at=now,
                )
            )  # fmt: skip
            session.flush()
            for part in million.parts(_answers(images, person, now)):
                session.execute(insert(Label), part)


def _answers(images: int, person: int, now: datetime) -> Iterator[dict[str, Any]]:
    for row in range(images):
        if row % WITHOUT:
            for tag in range(1, BY_PEOPLE + 1):
                yield {
                    "image_row": row, "tag_id": tag, "annotator_id": person, "state": LabelState((row + tag) % 3 - 1),
                    "kind": TaskKind.PICK, "round_number": None, "at": now,
                }  # fmt: skip


def write_out(folder: Path, format: str, target: Path) -> dict[str, Any]:
    """One export, and what it cost a process that did only this."""
    table, cost = _measured(folder, lambda workspace: exporting.export(workspace, format, target))
    for line in (table["images"], table["pairs"], *table["labels"]):
        assert line["store"] == line["written"] + sum(line["left out"].values())
    images, labels = table["images"]["written"], table["pairs"]["written"]
    return _row(format, images, labels, cost, target.stat().st_size)


def snapshot_create(folder: Path, images: int) -> dict[str, Any]:
    card, cost = _measured(folder, lambda workspace: frozen.create(workspace, SNAPSHOT))
    assert card["images"] == images
    size = sum(file.stat().st_size for file in (folder / "snapshots" / SNAPSHOT).rglob("*"))
    return _row("snapshot create", images, sum(card["labels"].values()), cost, size)


def snapshot_compare(folder: Path, images: int) -> dict[str, Any]:
    found, cost = _measured(folder, lambda workspace: frozen.compare(workspace, SNAPSHOT))
    assert found["same"]
    assert found["images"] == {"in both": images}
    return _row("snapshot compare", images, None, cost, None)


def snapshot_restore(folder: Path, images: int) -> dict[str, Any]:
    target = folder.with_name("restored")
    made, cost = _measured(folder, lambda workspace: restore(workspace, SNAPSHOT, target))  # raises for another hash
    assert made["images"] == images
    size = sum(file.stat().st_size for file in target.rglob("*"))
    shutil.rmtree(target)
    return _row("snapshot restore", images, None, cost, size)


def _measured(folder: Path, work: Callable[[Workspace], dict[str, Any]]) -> tuple[dict[str, Any], tuple[float, int]]:
    """What `work` says, and (its seconds, its peak of memory over idle in kB)."""
    with Workspace.open(folder, Settings(device="cpu")) as workspace:
        _ = workspace.project
        idle = process_kb("VmRSS")
        began = time.perf_counter()
        found = work(workspace)
        seconds = time.perf_counter() - began
    return found, (seconds, process_kb("VmHWM") - idle)


def _row(what: str, images: int, labels: int | None, cost: tuple[float, int], size: int | None) -> dict[str, Any]:
    seconds, peak = cost
    return {
        "format": what,
        "images": images,
        "labels": labels,
        "seconds": round(seconds, 1),
        "images_per_s": round(images / seconds),
        "peak_mb_over_idle": round(peak / 1024),
        "file_mb": None if size is None else round(size / 1e6),
    }


def alone(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def there_and_back(folder: Path) -> Iterator[dict[str, Any]]:
    """Each format that goes out and comes in: whether a fresh workspace that read it has the same snapshot hash."""
    samples = Path(__file__).parent.parent / "data_samples"
    with Workspace.create(folder, Settings(device="cpu")) as workspace:
        vocabulary.add_from_file(workspace, samples / "tags.yaml")
        import_pictures(workspace, [samples / "images"])
        picking.refill(workspace, 24, "random")
        answer_from_truth(workspace, read_truth(workspace, samples / "labels.csv"), "sample annotator", 24)
        for trip in round_trips(workspace, [name for name in EXPORTERS if name in LABEL_IMPORTERS]):
            same = trip.labels.get("same", 0)
            yield {
                "format": trip.format,
                "equal": trip.snapshot_equal,
                "labels the same": same,
                "other": sum(trip.labels.values()) - same,
                "loses": trip.loses or "nothing",
            }


def main() -> None:
    arguments = options(__doc__ or "", lambda parser: parser.add_argument("--snapshots", action="store_true"))
    images = QUICK if arguments.quick else IMAGES
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder) / "workspace"
        began = time.perf_counter()
        make(workspace, images)
        print(f"{images:,} images and {TAGS} tags made in {time.perf_counter() - began:.0f} s")
        rows = []
        for format in () if arguments.snapshots else FORMATS:
            target = Path(folder) / f"labels{EXPORTERS[format].suffix}"
            rows.append(alone(write_out, workspace, format, target))
            target.unlink()
        rows += [alone(work, workspace, images) for work in (snapshot_create, snapshot_compare, snapshot_restore)]
        show("exports and snapshots", rows)
        trips = [] if arguments.snapshots else list(there_and_back(Path(folder) / "sample"))
        if trips:
            show("there and back: the committed sample, half of it answered", trips)
        write(arguments.json, {"formats": rows, "round_trips": trips})


if __name__ == "__main__":
    main()
