"""Import speed: pictures a second, and what a second run over the same folder costs.

Beside it: the same files with plain Pillow in one process (decoded, two thumbnails encoded, nothing stored).
"""

import io
import shutil
import tempfile
import time
from pathlib import Path

from PIL import Image

from annotator.services.importing import import_pictures
from annotator.workspace import Workspace
from benchmarks.report import options, packs, show, write


def plain_pillow(files: list[Path]) -> float:
    began = time.perf_counter()
    for file in files:
        with Image.open(file) as picture:
            picture.load()
            for size in (1280, 320):
                small = picture.convert("RGB")
                small.thumbnail((size, size))
                small.save(io.BytesIO(), "JPEG", quality=82)
    return time.perf_counter() - began


def main() -> None:
    chosen = options(__doc__ or "")
    files = sorted((packs() / "corel5k" / "images").glob("*.jpg"))
    files += [] if chosen.quick else sorted((packs() / "coco256" / "images").glob("*.jpg"))
    files = files[: 500 if chosen.quick else 5000]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "pictures"
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        with Workspace.create(Path(place) / "workspace") as workspace:
            seconds = []
            for _ in range(2):
                began = time.perf_counter()
                report = import_pictures(workspace, [folder])
                seconds.append(time.perf_counter() - began)
        plain = plain_pillow(files)
    figures = {
        "pictures": len(files),
        "images_per_s": len(files) / seconds[0],
        "second_run_share": seconds[1] / seconds[0],
        "ratio_to_plain_pillow": seconds[0] / plain,
    }
    assert report.added == 0
    show(
        "Import of photos (192 x 128 and 320 px)",
        [
            {"run": "first", "seconds": seconds[0], "pictures/s": len(files) / seconds[0]},
            {"run": "second, nothing new", "seconds": seconds[1], "pictures/s": len(files) / seconds[1]},
            {"run": "plain Pillow, one process, nothing stored", "seconds": plain, "pictures/s": len(files) / plain},
        ],
    )
    write(chosen.json, figures)


if __name__ == "__main__":
    main()
