"""Audit pictures that several people answer, each alone."""

from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import func, select

from annotator.learning.audits import Decision
from annotator.services import certificates, labelling, round_replay, rounds, standing_audit, tasks
from annotator.services.scripted import Truth, answer_from_truth, answer_tag_from_truth
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Annotator, Label, Review, Task
from tests.services.test_rounds import BY_PEOPLE, NO, UNKNOWN, YES, decisions, sure, truth  # noqa: F401 (a fixture)
from tests.services.worlds import put_model

BOAT = 1


def proposed(workspace: Workspace, votes: int, whole_images: int = 0) -> None:
    workspace.change_project(audit_votes=votes)
    rounds.propose(workspace, "anna", whole_images=whole_images)


def audited(workspace: Workspace) -> dict[tuple[str, str], int]:
    return {(row["tag"], row["proposed"]): row["audited"] for row in rounds.progress(workspace)["sets"]}


def answered_twice_by_one(workspace: Workspace) -> int:
    with workspace.reading() as session:
        by_person = select(Task.id).where(Task.done_at.is_not(None), Task.tag_id.is_not(None)).group_by(
            Task.image_row, Task.tag_id, Task.annotator_id
        ).having(func.count() > 1)  # fmt: skip
        return len(session.scalars(by_person).all())


@pytest.mark.parametrize("votes", [2, 3])
def test_a_draw_counts_when_so_many_people_answered_it(workspace: Workspace, truth: Truth, votes: int) -> None:  # noqa: F811
    proposed(workspace, votes)
    for place in range(votes):
        assert set(audited(workspace).values()) == {0}
        assert answer_tag_from_truth(workspace, truth, f"person {place}", BOAT, 20) == 20
    assert audited(workspace)["boat", "present"] == 20
    assert answered_twice_by_one(workspace) == 0


