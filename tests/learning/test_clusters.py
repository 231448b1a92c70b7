import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.learning.clusters import cluster


def vectors(count: int, dim: int = 8, seed: int = 0) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((count, dim))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)


def test_well_separated_groups_are_found() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 400)
    made = np.eye(8)[truth] + 0.05 * rng.standard_normal((400, 8))
    found = cluster((made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32), 4)
    for group in range(4):
        assert len(set(truth[found.rows(group)])) == 1
    sizes = [len(found.rows(group)) for group in range(4)]
    assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 60), groups=st.integers(1, 12), empty=st.integers(0, 5))
def test_every_image_with_a_vector_is_in_one_group(count: int, groups: int, empty: int) -> None:
    made = vectors(count)
    made[:empty] = 0
    found = cluster(made, groups)
    with_vector = max(0, count - empty)
    assert (found.members[: min(empty, count)] == -1).all()
    assert len(found.centres) == min(groups, with_vector)
    members = np.concatenate([found.rows(group) for group in range(len(found.centres))] or [np.empty(0, int)])
    assert sorted(members.tolist()) == list(range(min(empty, count), count))


def test_the_most_typical_come_first_and_the_seed_decides() -> None:
    made = vectors(300)
    found, again = cluster(made, 5, seed=3), cluster(made, 5, seed=3)
    assert (found.members == again.members).all() and (found.centres == again.centres).all()
    for group in range(5):
        closeness = found.closeness[found.rows(group)]
        assert (np.diff(closeness) <= 0).all()


def test_no_groups_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        cluster(vectors(10), 0)
