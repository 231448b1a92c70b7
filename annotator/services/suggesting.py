"""Suggestions: every source's scores, fused, each with its origin. Arrays in the workspace, never labels."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_array, write_whole
from annotator.errors import MissingError
from annotator.learning import metrics
from annotator.learning.tag_tree import parent_places, raise_parents
from annotator.progress import Progress, silent
from annotator.scoring import SCORERS, ScoringInput
from annotator.scoring.fusion import ORIGINS, fit_fusion
from annotator.services import imported_arrays, models, tiles
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Split, SuggestionOrigin
from annotator.workspace import Workspace
from db.models import Model

BEST = 4000  # rows kept per tag in the order of their scores: more than a person verifies of one tag between trainings
PART = 500


@dataclass(frozen=True)
class Suggestion:
    tag_id: int
    tag: str
    score: float
    """Between 0 and 1; after the first training a calibrated probability."""
    origin: SuggestionOrigin
    """The source that spoke loudest."""


@dataclass(frozen=True)
class Board:
    """The fused scores of all images and tags.

    scores (N, C) float16 in [0, 1]; origins (N, C) int8, index into ORIGINS; the columns are `tag_ids`.
    best (C, K) int32: rows with the highest scores of each tag, best first: a page needs no pass over all images.
    """

    scores: NDArray[np.float16]
    origins: NDArray[np.int8]
    best: NDArray[np.int32]
    tag_ids: tuple[int, ...]
    tag_names: tuple[str, ...]
    model_id: int | None
    mean_average_precision: dict[str, float]
    """Of each source alone and of the fusion, on held-out answers; empty before there are any."""

    def ranked(self, row: int, most: int | None = None) -> list[Suggestion]:
        """The (`most`) likeliest tags of an image, best first; none for an image that came after the last scoring."""
        if row >= len(self.scores):
            return []
        scores = self.scores[row].astype(np.float32)
        order = np.argsort(-scores, kind="stable")[:most]
        return [
            Suggestion(
                self.tag_ids[place], self.tag_names[place], float(scores[place]), ORIGINS[self.origins[row, place]]
            )
            for place in order.tolist()
        ]

    def suggestion(self, row: int, tag_id: int) -> Suggestion | None:
        """One tag on one image; None where it was not scored."""
        if row >= len(self.scores) or tag_id not in self.tag_ids:
            return None
        place = self.tag_ids.index(tag_id)
        origin = ORIGINS[self.origins[row, place]]
        return Suggestion(tag_id, self.tag_names[place], float(self.scores[row, place]), origin)

    def likely(self, tag_id: int) -> Iterator[list[int]]:
        """All rows, those with the highest scores of a tag first, in lists: the first ones cost next to nothing."""
        if tag_id not in self.tag_ids:
            return
        place = self.tag_ids.index(tag_id)
        best = self.best[place]
        for start in range(0, len(best), PART):
            yield best[start : start + PART].tolist()
        if len(best) < len(self.scores):
            column = np.asarray(self.scores[:, place], np.float32)
            order = np.lexsort((np.arange(len(column)), -column))
            rest = order[~np.isin(order, best)]
            for start in range(0, len(rest), PART):
                yield rest[start : start + PART].tolist()

    def best_images(self, tag_id: int, count: int) -> list[int]:
        """The `count` rows with the highest scores of a tag, best first."""
        return list(islice(chain.from_iterable(self.likely(tag_id)), count))


def refresh(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Score all embedded images anew from every source that has something to say, and keep the result."""
    snapshot = take(workspace)
    progress(0, 3, "scoring")
    scores, origins, quality, model_id = _fused(workspace, snapshot, progress)
    progress(2, 3, "scoring")
    folder = workspace.folder / "suggestions" / uuid.uuid4().hex[:12]
    stored = scores.astype(np.float16)
    write_array(folder / "scores.npy", stored)
    write_array(folder / "origins.npy", origins)
    write_array(folder / "best.npy", best_rows(stored))
    note = {
        "folder": folder.name,
        "tag_ids": [tag.id for tag in snapshot.tags],
        "tag_names": [tag.name for tag in snapshot.tags],
        "model_id": model_id,
        "mean_average_precision": quality,
    }
    write_whole(_pointer(workspace), json.dumps(note).encode())
    for old in folder.parent.iterdir():
        if old.is_dir() and old != folder:
            shutil.rmtree(old, ignore_errors=True)
    progress(3, 3, "scoring")
    return {"images": len(scores), "tags": len(snapshot.tags), "sources": quality, "model": model_id}