def test_nobody_gets_a_picture_twice(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    proposed(workspace, 2)
    seen: list[int] = []
    while claimed := tasks.claim(workspace, "anna", BOAT, 200):
        seen += [task.image_row for task in claimed]
        answers = [(task.image_row, BOAT, YES) for task in claimed]
        labelling.set_labels(workspace, "anna", answers)
    assert len(seen) == len(set(seen)) > 100
    assert not set(seen) & set(range(BY_PEOPLE))


def test_answers_of_fewer_people_prove_nothing(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    proposed(workspace, 2)
    for _ in range(10):
        for tag in truth.tag_ids:
            answer_tag_from_truth(workspace, truth, "anna", tag, 200)
        rounds.progress(workspace)
    assert rounds.settle(workspace)["settled_sets"] == 0


def test_the_answered_draws_are_those_before_the_first_that_lacks_a_vote(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
) -> None:
    proposed(workspace, 2)
    first = tasks.claim(workspace, "anna", BOAT, 10)
    rows = [task.image_row for task in first]
    for name, given in (("anna", rows), ("bea", rows[:4] + rows[5:])):
        labelling.set_labels(workspace, name, [(row, BOAT, LabelState(truth.labels[row, 0])) for row in given])
    assert audited(workspace)["boat", "present"] == 4
    labelling.set_labels(workspace, "carl", [(rows[4], BOAT, YES)])
    assert audited(workspace)["boat", "present"] == 10


@pytest.mark.parametrize(
    ("said", "positives"),
    [
        ((YES, YES, NO), 1),
        ((YES, NO, NO), 0),
        ((YES, NO, UNKNOWN), 0),  # a tie proves nothing
        ((YES, YES, UNKNOWN), 1),
        ((UNKNOWN, UNKNOWN, UNKNOWN), 0),
    ],
)
def test_a_draw_counts_as_what_most_say(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
    said: tuple[LabelState, ...],
    positives: int,
) -> None:
    proposed(workspace, 3)
    (task,) = tasks.claim(workspace, "anna", BOAT, 1)
    for name, state in zip(("anna", "bea", "carl"), said, strict=True):
        labelling.set_labels(workspace, name, [(task.image_row, BOAT, state)])
    rounds.progress(workspace)
    found = decisions(workspace)[BOAT, "accept"]
    assert (found.draws, found.positives) == (1, positives)


def test_a_tie_in_a_reject_set_counts_as_missed(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    proposed(workspace, 2)
    with workspace.reading() as session:
        first = select(Task).where(Task.tag_id == BOAT, Task.position >= 10**8).order_by(Task.position).limit(1)
        row = session.scalars(first).one().image_row
    labelling.set_labels(workspace, "anna", [(row, BOAT, YES)])
    labelling.set_labels(workspace, "bea", [(row, BOAT, NO)])
    rounds.progress(workspace)
    found = decisions(workspace)[BOAT, "reject"]
    assert (found.draws, found.positives) == (1, 0)
    assert found.low >= 1  # the image is one that may be missed


def test_a_reviewer_decides_a_draw_alone(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    proposed(workspace, 3)
    (task,) = tasks.claim(workspace, "anna", BOAT, 1)
    with workspace.transaction() as session:
        reviewer = session.scalars(select(Annotator).where(Annotator.name == "anna")).one()
        session.add(
            Review(
                image_row=task.image_row, tag_id=BOAT, reviewer_id=reviewer.id, state=NO, at=datetime.now(UTC)
            )
        )  # fmt: skip
    rounds.progress(workspace)
    found = decisions(workspace)[BOAT, "accept"]
    assert (found.draws, found.positives) == (1, 0)


@pytest.mark.parametrize("votes", [2, 3])
def test_a_round_with_several_votes_is_settled_and_recomputed(
    workspace: Workspace,
    truth: Truth,  # noqa: F811
    votes: int,
) -> None:
    """One of the people errs now and then; where two outvote them, and where it is a tie, the promise is kept."""
    put_model(workspace, truth, sure(truth.labels))
    proposed(workspace, votes, whole_images=20)
    erring = Truth(np.where(np.random.default_rng(1).random(truth.labels.shape) < 0.01, 1 - truth.labels, truth.labels)
                   .astype(np.int8), truth.tag_ids, {})  # fmt: skip
    people = {f"person {place}": erring if place == 0 else truth for place in range(votes)}
    for name, said in people.items():
        answer_from_truth(workspace, said, name, 20)
    for _ in range(12):
        for name, said in people.items():
            for tag in truth.tag_ids:
                answer_tag_from_truth(workspace, said, name, tag, 200)
        rounds.progress(workspace)
    assert rounds.settle(workspace)["settled_sets"] == 4
    assert round_replay.replay(workspace, 1)["same"]
    assert {found.decision for found in decisions(workspace).values()} == {Decision.SETTLE}
    for row in certificates.certificates(workspace):
        assert row["precision"] >= 0.95
        assert row["recall"] >= 0.95
    with workspace.reading() as session:
        drawn = sum(found.draws for found in decisions(workspace).values())
        given = session.scalar(select(func.count(Label.id)).where(Label.image_row >= BY_PEOPLE)) or 0
    assert given >= votes * drawn
    assert standing_audit.keep_up(workspace)["asked"] == 4 * standing_audit.WAITING * votes


def test_the_votes_of_a_round_are_those_it_was_proposed_with(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    proposed(workspace, 2)
    workspace.change_project(audit_votes=1)
    answer_tag_from_truth(workspace, truth, "anna", BOAT, 20)
    assert set(audited(workspace).values()) == {0}


def test_plans_count_the_seconds_of_all_who_answer(workspace: Workspace, truth: Truth) -> None:  # noqa: F811
    one = {row["tag"]: row for row in certificates.forecast(workspace)}["boat"]
    workspace.change_project(audit_votes=3)
    three = {row["tag"]: row for row in certificates.forecast(workspace)}["boat"]
    assert three["minutes"] > one["minutes"]
    assert three["minutes by hand"] == one["minutes by hand"]
