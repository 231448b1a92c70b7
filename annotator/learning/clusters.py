"""Groups of images that look alike: spherical k-means by FAISS (Dhillon, Modha 2001, doi:10.1023/A:1007612920971)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

ITERATIONS = 15
SAMPLED = 256  # vectors a centre learns from; FAISS itself draws no more
CHUNK = 65_536


@dataclass(frozen=True)
class Clusters:
    """Which of K groups each of N images is in.

    members (N,) int32       group of each image, -1 for one without a vector
    closeness (N,) float32   cosine to the group's centre; 0 for one without a vector
    centres (K, D) float32   unit vectors, the largest group first
    """

    members: NDArray[np.int32]
    closeness: NDArray[np.float32]
    centres: NDArray[np.float32]

    def rows(self, group: int) -> NDArray[np.int64]:
        """The images of one group, the most typical first."""
        rows = np.flatnonzero(self.members == group)
        return rows[np.lexsort((rows, -self.closeness[rows]))]


def cluster(vectors: NDArray[np.floating[Any]], count: int, seed: int = 0) -> Clusters:
    """`count` groups of (N, D) unit `vectors`; images whose vector is zero belong to none.

    The same input and seed give the same groups on the same machine. Raises UsageError for a count below 1; asks for
    fewer groups where there are fewer images.
    """
    import faiss

    if count < 1:
        raise UsageError(f"{count} clusters: ask for at least 1")
    has_vector = np.flatnonzero(_lengths(vectors) > 0.5)
    count = min(count, len(has_vector))
    members = np.full(len(vectors), -1, np.int32)
    closeness = np.zeros(len(vectors), np.float32)
    if not count:
        return Clusters(members, closeness, np.empty((0, vectors.shape[1]), np.float32))
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(has_vector, min(len(has_vector), SAMPLED * count), replace=False))
    means = faiss.Kmeans(
        vectors.shape[1], count, niter=ITERATIONS, seed=seed, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=SAMPLED,
    )  # fmt: skip
    means.train(np.ascontiguousarray(vectors[sample], np.float32))
    centres = np.asarray(means.centroids, np.float32).reshape(count, -1)
    for start in range(0, len(has_vector), CHUNK):
        rows = has_vector[start : start + CHUNK]
        cosines = np.asarray(vectors[rows], np.float32) @ centres.T
        members[rows] = cosines.argmax(axis=1)
        closeness[rows] = cosines.max(axis=1)
    order = np.argsort(-np.bincount(members[has_vector], minlength=count), kind="stable")
    place = np.empty(count, np.int32)
    place[order] = np.arange(count)
    members[has_vector] = place[members[has_vector]]
    return Clusters(members, closeness, centres[order])


def _lengths(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    parts = [vectors[start : start + CHUNK].astype(np.float32) for start in range(0, len(vectors), CHUNK)]
    lengths = [np.linalg.norm(part, axis=1) for part in parts]
    return np.concatenate(lengths).astype(np.float32) if lengths else np.empty(0, np.float32)
