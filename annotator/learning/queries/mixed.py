"""Mixed: spread over the collection first, then over what the model predicts, rare tags counting most."""

import numpy as np

from annotator.learning.queries.base import Floats, Picks, Pool, candidates_of, scored
from annotator.learning.queries.diversity import (
    COMPARED,
    CONSIDERED,
    Space,
    diversity,
    nearest,
    some_of,
    spread,
    thin_out,
)
from annotator.learning.queries.rare_margin import why_rare

FEW = 200  # answered images; with fewer, what the model predicts is a worse guide than the embeddings
FEW_SHARE = 0.1  # of the collection: a small one leaves this stage sooner
_LEAST = 1e-12


def mixed(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """While there are few answers, `diversity`. Then the same k-means++ draws in the space of predictions.

    There an image lies at p_t / sqrt(1 + positives of t so far) for each tag t, and is drawn with probability
    proportional to its squared distance to the nearest answered or already picked one: images that promise tags seen
    rarely, in combinations the answers do not cover, and no batch of one kind. Of larger pools, candidates are
    considered with chances proportional to the squared length of that vector. Without probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None or len(pool.answered) < min(FEW, FEW_SHARE * len(pool.labels)):
        return diversity(pool, k, rng)
    weights = 1 / np.sqrt(1 + pool.found)
    considered, most = rows, max(CONSIDERED, k)
    if len(rows) > most:
        lengths = scored(rows, lambda part: (_placed(pool, part, weights) ** 2).sum(axis=1))
        considered = thin_out(rows, np.log(lengths + _LEAST), most, rng)
    references = some_of(pool.answered, COMPARED, rng)
    vectors = _placed(pool, considered, weights)
    near = nearest(vectors, _placed(pool, references, weights))
    picked = spread(considered, Space.of(vectors), near, k, pool.duplicates, rng)
    return Picks(picked, [why_rare(pool, row, weights) for row in picked])


def _placed(pool: Pool, rows: np.ndarray, weights: Floats) -> Floats:
    """(n, C) float32 places of some rows in the space of predictions."""
    assert pool.probabilities is not None
    return np.asarray(pool.probabilities[rows] * weights, np.float32)
