"""Find pictures by words, by an example, or by a tag's score."""

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select

from annotator.arrays import ShardedArray
from annotator.backbones import Backbone, resolve_device
from annotator.errors import BadInputError, MissingError, UnknownNameError
from annotator.importers.pictures import open_oriented
from annotator.importers.refusals import DEFAULT_LIMITS, Limits
from annotator.search import Neighbours, build, load
from annotator.services import suggesting
from annotator.services.embedding import cached_backbone, current_backbone, has_texts
from annotator.services.label_files import find_tag
from annotator.workspace import Workspace
from db.models import ImageFile

UPLOADED = Limits(pixels=100_000_000, file_bytes=32 << 20)
"""Of a picture that comes by the browser: several people may send one at once, 300 MB of pixels each."""


@dataclass(frozen=True)
class Hit:
    row: int
    score: float
    """Cosine similarity, or a tag's score; higher is nearer."""
    file: str


def by_words(workspace: Workspace, words: str, k: int) -> list[Hit]:
    """The pictures nearest to `words`. Raises MissingError where the backbone has no text tower."""
    backbone = _backbone(workspace)
    if not backbone.has_texts:
        raise MissingError(
            f"{backbone.name} has no text tower, so words find nothing; search with --image FILE, or embed with an "
            "open_clip backbone: annotator embed --backbone open_clip:ViT-B-32/openai"
        )
    vectors = backbone.encode_texts([words, f"a photo of {words}"])
    assert vectors is not None
    mean = vectors.mean(axis=0, keepdims=True)
    return _nearest(workspace, backbone, mean / np.linalg.norm(mean), k)


def by_picture(workspace: Workspace, content: bytes, name: str, k: int, limits: Limits = DEFAULT_LIMITS) -> list[Hit]:
    """The pictures nearest to the one in `content`. Raises PictureError when it is none, or beyond the limits."""
    backbone = _backbone(workspace)
    if not content:
        raise BadInputError(f"{name}: no such file, or an empty one; give a picture")
    picture = open_oriented(content, name=name, shorter_side=backbone.draft_size, limits=limits)
    return _nearest(workspace, backbone, backbone.encode_images(backbone.preprocess(picture)[None]), k)


def by_words_or_tag(workspace: Workspace, words: str, k: int) -> list[Hit]:
    """By words where the backbone knows words, else the pictures with the best score of the tag of that name."""
    if has_texts(workspace):
        return by_words(workspace, words, k)
    with workspace.reading() as session:
        try:
            tag = find_tag(session, words)
        except UnknownNameError as error:
            raise MissingError(
                f"{error}; the backbone {current_backbone(workspace)} knows no words: type a tag's name, or embed with "
                "one that does, such as open_clip"
            ) from error
    board = suggesting.current(workspace)
    if board is None:
        raise MissingError("nothing is scored yet; answer some questions and train first")
    rows = board.best_images(tag.id, k)
    column = board.tag_ids.index(tag.id) if tag.id in board.tag_ids else 0
    return _hits(workspace, rows, [float(board.scores[row, column]) for row in rows])


def by_image(workspace: Workspace, row: int, k: int) -> list[Hit]:
    """The pictures nearest to one of the workspace's own."""
    found = near(workspace, row, k)
    return _hits(workspace, [other for other, _ in found], [score for _, score in found])


def tag_called(workspace: Workspace, name: str) -> int | None:
    """The id of the tag of this name or synonym; None where there is none."""
    with workspace.reading() as session:
        try:
            return find_tag(session, name).id
        except UnknownNameError:
            return None


def index(workspace: Workspace, backbone: str) -> Neighbours:
    """The search index of a backbone's vectors; built, and kept as a file, when there is none that fits."""
    stored = workspace.embeddings(backbone)
    return _index(workspace, backbone, len(stored))


@lru_cache(maxsize=2)
def _index(workspace: Workspace, backbone: str, count: int) -> Neighbours:
    vectors: NDArray[np.float16] = workspace.embeddings(backbone).read()
    file = workspace.index_file(backbone)
    found = load(file, vectors)
    if found is None:
        found = build(vectors, device=resolve_device(workspace.settings.device), seed=workspace.project.seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        found.save(file)
    return found


def vector(workspace: Workspace, row: int) -> NDArray[np.float32] | None:
    """The (D,) unit vector of an image; None where it has none."""
    backbone = current_backbone(workspace)
    stored = ShardedArray.open(workspace.embeddings_folder(backbone)) if backbone else None
    if stored is None or row >= len(stored):
        return None
    return np.asarray(stored.row(row), np.float32)


def near(workspace: Workspace, row: int, k: int) -> list[tuple[int, float]]:
    """(row, cosine) of the images nearest to an image, itself among them; none before `embed`."""
    query, backbone = vector(workspace, row), current_backbone(workspace)
    if query is None or backbone is None or not query.any():
        return []
    scores, rows = index(workspace, backbone).search(query[None], k)
    return [(int(found), float(score)) for found, score in zip(rows[0], scores[0], strict=True) if found >= 0]


def _backbone(workspace: Workspace) -> Backbone:
    file = workspace.folder / "embeddings" / "current.json"
    if not file.exists():
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    return cached_backbone(json.loads(file.read_text())["spec"], workspace.settings.device)


def _nearest(workspace: Workspace, backbone: Backbone, query: NDArray[np.float32], k: int) -> list[Hit]:
    scores, rows = index(workspace, backbone.name).search(query.astype(np.float32), k)
    return _hits(workspace, [int(row) for row in rows[0] if row >= 0], [float(score) for score in scores[0]])


def _hits(workspace: Workspace, rows: list[int], scores: list[float]) -> list[Hit]:
    with workspace.reading() as session:
        first = select(func.min(ImageFile.id)).where(ImageFile.image_row.in_(rows)).group_by(ImageFile.image_row)
        files = dict(session.execute(select(ImageFile.image_row, ImageFile.uri).where(ImageFile.id.in_(first))).all())
    return [Hit(row, round(score, 4), files[row]) for row, score in zip(rows, scores, strict=False)]
