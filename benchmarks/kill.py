"""kill -9 of import, embed and train at random moments: after resuming, the store must equal an undisturbed run.

Prints how many runs were killed in their work and whether everything was equal; ends with 1 where it was not.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from annotator.services import models
from annotator.services.embedding import current_backbone
from annotator.services.importing_labels import import_labels
from annotator.workspace import Workspace
from benchmarks.report import options, packs, show, write
from db.models import Image, ImageFile, RefusedFile


def annotator(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "annotator.cli", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def killed_until_done(arguments: list[str], kills: int, longest: float, rng: random.Random) -> int:
    """Run a command, killing its process group at random moments; then once to its end. How often it was killed."""
    count = 0
    for _ in range(kills):
        process = annotator(*arguments)
        try:
            process.wait(timeout=rng.uniform(0.05, longest))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            count += 1
    if annotator(*arguments).wait() != 0:
        raise SystemExit(f"resuming {arguments[0]} failed")
    return count


def fingerprint(folder: Path) -> dict[str, str]:
    """A hash of each part of the store that must be the same, times left out."""
    with Workspace.open(folder) as workspace, workspace.reading() as session:
        image = select(
            Image.row, Image.sha256, Image.width, Image.height, Image.perceptual_hash, Image.near_duplicate_group
        )
        parts: dict[str, Any] = {
            "images": session.execute(image.order_by(Image.row)).all(),
            "files": session.execute(select(ImageFile.uri, ImageFile.image_row).order_by(ImageFile.uri)).all(),
            "refused": session.execute(select(RefusedFile.uri, RefusedFile.reason).order_by(RefusedFile.uri)).all(),
            "thumbnails": sorted(
                (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
                for path in (workspace.folder / "thumbnails").rglob("*.jpg")
            ),
        }
        backbone = current_backbone(workspace)
        if backbone:
            parts["vectors"] = np.ascontiguousarray(workspace.embeddings(backbone).read()).tobytes()
        model = models.in_use(workspace)
        if model:
            parts["predictions"] = np.asarray(models.predictions(workspace, model)).tobytes()
            parts["head"] = sorted(
                (name, array.tobytes()) for name, array in models.load_arrays(workspace, model.id).items()
            )
    return {name: hashlib.sha256(repr(part).encode()).hexdigest()[:12] for name, part in parts.items()}


def prepare(folder: Path) -> None:
    Workspace.create(folder).close()


def timed(arguments: list[str]) -> float:
    began = time.perf_counter()
    if annotator(*arguments).wait() != 0:
        raise SystemExit(f"annotator {arguments[0]} failed")
    return time.perf_counter() - began


def main() -> None:
    chosen = options(__doc__ or "")
    data = packs()
    rng = random.Random(7)
    kills = 2 if chosen.quick else 10
    with tempfile.TemporaryDirectory() as place:
        pictures = Path(place) / "pictures"
        pictures.mkdir()
        for file in sorted((data / "corel5k" / "images").glob("*.jpg"))[: 300 if chosen.quick else 2000]:
            (pictures / file.name).write_bytes(file.read_bytes())
        (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
        calm, rough = Path(place) / "calm", Path(place) / "rough"
        prepare(calm)
        prepare(rough)
        rows = []
        for verb, rest in (("import", [str(pictures)]), ("embed", []), ("train", [])):
            if verb == "train":
                for folder in (calm, rough):
                    answer(folder, data, pictures)
            longest = timed([verb, "-w", str(calm), *rest])
            count = killed_until_done([verb, "-w", str(rough), *rest], kills, longest, rng)
            before, after = fingerprint(calm), fingerprint(rough)
            rows.append(
                {"verb": verb, "undisturbed s": longest, "killed": count, "of runs": kills, "equal": before == after}
            )
            if before != after:
                rows[-1]["differs in"] = ", ".join(name for name in before if before[name] != after[name])
        show("kill -9 at random moments, then resumed", rows)
    write(chosen.json, {"runs": rows, "equal": all(row["equal"] for row in rows)})
    sys.exit(0 if all(row["equal"] for row in rows) else 1)


def answer(folder: Path, data: Path, pictures: Path) -> None:
    """The pack's labels as the truth of the pictures in the workspace."""
    labels = (data / "corel5k" / "labels.csv").read_text().replace("images/", f"{pictures}/")
    file = folder / "labels.csv"
    file.write_text(labels)
    with Workspace.open(folder) as workspace:
        import_labels(workspace, file, as_truth=True)


if __name__ == "__main__":
    main()
