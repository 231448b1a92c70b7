"""Label propagation over the graph of near images (Zhou et al. 2004, "Learning with local and global consistency").

F <- a S F + (1 - a) Y over answered and unlabelled images, S the normalised graph of the K nearest by cosine, for
positive and for negative answers. An image's belief is its positive mass over both, each side scaled to the tag's share
(class mass normalisation; Zhu et al. 2003); its trust is how much mass reached it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.extra.base import Extra, Features, Given, weighed

NEAR = 10
ALPHA = 0.9
TURNS = 20


def label_propagation(given: Given) -> Extra:
    if not len(given.unlabelled):
        nothing = np.empty((0, given.labels.shape[1]))
        return weighed(given, given.unlabelled, nothing, nothing)
    graph = _graph(np.concatenate([given.X, given.unlabelled]).astype(np.float32))
    count = len(given.X)
    positive, negative = (_spread(graph, given.labels == state)[count:] for state in (1, 0))
    share = given.share()
    ups, downs = positive * _scale(share, positive), negative * _scale(1 - share, negative)
    mass = positive + negative
    targets = ups / np.maximum(ups + downs, 1e-12)
    return weighed(given, given.unlabelled, targets, mass / np.maximum(mass.max(0), 1e-12))


def _scale(share: NDArray[np.float64], mass: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(share / np.maximum(mass.mean(0), 1e-12))


def _graph(X: Features) -> Any:
    """(N, N) sparse, symmetric: cosines of the K nearest, rows and columns normalised by the root of their sums."""
    import faiss
    from scipy.sparse import csr_array, diags_array

    unit = np.ascontiguousarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12))
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    near, rows = index.search(unit, min(NEAR + 1, len(unit)))
    weights = np.maximum(near, 0) * (rows != np.arange(len(unit))[:, None])
    starts = np.arange(0, rows.size + 1, rows.shape[1])
    one_way = csr_array((weights.ravel().astype(np.float64), rows.ravel(), starts), shape=(len(unit), len(unit)))
    both = one_way.maximum(one_way.T)
    root = diags_array(1 / np.sqrt(np.maximum(both.sum(1), 1e-12)))
    return root @ both @ root


def _spread(graph: Any, answers: NDArray[np.bool_]) -> NDArray[np.float64]:
    start = np.zeros((graph.shape[0], answers.shape[1]))
    start[: len(answers)] = answers
    mass = start
    for _ in range(TURNS):
        mass = ALPHA * (graph @ mass) + (1 - ALPHA) * start
    return mass
