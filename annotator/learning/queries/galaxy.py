"""GALAXY: between the nearest opposite answers along a tag's scores (Zhang et al. 2022, arXiv 2202.01402)."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.queries.base import IntArray, Picks, Pool, candidates_of
from annotator.learning.queries.diversity import diversity, some_of
from annotator.terms import LabelState

CONSIDERED = 50_000  # candidates: sorting a million for each of a hundred tags takes minutes


def galaxy(pool: Pool, k: int, rng: np.random.Generator) -> Picks:
    """For each pick a tag at random; all images in the order of its scores; the middle of the shortest run of open
    images between neighbouring answers of opposite sign, or, where no two such answers have one between them, the
    open image nearest to where they meet.

    The order by score is the paper's line graph, so answers on both sides of the boundary stay balanced however rare
    the tag. Images picked count as answered with the likelier sign until they are answered. A tag without a positive
    answer asks for its highest score. Of larger pools a random part is looked at. Without probabilities: `diversity`.
    """
    rows = candidates_of(pool, k)
    if pool.probabilities is None:
        return diversity(pool, k, rng)
    rows = some_of(rows, max(CONSIDERED, k), rng)
    k = min(k, len(rows))
    tags = rng.integers(0, pool.labels.shape[1], 20 * k)
    free = np.zeros(len(pool.labels), bool)
    free[rows] = True
    fresh = free.copy()
    lines: dict[int, _Line] = {}
    picked: list[int] = []
    reasons: list[str] = []
    for tag in np.resize(tags, k).tolist():
        line = lines.setdefault(tag, _Line.of(pool, rows, tag))
        open_ = fresh if fresh.any() else free
        row = line.ask(open_)
        picked.append(row)
        reasons.append(f"where {pool.name(tag)} begins and ends ({float(pool.probabilities[row, tag]):.2f})")
        free[row] = fresh[row] = False
        if pool.duplicates is not None:
            fresh &= pool.duplicates != pool.duplicates[row]
    return Picks(np.array(picked, np.int64), reasons)


class _Line:
    """The answered and open images in the order of one tag's scores, and the sign of those answered."""

    def __init__(self, rows: IntArray, signs: NDArray[np.int8]) -> None:
        self.rows, self.signs = rows, signs  # (n,) rows, lowest score first; (n,) 1, 0, -1 open

    @classmethod
    def of(cls, pool: Pool, candidates: IntArray, tag: int) -> "_Line":
        assert pool.probabilities is not None
        answered = np.flatnonzero(pool.labels[:, tag] != LabelState.UNKNOWN)
        rows = np.union1d(answered, candidates)
        rows = rows[np.argsort(pool.probabilities[rows, tag], kind="stable")]
        return cls(rows, pool.labels[rows, tag].copy())

    def ask(self, open_: NDArray[np.bool_]) -> int:
        """The row to ask about, which must be open; it is remembered with the sign of its nearer answered side."""
        free = np.flatnonzero(open_[self.rows])
        known = np.flatnonzero(self.signs >= 0)
        middle = self._middle(known)
        place = int(free[np.argmin(np.abs(free - middle))])
        left, right = known[known < place], known[known > place]
        # Between two signs the guess is the one of the nearer answer; it keeps the next run on the other side.
        nearer = [side for side in (left[-1:], right[:1]) if len(side)]
        guess = min(nearer, key=lambda side: abs(int(side[0]) - place)) if nearer else np.array([place])
        self.signs[place] = max(0, int(self.signs[guess[0]]))
        return int(self.rows[place])

    def _middle(self, known: IntArray) -> float:
        """Where to ask: the middle of the shortest run between opposite answers."""
        signs = self.signs[known]
        turns = np.flatnonzero(signs[:-1] != signs[1:])
        if not len(turns):
            # All answers alike: positives are wanted from above, negatives from below.
            return -1.0 if len(signs) and signs[0] == 1 else float(len(self.rows))
        gaps = known[turns + 1] - known[turns] - 1
        open_gaps = turns[gaps > 0]
        at = open_gaps[np.argmin(gaps[gaps > 0])] if len(open_gaps) else turns[len(turns) // 2]
        return (float(known[at]) + float(known[at + 1])) / 2
