"""Lifts: numbers that a head learned to put beside an embedding before its affine map. One line in `LIFTS` each.

A lifted head is `text_anchored` on [x ; lift(x)]: the words speak of x alone, the last layer stays convex, and the
posterior is that of the last layer (Kristiadi et al. 2020, arXiv 2002.10118).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import BadInputError

Float = NDArray[np.float32]


class Lift(ABC):
    """A frozen dataclass of arrays."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many numbers it adds."""

    @abstractmethod
    def extra(self, X: Float, tiles: Tiles | None = None) -> Float:
        """(n, D) embeddings, and the (n, P, D) tiles of these images where there are any, to (n, size) numbers."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        name = next(name for name, kind in LIFTS.items() if kind is type(self))
        return {f"{name}.{field.name}": getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_arrays(cls, name: str, arrays: Mapping[str, NDArray[Any]]) -> Self:
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        missing = [field for field in names if f"{name}.{field}" not in arrays]
        if missing:
            raise BadInputError(f"the stored head's {name} lacks {', '.join(missing)}; train the model again")
        return cls(**{field: np.asarray(arrays[f"{name}.{field}"], np.float32) for field in names})


@dataclass(frozen=True)
class HiddenLayer(Lift):
    """relu(weights x + bias)."""

    weights: Float  # (H, D)
    bias: Float  # (H,)

    @property
    def size(self) -> int:
        return len(self.bias)

    def extra(self, X: Float, tiles: Tiles | None = None) -> Float:
        found: Float = np.maximum(X @ self.weights.T + self.bias, 0)
        return found


@dataclass(frozen=True)
class NeighbourVotes(Lift):
    """What the nearest answered images say of each tag, against how common the tag is.

    Among the K nearest, softmax(cosine / temperature) weighs (label - share of positives); unknown adds 0. Images
    nearer than `TWIN` have no say: they are the image itself or a near-duplicate, which would tell its own answer.
    """

    vectors: Float  # (M, D) answered images
    votes: Float  # (M, C)

    @property
    def size(self) -> int:
        return int(self.votes.shape[1])

    def extra(self, X: Float, tiles: Tiles | None = None) -> Float:
        near = X @ self.vectors.T
        lengths = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(self.vectors, axis=1)
        near = near / np.maximum(lengths, 1e-12)
        near[near > TWIN] = -np.inf
        if near.shape[1] > NEIGHBOURS:
            least = np.partition(near, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS, None]
            near[near < least] = -np.inf
        top = near.max(1, initial=-1, keepdims=True)
        weights = np.exp((near - np.maximum(top, -1)) / TEMPERATURE)
        total = weights.sum(1, keepdims=True)
        found: Float = (weights * (VOTE / np.where(total > 0, total, 1))) @ self.votes
        return found


TWIN = 0.98
NEIGHBOURS = 20
TEMPERATURE = 0.05
VOTE = 0.3  # length of a sure vote beside a unit vector: at 1 the penalty no longer holds it back
MEMBER = 0.1  # the same for a sure member of a component


@dataclass(frozen=True)
class Components(Lift):
    """Which component of a Gaussian mixture an image is of: its K responsibilities, in a space of few dimensions."""

    projection: Float  # (D, P)
    means: Float  # (K, P)
    log_weights: Float  # (K,)
    precision: Float  # () one over the variance that all components and directions share

    @property
    def size(self) -> int:
        return len(self.means)

    def extra(self, X: Float, tiles: Tiles | None = None) -> Float:
        Z = X @ self.projection
        distances = (Z**2).sum(1)[:, None] - 2 * Z @ self.means.T + (self.means**2).sum(1)
        logits = self.log_weights - self.precision / 2 * distances
        weights = np.exp(logits - logits.max(1, keepdims=True))
        found: Float = weights * (MEMBER / weights.sum(1, keepdims=True))
        return found


SHARPNESS = 20.0  # per unit of cosine, within an image: DualCoOp's
SCALE = 5.0  # together with the sharpness 100, CLIP's own temperature
PROMPT = 0.03  # of a logit beside a unit vector; of 0.01, 0.03 and 0.1 the best
ROWS = 512  # images whose regions are held as float32: 10 MB at ten regions of 512 numbers


@dataclass(frozen=True)
class DualPrompts(Lift):
    """Per tag z = SCALE sum_j a_j (s+_j - s-_j), s = SHARPNESS cosine with region j, a = softmax over regions of s+
    (DualCoOp, Sun et al. 2022, arXiv 2206.09541). Regions are the whole image and its tiles.
    """

    positive: Float  # (C, D)
    negative: Float  # (C, D)
    looks: Float  # () 1 where it was learned on tiles; else it looks at none

    @property
    def size(self) -> int:
        return len(self.positive)

    def extra(self, X: Float, tiles: Tiles | None = None) -> Float:
        found = np.empty((len(X), self.size), np.float32)
        seen = tiles if self.looks else None
        for start in range(0, len(X), ROWS):
            part = slice(start, start + ROWS)
            regions = regions_of(X[part], None if seen is None else seen[part])
            positive, negative = (SHARPNESS * (regions @ vectors.T) for vectors in (self.positive, self.negative))
            chosen = np.exp(positive - positive.max(1, keepdims=True))
            total = (chosen * (positive - negative)).sum(1) / chosen.sum(1)
            found[part] = PROMPT * SCALE * total
        return found


def regions_of(X: NDArray[np.floating[Any]], tiles: Tiles | None) -> Float:
    """(n, 1 + P, D) unit vectors of the whole images and their tiles; a vector of zeros stays one."""
    parts = [np.asarray(X, np.float32)[:, None]]
    if tiles is not None:
        parts.append(np.asarray(tiles[:], np.float32))
    regions = np.concatenate(parts, 1)
    found: Float = regions / np.maximum(np.linalg.norm(regions, axis=2, keepdims=True), 1e-12)
    return found


LIFTS: dict[str, type[Lift]] = {
    "hidden": HiddenLayer,
    "neighbours": NeighbourVotes,
    "components": Components,
    "prompts": DualPrompts,
}


def lift_from(arrays: Mapping[str, NDArray[Any]]) -> Lift | None:
    """The lift stored among a head's arrays; None where there is none."""
    for name, kind in LIFTS.items():
        if any(key.startswith(f"{name}.") for key in arrays):
            return kind.from_arrays(name, arrays)
    return None
