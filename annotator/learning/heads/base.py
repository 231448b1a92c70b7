"""What every head takes and gives: arrays in, an affine map per tag with its uncertainty out, lifted or not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import BadInputError, UsageError
from annotator.learning.heads.lifts import Lift, lift_from

CHUNK = 8192  # float32 copies of 8,192 images of 1,280 dimensions are 40 MB

Progress = Callable[[int, int], None]
"""(steps done, steps in all), called often; may raise to stop the fit."""

Features = NDArray[np.floating[Any]]
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """z = weights x + bias for every tag, with a Laplace posterior of z; x is lifted first where there is a lift.

    The posterior is diagonal in k orthonormal directions that all tags share (the leading eigenvectors of the training
    images), around the point m_t where the tag's answers say most, and isotropic across the other directions. With
    u = x - centre: var z = sum_j (b_j . u - m_tj)^2 s_tj + |u outside the basis|^2 r_t + v_t.
    """

    weights: Float  # (C, D), for the embeddings as stored; with a lift D counts what it adds
    bias: Float  # (C,)
    gain: Float  # (C,) factor with which the text vector, less what all have in common, is in `weights`; 0 without
    ridge: Float  # (C,) strength of the penalty that was used
    centre: Float  # (D,)
    scale: Float  # () root mean square length of x - centre in training
    basis: Float  # (D, k), orthonormal columns divided by `scale`
    middle: Float  # (C, k) m
    spread: Float  # (C, k) posterior variances s
    rest: Float  # (C,) posterior variances r of the directions outside the basis, in units of `scale`
    bias_variance: Float  # (C,) v
    lift: Lift | None = None

    def logits(self, X: Features, tiles: Tiles | None = None) -> Float:
        """(N, D) embeddings, float16 or wider, to (N, C) float32 logits. Works in chunks of images.

        `tiles` (N, P, D) of the same images, for a head that was trained on tiles; others do not look at them.
        """
        self._check(X, tiles)
        z = np.empty((len(X), len(self.bias)), np.float32)
        for start in range(0, len(X), CHUNK):
            part = slice(start, start + CHUNK)
            np.matmul(self._lifted(X, tiles, part), self.weights.T, out=z[part])
        z += self.bias
        return z

    def probabilities(self, X: Features, tiles: Tiles | None = None) -> Float:
        """(N, D) embeddings to (N, C) float32 in 0..1: the sigmoid of the logits."""
        z = self.logits(X, tiles)
        z *= 0.5
        np.tanh(z, out=z)  # sigmoid(z) = (1 + tanh(z / 2)) / 2, which cannot overflow
        z += 1
        z *= 0.5
        return z

    def variances(self, X: Features, tiles: Tiles | None = None) -> Float:
        """(N, D) embeddings to (N, C) float32 posterior variances of the logits."""
        self._check(X, tiles)
        found = np.empty((len(X), len(self.bias)), np.float32)
        for start in range(0, len(X), CHUNK):
            part = slice(start, start + CHUNK)
            away = self._lifted(X, tiles, part) - self.centre
            along = away @ self.basis
            outside = np.maximum((away**2).sum(1) / self.scale**2 - (along**2).sum(1), 0)
            np.matmul(along**2, self.spread.T, out=found[part])
            found[part] -= 2 * along @ (self.spread * self.middle).T - (self.spread * self.middle**2).sum(1)
            found[part] += outside[:, None] * self.rest
        return np.maximum(found, 0) + self.bias_variance  # the square was multiplied out and may round below 0

    def take(self, tags: NDArray[np.integer[Any]]) -> Self:
        """The head for the tags at these places, in this order; -1 makes a tag nobody has answered yet (a warm start
        after the vocabulary changed)."""
        known = tags >= 0
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("weights", "bias", "gain", "ridge", "middle", "spread", "rest", "bias_variance"):
            old = values[name]
            new = np.zeros((len(tags), *old.shape[1:]), np.float32)
            new[known] = old[tags[known]]
            if name in ("spread", "rest", "bias_variance"):
                new[~known] = 1  # of the order of a prior variance
            values[name] = new
        return type(self)(**values)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Name to array, for safetensors."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lift"}
        return own if self.lift is None else own | self.lift.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `to_arrays`. Raises BadInputError where an array is missing or the shapes do not fit."""
        names = [field.name for field in fields(cls) if field.name != "lift"]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise BadInputError(f"the stored head lacks {', '.join(missing)}; train the model again")
        head = cls(**{name: np.asarray(arrays[name], np.float32) for name in names}, lift=lift_from(arrays))
        tags, width = head.weights.shape if head.weights.ndim == 2 else (-1, -1)
        rank = head.basis.shape[-1] if head.basis.ndim else 0
        shapes = {
            "bias": (tags,),
            "gain": (tags,),
            "ridge": (tags,),
            "centre": (width,),
            "scale": (),
            "basis": (width, rank),
            "middle": (tags, rank),
            "spread": (tags, rank),
            "rest": (tags,),
            "bias_variance": (tags,),
        }
        for name, shape in shapes.items():
            found = getattr(head, name).shape
            if found != shape:
                raise BadInputError(
                    f"the stored head's {name} has shape {found}, its weights ask for {shape}; train the model again"
                )
        return head

    def _lifted(self, X: Features, tiles: Tiles | None, part: slice) -> Float:
        narrow = np.asarray(X[part], np.float32)
        if self.lift is None:
            return narrow
        return np.concatenate([narrow, self.lift.extra(narrow, None if tiles is None else tiles[part])], 1)

    def _check(self, X: Features, tiles: Tiles | None) -> None:
        width = self.weights.shape[1] - (self.lift.size if self.lift else 0)
        if X.ndim != 2 or X.shape[1] != width:
            raise UsageError(f"the head was trained on vectors of {width} numbers; got an array of shape {X.shape}")
        if tiles is not None and (len(tiles) != len(X) or tiles.shape[2] != width):
            raise UsageError(f"tiles of shape {tiles.shape} do not fit embeddings of shape {X.shape}")


