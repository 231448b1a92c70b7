"""Fit a head by name, on known labels or with a way to read unknown ones. Arrays in, arrays out."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import BadInputError, DeviceError, UnknownNameError, UsageError
from annotator.learning.extra import EXTRA, Given
from annotator.learning.heads import HEADS, FitReport, Head, HeadSettings, Progress, Training
from annotator.learning.heads.base import Features
from annotator.learning.losses import LOSSES
from annotator.learning.partial import PARTIAL, Turn, guess_prevalence

Validation = tuple[Features, NDArray[np.int8]]


def fit_head(
    name: str,
    X: Features,
    labels: NDArray[np.int8],
    *,
    texts: NDArray[np.floating[Any]] | None = None,
    weights: NDArray[np.floating[Any]] | None = None,
    targets: NDArray[np.floating[Any]] | None = None,
    validation: Validation | None = None,
    unlabelled: Features | None = None,
    tiles: Tiles | None = None,
    validation_tiles: Tiles | None = None,
    device: str = "cpu",
    warm: Head | None = None,
    settings: HeadSettings | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> tuple[Head, FitReport]:
    """Train the head called `name` (a key of HEADS) for all tags at once.

    `X` (N, D) embeddings, float16 or wider; `labels` (N, C) int8 of 1, 0, -1 unknown, which never counts;
    `texts` (C, D) text vectors, a row of zeros for a tag without; `weights` (N, C) >= 0 for single answers;
    `targets` (N, C) in 0..1, beliefs that take the place of the labels: every entry counts then, with its weight;
    `validation` held-out (X, labels) that choose the penalty per tag; `unlabelled` (M, D) other images of the
    collection, for heads that learn its shape from them; `tiles` (N, P, D) of the images and `validation_tiles` of the
    validation images, for the heads of WITH_TILES; `device` "cpu" or "cuda";
    `warm` an earlier head of the same kind and tags to start from (the answer is the same, it is only found sooner);
    `settings`, or single fields of it as keywords (`ridge=0.3`); `progress` may raise to stop the fit.

    The same arrays and device give the same head, bit for bit. Raises UnknownNameError, UsageError where shapes or
    settings do not fit, BadInputError for label values or embeddings that are not finite, DeviceError without CUDA.
    """
    if name not in HEADS:
        raise UnknownNameError("head", name, HEADS)
    X, labels = np.asarray(X), np.asarray(labels)
    _check_pair(X, labels, "images")
    if validation is not None:
        validation = np.asarray(validation[0]), np.asarray(validation[1])
        _check_pair(*validation, "validation images")
        _check_shape("the validation labels", validation[1], (len(validation[0]), labels.shape[1]))
        _check_shape("the validation embeddings", validation[0], (len(validation[0]), X.shape[1]))
        if not np.isfinite(validation[0]).all():
            raise BadInputError("an embedding of the validation images is not finite; embed the images again")
    if unlabelled is not None:
        _check_shape("the unlabelled embeddings", unlabelled, (len(unlabelled), X.shape[1]))
    _check_companions(X, labels, texts, weights, warm)
    _check_tiles(X, tiles, validation, validation_tiles)
    _check_targets(labels, targets)
    _check_device(device)
    chosen = _settings(settings, changes)
    if targets is not None and chosen.loss != "masked_bce":
        raise UsageError(f"the loss {chosen.loss!r} knows only present and absent; beliefs need 'masked_bce'")
    given = Training(
        X, labels, texts, weights, targets, validation, unlabelled, device, warm, chosen, progress, tiles,
        validation_tiles,
    )  # fmt: skip
    return HEADS[name](given)


def fit_partial(
    name: str,
    way: str,
    X: Features,
    labels: NDArray[np.int8],
    **options: Any,
) -> tuple[Head, FitReport]:
    """Train the head called `name`, reading unknown labels the `way` (a key of PARTIAL) says.

    `options` as in `fit_head`, without weights and targets. `masked` is `fit_head` itself; the other ways train once
    a turn, each turn from the head before.
    """
    if way not in PARTIAL:
        raise UnknownNameError("way to read unknown labels", way, PARTIAL)
    labels = np.asarray(labels)
    if way == "masked" or not len(labels):
        return fit_head(name, X, labels, **options)
    chosen, prevalence = PARTIAL[way], guess_prevalence(labels)
    head = options.pop("warm", None)
    probabilities = None
    for number in range(chosen.turns):
        reading = chosen.read(Turn(labels, number, chosen.turns - 1, probabilities, prevalence))
        head, report = fit_head(name, X, labels, targets=reading.targets, weights=reading.weights, warm=head, **options)
        probabilities = head.probabilities(np.asarray(X), options.get("tiles"))
    return head, report


def fit_with(
    name: str,
    source: str,
    X: Features,
    labels: NDArray[np.int8],
    unlabelled: Features,
    teacher: NDArray[np.floating[Any]] | None = None,
    **options: Any,
) -> tuple[Head, FitReport]:
    """Train the head called `name` on the answers and on the extra material of `source` (a key of EXTRA).

    `unlabelled` (M, D) images nobody answered; `teacher` (M, C) their probabilities by another model, for distillation;
    `options` as in `fit_head`, without weights, targets and tiles. Whether it helps on a pack, `benchmarks.few_shot`
    shows.
    """
    if source not in EXTRA:
        raise UnknownNameError("extra material", source, EXTRA)
    X, labels = np.asarray(X), np.asarray(labels)
    head, report = fit_head(name, X, labels, unlabelled=unlabelled, **options)
    if not (labels >= 0).any():
        return head, report  # nothing to be extra to
    told = None if teacher is None else np.asarray(teacher, np.float32)
    extra = EXTRA[source](Given(X, labels, np.asarray(unlabelled), head, told))
    return fit_head(
        name,
        np.concatenate([np.asarray(X, np.float32), extra.X]),
        np.concatenate([labels, np.full(extra.targets.shape, -1, np.int8)]),
        targets=np.concatenate([np.maximum(labels, 0), extra.targets]),
        weights=np.concatenate([labels >= 0, extra.weights]),
        unlabelled=unlabelled,
        **options,
    )


def _settings(settings: HeadSettings | None, changes: dict[str, Any]) -> HeadSettings:
    base = settings or HeadSettings()
    unknown = [key for key in changes if key not in base.__dataclass_fields__]
    if unknown:
        raise UnknownNameError("head setting", unknown[0], base.__dataclass_fields__)
    chosen = replace(base, **changes)
    if chosen.loss not in LOSSES:
        raise UnknownNameError("loss", chosen.loss, LOSSES)
    for key in ("ridge", "text_scale", "tolerance", "max_iterations", "rank"):
        if not getattr(chosen, key) > 0:
            raise UsageError(f"{key} is {getattr(chosen, key)}; it has to be above 0")
    if not chosen.ridges or not min(chosen.ridges) > 0:
        raise UsageError(f"ridges is {chosen.ridges}; give at least one number, all above 0")
    return chosen


def _check_pair(X: Features, labels: NDArray[np.int8], what: str) -> None:
    if X.ndim != 2 or labels.ndim != 2 or len(X) != len(labels):
        raise UsageError(
            f"the {what} need embeddings (N, D) and labels (N, C) of one N; got shapes {X.shape} and {labels.shape}"
        )
    if not (X.shape[1] and labels.shape[1]):
        raise UsageError(
            f"embeddings {X.shape} and labels {labels.shape}: without a dimension or a tag nothing is learned"
        )
    if not np.issubdtype(X.dtype, np.floating):
        raise UsageError(f"the embeddings of the {what} are {X.dtype}; they have to be floating point")
    if labels.size and (labels.min() < -1 or labels.max() > 1 or not np.issubdtype(labels.dtype, np.integer)):
        raise BadInputError(
            f"the labels of the {what} are {labels.dtype} from {labels.min()} to {labels.max()}; "
            "they have to be whole numbers: 1 positive, 0 negative, -1 unknown"
        )


def _check_companions(
    X: Features,
    labels: NDArray[np.int8],
    texts: NDArray[np.floating[Any]] | None,
    weights: NDArray[np.floating[Any]] | None,
    warm: Head | None,
) -> None:
    tags, width = labels.shape[1], X.shape[1]
    if texts is not None:
        _check_shape("the text vectors", texts, (tags, width))
        if not np.isfinite(texts).all():
            raise BadInputError("a text vector is not finite; embed the tags again")
    if weights is not None:
        _check_shape("the weights", weights, labels.shape)
        if not (np.isfinite(weights).all() and weights.min(initial=0) >= 0):
            raise BadInputError(f"the smallest weight is {weights.min()}; weights have to be finite and not below 0")
    if warm is not None:
        size = warm.lift.size if warm.lift else 0
        _check_shape("the earlier head", warm.weights, (tags, width + size))


def _check_tiles(
    X: Features, tiles: Tiles | None, validation: Validation | None, validation_tiles: Tiles | None
) -> None:
    """That the validation images have tiles where the others have: a head must be judged as it is used."""
    if tiles is not None and tiles.shape[::2] != X.shape:
        raise UsageError(f"the tiles have shape {tiles.shape}; the embeddings {X.shape} ask for (N, P, D)")
    if validation is not None and tiles is not None:
        held_out = validation[0]
        if validation_tiles is None or validation_tiles.shape[::2] != held_out.shape:
            shape = None if validation_tiles is None else validation_tiles.shape
            raise UsageError(f"the validation tiles have shape {shape}; their embeddings are {held_out.shape}")


def _check_targets(labels: NDArray[np.int8], targets: NDArray[np.floating[Any]] | None) -> None:
    if targets is None:
        return
    _check_shape("the targets", targets, labels.shape)
    if not (np.isfinite(targets).all() and targets.min(initial=0) >= 0 and targets.max(initial=0) <= 1):
        raise BadInputError(f"targets from {targets.min()} to {targets.max()}; they have to lie between 0 and 1")


def _check_shape(what: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise UsageError(f"{what} has shape {array.shape}; the images and tags ask for {shape}")


def _check_device(device: str) -> None:
    if device not in ("cpu", "cuda"):
        raise UnknownNameError("device", device, ("cpu", "cuda"))
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise DeviceError("device is 'cuda', but this torch finds no CUDA device; use 'cpu'")
