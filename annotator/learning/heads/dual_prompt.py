"""Dual prompts: per tag a positive and a negative vector, compared with every region of an image (DualCoOp, Sun et al.
2022, arXiv 2206.09541).

DualCoOp learns context words and sends them through the text tower. Here no text tower is at hand while training: the
two vectors themselves are learned, from the tag's text vector (from nothing, where the backbone knows no words) and
from what all texts have in common, towards which a penalty pulls them back. Regions are the whole image and its tiles;
the positive vector chooses the regions for both. What comes out stands beside the embedding of the text-anchored head,
whose last layer is then solved anew and gives the uncertainties.

It helps where things are small in the pictures (coco256: 0.014 of mAP above the default with words, 0.005 without) and
hardly elsewhere (corel5k: -0.003 to 0.004); without tiles it is worse than the default everywhere (`benchmarks.tiles`).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads.answers import entries
from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.lifted import fit_lifted, only_rows
from annotator.learning.heads.lifts import SCALE, SHARPNESS, DualPrompts, regions_of
from annotator.learning.losses import LOSSES

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 60
RATE, BIAS_RATE = 0.01, 0.1
DECAY = 300.0  # of squared distances from the start, in units of one answer; of 1, 10, 100, 300, 1000, 3000 the best
FROM_NOTHING = 3000.0  # the same of a tag without words: with 300, corel5k loses 0.03 of mAP against no prompts at all
IMAGES = 4_000  # learned from, those of the rarest tags first: more take minutes
ENTRIES = 2**22  # similarities of one kind held at once: 16 MB, about six times


def fit_dual_prompt(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`. Without tiles the whole image is the only region."""
    return fit_lifted(training, _prompts)


def _prompts(training: Training) -> DualPrompts:
    import torch

    training = _of_rare_tags(training)
    targets, weights = entries(training)
    regions = torch.tensor(regions_of(training.X, training.tiles), device=training.device)
    start = torch.tensor(np.stack(_start(training)), device=training.device)
    pair = start.clone().requires_grad_()
    worded = start.any(2, keepdim=True).any(0)  # (C, 1)
    decay = torch.where(worded, DECAY, FROM_NOTHING)
    bias = _log_odds(targets, weights) - _logits(regions, start).mean(1)
    adam = torch.optim.Adam([{"params": [pair], "lr": RATE}, {"params": [bias], "lr": BIAS_RATE}])
    loss, total = LOSSES[training.settings.loss], float(weights.sum()) + 1
    for _ in range(STEPS):
        z = _logits(regions, pair.detach()) + bias[:, None]
        pull = loss.slopes(z, targets, weights).gradient / total
        bias.grad, pair.grad = pull.sum(1), decay / total * (pair.detach() - start)
        with torch.enable_grad():
            for part in _parts(regions, pair):
                (_of_part(regions[part], pair) * pull[:, part]).sum().backward()  # type: ignore[no-untyped-call]
        adam.step()
    positive, negative = pair.detach().cpu().numpy()
    return DualPrompts(positive, negative, np.asarray(training.tiles is not None, np.float32))


def _of_rare_tags(training: Training) -> Training:
    """At most IMAGES of the images: those that show a rare tag first, in their order."""
    if len(training.X) <= IMAGES:
        return training
    shown = training.beliefs > 0.5
    counts = np.where(shown, shown.sum(0), len(shown) + 1).min(1)
    return only_rows(training, np.sort(np.argsort(counts, kind="stable")[:IMAGES]))


def _start(training: Training) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(C, D) the tags' unit text vectors and the mean of those there are; zeros for a tag without."""
    tags, width = training.labels.shape[1], training.X.shape[1]
    if training.texts is None or not training.texts.any():
        return np.zeros((tags, width), np.float32), np.zeros((tags, width), np.float32)
    texts = np.asarray(training.texts, np.float32)
    texts = texts / np.maximum(np.linalg.norm(texts, axis=1, keepdims=True), 1e-12)
    worded = texts.any(1)
    return texts, texts[worded].mean(0) * worded[:, None]


def _log_odds(targets: "Tensor", weights: "Tensor") -> "Tensor":
    """(C,) of each tag's share of positives, with one imaginary answer at one half."""
    import torch

    return torch.logit(((targets * weights).sum(1) + 0.5) / (weights.sum(1) + 1))


def _logits(regions: "Tensor", pair: "Tensor") -> "Tensor":
    """(N, R, D) regions and (2, C, D) vectors to (C, N), some images at a time."""
    import torch

    return torch.cat([_of_part(regions[part], pair) for part in _parts(regions, pair)], 1)


def _of_part(regions: "Tensor", pair: "Tensor") -> "Tensor":
    """(C, n) the mean over regions of positive less negative similarity, weighed by the positive one."""
    positive, negative = (SHARPNESS * (regions @ vectors.T) for vectors in pair)
    found: Tensor = SCALE * (positive.softmax(1) * (positive - negative)).sum(1)
    return found.T


def _parts(regions: "Tensor", pair: "Tensor") -> Iterator[slice]:
    step = max(1, ENTRIES // (regions.shape[1] * pair.shape[1]))
    for start in range(0, len(regions), step):
        yield slice(start, start + step)
