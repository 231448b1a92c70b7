import numpy as np
import pytest

from annotator.errors import UsageError
from annotator.learning.consensus import soft_votes
from annotator.learning.fit import fit_head


def test_a_belief_is_the_share_of_yes_and_counts_where_somebody_voted() -> None:
    belief = soft_votes(np.array([[3, 0, 1, 0]]), np.array([[3, 3, 2, 0]]))
    np.testing.assert_allclose(belief.targets, [[1, 0, 0.5, 0]])
    np.testing.assert_array_equal(belief.weights, [[1, 1, 1, 0]])


def test_who_was_not_asked_moves_no_head() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 8)).astype(np.float32)
    votes = rng.integers(0, 4, (60, 2))
    yes = rng.binomial(votes, 0.3)
    silent = votes == 0
    belief = soft_votes(yes, votes)
    plain, _ = fit_head("text_anchored", X, np.full(votes.shape, -1, np.int8), **belief._asdict())
    other = belief._replace(targets=np.where(silent, 1, belief.targets).astype(np.float32))
    same, _ = fit_head("text_anchored", X, np.full(votes.shape, -1, np.int8), **other._asdict())
    np.testing.assert_allclose(plain.logits(X), same.logits(X), atol=1e-5)


def test_more_yes_than_votes_is_named() -> None:
    with pytest.raises(UsageError, match="no more yes than votes"):
        soft_votes(np.array([[2]]), np.array([[1]]))
