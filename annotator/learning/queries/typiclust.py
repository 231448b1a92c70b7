"""TypiClust: the most typical image of each kind that nobody answered yet (Hacohen et al. 2022, arXiv 2202.02794)."""

import numpy as np

from annotator.learning.clusters import cluster
from annotator.learning.queries.base import IntArray, Picks, Pool, apart, candidates_of
from annotator.learning.queries.diversity import diversity, some_of

MOST_CLUSTERS = 1_000  # the paper takes 500
CONSIDERED = 20_000
NEIGHBOURS = 20  # as in the paper
SMALLEST = 5  # images; smaller clusters come last, as in the paper


def typiclust(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """k-means into as many clusters as there are answered images and picks; from the largest clusters with the fewest
    answered images, the image with the smallest mean distance to its 20 nearest in the cluster.

    Made for the first answers: there it beats uncertainty, later it loses to it. Clusters by cosine. Without
    embeddings: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.embeddings is None:
        return diversity(pool, k, rng)
    considered = some_of(rows, max(CONSIDERED, k), rng)
    answered = some_of(pool.answered, CONSIDERED, rng)
    everyone = np.concatenate([answered, considered])
    vectors = np.asarray(pool.embeddings[everyone], np.float32)
    count = min(len(answered) + k, MOST_CLUSTERS, len(everyone))
    members = cluster(vectors, count, seed=int(rng.integers(2**31))).members.astype(np.int64)
    ranked = _by_cluster(members, vectors, len(answered), rng)
    picked = apart(considered[ranked], pool.duplicates, k)
    return Picks(picked, ["typical of a kind that is hardly answered"] * len(picked))


def _by_cluster(members: IntArray, vectors: np.ndarray, answered: int, rng: np.random.Generator) -> IntArray:
    """Places of the candidates (counted after the answered ones): cluster by cluster in turn, the typical ones first.

    A cluster's n-th image waits until all clusters with fewer answers had their turn.
    """
    candidates = members[answered:]
    typical = np.empty(len(candidates))
    covered = np.empty(len(candidates), np.int64)
    size = np.empty(len(candidates), np.int64)
    for group in np.unique(candidates):
        places = np.flatnonzero(candidates == group)
        inside = np.flatnonzero(members == group)
        own = vectors[inside] @ vectors[answered + places].T
        nearest = min(NEIGHBOURS + 1, len(inside))  # itself among them
        closeness = np.partition(own, len(inside) - nearest, axis=0)[-nearest:].mean(axis=0)
        order = np.lexsort((rng.random(len(places)), -closeness))
        typical[places[order]] = np.arange(len(places))
        covered[places] = (inside < answered).sum()
        size[places] = len(inside)
    return np.lexsort((-size, typical + covered, size < SMALLEST))
