"""Labels that models of other folds contradict, tags that are likely missing, near-duplicates that differ, leaks.

Out of fold: five temporary models, each of four fifths of the answered near-duplicate groups, say what they think of
the images they never saw. They rank suspects and are thrown away; nothing is measured with them.
"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.backbones import resolve_device
from annotator.errors import MissingError
from annotator.learning import metrics
from annotator.learning.cross_fitting import FOLDS, out_of_fold
from annotator.learning.fit import fit_head
from annotator.learning.heads import HEADS
from annotator.learning.label_errors import (
    conflicting_duplicates,
    likely_errors,
    lowest,
    missing_tags,
    self_confidence,
    split_leaks,
)
from annotator.progress import Progress, silent
from annotator.services import tiles, training
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.image_facts import names_of
from annotator.services.label_error_file import Suspect, read_all, write
from annotator.services.review_causes import wrong_given
from annotator.services.review_pairs import majority, votes_on
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.snapshot import SPLIT_CODES, Snapshot
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Review, Tag

FEWEST_IMAGES = 20
MOST_SUSPECTS, MOST_MISSING = 5000, 1000
RESAMPLES, SHARE = 200, 0.9
Labels = NDArray[np.int8]


@needs(Right.TRAIN)
def find(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Look for label errors among people's labels and leave them for the Review queue (cause `label_error`).

    Returns how many of each kind were found. Raises MissingError without embeddings or with too few answers.
    """
    snapshot, vectors, options = _material(workspace)
    labels = snapshot.by_people()[: len(vectors)]
    rows = np.flatnonzero((labels != LabelState.UNKNOWN).any(axis=1))
    if len(rows) < FEWEST_IMAGES:
        raise MissingError(
            f"{len(rows)} answered images; label errors show from {FEWEST_IMAGES} on: answer more in Label"
        )
    progress(0, 2, "models of other folds")
    rng = np.random.default_rng(workspace.project.seed)
    known, groups = labels[rows], snapshot.groups[rows]
    p = out_of_fold(vectors[rows], known, groups, rng, folds=FOLDS, calibrated=True, **options)
    progress(1, 2, "ranking")
    suspects = [*_contradicted(snapshot, rows, known, p), *_missing(snapshot, rows, known, p)]
    twins = _differing(snapshot, labels)
    leaks = split_leaks(snapshot.groups, snapshot.splits).tolist()
    counts = {
        "suspects": sum(one.kind == "contradicted" for one in suspects),
        "missing": sum(one.kind == "missing" for one in suspects),
        "near-duplicates": len(twins), "leaks": len(leaks), "images": len(rows),
    }  # fmt: skip
    splits = [SPLIT_CODES[code].value for code in snapshot.splits[leaks].tolist()]
    leaking = [
        {"image": row, "group": int(snapshot.groups[row]), "split": split}
        for row, split in zip(leaks, splits, strict=True)
    ]
    note = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "snapshot": snapshot.hash, "counts": counts}
    write(workspace, {**note, "suspects": [asdict(one) for one in (*suspects, *twins)], "leaks": leaking})
    progress(2, 2, "ranking")
    return counts


def report(workspace: Workspace, most: int = 50) -> dict[str, Any]:
    """What the last search found, the likeliest errors first, with the comparison of before and after the fixes."""
    found = read_all(workspace)
    if found is None:
        raise MissingError(f"nobody looked for label errors yet; do: annotator label-errors -w {workspace.folder}")
    return {**found, "suspects": found["suspects"][:most], "comparison": compare(workspace)}


@needs(Right.REVIEW, logged=False)
def latest(workspace: Workspace, most: int = 200) -> dict[str, Any] | None:
    """What the last search found, for people to read; None before the first.

    `at`, `counts`; `suspects` {name, tag, label, chance, why, kind}, the likeliest first, at most `most` of them;
    `leaks` {name, group, split}: near-duplicates that lie in more than one split.
    """
    found = read_all(workspace)
    if found is None:
        return None
    likely = sorted(found["suspects"], key=lambda one: -one["chance"])[:most]
    with workspace.reading() as session:
        names = names_of(session, [*(one["row"] for one in likely), *(one["image"] for one in found["leaks"])])
        tags = dict(session.execute(select(Tag.id, Tag.name)).all())
    suspects = [
        {
            "name": names[one["row"]], "tag": tags[one["tag_id"]], "label": LabelState(one["state"]).name.lower(),
            "chance": round(one["chance"], 3), "why": one["words"], "kind": one["kind"],
        }
        for one in likely
    ]  # fmt: skip
    leaks = [{"name": names[one["image"]], "group": one["group"], "split": one["split"]} for one in found["leaks"]]
    return {"at": found["at"], "counts": found["counts"], "suspects": suspects, "leaks": leaks}