def best_rows(scores: NDArray[np.floating[Any]], most: int = BEST) -> NDArray[np.int32]:
    """(C, min(N, most)) rows of the highest `scores` (N, C) of each tag, best first; of equals the first row."""
    count = min(len(scores), most)
    best = np.empty((scores.shape[1], count), np.int32)
    for place in range(scores.shape[1]):
        column = np.asarray(scores[:, place], np.float32)
        # All that are no worse than the last one taken: of equals the first rows stay.
        least = np.partition(column, len(column) - count)[len(column) - count] if count else 0.0
        top = np.flatnonzero(column >= least)
        best[place] = top[np.lexsort((top, -column[top]))][:count]
    return best


def _fused(
    workspace: Workspace, snapshot: Snapshot, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.int8], dict[str, float], int | None]:
    """Fused scores (N, C) in 0..1, their origins, the held-out mAP of each source, and the model that took part."""
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    vectors = workspace.embeddings(backbone).read()
    model = models.in_use(workspace)
    given = _input(workspace, snapshot, backbone, vectors, model)
    said = {origin: scorer.score(given) for origin, scorer in SCORERS.items()}
    scores = {origin: values for origin, values in said.items() if values is not None}
    progress(1, 3, "scoring")
    held_out = _people(snapshot, len(vectors), Split.VALIDATION)
    if not scores:
        nothing = np.zeros((len(vectors), len(snapshot.tags)), np.float32)
        return nothing, np.zeros(nothing.shape, np.int8), {}, None
    fused = fit_fusion(scores, held_out).apply(scores)
    tags = snapshot.tags
    raise_parents(fused.probabilities, parent_places([tag.name for tag in tags], [tag.parent for tag in tags]))
    quality = {origin.value: _quality(values, held_out) for origin, values in scores.items()}
    quality[SuggestionOrigin.FUSED.value] = _quality(fused.probabilities, held_out)
    known = {name: value for name, value in quality.items() if np.isfinite(value)}
    return fused.probabilities, fused.origins, known, model.id if model else None


def _input(
    workspace: Workspace, snapshot: Snapshot, backbone: str, vectors: NDArray[Any], model: Model | None
) -> ScoringInput:
    """What the sources may look at. Answers that measure them are left out."""
    probabilities = None
    if model is not None and model.tag_ids == [tag.id for tag in snapshot.tags]:
        stored = models.predictions(workspace, model)[: len(vectors)]
        probabilities = np.full((len(vectors), len(snapshot.tags)), np.nan, np.float32)
        probabilities[: len(stored)] = stored
    return ScoringInput(
        images=vectors,
        texts=text_vectors(workspace, snapshot.tags),
        labels=_people(snapshot, len(vectors), Split.TRAIN),
        groups=snapshot.groups[: len(vectors)],
        probabilities=probabilities,
        tiles=tiles.stored(workspace, backbone, len(vectors)),
        imported=imported_arrays.scores(workspace, len(vectors), [tag.id for tag in snapshot.tags]),
    )


def _people(snapshot: Snapshot, embedded: int, split: Split) -> NDArray[np.int8]:
    """(N, C) people's labels on images of one split, -1 everywhere else."""
    labels = snapshot.by_people()
    labels[~snapshot.in_split(split)] = LabelState.UNKNOWN
    return labels[:embedded]


def _quality(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    """Held-out mAP of one source; a source that is silent ranks an image last."""
    answered = (labels != LabelState.UNKNOWN).any(axis=1)
    heard = np.nan_to_num(scores[answered], nan=-1e9)
    return round(metrics.mean_average_precision(heard, labels[answered]), 4)


def current(workspace: Workspace) -> Board | None:
    """The board as it was scored last; None before the first scoring."""
    pointer = _pointer(workspace)
    try:
        return _load(pointer, pointer.stat().st_mtime_ns)
    except FileNotFoundError:
        return None  # none yet, or one of an earlier version without its best rows: the next scoring makes it


@lru_cache(maxsize=4)
def _load(pointer: Path, _changed: int) -> Board:
    note = json.loads(pointer.read_text())
    folder = pointer.parent / note["folder"]
    return Board(
        np.load(folder / "scores.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "origins.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "best.npy", allow_pickle=False),
        tuple(note["tag_ids"]),
        tuple(note["tag_names"]),
        note["model_id"],
        note["mean_average_precision"],
    )


def _pointer(workspace: Workspace) -> Path:
    return workspace.folder / "suggestions" / "current.json"
