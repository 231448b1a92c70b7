"""A workspace of made-up images whose vectors show their tags: all that learning needs, without a picture."""

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import ShardedArray, write_array, write_whole
from annotator.services import models, vocabulary
from annotator.services.scripted import Truth
from annotator.services.votes import live_tags
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Model

BACKBONE = "descriptor@1"
TAGS = ("boat", "car", "tree")
DIM = 16


def make_world(workspace: Workspace, count: int, *, tags: tuple[str, ...] = TAGS, noise: float = 0.1) -> Truth:
    """`count` images with `tags` and their vectors; the truth. The first of each ten and the next one are near
    duplicates of each other."""
    rng = np.random.default_rng(3)
    truth = (rng.random((count, len(tags))) < 0.4).astype(np.int8)
    directions = rng.standard_normal((len(tags), DIM))
    vectors = (2 * truth - 1) @ directions + noise * rng.standard_normal((count, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    now = datetime.now(UTC)
    with workspace.transaction() as session:
        vocabulary.add_names(session, list(tags))
        for row in range(count):
            group = row - 1 if row % 10 == 1 else row
            session.add(
                Image(
                    row=row, sha256=hashlib.sha256(str(row).encode()).hexdigest(), byte_size=1, format="JPEG",
                    mode="RGB", width=4, height=3, orientation=1, frames=1, perceptual_hash=row,
                    near_duplicate_group=group, given_split=None, added_at=now,
                )
            )  # fmt: skip
            session.add(ImageFile(uri=f"/pictures/{row}.jpg", image_row=row, byte_size=1, mtime_ns=1))
        session.flush()
        ids = tuple(tag.id for tag in live_tags(session))
    put_vectors(workspace, vectors)
    return Truth(truth, ids, {})


def put_vectors(workspace: Workspace, vectors: NDArray[np.floating], backbone: str = BACKBONE) -> None:
    """Store `vectors` as if the backbone had made them."""
    store = ShardedArray.create(workspace.embeddings_folder(backbone), vectors.shape[1], backbone=backbone)
    store.append(vectors)
    store.flush()
    note = {"name": backbone, "spec": "descriptor", "texts": False}
    write_whole(workspace.folder / "embeddings" / "current.json", json.dumps(note).encode())


def put_tiles(workspace: Workspace, tiles: NDArray[np.floating], backbone: str = BACKBONE) -> None:
    """Store (N, 9, D) `tiles` as if the backbone had made them."""
    folder = workspace.embeddings_folder(backbone) / "tiles"
    store = ShardedArray.create(folder, tiles.shape[1] * tiles.shape[2], shard_rows=32)
    store.append(tiles)
    store.flush()


def put_model(workspace: Workspace, truth: Truth, probabilities: NDArray[np.floating]) -> int:
    """A model in use that says `probabilities` (N, C), without a training; its number."""
    with workspace.transaction() as session:
        model_id = session.query(Model).count() + 1
        session.query(Model).update({"in_use": False})
        write_array(workspace.predictions_file(model_id), probabilities.astype(np.float32))
        models.save_arrays(workspace, model_id, sure_head(len(truth.tag_ids)), {})
        session.add(
            Model(
                id=model_id, backbone=BACKBONE, head="text_anchored", snapshot_hash="", tag_ids=list(truth.tag_ids),
                labels_used=0, images_used=0, metrics={"answered_images": 0}, in_use=True, verdict="",
                at=datetime.now(UTC),
            )
        )  # fmt: skip
    return model_id


def sure_head(tags: int) -> dict[str, NDArray[np.float32]]:
    """The arrays of a calibrated head that says nothing and doubts nothing."""
    shapes: dict[str, tuple[int, ...]] = {
        "weights": (tags, DIM), "bias": (tags,), "gain": (tags,), "ridge": (tags,), "centre": (DIM,), "scale": (),
        "basis": (DIM, 1), "middle": (tags, 1), "spread": (tags, 1), "rest": (tags,), "bias_variance": (tags,),
        "intercept": (tags,),
    }  # fmt: skip
    nothing = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    return {**nothing, "scale": np.ones((), np.float32), "slope": np.ones(tags, np.float32)}


def whole(truth: Truth, row: int) -> list[tuple[int, int, LabelState]]:
    """The true labels of one image, as an answer gives them."""
    return [(row, tag, LabelState(state)) for tag, state in zip(truth.tag_ids, truth.labels[row].tolist(), strict=True)]
