"""The real loop with a scripted annotator: the same services as the app, and a report of what it brought."""

import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import MissingError, UsageError
from annotator.importers.tables import read_labels
from annotator.learning import metrics
from annotator.learning.splits import assign_splits
from annotator.progress import Progress, silent
from annotator.services import cascading, embedding, models, picking, rounds, suggesting, training, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.scripted import Truth, answer_audits_from_truth, answer_from_truth, read_truth
from annotator.services.snapshots import take
from annotator.snapshot import SPLIT_CODES, Snapshot
from annotator.terms import LabelState, Origin, Split
from annotator.workspace import Workspace
from db.models import Image

ANNOTATOR = "scripted annotator"
VALIDATION_SHARE = 0.15  # of the images that are not held out


@dataclass(frozen=True)
class Plan:
    images: Path
    truth: Path
    backbone: str = "descriptor"
    strategy: str = "facility_location"
    answers_per_step: int = 50
    """Images answered, each on all tags, between two trainings."""
    budget: int = 500
    """Images answered in all, before the round."""
    seed: int = 0
    audits: int = 300
    """Images answered to prove a round; 0 leaves the round out."""
    cascade: str | None = None
    """After that, on the same images and from nothing: every label by this rule of `annotator.learning.settling`."""


def simulate(plan: Plan, folder: Path | None = None, progress: Progress = silent) -> dict[str, Any]:
    """Run the loop of `plan` in a workspace that is thrown away, or kept in `folder`.

    Images of the test split (of the truth file, else a tenth) are never asked about: they measure mAP and F1.
    """
    if folder is not None and folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; name a new folder for the simulation's workspace")
    holder = nullcontext(str(folder)) if folder else tempfile.TemporaryDirectory(prefix="annotator-")
    with holder as place, Workspace.create(Path(place)) as workspace:
        workspace.change_project(seed=plan.seed, strategy=plan.strategy)
        began = time.monotonic()
        truth = _prepare(workspace, plan, progress)
        held_out = np.array([row for row, split in truth.splits.items() if split == Split.TEST], np.int64)
        zero_shot = _quality_of_suggestions(workspace, truth, held_out)
        curve = _loop(workspace, plan, truth, held_out, began, progress)
        settled = _round(workspace, plan, truth) if plan.audits and curve else []
        snapshot = take(workspace)
        whole = {"cascade": cascading.cascade(workspace, truth, plan.cascade)} if plan.cascade else {}
        return {
            "settings": {name: str(value) for name, value in vars(plan).items()},
            "curve": curve,
            "rounds": settled,
            **whole,
            "totals": _totals(snapshot, truth, curve, settled, zero_shot, time.monotonic() - began),
        }


def _prepare(workspace: Workspace, plan: Plan, progress: Progress) -> Truth:
    """Vocabulary, pictures, vectors and splits."""
    names = sorted({label for row in read_labels(plan.truth, []) for label in row.labels})
    with workspace.transaction() as session:
        vocabulary.add_names(session, names)
    report = import_pictures(workspace, [plan.images], progress=progress)
    if not report.added:
        raise UsageError(
            f"{plan.images}: no picture could be imported; {'; '.join(report.refused[:3]) or 'it has none'}"
        )
    embedding.embed(workspace, plan.backbone, progress)
    truth = read_truth(workspace, plan.truth)
    splits = _splits(take(workspace), truth)
    with workspace.transaction() as session:
        for row, split in splits.items():
            image = session.get_one(Image, row)
            image.given_split = split.value
    suggesting.refresh(workspace, progress)
    return Truth(truth.labels, truth.tag_ids, splits)


def _splits(snapshot: Snapshot, truth: Truth) -> dict[int, Split]:
    """The truth file's test images, else its validation images, else the derived ones, are held out; a share of the
    others measures during the run.

    Images without truth are test images that measure nothing: nobody could answer for them.
    """
    groups = [snapshot.sha256[group] for group in snapshot.groups.tolist()]
    rest = assign_splits(groups, {"train": 1 - VALIDATION_SHARE, "validation": VALIDATION_SHARE})
    known = (truth.labels != LabelState.UNKNOWN).any(axis=1)
    given = next((split for split in (Split.TEST, Split.VALIDATION) if split in truth.splits.values()), None)
    splits = {}
    for row in range(len(snapshot)):
        is_test = truth.splits.get(row) == given if given else SPLIT_CODES[snapshot.splits[row]] == Split.TEST
        splits[row] = Split.TEST if is_test or not known[row] else SPLIT_CODES[rest[row]]
    return splits


