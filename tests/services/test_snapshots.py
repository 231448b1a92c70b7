from datetime import timedelta

import numpy as np
import pytest

from annotator.services import labelling
from annotator.services.snapshots import decided_on, parts, take
from annotator.services.spool import spooled
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Origin, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Image, Label, Tag
from tests.services.rows import NOW, add_images, add_tags, review, settle, truth

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


def stock(workspace: Workspace) -> Workspace:
    """Six images (rows 0 to 5) and two tags (ids 1 and 2)."""
    add_images(workspace, 6)
    add_tags(workspace, ["boat", "car"])
    return workspace


@pytest.fixture
def stocked(workspace: Workspace) -> Workspace:
    return stock(workspace)


@pytest.fixture
def stocked_anywhere(any_workspace: Workspace) -> Workspace:
    return stock(any_workspace)


def test_reviews_outrank_people_people_the_truth_and_the_truth_a_round(stocked_anywhere: Workspace) -> None:
    settle(stocked_anywhere, 1, [[1, -1]] * 4 + [[-1, -1]] * 2, RoundStatus.SETTLED)
    truth(stocked_anywhere, [[0, -1]] * 3 + [[-1, -1]] * 3)
    labelling.set_labels(stocked_anywhere, "anna", [(0, 1, YES), (1, 1, YES)])
    review(stocked_anywhere, 0, 1, NO)
    snapshot = take(stocked_anywhere)
    assert snapshot.labels[:5, 0].tolist() == [NO, YES, NO, YES, UNKNOWN]
    assert snapshot.origins[:5, 0].tolist() == [Origin.REVIEW, Origin.HUMAN, Origin.TRUTH, Origin.ROUND, Origin.NOBODY]
    deciders = [snapshot.decider_names[place] for place in snapshot.deciders[:5, 0]]
    assert deciders == ["rita", "anna", "truth", "round 1", ""]
    assert (snapshot.decided_at[:4, 0] > 0).all()
    assert snapshot.decided_at[4, 0] == 0


def test_a_persons_cannot_tell_stands_against_a_round(stocked: Workspace) -> None:
    settle(stocked, 1, [[1, 1]] * 6, RoundStatus.SETTLED)
    labelling.set_labels(stocked, "anna", [(0, 1, UNKNOWN)])
    snapshot = take(stocked)
    assert (snapshot.labels[0, 0], snapshot.origins[0, 0]) == (UNKNOWN, Origin.HUMAN)


@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([YES, NO], UNKNOWN),
        ([YES, YES, NO], YES),
        ([NO, NO, YES], NO),
        ([YES, UNKNOWN], YES),
        ([NO, UNKNOWN, UNKNOWN], NO),
        ([UNKNOWN, UNKNOWN], UNKNOWN),
    ],
)
def test_the_majority_of_those_who_could_tell_decides_and_a_tie_is_unknown(
    stocked: Workspace, votes: list[LabelState], state: LabelState
) -> None:
    for number, vote in enumerate(votes):
        labelling.set_labels(stocked, f"person {number}", [(2, 2, vote)])
    snapshot = take(stocked)
    assert snapshot.labels[2, 1] == state
    assert snapshot.origins[2, 1] == Origin.HUMAN
    assert snapshot.decider_names[snapshot.deciders[2, 1]] == "several people"


@pytest.mark.parametrize("status", [RoundStatus.PROPOSED, RoundStatus.ROLLED_BACK])
def test_only_settled_rounds_count(stocked: Workspace, status: RoundStatus) -> None:
    settle(stocked, 1, [[1, 1]] * 6, status)
    assert (take(stocked).origins == Origin.NOBODY).all()


def test_people_alone_are_asked_by_by_people(stocked: Workspace) -> None:
    settle(stocked, 1, [[1, 0]] * 6, RoundStatus.SETTLED)
    labelling.set_labels(stocked, "anna", [(0, 1, NO)])
    assert take(stocked).by_people().tolist() == [[NO, UNKNOWN], *[[UNKNOWN, UNKNOWN]] * 5]


def test_the_hash_ignores_times_and_places_but_no_label(stocked: Workspace) -> None:
    labelling.set_labels(stocked, "anna", [(0, 1, YES)])
    before = take(stocked)
    with stocked.transaction() as session:
        session.query(Label).one().at = NOW - timedelta(days=300)
        session.get_one(Image, 0).files[0].uri = "/elsewhere/0.jpg"
    after = take(stocked)
    assert after.decided_at[0, 0] != before.decided_at[0, 0]
    assert after.hash == before.hash
    labelling.set_labels(stocked, "anna", [(0, 1, UNKNOWN)])
    asked = take(stocked)
    assert asked.hash != before.hash


def test_asked_but_unclear_differs_from_never_asked(stocked: Workspace) -> None:
    before = take(stocked)
    labelling.set_labels(stocked, "anna", [(0, 1, UNKNOWN)])
    after = take(stocked)
    assert np.array_equal(after.labels, before.labels)
    assert after.hash != before.hash