@dataclass(frozen=True)
class FitReport:
    """How a fit went, per tag."""

    iterations: int
    converged: NDArray[np.bool_]  # (C,)
    ridge: Float  # (C,) the strength used
    loss: NDArray[np.float64]  # (C,) the minimised sum: loss over known entries plus penalty


@dataclass(frozen=True)
class HeadSettings:
    """What a caller may turn."""

    loss: str = "masked_bce"
    ridge: float = 0.1
    """Penalty on the learned weights, for embeddings scaled to unit root mean square distance from their mean. 0.1 was
    within 0.003 mAP of the best from 30 to 4,500 labelled images (MobileNet vectors of corel5k and coco256)."""
    ridges: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01)
    """Tried in this order when a validation set is given. Worth it where held-out answers exist anyway: keeping a
    quarter of the answers back for it cost more than it brought."""
    text_scale: float = 100.0
    """Logit per unit of cosine while there is no answer (CLIP's own temperature); then one gain for all tags is
    learned."""
    tolerance: float = 0.03
    """A tag stops when its next step is shorter than sqrt(tolerance) posterior standard deviations."""
    max_iterations: int = 200
    rank: int = 128
    """Shared directions of the preconditioner and of the posterior."""


@dataclass(frozen=True)
class Training:
    """Checked arrays for a head; `fit_head` makes it."""

    X: Features  # (N, D)
    labels: NDArray[np.int8]  # (N, C)
    texts: NDArray[np.floating[Any]] | None  # (C, D)
    weights: NDArray[np.floating[Any]] | None  # (N, C), >= 0
    targets: NDArray[np.floating[Any]] | None  # (N, C) in 0..1, in place of all labels
    validation: tuple[Features, NDArray[np.int8]] | None
    unlabelled: Features | None  # (M, D) of the same collection
    device: str
    warm: Head | None
    settings: HeadSettings
    progress: Progress | None
    tiles: Tiles | None = None  # (N, P, D)
    validation_tiles: Tiles | None = None

    @property
    def beliefs(self) -> NDArray[Any]:
        """(N, C) what is learned: the targets where there are any, else the labels, -1 unknown."""
        return self.labels if self.targets is None else self.targets


class HeadFit(Protocol):
    def __call__(self, training: Training) -> tuple[Head, FitReport]: ...
