"""The whole loop on every labelled pack: mAP over answers, against random order and zero-shot; what a round settles.

Held-out images are never asked about. "random" is the same loop with random picks, "bandit" with a
strategy chosen anew for each of twelve batches; zero-shot is the stand-in model's
suggestions before any answer (not CLIP: see the pack's README).
"""

import csv
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from annotator.learning.queries import BANDIT, DEFAULT
from annotator.services.simulating import Plan, simulate
from benchmarks.report import options, packs, show, write

SETTINGS: dict[str, dict[str, int]] = {
    "coco256": {"answers_per_step": 30, "budget": 90, "audits": 30},
    "grocery": {"answers_per_step": 100, "budget": 400, "audits": 200},
    "cifar10_votes": {"answers_per_step": 200, "budget": 600, "audits": 300},
    "corel5k": {"answers_per_step": 200, "budget": 600, "audits": 200},
}
SETTLED = (
    "images", "tags", "answered_images", "settled_positive", "settled_precision", "settled_negative", "missed",
    "missed_share", "seconds",
)  # fmt: skip
BATCHES = 12  # of the bandit, which learns from each
QUICK = {"coco256": {"answers_per_step": 30, "budget": 60, "audits": 30}}


def cifar10(data: Path, place: Path) -> tuple[Path, Path]:
    """The first 3,000 of the test images with their clean label; the other packs are folders already."""
    (place / "test").mkdir(parents=True)
    with zipfile.ZipFile(data / "cifar10_votes" / "images.zip") as archive:
        names = [name for name in sorted(archive.namelist()) if name.startswith("test/")][:3000]
        archive.extractall(place, names)
    with (data / "cifar10_votes" / "test_votes.csv").open() as source, (place / "labels.csv").open("w") as out:
        writer = csv.writer(out)
        writer.writerow(["file", "labels"])
        for row in list(csv.DictReader(source))[: len(names)]:
            writer.writerow([row["file"], row["label"]])
    return place / "test", place / "labels.csv"


def run(data: Path, pack: str, sizes: dict[str, int], backbone: str, strategy: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        images, truth = data / pack / "images", data / pack / "labels.csv"
        if pack == "cifar10_votes":
            images, truth = cifar10(data, Path(place))
        return simulate(Plan(images=images, truth=truth, backbone=backbone, strategy=strategy, seed=0, **sizes))


def main() -> None:
    chosen = options(__doc__ or "")
    data = packs()
    mobilenet = f"onnx:{data}/models/mobilenet_v2_imagenet.json"
    standin = f"open_clip:standin-mnv2@{data}/models/standin_openclip/standin-mnv2.pt"
    figures: dict[str, Any] = {}
    curve_rows, settled_rows = [], []
    for pack, sizes in (QUICK if chosen.quick else SETTINGS).items():
        picked = run(data, pack, sizes, mobilenet, DEFAULT)
        random = run(data, pack, {**sizes, "audits": 0}, mobilenet, "random")
        often = {"answers_per_step": max(10, sizes["budget"] // BATCHES), "audits": 0}
        bandit = run(data, pack, {**sizes, **often}, mobilenet, BANDIT)
        words = run(data, pack, {**sizes, "audits": 0}, standin, DEFAULT)
        figures[pack] = {"picked": picked, "random": random, "bandit": bandit, "text": words}
        write(chosen.json, figures)  # after each pack: the whole takes a while
        for one, other, text in zip(picked["curve"], random["curve"], words["curve"], strict=False):
            row = {
                "pack": pack,
                "answered images": one["answers"],
                "mAP picked": one["mAP"],
                "mAP random": other["mAP"],
                "mAP bandit": next(
                    (point["mAP"] for point in bandit["curve"] if point["answers"] >= one["answers"]), None
                ),
            }
            zero_shot = words["totals"]["zero_shot_mAP"]
            curve_rows.append({**row, "stand-in: zero-shot": zero_shot, "stand-in: trained": text["mAP"]})
        settled_rows.append({"pack": pack, **{name: picked["totals"][name] for name in SETTLED}})
    show("mAP on held-out images", curve_rows)
    show("One round after the answers above: what was settled, against the truth", settled_rows)


if __name__ == "__main__":
    main()
