"""What rounds settled, and given truth, when the vocabulary changes."""

import numpy as np
import pytest

from annotator.errors import ConflictError
from annotator.services import round_replay, round_views, rounds
from annotator.services.image_facts import decided
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.services.vocabulary_changes import make, preview, undo
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags
from tests.services.test_rounds import audit, truth  # noqa: F401 (a fixture)

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def settled(workspace: Workspace, truth: Truth) -> Truth:  # noqa: F811
    rounds.propose(workspace, "anna", whole_images=0)
    audit(workspace, truth)
    assert rounds.settle(workspace)["settled_sets"] == 4
    return truth


def by_rounds(workspace: Workspace) -> int:
    return int((take(workspace).origins == Origin.ROUND).sum())


def test_a_merge_takes_back_what_was_settled_of_both_tags_and_undo_brings_it_back(
    workspace: Workspace, settled: Truth
) -> None:
    before = take(workspace)
    report = preview(workspace, "anna", "merge", tag="car", into="boat")
    assert (report["rounds"], report["settled"]) == ([1], by_rounds(workspace))
    make(workspace, "anna", "merge", tag="car", into="boat")
    assert by_rounds(workspace) == 0
    row = int(np.flatnonzero(before.origins[:, 0] == Origin.ROUND)[0])
    with workspace.reading() as session:
        assert decided(workspace, session, settled.tag_ids[0], [row]) == set()
    assert rounds.what_leaves(workspace, 1)["taken_back"] == 0
    assert round_views.funnel(workspace)[0]["present"] == 0
    assert round_replay.replay(workspace, 1)["same"]
    undo(workspace, "anna")
    assert take(workspace).hash == before.hash
    with workspace.reading() as session:
        assert decided(workspace, session, settled.tag_ids[0], [row]) == {row}


def test_an_archived_tag_hides_what_was_settled_of_it_and_brings_it_back(workspace: Workspace, settled: Truth) -> None:
    before = take(workspace)
    make(workspace, "anna", "archive", tag="car")
    assert take(workspace).labels.shape[1] == 1
    make(workspace, "anna", "unarchive", tag="car")
    assert take(workspace).hash == before.hash


def test_a_tag_that_an_open_round_audits_is_not_merged(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    rounds.propose(workspace, "anna", whole_images=0)
    with pytest.raises(ConflictError, match="round 1 is open and audits 'car' or 'boat'"):
        make(workspace, "anna", "merge", tag="car", into="boat")


def test_given_truth_of_merged_tags_is_present_where_either_was(workspace: Workspace) -> None:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "ship"])
    given = np.array([[1, 0], [0, 1], [0, 0], [-1, -1]], np.int8)
    with workspace.truth_file.open("wb") as file:
        np.savez(file, labels=given, tag_ids=np.array([1, 2]), at=np.array(0))
    make(workspace, "anna", "merge", tag="ship", into="boat")
    assert take(workspace).labels[:, 0].tolist() == [YES, YES, NO, UNKNOWN]
    with workspace.reading() as session:
        assert decided(workspace, session, 1, [0, 1, 2, 3]) == {0, 1, 2}
    undo(workspace, "anna")
    assert take(workspace).labels.tolist() == given.tolist()
