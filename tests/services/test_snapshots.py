import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from annotator.arrays import write_array, write_whole
from annotator.services import labelling
from annotator.services.people import annotator_called
from annotator.services.snapshots import decided_on, take
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Origin, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Image, Label, Model, Review, Round, Tag
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
NOW = datetime(2026, 3, 1, tzinfo=UTC)


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


def settle(workspace: Workspace, number: int, labels: list[list[int]], status: RoundStatus) -> None:
    write_array(workspace.round_file(number), np.array(labels, np.int8))
    with workspace.transaction() as session:
        if session.get(Model, 1) is None:
            session.add(
                Model(
                    id=1, backbone="b", head="h", snapshot_hash="", tag_ids=[1, 2], labels_used=0, images_used=0,
                    metrics={}, in_use=True, verdict="", at=NOW,
                )
            )  # fmt: skip
        person = annotator_called(session, "anna")
        session.flush()
        session.add(
            Round(
                number=number, status=status, seed=1, pool_hash="", pool_size=6, model_id=1, tag_ids=[1, 2],
                targets={}, annotator_id=person.id, at=NOW, settled_at=NOW,
            )
        )  # fmt: skip


def truth(workspace: Workspace, labels: list[list[int]]) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, labels=np.array(labels, np.int8), tag_ids=np.array([1, 2]), at=np.array(1000))
    write_whole(workspace.truth_file, buffer.getvalue())


def review(workspace: Workspace, row: int, tag: int, state: LabelState) -> None:
    with workspace.transaction() as session:
        person = annotator_called(session, "rita")
        session.add(Review(image_row=row, tag_id=tag, reviewer_id=person.id, state=state, at=NOW))


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
