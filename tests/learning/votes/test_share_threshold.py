import numpy as np
import pytest

from annotator.errors import UsageError
from annotator.learning.votes import VoteTable
from annotator.learning.votes.share_threshold import share_threshold


def split(yes: int, no: int) -> VoteTable:
    people = np.arange(yes + no)
    return VoteTable(0 * people, 0 * people, people, (people < yes).astype(np.int8))


@pytest.mark.parametrize(("yes", "no", "state"), [(2, 1, 1), (1, 2, 0), (3, 2, -1), (4, 2, 1), (2, 4, 0), (1, 1, -1)])
def test_two_of_three_decide_and_less_does_not(yes: int, no: int, state: int) -> None:
    assert share_threshold(split(yes, no)).states.tolist() == [state]


@pytest.mark.parametrize(("yes", "no", "state"), [(4, 1, 1), (1, 4, 0), (3, 1, -1), (5, 0, 1)])
def test_the_share_that_is_asked_for_is_enough(yes: int, no: int, state: int) -> None:
    assert share_threshold(split(yes, no), share=0.8).states.tolist() == [state]


@pytest.mark.parametrize("share", [0.5, 0.2, 1.01, float("nan")])
def test_a_share_that_both_sides_or_none_can_reach_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="only one side has it"):
        share_threshold(split(1, 1), share=share)
