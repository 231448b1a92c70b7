"""What tuning the image tower brings: python -m benchmarks.fine_tuning [--quick] [--json FILE].

The whole way a person goes: import, answer, embed, train, fine-tune, embed with the tuned tower, train again. The same
answers train the default head on the vectors of the frozen and of the tuned tower; mAP of both on test images that
nobody answered. The small stand-in model of the packs' folder was distilled from the packs' train parts, so the test
images are those of the other parts. A sixth of the train part measures: it chooses the epoch and the head's penalty.
The stand-in's tower is a MobileNetV2, no CLIP and no transformer: `lora` cannot be measured on it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from annotator.backbones.fine_tuning import TuningSettings
from annotator.importers.tables import read_labels
from annotator.learning.metrics import mean_average_precision
from annotator.services import embedding, labelling, models, training, vocabulary
from annotator.services.fine_tuning import fine_tune
from annotator.services.importing import import_pictures
from annotator.services.scripted import Truth, read_truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Split
from annotator.workspace import Workspace
from benchmarks.packs import STANDIN
from benchmarks.report import console_progress, options, packs, show, write
from db.models import Image

BLOCKS = {"coco256": (2, 6), "grocery": (2,)}
EPOCHS = 6
MEASURING = 1 / 6
AT_ONCE = 20_000  # labels in one transaction


def prepare(workspace: Workspace, name: str) -> tuple[Truth, NDArray[np.int64]]:
    """Pictures, answers and vectors of the frozen tower; the truth and the test rows."""
    folder = packs() / name
    with workspace.transaction() as session:
        names = {label for row in read_labels(folder / "labels.csv", []) for label in row.labels}
        vocabulary.add_names(session, sorted(names))
    import_pictures(workspace, [folder / "images"])
    truth = read_truth(workspace, folder / "labels.csv")
    splits = split(workspace, truth)
    with workspace.transaction() as session:
        for row, chosen in enumerate(splits):
            session.get_one(Image, row).given_split = chosen.value
    answered = [row for row, chosen in enumerate(splits) if chosen != Split.TEST]
    answers = [
        (row, tag, LabelState(int(truth.labels[row, column])))
        for row in answered
        for column, tag in enumerate(truth.tag_ids)
    ]
    for start in tqdm(range(0, len(answers), AT_ONCE), desc="answering", leave=False):
        labelling.set_labels(workspace, "truth", answers[start : start + AT_ONCE])
    with console_progress("embedding") as progress:
        embedding.embed(workspace, STANDIN.format(data=packs()), progress)
    return truth, np.array([row for row, chosen in enumerate(splits) if chosen == Split.TEST])


def split(workspace: Workspace, truth: Truth) -> list[Split]:
    """The pack's train part trains, but for a sixth of its near-duplicate groups that measures; the rest tests."""
    groups = take(workspace).groups
    rng = np.random.default_rng(7)
    measuring = {int(group): bool(rng.random() < MEASURING) for group in np.unique(groups)}
    splits = []
    for row, group in enumerate(groups.tolist()):
        if truth.splits.get(row) != Split.TRAIN:
            splits.append(Split.TEST)
        else:
            splits.append(Split.VALIDATION if measuring[group] else Split.TRAIN)
    return splits


def measured(workspace: Workspace, truth: Truth, test: NDArray[np.int64]) -> float:
    """mAP of the model in use on the test images."""
    said = models.predictions(workspace, models.required(workspace))[test]
    return mean_average_precision(np.asarray(said), truth.labels[test])


def run(name: str, counts: tuple[int, ...], epochs: int) -> Iterator[dict[str, Any]]:
    """One row for each number of blocks, each from the frozen tower on."""
    with tempfile.TemporaryDirectory() as place, Workspace.create(Path(place) / "w") as workspace:
        truth, test = prepare(workspace, name)
        for blocks in counts:
            embedding.embed(workspace, STANDIN.format(data=packs()))
            training.train(workspace)
            frozen = measured(workspace, truth, test)
            with console_progress("fine-tuning") as progress:
                report = fine_tune(workspace, TuningSettings(blocks=blocks, epochs=epochs), progress=progress)
            tuned = None
            if report.backbone is not None:
                embedding.embed(workspace, report.backbone)
                training.train(workspace)
                tuned = measured(workspace, truth, test)
            yield {
                "pack": name,
                "blocks": blocks,
                "trained on": report.images,
                "held out": report.held_out_images,
                "test images": len(test),
                "loss before": report.loss_before,
                "loss after": report.loss_after,
                "epochs": report.epochs,
                "best": report.best_epoch,
                "test mAP, frozen": frozen,
                "test mAP, tuned": tuned,
                "s": round(report.seconds),
            }


def main() -> None:
    chosen = options(__doc__ or "")
    runs, epochs = ({"coco256": (2,)}, 1) if chosen.quick else (BLOCKS, EPOCHS)
    rows: list[dict[str, Any]] = []
    for name, blocks in runs.items():
        for row in run(name, blocks, epochs):
            rows.append(row)
            write(chosen.json, {"rows": rows})
    show("last_blocks: the default head on frozen and on tuned vectors", rows)


if __name__ == "__main__":
    main()
