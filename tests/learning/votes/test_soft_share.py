import numpy as np
import pytest

from annotator.errors import UsageError
from annotator.learning.votes.soft_share import soft_share
from tests.learning.votes.tables import table


def test_a_belief_is_the_share_of_yes_with_imaginary_votes_at_the_tags_share() -> None:
    found = soft_share(table((0, 0, 1, 1), (0, 0, 2, 1), (0, 0, 3, 0), (1, 0, 1, 0), (2, 0, 1, -1)), imaginary=2)
    of_tag = (2 + 1) / (4 + 2)
    np.testing.assert_allclose(found.belief, [(2 + 2 * of_tag) / 5, 2 * of_tag / 3, 0.5])
    assert found.states.tolist() == [1, 0, -1]


def test_one_yes_is_believed_less_where_the_tag_is_rare() -> None:
    rare = table((0, 0, 1, 1), *((image, 0, 1, 0) for image in range(1, 50)))
    usual = table((0, 0, 1, 1), *((image, 0, 1, image % 2) for image in range(1, 50)))
    assert soft_share(rare).belief[0] < soft_share(usual).belief[0] < 1


def test_without_imaginary_votes_it_is_the_plain_share() -> None:
    found = soft_share(table((0, 0, 1, 1), (1, 0, 1, 0), (2, 0, 1, -1)), imaginary=0)
    assert found.belief.tolist() == [1, 0, 0.5]


def test_more_votes_for_the_same_share_are_a_surer_belief() -> None:
    few = soft_share(table((0, 0, 0, 1), (0, 0, 1, 1)))
    many = soft_share(table(*((0, 0, person, 1) for person in range(9))))
    assert 0.5 < few.belief[0] < many.belief[0] < 1


def test_negative_imaginary_votes_are_refused() -> None:
    with pytest.raises(UsageError, match="0 or more"):
        soft_share(table(), imaginary=-1)