def _loop(
    workspace: Workspace, plan: Plan, truth: Truth, held_out: NDArray[np.int64], began: float, progress: Progress
) -> list[dict[str, Any]]:
    """Pick, answer, train, measure; one point of the curve a step."""
    curve: list[dict[str, Any]] = []
    answered = 0
    while answered < plan.budget:
        wanted = min(plan.answers_per_step, plan.budget - answered)
        picking.refill(workspace, wanted)
        new = answer_from_truth(workspace, truth, ANNOTATOR, wanted)
        if not new:
            break
        answered += new
        progress(answered, plan.budget, "answering")
        try:
            report = training.train(workspace)
        except MissingError:
            continue  # too few of these answers may train so far: some were drawn to measure
        suggesting.refresh(workspace)
        figures = _held_out_figures(workspace, truth, held_out)
        curve.append(
            {"answers": answered, "labels": report.labels, "seconds": round(time.monotonic() - began, 2), **figures}
        )
    return curve


def _held_out_figures(workspace: Workspace, truth: Truth, held_out: NDArray[np.int64]) -> dict[str, float]:
    """mAP and micro F1 of what the app shows, all sources fused, and the mAP of the model alone."""
    board = suggesting.current(workspace)
    assert board is not None, "suggestions were refreshed a moment ago"
    fused, labels = np.asarray(board.scores[held_out], np.float32), truth.labels[held_out]
    alone = np.asarray(models.predictions(workspace, models.required(workspace))[held_out])
    return {
        "mAP": round(metrics.mean_average_precision(fused, labels), 4),
        "f1": round(metrics.micro_f1(fused, labels), 4),
        "model_mAP": round(metrics.mean_average_precision(alone, labels), 4),
    }


def _quality_of_suggestions(workspace: Workspace, truth: Truth, held_out: NDArray[np.int64]) -> float | None:
    """mAP of the suggestions before any answer; None where no source speaks without answers."""
    board = suggesting.current(workspace)
    if board is None or not embedding.has_texts(workspace):
        return None
    scores = np.asarray(board.scores[held_out], np.float32)
    return round(metrics.mean_average_precision(scores, truth.labels[held_out]), 4)


def _round(workspace: Workspace, plan: Plan, truth: Truth) -> list[dict[str, Any]]:
    """Propose, answer the audits, settle, and hold what was settled against the truth."""
    rounds.propose(workspace, ANNOTATOR, leave_out=Split.TEST, whole_images=plan.audits)
    answer_audits_from_truth(workspace, truth, ANNOTATOR, plan.audits)
    rounds.settle(workspace)
    snapshot = take(workspace)
    results = []
    for column, tag in enumerate(snapshot.tags):
        by_round = snapshot.origins[:, column] == Origin.ROUND
        yes = by_round & (snapshot.labels[:, column] == LabelState.POSITIVE)
        no = by_round & (snapshot.labels[:, column] == LabelState.NEGATIVE)
        right = truth.labels[:, truth.tag_ids.index(tag.id)] == LabelState.POSITIVE
        results.append(
            {
                "tag": tag.name,
                "settled_positive": int(yes.sum()),
                "precision": round(float(right[yes].mean()), 4) if yes.any() else None,
                "settled_negative": int(no.sum()),
                "missed": int((right & no).sum()),
            }
        )
    return results


def _totals(
    snapshot: Snapshot,
    truth: Truth,
    curve: list[dict[str, Any]],
    settled: list[dict[str, Any]],
    zero_shot: float | None,
    seconds: float,
) -> dict[str, Any]:
    yes, no = sum(tag["settled_positive"] for tag in settled), sum(tag["settled_negative"] for tag in settled)
    right = sum(round(tag["precision"] * tag["settled_positive"]) for tag in settled if tag["settled_positive"])
    missed = sum(tag["missed"] for tag in settled)
    return {
        "images": len(snapshot),
        "tags": len(snapshot.tags),
        "held_out_images": sum(split == Split.TEST for split in truth.splits.values()),
        "answered_images": int((snapshot.origins == Origin.HUMAN).any(axis=1).sum()),
        "human_labels": int((snapshot.origins == Origin.HUMAN).sum()),
        "zero_shot_mAP": zero_shot,
        "final_mAP": curve[-1]["mAP"] if curve else None,
        "settled_positive": yes,
        "settled_precision": round(right / yes, 4) if yes else None,
        "settled_negative": no,
        "missed": missed,
        "missed_share": round(missed / no, 6) if no else None,
        "seconds": round(seconds, 2),
    }
