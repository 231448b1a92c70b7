"""Trained models of a workspace: their rows in the store, their arrays as files."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.arrays import write_whole
from annotator.errors import MissingError
from annotator.learning.heads import Head
from annotator.workspace import Workspace
from db.models import Model, Tag


def in_use(workspace: Workspace) -> Model | None:
    """The model whose predictions the app shows; None before the first training."""
    with workspace.reading() as session:
        return session.scalar(select(Model).where(Model.in_use.is_(True)).order_by(Model.id.desc()).limit(1))


def required(workspace: Workspace) -> Model:
    model = in_use(workspace)
    if model is None:
        raise MissingError(
            f"no model was trained yet; answer some questions, then: annotator train -w {workspace.folder}"
        )
    return model


def history(workspace: Workspace) -> list[Model]:
    """All models, the first one first."""
    with workspace.reading() as session:
        return list(session.scalars(select(Model).order_by(Model.id)))


def tag_names(session: Session) -> dict[int, str]:
    """Of all tags, archived ones included."""
    return {tag.id: tag.name for tag in session.scalars(select(Tag))}


def predictions(workspace: Workspace, model: Model) -> NDArray[np.float32]:
    """(N, C) calibrated probabilities, memory-mapped; columns are `model.tag_ids`."""
    stored: NDArray[np.float32] = np.load(workspace.predictions_file(model.id), mmap_mode="r", allow_pickle=False)
    return stored


def save_arrays(workspace: Workspace, model_id: int, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> None:
    """A model's arrays as safetensors, with its settings beside them."""
    folder = workspace.model_folder(model_id)
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_whole(folder / "head.safetensors", save(contiguous))
    write_whole(folder / "head.json", json.dumps(notes, indent=1).encode())


def load_arrays(workspace: Workspace, model_id: int) -> dict[str, NDArray[Any]]:
    return load_file(workspace.model_folder(model_id) / "head.safetensors")


def head(workspace: Workspace, model: Model) -> Head:
    """The trained head of a model, not calibrated."""
    arrays = load_arrays(workspace, model.id)
    return Head.from_arrays({**arrays, "scale": arrays["scale"].reshape(())})  # (1,) in files of earlier versions


def variances(workspace: Workspace, model: Model) -> Callable[..., NDArray[np.float32]]:
    """From (n, D) embeddings, and (n, P, D) tiles for a head that looks at them, to (n, C) posterior variances of the
    calibrated logits."""
    trained = head(workspace, model)
    stretch = np.float32(load_arrays(workspace, model.id)["slope"]) ** 2
    return lambda X, tiles=None: trained.variances(X, tiles) * stretch