def test_an_archived_tag_leaves_every_array(stocked: Workspace) -> None:
    settle(stocked, 1, [[1, 0]] * 6, RoundStatus.SETTLED)
    truth(stocked, [[0, 1]] * 3)
    labelling.set_labels(stocked, "anna", [(0, 1, YES), (0, 2, YES)])
    review(stocked, 1, 1, YES)
    with stocked.transaction() as session:
        session.get_one(Tag, 1).archived = True
    snapshot = take(stocked)
    assert [tag.name for tag in snapshot.tags] == ["car"]
    assert snapshot.labels.tolist() == [[YES], [YES], [YES], [NO], [NO], [NO]]


def test_images_and_tags_added_after_a_round_are_open(stocked: Workspace) -> None:
    settle(stocked, 1, [[1, 1]] * 4, RoundStatus.SETTLED)
    add_tags(stocked, ["tree"])
    snapshot = take(stocked)
    assert snapshot.labels.shape == (6, 3)
    assert (snapshot.labels[4:] == UNKNOWN).all()
    assert (snapshot.labels[:, 2] == UNKNOWN).all()


def test_a_given_split_counts_more_than_the_derived_one(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.get_one(Image, 3).given_split = Split.TEST.value
    assert take(stocked).in_split(Split.TEST)[3]


def test_an_empty_workspace_has_an_empty_snapshot(workspace: Workspace) -> None:
    snapshot = take(workspace)
    assert len(snapshot) == 0
    assert snapshot.labels.shape == (0, 0)
    assert snapshot.sizes.shape == (0, 2)
    assert len(snapshot.hash) == 64


def test_one_tag_alone_is_decided_as_in_the_snapshot(any_workspace: Workspace) -> None:
    add_images(any_workspace, 4)
    add_tags(any_workspace, ["boat", "car"])
    labelling.set_labels(any_workspace, "anna", [(0, 1, YES), (1, 1, NO), (0, 2, NO), (2, 1, UNKNOWN)])
    labelling.set_labels(any_workspace, "bea", [(1, 1, YES), (3, 2, YES)])
    whole = take(any_workspace)
    with any_workspace.reading() as session:
        for place, tag in enumerate(live_tags(session)):
            alone = decided_on(any_workspace, session, tag)
            np.testing.assert_array_equal(alone.labels[:, 0], whole.labels[:, place])
            np.testing.assert_array_equal(alone.origins[:, 0], whole.origins[:, place])


@pytest.mark.parametrize("size", [1, 2, 4, 100])
def test_the_parts_of_a_snapshot_are_the_snapshot(stocked_anywhere: Workspace, size: int) -> None:
    settle(stocked_anywhere, 1, [[1, -1]] * 4 + [[-1, -1]] * 2, RoundStatus.SETTLED)
    truth(stocked_anywhere, [[0, -1]] * 3 + [[-1, -1]] * 3)
    labelling.set_labels(stocked_anywhere, "anna", [(0, 1, YES), (1, 1, YES), (4, 2, NO), (5, 2, UNKNOWN)])
    labelling.set_labels(stocked_anywhere, "bea", [(4, 2, YES)])
    review(stocked_anywhere, 5, 1, NO)
    with stocked_anywhere.transaction() as session:
        session.get_one(Image, 5).near_duplicate_group = 0  # whose sha256 is in another part
        session.get_one(Image, 2).given_split = Split.TEST.value
    whole = take(stocked_anywhere)
    with stocked_anywhere.reading() as session:
        found = list(parts(stocked_anywhere, session, size))
    assert [len(part) for part in found] == [min(size, 6 - start) for start in range(0, 6, size)]
    for name in ("rows", "sizes", "labels", "origins", "decided_at", "splits", "groups"):
        joined = np.concatenate([getattr(part, name) for part in found])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    for name in ("sha256", "files"):
        assert sum((getattr(part, name) for part in found), ()) == getattr(whole, name)
    deciders = [part.decider_names[place] for part in found for place in part.deciders.ravel()]
    assert deciders == [whole.decider_names[place] for place in whole.deciders.ravel()]
    with spooled(found, stocked_anywhere.folder) as spool:
        assert spool.hash == whole.hash


def test_some_rows_are_taken_alone(stocked: Workspace) -> None:
    labelling.set_labels(stocked, "anna", [(3, 1, YES)])
    some = take(stocked, range(2, 5))
    assert some.rows.tolist() == [2, 3, 4]
    assert some.labels[:, 0].tolist() == [UNKNOWN, YES, UNKNOWN]


def test_a_spool_is_read_again_and_by_two_at_once(stocked: Workspace) -> None:
    with stocked.reading() as session, spooled(parts(stocked, session, 2), stocked.folder) as spool:
        first, second = spool.parts(), spool.parts()
        assert [next(first).files, next(second).files, next(first).files] == [
            ["/pictures/0.jpg", "/pictures/1.jpg"], ["/pictures/0.jpg", "/pictures/1.jpg"],
            ["/pictures/2.jpg", "/pictures/3.jpg"],
        ]  # fmt: skip


def test_a_spool_leaves_no_file(stocked: Workspace) -> None:
    before = sorted(stocked.folder.rglob("*"))
    with stocked.reading() as session, spooled(parts(stocked, session), stocked.folder):
        assert sorted(stocked.folder.rglob("*")) == before


def test_the_spool_of_an_empty_workspace_has_its_hash(workspace: Workspace) -> None:
    with workspace.reading() as session, spooled(parts(workspace, session), workspace.folder) as spool:
        assert spool.hash == take(workspace).hash
        assert [len(part.files) for part in spool.parts()] == [0]
