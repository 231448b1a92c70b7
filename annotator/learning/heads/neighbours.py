"""Neighbour-augmented head: what near answered images say, beside the embedding (PINA; Chien et al. 2023, arXiv
2305.12349).

The votes of a training image leave out the image itself and its near-duplicates, so its own answer cannot leak.
"""

import numpy as np

from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.lifted import fit_lifted
from annotator.learning.heads.lifts import NeighbourVotes


def fit_neighbours(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`. Scoring costs a product with all answered images."""
    return fit_lifted(training, _votes)


def _votes(training: Training) -> NeighbourVotes:
    labels = np.asarray(training.beliefs, np.float64)
    weights = (labels >= 0) * (1.0 if training.weights is None else training.weights)
    share = (weights * np.maximum(labels, 0)).sum(0) / np.maximum(weights.sum(0), 1e-12)
    votes = np.where(weights > 0, labels - share, 0)
    return NeighbourVotes(np.asarray(training.X, np.float32), votes.astype(np.float32))
