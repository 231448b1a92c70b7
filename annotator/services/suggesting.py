"""Suggestions: every source's scores, fused, each with its origin. Arrays in the workspace, never labels."""

import json
import shutil
import uuid
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_array, write_whole
from annotator.backbones import resolve_device
from annotator.errors import MissingError
from annotator.learning import metrics
from annotator.learning.stacking import fit_fusion
from annotator.progress import Progress, silent
from annotator.scoring import neighbours, zero_shot
from annotator.search import build
from annotator.services import models
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Split, SuggestionOrigin
from annotator.workspace import Workspace
from db.models import Model

ORIGINS = tuple(SuggestionOrigin)
CHUNK = 65_536
VOTES_AT_ONCE = 1024  # images: their (images, neighbours, tags) answers stay below some hundred MB at 1,000 tags


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

    scores (N, C) float16 in [0, 1]; origins (N, C) uint8, index into ORIGINS; the columns are `tag_ids`.
    """

    scores: NDArray[np.float16]
    origins: NDArray[np.uint8]
    tag_ids: tuple[int, ...]
    tag_names: tuple[str, ...]
    model_id: int | None
    mean_average_precision: dict[str, float]
    """Of each source alone and of the fusion, on held-out answers; empty before there are any."""

    def ranked(self, row: int) -> list[Suggestion]:
        """All tags of an image, the likeliest first; none for an image that came after the last scoring."""
        if row >= len(self.scores):
            return []
        scores = self.scores[row].astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        return [
            Suggestion(
                self.tag_ids[place], self.tag_names[place], float(scores[place]), ORIGINS[self.origins[row, place]]
            )
            for place in order.tolist()
        ]

    def best_images(self, tag_id: int, count: int) -> list[int]:
        """Rows with the highest scores of a tag, best first."""
        if tag_id not in self.tag_ids:
            return []
        scores = np.asarray(self.scores[:, self.tag_ids.index(tag_id)], np.float32)
        count = min(count, len(scores))
        top = np.argpartition(-scores, count - 1)[:count] if count else np.empty(0, np.int64)
        return [int(row) for row in top[np.lexsort((top, -scores[top]))]]


def refresh(workspace: Workspace, progress: Progress = silent) -> dict[str, Any]:
    """Score all embedded images anew from every source that has something to say, and keep the result."""
    snapshot = take(workspace)
    progress(0, 3, "scoring")
    scores, origins, quality, model_id = _fused(workspace, snapshot, progress)
    progress(2, 3, "scoring")
    folder = workspace.folder / "suggestions" / uuid.uuid4().hex[:12]
    write_array(folder / "scores.npy", scores.astype(np.float16))
    write_array(folder / "origins.npy", origins)
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


def _fused(
    workspace: Workspace, snapshot: Snapshot, progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.uint8], dict[str, float], int | None]:
    """Fused scores (N, C) in 0..1, their origins, the held-out mAP of each source, and the model that took part."""
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    vectors = workspace.embeddings(backbone).read()
    model = models.in_use(workspace)
    sources = _sources(workspace, snapshot, vectors, model)
    progress(1, 3, "scoring")
    held, labels = _held_out(snapshot, len(vectors))
    if not sources:
        shape = (len(vectors), len(snapshot.tags))
        return np.zeros(shape, np.float32), np.zeros(shape, np.uint8), {}, None
    origins = np.array([ORIGINS.index(origin) for origin in sources], np.uint8)
    stacked = np.stack(list(sources.values()))
    fusion = fit_fusion(stacked[:, held], labels, pool=stacked)
    scores = np.empty(stacked.shape[1:], np.float32)
    spoke = np.empty(stacked.shape[1:], np.uint8)
    for start in range(0, len(scores), CHUNK):
        part = slice(start, start + CHUNK)
        scores[part] = 0.5 + 0.5 * np.tanh(fusion.logits(stacked[:, part]) / 2)
        spoke[part] = origins[np.argmax(fusion.shares(stacked[:, part]), axis=0)]
    quality = {origin.value: _quality(source[held], labels) for origin, source in sources.items()}
    if model is not None and SuggestionOrigin.MODEL in sources:
        quality["fused"] = _quality(scores[held], labels)
    return (
        scores,
        spoke,
        {name: value for name, value in quality.items() if np.isfinite(value)},
        model.id if model else None,
    )


def _sources(
    workspace: Workspace, snapshot: Snapshot, vectors: NDArray[Any], model: Model | None
) -> dict[SuggestionOrigin, NDArray[np.float32]]:
    """(N, C) scores of every source that has something to say; NaN where it is silent on an image or a tag."""
    sources = {}
    texts = text_vectors(workspace, snapshot.tags)
    if texts is not None:
        sources[SuggestionOrigin.ZERO_SHOT] = zero_shot.scores(vectors, texts)
    votes = _neighbour_votes(workspace, snapshot, vectors)
    if votes is not None:
        sources[SuggestionOrigin.NEIGHBOURS] = votes
    if model is not None and model.tag_ids == [tag.id for tag in snapshot.tags]:
        probabilities = np.full((len(vectors), len(snapshot.tags)), np.nan, np.float32)
        stored = models.predictions(workspace, model)[: len(vectors)]
        clipped = np.clip(stored, 1e-6, 1 - 1e-6)
        probabilities[: len(stored)] = np.log(clipped / (1 - clipped))
        sources[SuggestionOrigin.MODEL] = probabilities
    return sources


def _neighbour_votes(workspace: Workspace, snapshot: Snapshot, vectors: NDArray[Any]) -> NDArray[np.float32] | None:
    """Votes of the nearest training answers; held-out answers stay out of it, or they could not measure it."""
    labels = snapshot.by_people()[: len(vectors)]
    answered = np.flatnonzero(
        (labels != LabelState.UNKNOWN).any(axis=1) & snapshot.in_split(Split.TRAIN)[: len(vectors)]
    )
    if len(answered) < neighbours.FEWEST:
        return None
    index = build(np.asarray(vectors[answered]), device=resolve_device(workspace.settings.device))
    groups = snapshot.groups
    parts = []
    for start in range(0, len(vectors), VOTES_AT_ONCE):
        part = np.asarray(vectors[start : start + VOTES_AT_ONCE], np.float32)
        similar, places = index.search(part, neighbours.NEIGHBOURS + 2)
        own = groups[start : start + len(part), None] == groups[answered[np.maximum(places, 0)]]
        parts.append(neighbours.scores(similar, np.where(own, -1, places), labels[answered]))
    return np.concatenate(parts)


def _held_out(snapshot: Snapshot, embedded: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """(rows, labels) of the answered images that nothing was trained on."""
    labels = snapshot.by_people()[:embedded]
    answered = (labels != LabelState.UNKNOWN).any(axis=1)
    rows = np.flatnonzero(answered & snapshot.in_split(Split.VALIDATION)[:embedded])
    return rows, labels[rows]


def _quality(scores: NDArray[np.float32], labels: NDArray[np.int8]) -> float:
    return round(metrics.mean_average_precision(np.nan_to_num(scores, nan=-np.inf), labels), 4)


def current(workspace: Workspace) -> Board | None:
    """The board as it was scored last; None before the first scoring."""
    pointer = _pointer(workspace)
    try:
        return _load(pointer, pointer.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4)
def _load(pointer: Path, _changed: int) -> Board:
    note = json.loads(pointer.read_text())
    folder = pointer.parent / note["folder"]
    return Board(
        np.load(folder / "scores.npy", mmap_mode="r", allow_pickle=False),
        np.load(folder / "origins.npy", mmap_mode="r", allow_pickle=False),
        tuple(note["tag_ids"]),
        tuple(note["tag_names"]),
        note["model_id"],
        note["mean_average_precision"],
    )


def _pointer(workspace: Workspace) -> Path:
    return workspace.folder / "suggestions" / "current.json"
