"""Unions: for tags with few positives, the normalised sum of two answered images, which shows what either shows.

The plain form of LaSO (Alfassy et al. 2019, arXiv 1902.09811), whose networks for union, intersection and difference
have to be trained on tags with many images first. Where one image is known to show a tag, so does the sum; it is known
not to where neither does.
"""

import numpy as np

from annotator.learning.extra.base import Extra, Given, weighed

ENOUGH = 20  # positives a tag is filled up to


def unions(given: Given) -> Extra:
    labels, X = given.labels, np.asarray(given.X, np.float32)
    rng = np.random.default_rng(0)
    pairs = []
    for column in labels.T:
        own = np.flatnonzero(column == 1)
        if 0 < len(own) < ENOUGH:
            pairs.append(np.stack([rng.choice(own, ENOUGH - len(own)), rng.integers(len(X), size=ENOUGH - len(own))]))
    first, second = np.concatenate(pairs, 1) if pairs else np.zeros((2, 0), np.int64)
    made = X[first] + X[second]
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    positive = (labels[first] == 1) | (labels[second] == 1)
    known = positive | ((labels[first] == 0) & (labels[second] == 0))
    return weighed(given, made, positive, known.astype(np.float64))
