"""The labelled images on the device, standardised, in the layout the solver wants."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import BadInputError
from annotator.learning.heads.base import Features, Training
from annotator.learning.losses import LOSSES

if TYPE_CHECKING:
    from torch import Tensor

BIAS_ANSWERS = 1.0  # imaginary answers at the mean image
ENTRIES = 2**25  # numbers of one kind held for the tags solved together: 128 MB, about ten times


@dataclass(frozen=True)
class Answers:
    """N images with an answer, and last two imaginary images at the mean, one positive and one negative.

    Together the two weigh BIAS_ANSWERS answers, split as all tags' answers are: they keep the bias of a tag with only
    negatives (or only positives) finite.
    """

    features: "Tensor"  # (N + 2, D): (x - centre) / scale
    centre: "Tensor"  # (D,)
    scale: float
    labels: NDArray[np.floating[Any]] | NDArray[np.int8]  # (N, C) 1, 0, -1, or beliefs in between
    weights: NDArray[np.floating[Any]] | None  # (N, C)
    prevalence: float  # share of positives in all answers, at most 1/2
    latest: dict[int, tuple["Tensor", "Tensor"]] = field(
        default_factory=dict
    )  # the last block, which is asked for again

    def blocks(self) -> list[slice]:
        """Tags that are solved together: as many as memory bears with their logits and remembered steps."""
        images, width = self.features.shape
        size = max(1, ENTRIES // (images + 2 * width))
        return [slice(start, start + size) for start in range(0, self.labels.shape[1], size)]

    def block(self, tags: slice) -> tuple["Tensor", "Tensor"]:
        """(C, N + 2) float labels, and weights that are 0 where unknown; not to be changed in place."""
        if tags.start not in self.latest:
            self.latest.clear()
            self.latest[tags.start] = self._make_block(tags)
        return self.latest[tags.start]

    def _make_block(self, tags: slice) -> tuple["Tensor", "Tensor"]:
        import torch

        part, device = self.labels[:, tags], self.features.device
        labels = torch.empty(part.shape[1], len(self.features), device=device)
        labels[:, :-2] = torch.tensor(part, device=device).T
        labels[:, -2], labels[:, -1] = 1, 0
        weights = (labels >= 0).to(labels.dtype)
        if self.weights is not None:
            weights[:, :-2] *= torch.tensor(self.weights[:, tags], device=device).T
        weights[:, -2] = BIAS_ANSWERS * self.prevalence
        weights[:, -1] = BIAS_ANSWERS * (1 - self.prevalence)
        return labels, weights


def tensor(array: NDArray[Any], like: "Tensor") -> "Tensor":
    """A float32 copy on the device of `like` (stored arrays may be read-only, so no view)."""
    import torch

    return torch.tensor(array, dtype=torch.float32, device=like.device)


def entry_weights(training: Training) -> NDArray[np.floating[Any]] | None:
    """(N, C) weights of the answers, rebalanced where the loss asks for it; None where all weigh 1."""
    rebalance = LOSSES[training.settings.loss].rebalance
    if rebalance is None:
        return training.weights
    balanced = rebalance(training.beliefs)
    return balanced if training.weights is None else balanced * training.weights


def entries(training: Training) -> tuple["Tensor", "Tensor"]:
    """(C, N) targets on the device, and weights that are 0 where unknown."""
    import torch

    targets = torch.tensor(np.asarray(training.beliefs.T, np.float32), device=training.device)
    known, weights = (targets >= 0).float(), entry_weights(training)
    return targets, known if weights is None else known * tensor(weights.T, known)


def collect(training: Training) -> Answers:
    """Drop the images without any answer, standardise the others."""
    labels = training.beliefs
    rows, weights, X = (labels >= 0).any(1), entry_weights(training), training.X
    # Without any answer all images stay: their mean centres the zero-shot score.
    if rows.any() and not rows.all():
        labels, X = labels[rows], X[rows]
        weights = None if weights is None else weights[rows]
    features, centre, scale = _standardise(X, training.device)
    known = (labels >= 0) if weights is None else (labels >= 0) * weights
    positives = float((np.maximum(labels, 0) * known).sum(dtype=np.float64))
    share = (positives + 0.5) / (float(known.sum(dtype=np.float64)) + 1)
    return Answers(features, centre, scale, labels, weights, min(0.5, share))


def _standardise(X: Features, device: str) -> tuple["Tensor", "Tensor", float]:
    """Embeddings to unit root mean square distance from their mean, with two zero rows appended.

    The scale makes a penalty mean the same for every backbone. The centre only speeds the solver up: raw vectors of
    weak backbones share a huge mean.
    """
    import torch

    features = torch.zeros(len(X) + 2, X.shape[1], device=device)
    images = features[: len(X)]
    images.copy_(torch.tensor(X))
    if len(X) == 0:
        return features, torch.zeros_like(features[0]), 1.0
    centre = images.mean(0)
    if not bool(centre.isfinite().all()):
        raise BadInputError("an embedding is not finite, or too large for float32; embed the images again")
    images -= centre
    variance = float((images**2).sum(1).sum(dtype=torch.float64)) / max(1, len(X) - 1)
    scale = variance**0.5 if variance > 1e-12 else 1.0  # all images the same
    images *= 1 / scale
    return features, centre, scale
