import numpy as np
import pytest

from annotator.errors import UnknownNameError
from annotator.learning.votes import VOTES
from annotator.services import labelling, project_values
from annotator.services.beliefs import beliefs
from annotator.services.snapshots import by_majority, decided_on, take
from annotator.services.training import training_set
from annotator.services.votes import live_tags, votes
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from tests.services.crew import NO, YES, review
from tests.services.rows import add_images, add_tags

IMAGES = 60


@pytest.fixture
def crowd(workspace: Workspace) -> Workspace:
    """Five people on three tags; the last two of them answer at random, and not everybody on everything."""
    add_images(workspace, IMAGES)
    add_tags(workspace, ["boat", "tree", "sun"])
    rng = np.random.default_rng(3)
    truth = rng.random((IMAGES, 3)) < 0.4
    for person, skill in enumerate((0.97, 0.95, 0.93, 0.5, 0.5)):
        right = rng.random(truth.shape) < skill
        said = np.where(right, truth, ~truth).astype(int)
        said[rng.random(truth.shape) < 0.1] = LabelState.UNKNOWN
        asked = rng.random(truth.shape) < 0.8
        labels = [(row, tag + 1, LabelState(said[row, tag])) for row, tag in np.argwhere(asked).tolist()]
        labelling.set_labels(workspace, f"person {person}", labels)
    return workspace


@pytest.mark.parametrize("policy", VOTES)
def test_one_tag_alone_is_decided_as_among_all(crowd: Workspace, policy: str) -> None:
    crowd.change_project(vote_policy=policy)
    snapshot = take(crowd)
    with crowd.reading() as session:
        for place, tag in enumerate(live_tags(session)):
            alone = decided_on(crowd, session, tag)
            assert np.array_equal(alone.labels[:, 0], snapshot.labels[:, place])
            assert np.array_equal(alone.origins[:, 0], snapshot.origins[:, place])


def test_the_policy_decides_where_people_differ_and_only_there(crowd: Workspace) -> None:
    by_policy = {}
    for policy in VOTES:
        crowd.change_project(vote_policy=policy)
        by_policy[policy] = take(crowd).labels
    with crowd.reading() as session:
        found = votes(session, live_tags(session))
    differ = np.zeros((IMAGES, 3), bool)
    for yes in (1, 0):
        told = np.zeros((IMAGES, 3), bool)
        told[found.rows[found.states == yes], found.columns[found.states == yes]] = True
        differ = told if yes == 1 else differ & told
    for labels in by_policy.values():
        assert np.array_equal(labels[~differ], by_policy["majority"][~differ])
    assert not np.array_equal(by_policy["dawid_skene"], by_policy["majority"])


@pytest.mark.parametrize("policy", VOTES)
def test_a_verdict_is_final_under_each_policy(crowd: Workspace, policy: str) -> None:
    crowd.change_project(vote_policy=policy)
    for row in range(10):
        review(crowd, row, NO)
    snapshot = take(crowd)
    assert set(snapshot.labels[:10, 0].tolist()) == {NO}
    assert set(snapshot.origins[:10, 0].tolist()) == {Origin.REVIEW}


def test_a_higher_threshold_leaves_more_open(crowd: Workspace) -> None:
    crowd.change_project(vote_policy="share_threshold", vote_threshold=0.6)
    low = (take(crowd).labels == LabelState.UNKNOWN).sum()
    crowd.change_project(vote_threshold=1.0)
    assert (take(crowd).labels == LabelState.UNKNOWN).sum() > low


@pytest.mark.parametrize("policy", VOTES)
def test_what_proves_a_round_is_the_majority_whatever_the_policy(crowd: Workspace, policy: str) -> None:
    crowd.change_project(vote_policy="majority")
    review(crowd, 3, YES)
    expected = take(crowd)
    crowd.change_project(vote_policy=policy)
    with crowd.reading() as session:
        counted = by_majority(crowd.project, session, take(crowd))
        alone = by_majority(crowd.project, session, decided_on(crowd, session, live_tags(session)[1]))
    assert np.array_equal(counted.labels, expected.labels)
    assert np.array_equal(alone.labels[:, 0], expected.labels[:, 1])


@pytest.mark.parametrize("policy", VOTES)
def test_a_model_learns_the_beliefs_of_the_policy_and_nothing_that_may_not_train(crowd: Workspace, policy: str) -> None:
    crowd.change_project(vote_policy=policy)
    snapshot = take(crowd)
    data = training_set(crowd, snapshot, IMAGES)
    assert data.belief is not None
    known = data.train_labels != LabelState.UNKNOWN
    assert (data.belief.weights[known] == 1).all()
    assert ((data.belief.targets >= 0) & (data.belief.targets <= 1)).all()
    assert ((data.belief.targets > 0) & (data.belief.targets < 1)).any()
    sure = known & np.isin(data.belief.targets, (0, 1))
    assert np.array_equal(data.belief.targets[sure], data.train_labels[sure])
    with crowd.reading() as session:
        found = votes(session, live_tags(session))
    nothing = beliefs(
        crowd.project, snapshot, found, np.ones(len(found.rows), bool), data.train_rows,
        np.full_like(data.train_labels, LabelState.UNKNOWN),
    )  # fmt: skip
    assert nothing is None


def test_one_vote_each_is_learned_as_the_label_it_is(workspace: Workspace) -> None:
    add_images(workspace, 30)
    add_tags(workspace, ["boat"])
    labelling.set_labels(workspace, "anna", [(row, 1, YES if row % 2 else NO) for row in range(30)])
    assert training_set(workspace, take(workspace), 30).belief is None


def test_a_policy_that_is_not_there_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="majority"):
        project_values.change(workspace, ["vote_policy=loudest"])
