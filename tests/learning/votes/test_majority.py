from annotator.learning.votes.majority import majority
from tests.learning.votes.tables import table


def test_more_votes_win_and_a_tie_is_unknown() -> None:
    found = majority(table((0, 0, 1, 1), (0, 0, 2, 1), (0, 0, 3, 0), (1, 0, 1, 1), (1, 0, 2, 0), (2, 0, 1, 0)))
    assert found.states.tolist() == [1, -1, 0]
    assert found.belief.tolist() == [2 / 3, 0.5, 0]


def test_one_who_can_tell_decides_among_many_who_cannot() -> None:
    found = majority(table((0, 0, 1, 1), *((0, 0, person, -1) for person in range(2, 9))))
    assert found.states.tolist() == [1]
    assert (found.yes[0], found.no[0], found.unknown[0]) == (1, 0, 7)