def compare(workspace: Workspace) -> dict[str, Any]:
    """A model of the labels before the reviewers' fixes and one after, on the same held-out answers.

    `fixes`: training labels that a review changed. mAP of both, the difference, and between which values it lies in
    nine of ten resamples of the held-out images (paired bootstrap, Efron 1979); None without held-out positives.
    """
    snapshot, vectors, options = _material(workspace)
    data = training.training_set(workspace, snapshot, len(vectors))
    before = _before_reviews(workspace, snapshot, data)
    fixes = int((before != data.train_labels).sum())
    if not fixes or not len(data.held_rows):
        return {"fixes": fixes, "before": None, "after": None, "difference": None, "low": None, "high": None}
    scores, name = [], options.pop("head")
    for labels in (before, data.train_labels):
        head, _ = fit_head(name, vectors[data.train_rows], labels, **options)
        scores.append(head.logits(vectors[data.held_rows]))
    gains = np.array(list(_resampled(scores[0], scores[1], data.held_labels, workspace.project.seed)))
    figures = [metrics.mean_average_precision(score, data.held_labels) for score in scores]
    low, high = np.nanquantile(gains, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    named = {"before": figures[0], "after": figures[1], "difference": figures[1] - figures[0], "low": low, "high": high}
    return {"fixes": fixes, **{name: round(float(value), 4) for name, value in named.items()}}


def _material(workspace: Workspace) -> tuple[Snapshot, NDArray[Any], dict[str, Any]]:
    """The labels now, the vectors, and what fits a head of the project's kind; tiles are left out."""
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    vectors, snapshot, project = workspace.embeddings(backbone).read(), take(workspace), workspace.project
    needs_tiles = tiles.of_head(workspace, project.head, backbone, len(vectors)) is not None
    options = {
        "head": next(iter(HEADS)) if needs_tiles else project.head, "loss": project.loss,
        "texts": text_vectors(workspace, snapshot.tags), "device": resolve_device(workspace.settings.device),
    }  # fmt: skip
    return snapshot, vectors, options


def _contradicted(
    snapshot: Snapshot, rows: NDArray[np.int64], labels: Labels, p: NDArray[np.float32]
) -> Iterator[Suspect]:
    entries = lowest(self_confidence(labels, p), likely_errors(labels, p))
    for image, tag, score in list(zip(*(part.tolist() for part in entries), strict=True))[:MOST_SUSPECTS]:
        state = LabelState(int(labels[image, tag]))
        said = "present" if state == LabelState.POSITIVE else "absent"
        words = f"labelled {said}, models that never saw it {p[image, tag]:.0%}"
        yield Suspect(
            int(rows[image]), snapshot.tags[tag].id, int(state), wrong_given(1 - score), words, "contradicted"
        )


def _missing(snapshot: Snapshot, rows: NDArray[np.int64], labels: Labels, p: NDArray[np.float32]) -> Iterator[Suspect]:
    entries = missing_tags(labels, p)
    for image, tag, score in list(zip(*(part.tolist() for part in entries), strict=True))[:MOST_MISSING]:
        words = f"nobody said whether it shows; models that never saw it {score:.0%}"
        yield Suspect(int(rows[image]), snapshot.tags[tag].id, int(LabelState.UNKNOWN), float(score), words, "missing")


def _differing(snapshot: Snapshot, labels: Labels) -> list[Suspect]:
    """The minority of each group of near-duplicates that has a tag on one image and not on another; all in a tie."""
    found, suspects = conflicting_duplicates(labels, snapshot.groups[: len(labels)]), list[Suspect]()
    for group, tag, yes, no in zip(
        *(part.tolist() for part in (found.groups, found.tags, found.positives, found.negatives)), strict=True
    ):
        fewer = [state for state, count in ((1, yes), (0, no)) if count == min(yes, no)]
        members = np.flatnonzero((snapshot.groups[: len(labels)] == group) & np.isin(labels[:, tag], fewer))
        for row in members.tolist():
            words = f"of its near-duplicates {yes} show it and {no} do not"
            chance = (min(yes, no) + 1) / (yes + no + 2) if yes != no else 0.5
            suspects.append(Suspect(row, snapshot.tags[tag].id, int(labels[row, tag]), chance, words, "near-duplicate"))
    return suspects


def _before_reviews(workspace: Workspace, snapshot: Snapshot, data: training.TrainingSet) -> Labels:
    """(n, C) the training labels as people alone gave them."""
    labels = data.train_labels.copy()
    place = {row: number for number, row in enumerate(data.train_rows.tolist())}
    column = {tag.id: number for number, tag in enumerate(snapshot.tags)}
    with workspace.reading() as session:
        reviews = session.execute(select(Review.image_row, Review.tag_id)).all()
        pairs = [(row, tag) for row, tag in reviews if row in place and tag in column]
        said = votes_on(session, pairs)
    for row, tag in pairs:
        if labels[place[row], column[tag]] != LabelState.UNKNOWN:
            labels[place[row], column[tag]] = (
                majority(said[row, tag]).state if (row, tag) in said else LabelState.UNKNOWN
            )
    return labels


def _resampled(before: NDArray[Any], after: NDArray[Any], labels: Labels, seed: int) -> Iterator[float]:
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(labels), len(labels))
        one, other = (metrics.mean_average_precision(scores[rows], labels[rows]) for scores in (before, after))
        yield float(other - one)
