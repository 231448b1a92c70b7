import numpy as np

from annotator.services import labelling, reliability
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags


def two_people(workspace: Workspace) -> None:
    add_images(workspace, 40)
    add_tags(workspace, ["boat", "tree"])
    rng = np.random.default_rng(0)
    for row in range(40):
        boat, tree = (LabelState(int(value)) for value in rng.integers(0, 2, 2))
        labelling.set_labels(workspace, "anna", [(row, 1, boat), (row, 2, tree)])
        labelling.set_labels(workspace, "ben", [(row, 1, boat), (row, 2, LabelState(int(rng.integers(0, 2))))])


def test_who_says_the_same_agrees_and_who_guesses_does_not(workspace: Workspace) -> None:
    two_people(workspace)
    rows = {row["tag"]: row for row in reliability.agreement(workspace)}
    assert rows["boat"]["alpha"] == 1
    assert rows["tree"]["alpha low"] <= rows["tree"]["alpha"] <= rows["tree"]["alpha high"]
    assert abs(rows["tree"]["alpha"]) < 0.5
    assert rows == {row["tag"]: row for row in reliability.agreement(workspace)}
    pairs = {row["tag"]: row for row in reliability.between_two(workspace)}
    assert (pairs["boat"]["kappa"], pairs["boat"]["same"], pairs["boat"]["images"]) == (1, 1, 40)


def test_a_tag_that_one_person_answered_says_nothing_of_agreement(workspace: Workspace) -> None:
    add_images(workspace, 3)
    add_tags(workspace, ["boat"])
    assert reliability.agreement(workspace) == reliability.between_two(workspace) == []
    labelling.set_labels(workspace, "anna", [(row, 1, LabelState.POSITIVE) for row in range(3)])
    assert reliability.agreement(workspace) == reliability.between_two(workspace) == []
