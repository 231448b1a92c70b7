"""One hidden layer beside the linear head: z = text-anchored(x) + V relu(W x + b).

The hidden layer learns what the linear head leaves over, by full-batch Adam (Kingma & Ba 2015, arXiv 1412.6980) from
V = 0, with weight decay; then the last layer is solved anew. Worse than the linear head on most packs:
`benchmarks.few_shot`.
"""

import numpy as np

from annotator.learning.heads.answers import entries
from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.lifted import fit_lifted
from annotator.learning.heads.lifts import HiddenLayer
from annotator.learning.heads.text_anchored import fit_text_anchored
from annotator.learning.losses import LOSSES

HIDDEN = 128
STEPS = 60
RATE = 0.01
DECAY = 0.1  # of squared weights, in units of one answer


def fit_mlp(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`."""
    return fit_lifted(training, _hidden_layer)


def _hidden_layer(training: Training) -> HiddenLayer:
    import torch

    head, _ = fit_text_anchored(training)
    device = training.device
    X = torch.tensor(np.asarray(training.X, np.float32), device=device)
    X = (X - torch.tensor(head.centre, device=device)) / float(head.scale)
    base = torch.tensor(head.logits(training.X).T, device=device)
    targets, weights = entries(training)
    start = torch.Generator().manual_seed(0)
    W = torch.randn(HIDDEN, X.shape[1], generator=start).to(device) / X.shape[1] ** 0.5
    W, b = W.requires_grad_(), torch.zeros(HIDDEN, device=device, requires_grad=True)
    V = torch.zeros(len(base), HIDDEN, device=device, requires_grad=True)
    loss, total = LOSSES[training.settings.loss], float(weights.sum()) + 1
    adam = torch.optim.Adam([W, b, V], RATE)
    with torch.enable_grad():
        for _ in range(STEPS):
            adam.zero_grad()
            z = base + V @ torch.relu(X @ W.T + b).T
            decay = DECAY / 2 * ((V**2).sum() + (W**2).sum())
            ((loss.value(z, targets, weights).sum() + decay) / total).backward()
            adam.step()
    scaled = W.detach() / float(head.scale)
    bias = b.detach() - scaled @ torch.tensor(head.centre, device=device)
    return HiddenLayer(scaled.cpu().numpy(), bias.cpu().numpy())
