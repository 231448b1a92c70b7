"""Tune the image tower of the backbone in use on people's answers; the result is a new version of the backbone."""

import hashlib
import json
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.backbones import open_backbone, resolve_device
from annotator.backbones.fine_tuning import Batch, Examples, Pictures, Places, State, Tuned, TuningSettings, tune
from annotator.backbones.open_clip import OpenClipBackbone, as_files
from annotator.errors import MissingError, UnknownNameError, UsageError
from annotator.learning.heads import Head
from annotator.learning.losses import LOSSES
from annotator.learning.metrics import mean_average_precision
from annotator.progress import Cancelled, Progress, silent
from annotator.services import models
from annotator.services.embedding import current_backbone, current_spec, first_files, prepared_ahead
from annotator.services.rights import Right, needs
from annotator.services.snapshots import take
from annotator.services.training import FEWEST_IMAGES, TrainingSet, training_set
from annotator.workspace import Workspace
from db.models import Model

LOSS = "masked_bce"
DEVICES = ("auto", "cpu", "cuda")
FOLDER = "backbones"
STATE = "tuning.pt"  # the last epoch of a run that has not ended


@dataclass(frozen=True)
class TuneReport:
    backbone: str | None
    """How the new version is named to `embed`; None where no epoch was better than the start."""
    verdict: str
    next: str | None
    """The command to type now."""
    way: str
    epochs: int
    best_epoch: int
    images: int
    held_out_images: int
    loss_before: float
    loss_after: float
    mAP_before: float | None
    mAP_after: float | None
    seconds: float
    unreadable: list[str] = field(default_factory=list)


@needs(Right.TRAIN)
def fine_tune(
    workspace: Workspace,
    settings: TuningSettings | None = None,
    device: str | None = None,
    progress: Progress = silent,
) -> TuneReport:
    """Tune once, from the model in use on, with the project's seed. What is in use stays in use.

    A killed run goes on with its next epoch when the same is asked for again; a cancelled one leaves nothing. Raises
    UsageError where the backbone is no open_clip model or the way does not fit it, MissingError without a trained
    model, enough answers to learn from, or any to measure by. One at a time per workspace: a second caller waits.
    """
    settings = replace(settings or TuningSettings(), seed=workspace.project.seed)
    if device not in (None, *DEVICES):
        raise UnknownNameError("device", str(device), DEVICES)
    with FileLock(workspace.folder / "fine_tuning.lock"):
        began = time.monotonic()
        backbone = _backbone(workspace, resolve_device(device or workspace.settings.device))
        model = models.required(workspace)
        head, data = _head(workspace, model, backbone.name), _answers(workspace, model)
        pictures = _Pictures(workspace, backbone, first_files(workspace))
        state = State(workspace.folder / FOLDER / STATE, _key(backbone.name, settings, head, data))
        try:
            tuned = tune(
                backbone.model,
                head.weights,
                head.bias,
                Examples(pictures.of(data.train_rows), data.train_labels),
                Examples(pictures.of(data.held_rows), data.held_labels),
                LOSSES[LOSS],
                settings,
                device=backbone.device,
                state=state,
                progress=progress,
            )
        except Cancelled:
            state.file.unlink(missing_ok=True)
            raise
        spec = _store(workspace, backbone) if tuned.best else None
        state.file.unlink(missing_ok=True)
        return _report(workspace, spec, settings, data, tuned, pictures, time.monotonic() - began)


class _Pictures:
    """The workspace's pictures, read again for each pass: none stays in memory longer than its batch."""

    def __init__(self, workspace: Workspace, backbone: OpenClipBackbone, uris: Sequence[str]) -> None:
        self.workspace, self.backbone, self.uris = workspace, backbone, uris
        self.unreadable: set[str] = set()

    def of(self, rows: NDArray[np.int64]) -> Pictures:
        """A reader of the pictures of these rows, by their places among them."""

        def read(batches: Sequence[Places]) -> Iterator[Batch]:
            chunks = [[self.uris[row] for row in rows[places].tolist()] for places in batches]
            found = prepared_ahead(self.workspace, self.backbone, chunks)
            for places, uris, arrays in zip(batches, chunks, found, strict=True):
                good = np.array([array is not None for array in arrays])
                self.unreadable |= {uri for uri, is_good in zip(uris, good, strict=True) if not is_good}
                shown = [array for array in arrays if array is not None]
                pixels = self.backbone.pixels(np.stack(shown)).cpu().numpy() if shown else np.empty((0, 3, 1, 1))
                yield places[good], np.asarray(pixels, np.float32)

        return read


