"""Clusters of the workspace's images, to be tagged in bulk; kept as a file until images or backbone change."""

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock

from annotator.arrays import write_whole
from annotator.backbones.base import slug
from annotator.errors import MissingError
from annotator.learning.clusters import Clusters, cluster
from annotator.services import suggesting
from annotator.services.embedding import current_backbone
from annotator.workspace import Workspace

EXAMPLES = 4
LOOKED_AT = 200  # images of a cluster whose suggestions name it
NAMED_BY = 3


@dataclass(frozen=True)
class Cluster:
    """One group: how many images, the most typical ones, and the tags most suggested for it with their mean score."""

    number: int
    size: int
    examples: tuple[int, ...]
    tags: tuple[tuple[str, float], ...]


def overview(workspace: Workspace, count: int) -> list[Cluster]:
    """The clusters, the largest first. Raises MissingError before `embed`."""
    found = _clusters(workspace, count)
    board = suggesting.current(workspace)
    listed = []
    for number in range(len(found.centres)):
        rows = found.rows(number)
        tags: tuple[tuple[str, float], ...] = ()
        if board is not None:
            looked_at = rows[rows < len(board.scores)][:LOOKED_AT]
            means = np.asarray(board.scores[np.sort(looked_at)], np.float32).mean(axis=0) if len(looked_at) else []
            best = np.argsort(-np.asarray(means), kind="stable")[:NAMED_BY]
            tags = tuple((board.tag_names[place], round(float(means[place]), 3)) for place in best.tolist())
        listed.append(Cluster(number, len(rows), tuple(rows[:EXAMPLES].tolist()), tags))
    return listed


def rows_of(workspace: Workspace, count: int, number: int) -> list[int]:
    """The images of a cluster, the most typical first."""
    found = _clusters(workspace, count)
    if not 0 <= number < len(found.centres):
        raise MissingError(f"there is no cluster {number + 1}; there are {len(found.centres)}")
    rows: list[int] = found.rows(number).tolist()
    return rows


def _clusters(workspace: Workspace, count: int) -> Clusters:
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    stored = workspace.embeddings(backbone)
    file = workspace.folder / "clusters" / f"{slug(backbone)}-{len(stored)}-{count}.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                found = cluster(stored.read(), count, workspace.project.seed)
                buffer = io.BytesIO()
                np.savez(buffer, members=found.members, closeness=found.closeness, centres=found.centres)
                write_whole(file, buffer.getvalue(), durable=False)
    return _load(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load(file: Path, _changed: int) -> Clusters:
    with np.load(file, allow_pickle=False) as stored:
        return Clusters(stored["members"], stored["closeness"], stored["centres"])
