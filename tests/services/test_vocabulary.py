from pathlib import Path

import pytest

from annotator.errors import MissingError
from annotator.services import labelling, vocabulary
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags

YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE


def test_the_browser_gets_every_tag_and_the_groups_by_their_numbers(any_workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "tags.yaml"
    file.write_text("tags: [{name: day, synonyms: [daylight]}, night, boat]\nexactly_one: [[day, night]]\n")
    vocabulary.add_from_file(any_workspace, file)
    listed = vocabulary.browser_list(any_workspace)
    assert listed["tags"] == [[1, "day", ["daylight"]], [2, "night", []], [3, "boat", []]]
    assert listed["exactly_one"] == [[1, 2]]


def test_examples_of_a_tag_are_those_nobody_contradicts_the_surest_first(any_workspace: Workspace) -> None:
    add_images(any_workspace, 6)
    add_tags(any_workspace, ["boat"])
    labelling.set_labels(any_workspace, "anna", [(row, 1, YES) for row in (0, 1, 2)] + [(3, 1, NO)])
    labelling.set_labels(any_workspace, "ben", [(0, 1, NO), (2, 1, YES)])
    assert vocabulary.described(any_workspace, 1)["examples"] == [2, 1]
    with pytest.raises(MissingError, match="no tag 7"):
        vocabulary.described(any_workspace, 7)