def _backbone(workspace: Workspace, device: str) -> OpenClipBackbone:
    """The backbone in use, opened anew: tuning changes it."""
    name, spec = current_backbone(workspace), current_spec(workspace)
    if name is None or spec is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    backbone = open_backbone(spec, device) if spec.startswith("open_clip:") else None
    if not isinstance(backbone, OpenClipBackbone):
        raise UsageError(
            f"only open_clip models can be tuned, and this workspace is embedded by {name}; first: annotator embed "
            f"-w {workspace.folder} --backbone open_clip:MODEL/PRETRAINED, then: annotator train -w {workspace.folder}"
        )
    if backbone.name != name:
        raise MissingError(
            f"{spec} is {backbone.name} now, and the vectors in use are of {name}; first: annotator embed "
            f"-w {workspace.folder}, then: annotator train -w {workspace.folder}"
        )
    return backbone


def _head(workspace: Workspace, model: Model, backbone: str) -> Head:
    if model.backbone != backbone:
        raise MissingError(
            f"model {model.id} was trained on vectors of {model.backbone}, and {backbone} is in use; first: annotator "
            f"train -w {workspace.folder}"
        )
    head = models.head(workspace, model)
    if head.lift is not None:
        raise UsageError(
            f"the head {model.head} reads more than the vectors, so no tower can be tuned through it; first: annotator "
            f"project -w {workspace.folder} head=text_anchored, then: annotator train -w {workspace.folder}"
        )
    return head


def _answers(workspace: Workspace, model: Model) -> TrainingSet:
    """Who trains and who measures, as for any training."""
    snapshot = take(workspace)
    if [tag.id for tag in snapshot.tags] != model.tag_ids:
        raise MissingError(
            f"the vocabulary changed after model {model.id} was trained; first: annotator train -w {workspace.folder}"
        )
    data = training_set(workspace, snapshot, len(workspace.embeddings(model.backbone)))
    if len(data.train_rows) < FEWEST_IMAGES or not len(data.held_rows):
        raise MissingError(
            f"{len(data.train_rows)} answered images can train and {len(data.held_rows)} can measure; at least "
            f"{FEWEST_IMAGES} and 1 are needed: open Label"
        )
    return data


def _key(backbone: str, settings: TuningSettings, head: Head, data: TrainingSet) -> str:
    """Two runs with one key do the same."""
    digest = hashlib.sha256(json.dumps([backbone, asdict(settings), LOSS]).encode())
    for array in (head.weights, head.bias, data.train_rows, data.train_labels, data.held_rows, data.held_labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _store(workspace: Workspace, backbone: OpenClipBackbone) -> str:
    """Write the tuned model and name it; the checkpoint last, because a name without it opens nothing."""
    name, files = as_files(backbone)
    folder = workspace.folder / FOLDER / name
    for file in sorted(files, key=lambda file: file.endswith(".pt")):
        write_whole(folder / file, files[file])
    return f"open_clip:{name}@{folder / f'{name}.pt'}"


def _report(
    workspace: Workspace,
    spec: str | None,
    settings: TuningSettings,
    data: TrainingSet,
    tuned: Tuned,
    pictures: "_Pictures",
    seconds: float,
) -> TuneReport:
    labels = data.held_labels[tuned.places]
    before, after = tuned.losses[0], tuned.losses[tuned.best]
    better = f"held-out loss {before:.4f} before, {after:.4f} after epoch {tuned.best}"
    worse = (
        f"no epoch was better than the untouched tower on the held-out answers (loss {before:.4f}); nothing is stored"
    )
    return TuneReport(
        backbone=spec,
        verdict=better if spec else worse,
        next=f"annotator embed -w {shlex.quote(str(workspace.folder))} --backbone {shlex.quote(spec)}"
        if spec
        else None,
        way=settings.way,
        epochs=len(tuned.losses) - 1,
        best_epoch=tuned.best,
        images=sum(pictures.uris[row] not in pictures.unreadable for row in data.train_rows.tolist()),
        held_out_images=len(tuned.places),
        loss_before=round(before, 6),
        loss_after=round(after, 6),
        mAP_before=_mean_ap(tuned.before, labels),
        mAP_after=_mean_ap(tuned.after, labels),
        seconds=round(seconds, 2),
        unreadable=sorted(pictures.unreadable),
    )


def _mean_ap(logits: NDArray[np.float32], labels: NDArray[np.int8]) -> float | None:
    """mAP over the tags with a positive; None where no tag has one."""
    figure = mean_average_precision(logits, labels)
    return round(figure, 6) if np.isfinite(figure) else None
