"""Rounds on a workspace of 1,000,000 images and 100 tags: python -m benchmarks.rounds_at_scale [--quick].

Made of rows and arrays; the model's probabilities are those of scores whose classes lie 3.3 standard deviations apart
(AUC 0.99), at prevalences of 1 to 10 %; 1,000 images are answered on all tags. Seconds and peak memory, each step in a
process of its own: propose a round for all tags (which asks the first draws too); the next draws of one tag, as Verify
asks for them (`ask_further`) after a page of 60 was answered; recompute the round bit for bit; roll it back.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit
from sqlalchemy import insert

from annotator.arrays import write_array
from annotator.services import labelling, models, round_replay, rounds, tasks
from annotator.settings import Settings
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from benchmarks import million
from benchmarks.report import options, show, write
from db.models import Label, Model

ANSWERED, APART = 1_000, 3.3
SIZES, QUICK = (1_000_000, 100), (50_000, 20)
TAG = 5


def make(folder: Path, images: int, tags: int) -> None:
    with million.make(folder, [Path("no-photo")], images, tags, 0, 0, answered=0) as workspace:
        rng = np.random.default_rng(1)
        prevalence = np.geomspace(0.01, 0.1, tags)
        truth = np.lib.format.open_memmap(folder / "truth.npy", "w+", np.int8, (images, tags))
        probabilities = np.empty((images, tags), np.float32)
        for tag, share in enumerate(prevalence.tolist()):
            truth[:, tag] = rng.random(images) < share
            z = rng.standard_normal(images, np.float32) + APART * truth[:, tag]
            probabilities[:, tag] = expit(APART * z - APART**2 / 2 + np.log(share / (1 - share)))
        write_array(workspace.predictions_file(1), probabilities)
        models.save_arrays(workspace, 1, {"slope": np.ones(tags)}, {})
        now = datetime.now(UTC)
        with workspace.transaction() as session:
            person = million.annotator_called(session, "somebody").id
            session.add(
                Model(
                    id=1, backbone="descriptor@1", head="text_anchored", snapshot_hash="",
                    metrics={"answered_images": 0}, tag_ids=list(range(1, tags + 1)),
                    labels_used=0, images_used=0, in_use=True, verdict="", at=now,
                )
            )  # fmt: skip
            for row in range(ANSWERED):
                answers = [
                    {
                        "image_row": row, "tag_id": tag + 1, "annotator_id": person, "kind": TaskKind.PICK,
                        "state": LabelState(int(truth[row, tag])), "round_number": None, "at": now,
                    }
                    for tag in range(tags)
                ]  # fmt: skip
                session.execute(insert(Label), answers)


def propose(workspace: Workspace) -> None:
    rounds.propose(workspace, "somebody", whole_images=0)


def answer_page(workspace: Workspace) -> None:
    """The page of 60 that the next step follows; not timed."""
    truth = np.load(workspace.folder / "truth.npy", mmap_mode="r")
    claimed = tasks.claim(workspace, "somebody", TAG, 60)
    said = [(task.image_row, TAG, LabelState(int(truth[task.image_row, TAG - 1]))) for task in claimed]
    labelling.set_labels(workspace, "somebody", said, TaskKind.AUDIT)


def ask_further(workspace: Workspace) -> None:
    assert rounds.ask_further(workspace, TAG)


def recompute(workspace: Workspace) -> None:
    assert round_replay.replay(workspace, 1)["same"]


def roll_back(workspace: Workspace) -> None:
    rounds.roll_back(workspace, 1)


def measured(folder: Path, step: Callable[[Workspace], None]) -> tuple[float, float]:
    """Seconds, and the peak memory in MB of a process that did only this."""
    with Workspace.open(folder, Settings(device="cpu")) as workspace:
        began = time.perf_counter()
        step(workspace)
        seconds = time.perf_counter() - began
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(folder: Path, step: Callable[[Workspace], None]) -> tuple[float, float]:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(measured, folder, step).result()


def main() -> None:
    chosen = options(__doc__ or "")
    images, tags = QUICK if chosen.quick else SIZES
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "workspace"
        make(folder, images, tags)
        steps = (
            ("propose for all tags", propose, True),
            ("answer a page", answer_page, False),
            ("the next draws of a tag", ask_further, True),
            ("recompute", recompute, True),
            ("roll back", roll_back, True),
        )
        for name, step, counts in steps:
            seconds, megabytes = alone(folder, step)
            if counts:
                rows.append({"step": name, "seconds": seconds, "peak MB": round(megabytes)})
    show(f"{images:,} images x {tags} tags", rows)
    write(chosen.json, {"images": images, "tags": tags, "steps": rows})


if __name__ == "__main__":
    main()
