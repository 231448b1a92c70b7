"""Mixture head: which component of a Gaussian mixture an image belongs to, beside the embedding.

After SemiOccam (Yann & Xing 2025, arXiv 2506.03582), which models frozen features by Gaussian mixtures that learn from
unlabelled images as well. Here: K components of one shared variance in the leading principal directions, by EM
(Dempster et al. 1977) from seeded k-means++ centres (Arthur & Vassilvitskii 2007), on the answered images, and on
`unlabelled` ones where they are given.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.lifted import fit_lifted
from annotator.learning.heads.lifts import MEMBER, Components

COMPONENTS, DIRECTIONS, TURNS = 64, 32, 20
IMAGES = 20_000  # that the mixture is fitted to, evenly spaced
LEAST_VARIANCE = 1e-6

Double = NDArray[np.float64]


def fit_mixture(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`."""
    return fit_lifted(training, _components)


def _components(training: Training) -> Components:
    parts = [training.X] if training.unlabelled is None else [training.X, training.unlabelled]
    X = np.concatenate([part[:: -(-len(part) // IMAGES) or 1] for part in parts]).astype(np.float64)
    projection = _directions(X)
    X = X[np.argsort(X @ projection[:, 0])]  # the seeds do not hang on the order the images came in
    Z = X @ projection
    means = _seeds(Z, min(COMPONENTS, max(1, len(Z) // 4)))
    shares, variance = np.full(len(means), 1 / len(means)), max(float(Z.var(0).mean()), LEAST_VARIANCE)
    for _ in range(TURNS):
        lift = _lift(projection, means, shares, variance)
        members = lift.extra(X.astype(np.float32)).astype(np.float64) / MEMBER
        sizes = members.sum(0) + 1e-9
        means, shares = (members.T @ Z) / sizes[:, None], sizes / sizes.sum()
        spread = (Z**2).sum() - (sizes[:, None] * means**2).sum()
        variance = max(float(spread) / Z.size, LEAST_VARIANCE)
    return _lift(projection, means, shares, variance)


def _lift(projection: Double, means: Double, shares: Double, variance: float) -> Components:
    parts = (projection, means, np.log(shares), np.asarray(1 / variance))
    return Components(*(np.asarray(part, np.float32) for part in parts))


def _directions(X: NDArray[Any]) -> Double:
    """(D, P) leading principal directions."""
    away = X - X.mean(0)
    _, vectors = np.linalg.eigh(away.T @ away)
    found: NDArray[Any] = vectors[:, ::-1][:, :DIRECTIONS]
    return found


def _seeds(Z: Double, count: int) -> Double:
    """(count, P) k-means++ centres: each is drawn far from those before."""
    rng = np.random.default_rng(0)
    chosen = [int(rng.integers(len(Z)))]
    nearest = ((Z - Z[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count and nearest.sum() > 0:
        chosen.append(int(rng.choice(len(Z), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, ((Z - Z[chosen[-1]]) ** 2).sum(1))
    return Z[chosen]
