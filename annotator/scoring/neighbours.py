"""Votes of the nearest answered images: what they show, this one may show too.

A weighted nearest-neighbour vote per tag over known answers only, shrunk to the tag's share in all answers (the
"attention to labels" of PINA-like methods, without training).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 20
FEWEST = 5  # answered images; with fewer, their votes are noise
TEMPERATURE = 0.05
PRIOR_VOTES = 0.2  # of the strength of all neighbours together

Scores = NDArray[np.float32]


def scores(similarities: NDArray[np.floating[Any]], neighbours: NDArray[np.int64], labels: NDArray[np.int8]) -> Scores:
    """(N, C) votes in 0..1, like probabilities; NaN where no neighbour has an answer on the tag.

    similarities, neighbours (N, K): cosines and places in `labels` of the nearest answered images; -1 for none, and for
    those that must not vote: the image itself and its near-duplicates, or its own label would leak into its score
    labels (M, C) int8: the answers, -1 unknown, which carries no weight
    """
    best = similarities.max(axis=1, keepdims=True, initial=-1)
    weight = np.where(neighbours >= 0, np.exp((similarities - best) / TEMPERATURE), 0)
    voting = labels[np.maximum(neighbours, 0)]  # (N, K, C)
    known = (voting >= 0) & (neighbours >= 0)[..., None]
    total = np.einsum("nk,nkc->nc", weight, known)
    yes = np.einsum("nk,nkc->nc", weight, voting == 1)
    answered = (labels >= 0).sum(axis=0)
    prior = ((labels == 1).sum(axis=0) + 0.5) / (answered + 1)
    strength = PRIOR_VOTES * weight.sum(axis=1, keepdims=True)
    votes = (yes + strength * prior) / np.maximum(total + strength, 1e-12)
    return np.where(total > 0, votes, np.nan).astype(np.float32)
