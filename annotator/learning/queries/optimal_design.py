"""Optimal design: images that make the head's predictions surest over the whole pool.

A linear head's posterior variance at x is x' A^-1 x with A = ridge I + sum of x x' over the answered images, whatever
the answers are. V-optimal design (Atkinson, Donev, Tobias 2007, ch. 10) asks for the images that lower its mean over
the pool most; BAIT (Ash et al. 2021, arXiv 2106.09675) is the same with Fisher weights.
"""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import IntArray, Left, Picks, Pool, candidates_of, groups_at
from annotator.learning.queries.diversity import diversity, some_of

DIRECTIONS = 256  # leading directions of the pool that are looked at
CONSIDERED = 20_000
RIDGE = 0.1  # the head's, for vectors of unit root mean square distance from their mean


def optimal_design(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """Greedy V-optimal design on the embeddings: one after another the image with the largest
    |S A^-1 x|^2 / (1 + x' A^-1 x), S S the pool's second moments. Without embeddings: `diversity`."""
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        return diversity(pool, k, rng)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    answered = pool.answered
    everyone = np.concatenate([answered, considered])
    places = _standardised(np.asarray(pool.embeddings[everyone], np.float32))
    picked = _greedy(places, len(answered), Left(len(considered), groups_at(pool, considered)), k)
    return Picks(considered[picked], ["makes the model surer about many other images"] * len(picked))


def _standardised(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, P) places along the leading directions, scaled as the head scales them, with a column for the bias."""
    away = vectors - vectors.mean(axis=0)
    scale = float(np.sqrt((away**2).sum(axis=1).mean())) or 1.0
    values, directions = np.linalg.eigh(away.T @ away)
    along = away @ directions[:, np.argsort(-values)[:DIRECTIONS]] / scale
    return np.concatenate([along, np.ones((len(along), 1), np.float32)], axis=1).astype(np.float64)


def _greedy(places: NDArray[np.float64], answered: int, left: Left, k: int) -> IntArray:
    x = places[answered:]
    moments = x.T @ x / len(x)
    inverse = np.linalg.inv(RIDGE * np.eye(x.shape[1]) + places[:answered].T @ places[:answered])
    reached = x @ inverse  # (M, P) A^-1 x
    weighed = reached @ moments
    variance = np.einsum("ij,ij->i", reached, x)
    picked: list[int] = []
    for _ in range(min(k, len(x))):
        gain = np.einsum("ij,ij->i", weighed, reached) / (1 + variance)
        place = left.best(gain)
        picked.append(place)
        left.take(place)
        step = reached[place] / np.sqrt(1 + variance[place])  # A^-1 loses step step'
        along = x @ step
        reached -= np.outer(along, step)
        weighed -= np.outer(along, step @ moments)
        variance -= along**2
    return np.array(picked, np.int64)
