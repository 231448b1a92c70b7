"""Tag graph: each tag also hears the other tags' logits, z' = z + A z + c (the relation matrix of CSC, Du et al. 2024,
arXiv 2403.12559, learned here by a convex fit).

It has not paid on the packs (`benchmarks.few_shot`).

Every tag's A is fitted on the logits that the text-anchored head gives to images it did not learn from: training
logits less each answer's own pull, by the leave-one-out formula of generalised linear models (Pregibon 1981, doi
10.1214/aos/1176345513). The result is affine again, so scoring costs nothing more.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads.base import FitReport, Float, Head, Training
from annotator.learning.heads.lifted import only_answered
from annotator.learning.heads.text_anchored import fit_text_anchored
from annotator.learning.losses import LOSSES

RIDGE = 30.0  # on A, for logits of unit root mean square length
FEW = 300.0  # answered images at which the relations are believed half
MOST = 5.0  # logits that leaving one answer out may move


def fit_tag_graph(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`."""
    head, report = fit_text_anchored(training)
    answered = only_answered(training)
    tags = training.labels.shape[1]
    if not len(answered.X) or tags < 2:
        return head, report
    # A head whose "text" of each tag is its own logit: words and what else is heard, in one convex fit.
    settings = replace(training.settings, ridge=RIDGE, text_scale=1.0)
    listening = replace(
        answered, X=_left_out(head, answered), texts=np.eye(tags, dtype=np.float32), validation=None, warm=None,
        settings=settings,
    )  # fmt: skip
    heard, _ = fit_text_anchored(listening)
    trust = len(answered.X) / (len(answered.X) + FEW)
    return _joined(
        head, replace(heard, weights=_between(np.eye(tags), heard.weights, trust), bias=trust * heard.bias)
    ), report


def _between(one: NDArray[np.float64], other: Float, share: float) -> Float:
    return np.asarray((1 - share) * one + share * other, np.float32)


def _left_out(head: Head, training: Training) -> Float:
    """(N, C) logits of each training image by a head without that image's answer, to first order."""
    import torch

    z, spread = head.logits(training.X), head.variances(training.X)
    labels = torch.tensor(np.asarray(training.beliefs, np.float32).T)
    weights = None if training.weights is None else torch.tensor(np.asarray(training.weights, np.float32).T)
    terms = LOSSES[training.settings.loss](torch.tensor(z.T), labels, weights)
    pull, bend = terms.gradient.numpy().T, terms.curvature.numpy().T
    moved = spread * pull / np.maximum(1 - spread * bend, 0.1)
    found: Float = z + np.clip(moved, -MOST, MOST)
    return found


def _joined(head: Head, heard: Head) -> Head:
    """One affine map for the two; a tag's uncertainty is that of its own logit, stretched."""
    stretch = heard.weights.diagonal() ** 2
    return replace(
        head,
        weights=heard.weights @ head.weights,
        bias=heard.weights @ head.bias + heard.bias,
        gain=head.gain * heard.weights.diagonal(),
        spread=head.spread * stretch[:, None],
        rest=head.rest * stretch,
        bias_variance=head.bias_variance * np.maximum(stretch, 1e-6),
    )
