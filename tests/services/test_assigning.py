import pytest

from annotator.errors import BadInputError, MissingError
from annotator.services import assigning, tasks
from annotator.services.people import annotator_called
from annotator.workspace import Workspace
from tests.services.crew import TAG
from tests.services.rows import add_images, add_tags


@pytest.fixture
def team(workspace: Workspace) -> Workspace:
    add_images(workspace, 6)
    add_tags(workspace, ["boat"])
    with workspace.transaction() as session:
        annotator_called(session, "anna")
        tasks.add_verify_picks(session, TAG, [0, 1, 2], "likely to show it")
    return workspace


def test_what_is_asked_of_one_person_comes_first_and_to_nobody_else(team: Workspace) -> None:
    assert assigning.assign(team, "anna", [5, 4, 5], TAG) == 2
    assert assigning.assign(team, "anna", [5, 3], TAG) == 1
    assert [task.image_row for task in tasks.claim(team, "ben", TAG, 9)] == [0, 1, 2]
    assert sorted(task.image_row for task in tasks.claim(team, "anna", TAG, 3)) == [3, 4, 5]


def test_it_takes_the_place_of_the_same_question_for_anybody(team: Workspace) -> None:
    assert assigning.assign(team, "anna", [1], TAG) == 1
    assert [task.image_row for task in tasks.claim(team, "ben", TAG, 9)] == [0, 2]
    assert [task.image_row for task in tasks.claim(team, "anna", TAG, 9)] == [1]


def test_of_several_votes_the_persons_own_goes_first(team: Workspace) -> None:
    team.change_project(overlap=3)
    with team.transaction() as session:
        tasks.add_verify_picks(session, TAG, [3], "likely to show it", {3: 3})
    assigning.assign(team, "anna", [3], TAG)
    assert tasks.claim(team, "anna", TAG, 1)[0].for_id is not None
    assert 3 in [task.image_row for task in tasks.claim(team, "ben", TAG, 9)]


def test_whole_pictures_can_be_asked_of_one_person(team: Workspace) -> None:
    assigning.assign(team, "anna", [2])
    assert tasks.claim(team, "ben", None, 9) == []
    assert [task.image_row for task in tasks.claim(team, "anna", None, 9)] == [2]


def test_nobody_and_nothing_cannot_be_asked(team: Workspace) -> None:
    with pytest.raises(MissingError):
        assigning.assign(team, "zoe", [1])
    with pytest.raises(BadInputError):
        assigning.assign(team, "anna", [99])
