"""Vectors of image tiles: three by three cuts of every picture, through the backbone of its whole vector.

Stored once beside the whole vectors, in the folder `tiles` of the backbone's: (N, 9 D) float16, row by row from the top
left to the bottom right. A picture is decoded once for its nine tiles, and once more for its whole vector, which is the
same with tiles and without: it comes from a smaller decoding.
"""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL.Image import Image

from annotator.arrays import SHARD_ROWS, ShardedArray, StoredTiles
from annotator.backbones import Backbone, open_backbone
from annotator.learning.heads import WITH_TILES
from annotator.progress import Progress, silent
from annotator.services import embedding
from annotator.services.embedding import EmbedReport
from annotator.workspace import Workspace

SIDE = 0.4  # of the picture's width and height: neighbours share a quarter, so that what lies on a cut is whole in one
STARTS = (0.0, 0.3, 0.6)
COUNT = len(STARTS) ** 2


class Tiled:
    """A backbone that gives of each picture the vectors of its tiles, one after another."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.dim = COUNT * backbone.dim
        self.batch_size = max(1, round(backbone.batch_size / COUNT))  # pictures: about as many tiles as it takes
        self.draft_size = ceil(backbone.draft_size / SIDE)

    def preprocess(self, image: Image) -> NDArray[Any]:
        """(9, ...) of each tile what the backbone makes of a picture."""
        return np.stack([self.backbone.preprocess(tile) for tile in cut(image)])

    def encode_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """(B, 9, ...) to (B, 9 D) float32: nine unit vectors each."""
        each = self.backbone.encode_images(batch.reshape(-1, *batch.shape[2:]))
        return each.reshape(len(batch), -1)


def cut(image: Image) -> list[Image]:
    """The nine tiles of a picture, row by row; at least one pixel each."""
    columns, rows = ([_span(start, size) for start in STARTS] for size in image.size)
    return [image.crop((left, top, right, bottom)) for top, bottom in rows for left, right in columns]


def embed(
    workspace: Workspace, spec: str | None = None, tiles: bool | None = None, progress: Progress = silent
) -> tuple[EmbedReport, EmbedReport | None]:
    """Compute the missing whole vectors and, where they are wanted, the missing tiles; what each did.

    `tiles` None: as the project agreed on; True or False becomes what it agreed on.
    """
    spec = spec or workspace.project.backbone
    backbone = open_backbone(spec, workspace.settings.device)
    if tiles is not None:
        workspace.change_project(tiles=tiles)
    whole = embedding.embed(workspace, spec, progress, backbone)
    return whole, embed_tiles(workspace, backbone, progress) if workspace.project.tiles else None


def embed_tiles(workspace: Workspace, backbone: Backbone, progress: Progress = silent) -> EmbedReport:
    """Compute the missing tiles, as `embedding.complete` says: resumed, failed pictures zero and tried again."""
    folder = _folder(workspace, backbone.name)
    folder.mkdir(parents=True, exist_ok=True)
    report = EmbedReport(backbone.name)
    with FileLock(folder / "writer.lock"):
        # Rewriting the last shard on each flush costs as much as it does for whole vectors.
        store = ShardedArray.create(
            folder, COUNT * backbone.dim, shard_rows=SHARD_ROWS // COUNT, backbone=backbone.name, tiles=COUNT
        )
        embedding.complete(
            workspace, Tiled(backbone), store, report, lambda done, total: progress(done, total, "embedding tiles")
        )
    return report


def count(workspace: Workspace, backbone: str) -> int:
    """How many images have tiles."""
    store = ShardedArray.open(_folder(workspace, backbone))
    return 0 if store is None else len(store)


def stored(workspace: Workspace, backbone: str, count: int) -> StoredTiles | None:
    """(count, 9, D) the tiles of the first `count` images; None unless all of them are there."""
    store = ShardedArray.open(_folder(workspace, backbone))
    if store is None or not count or len(store) < count:
        return None
    return StoredTiles(store, store.dim // COUNT, count)


def of_head(workspace: Workspace, head: str, backbone: str, count: int) -> StoredTiles | None:
    """`stored` for a head that looks at tiles; None for the others."""
    return stored(workspace, backbone, count) if head in WITH_TILES else None


def _folder(workspace: Workspace, backbone: str) -> Path:
    return workspace.embeddings_folder(backbone) / "tiles"


def _span(start: float, size: int) -> tuple[int, int]:
    """First pixel and the one after the last."""
    first = min(int(start * size), size - 1)
    return first, max(first + 1, round((start + SIDE) * size))
