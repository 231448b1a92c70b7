"""The reviewers' queue: every cause finds what it is for, decided pairs leave, worth orders."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.errors import ForbiddenError, MissingError, UnknownNameError
from annotator.services import (
    accounts,
    comments,
    labelling,
    review_screens,
    reviewing,
    rounds,
    standing_audit,
    verdicts,
)
from annotator.services.judgements import Judgement
from annotator.services.people import annotator_called
from annotator.services.review_look import Look
from annotator.services.reviewing import CAUSES, Filter
from annotator.services.scripted import answer_tag_from_truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, RelationKind, Role, Split, TaskKind, Verdict, WorkMode
from annotator.workspace import Workspace
from db.models import Gold, Relation, Skip, Submission, Task
from tests.services.rows import add_images, add_tags
from tests.services.worlds import make_world, put_model

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
BOAT, SHIP, CAR = 1, 2, 3
NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def few(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 12)
    add_tags(any_workspace, ["boat", "ship", "car"])
    return any_workspace


def say(
    workspace: Workspace, person: str, *labels: tuple[int, int, LabelState], kind: TaskKind = TaskKind.PICK
) -> None:
    labelling.set_labels(workspace, person, labels, kind)


def found(workspace: Workspace, cause: str | None = None, **filter: Any) -> list[tuple[int, int | None]]:
    return [(item.row, item.tag_id) for item in reviewing.items(workspace, Filter(cause, **filter))]


def person_id(workspace: Workspace, name: str) -> int:
    with workspace.transaction() as session:
        return annotator_called(session, name).id


def test_people_who_differ_are_found_and_those_who_cannot_tell_do_not_differ(few: Workspace) -> None:
    say(few, "anna", (0, BOAT, YES), (1, BOAT, YES), (2, BOAT, YES))
    say(few, "bea", (0, BOAT, NO), (1, BOAT, YES), (2, BOAT, UNKNOWN))
    assert found(few, "disagreement") == [(0, BOAT)]
    (item,) = reviewing.queue(few, Filter("disagreement"))["items"]
    assert [(vote["person"], vote["state"]) for vote in item["votes"]] == [("anna", 1), ("bea", 0)]
    assert (item["state"], item["decided_by"], item["tag_name"], item["name"]) == (
        -1,
        "several people",
        "boat",
        "0.jpg",
    )
    assert item["causes"] == [{"cause": "disagreement", "words": "1 said present, 1 absent"}]


def test_a_tie_comes_before_a_clear_majority(few: Workspace) -> None:
    for person, state in (("anna", YES), ("bea", YES), ("carl", YES), ("dora", NO)):
        say(few, person, (0, BOAT, state))
    say(few, "anna", (5, CAR, YES))
    say(few, "bea", (5, CAR, NO))
    assert found(few) == [(5, CAR), (0, BOAT)]


def test_labels_of_archived_tags_are_not_reviewed(few: Workspace) -> None:
    from db.models import Tag

    say(few, "anna", (0, BOAT, YES))
    say(few, "bea", (0, BOAT, NO))
    with few.transaction() as session:
        session.get_one(Tag, BOAT).archived = True
    assert found(few) == []


def test_a_verdict_takes_a_pair_off_the_queue_until_somebody_labels_it_again(few: Workspace) -> None:
    say(few, "anna", (0, BOAT, YES))
    say(few, "bea", (0, BOAT, NO))
    verdicts.decide(few, "rita", [Judgement(0, BOAT, Verdict.ACCEPTED, YES)])
    assert found(few) == []
    say(few, "carl", (0, BOAT, NO))
    assert found(few) == [(0, BOAT)]


@pytest.fixture
def relations(few: Workspace) -> Workspace:
    """A boat is a ship, and no car."""
    with few.transaction() as session:
        session.add(Relation(kind=RelationKind.IMPLIES, a_id=BOAT, b_id=SHIP))
        session.add(Relation(kind=RelationKind.EXCLUDES, a_id=SHIP, b_id=CAR))
    return few


def test_what_one_person_said_against_the_relations_is_found_on_both_tags(relations: Workspace) -> None:
    say(relations, "anna", (0, BOAT, YES), (0, SHIP, NO))
    say(relations, "anna", (1, BOAT, YES), (1, CAR, YES))
    say(relations, "anna", (2, BOAT, YES), (2, SHIP, YES), (2, CAR, NO))
    say(relations, "bea", (3, BOAT, YES))
    say(relations, "carl", (3, SHIP, NO))  # two people: no contradiction of one of them
    assert sorted(found(relations, "contradiction")) == [(0, BOAT), (0, SHIP), (1, BOAT), (1, CAR)]
    assert found(relations, "contradiction", tag_id=CAR) == [(1, CAR)]
    assert found(relations, "contradiction", person="bea") == []


def test_a_label_that_is_not_the_known_answer_is_found(few: Workspace) -> None:
    say(few, "anna", (0, BOAT, YES), (1, BOAT, NO), (2, BOAT, UNKNOWN))
    for person in ("bea", "carl"):
        say(few, person, (3, BOAT, YES))
    say(few, "anna", (3, BOAT, NO))
    with few.transaction() as session:
        for row in range(4):
            session.add(Gold(image_row=row, tag_id=BOAT, state=YES, annotator_id=1, at=NOW))
    items = reviewing.items(few, Filter("failed_gold"))
    # Where others outvoted the wrong one, the accepted label is right already.
    assert [(item.row, item.chance > 0.5) for item in items] == [(1, True), (3, False)]


def test_what_a_person_answered_since_their_skill_fell_is_found_and_nobody_elses(few: Workspace) -> None:
    say(few, "bea", (11, CAR, YES))
    known = [(row, tag) for row in range(10) for tag in (BOAT, SHIP)]
    with few.transaction() as session:
        session.add_all(Gold(image_row=row, tag_id=tag, state=YES, annotator_id=1, at=NOW) for row, tag in known)
    say(few, "anna", *[(row, tag, NO) for row, tag in known], kind=TaskKind.GOLD)
    say(few, "anna", (10, CAR, YES))
    assert found(few, "fallen_skill") == [(10, CAR)]
    assert found(few, "fallen_skill", person="bea") == []


def test_open_talk_and_skipped_questions_are_flags_until_somebody_deals_with_them(few: Workspace) -> None:
    comments.add(few, "anna", 4, "is that a boat?", BOAT)
    comments.add(few, "anna", 5, "what is this picture?")
    with few.transaction() as session:
        for row in (6, 7):
            session.add(Skip(image_row=row, tag_id=None, annotator_id=1, reason="too dark", at=NOW))
    assert sorted(found(few, "flag"), key=str) == [(4, BOAT), (5, None), (6, None), (7, None)]
    comments.resolve(few, 4, BOAT)
    say(few, "bea", (6, CAR, NO))
    assert found(few, "flag") == [(5, None), (7, None)]
    comments.add(few, "anna", 4, "still not sure", BOAT)
    assert (4, BOAT) in found(few, "flag")


def test_what_was_sent_back_waits_with_its_person_and_comes_back_when_answered(few: Workspace) -> None:
    from annotator.services import tasks
    from annotator.services.answers import Answer

    say(few, "anna", (0, BOAT, YES))
    say(few, "bea", (0, BOAT, NO))
    reviewing_it = Judgement.received(
        {"image": 0, "tag": BOAT, "what": "send back", "comment": "look at the mast", "people": ["anna"]}
    )
    verdicts.decide(few, "rita", [reviewing_it])
    (item,) = reviewing.queue(few, Filter("sent_back"))["items"]
    assert item["waiting"] == ["anna"]
    (task,) = tasks.claim(few, "anna", None, 5)
    assert task.reason == "rita asks about boat: look at the mast"
    labelling.record(few, "anna", "browser", [Answer(1, ((0, BOAT, NO),), (task.id,))])
    (item,) = reviewing.queue(few, Filter("sent_back"))["items"]
    assert (item["waiting"], item["state"]) == ([], 0)
    assert item["causes"][0]["words"].startswith("anna answered")


@pytest.fixture
def held(workspace: Workspace) -> Callable[[NDArray[Any]], NDArray[np.int64]]:
    """Labelled images beside a model; gives the rows that no model trains on."""
    truth = make_world(workspace, 60)
    say(workspace, "anna", *[(row, BOAT, YES) for row in range(60)])

    def with_model(probabilities: NDArray[Any]) -> NDArray[np.int64]:
        put_model(workspace, truth, np.stack([probabilities] * 3, axis=1))
        return np.flatnonzero(~take(workspace).in_split(Split.TRAIN))

    return with_model


def test_a_sure_model_speaks_against_people_on_held_out_images_only(
    workspace: Workspace, held: Callable[[NDArray[Any]], NDArray[np.int64]]
) -> None:
    rows = held(np.full(60, 0.02))
    assert 5 < len(rows) < 40
    assert sorted(row for row, _ in found(workspace, "model_against_person")) == rows.tolist()


def test_an_undecided_model_makes_a_label_doubtful(
    workspace: Workspace, held: Callable[[NDArray[Any]], NDArray[np.int64]]
) -> None:
    held(np.where(np.arange(60) < 3, 0.5, 0.95))
    assert sorted(row for row, _ in found(workspace, "low_confidence")) == [0, 1, 2]
    assert all(item.chance == pytest.approx(0.05) for item in reviewing.items(workspace, Filter("low_confidence")))


def test_answers_that_break_the_proof_of_a_round_are_found(workspace: Workspace) -> None:
    truth = make_world(workspace, 1_000, tags=("boat", "car"))
    put_model(workspace, truth, np.where(truth.labels == 1, 0.995, 0.0005))
    rounds.propose(workspace, "anna", whole_images=0)
    while sum(answer_tag_from_truth(workspace, truth, "bea", tag, 200) for tag in truth.tag_ids):
        rounds.progress(workspace)
    rounds.settle(workspace)
    assert found(workspace, "alarm") == []
    for _ in range(8):
        standing_audit.keep_up(workspace)
        with workspace.reading() as session:
            waiting = session.scalars(select(Task.image_row).where(Task.tag_id == BOAT, Task.done_at.is_(None))).all()
        say(workspace, "carl", *[(row, BOAT, NO) for row in waiting], kind=TaskKind.AUDIT)
        with workspace.transaction() as session:
            from db.models import Label

            for label in session.scalars(select(Label).where(Label.kind == TaskKind.AUDIT)):
                label.round_number = label.round_number or 1
    alarmed = found(workspace, "alarm")
    assert alarmed and {tag for _, tag in alarmed} == {BOAT}


def test_worth_is_chance_and_weight_by_second(few: Workspace) -> None:
    comments.add(few, "anna", 0, "look", BOAT)
    say(few, "anna", (0, BOAT, YES), (1, BOAT, YES), (2, CAR, YES))
    say(few, "bea", (0, BOAT, NO), (1, BOAT, NO), (2, CAR, NO))
    with few.transaction() as session:
        for seq in range(1, 2001):  # reviewers need a minute for each car
            session.add(
                Submission(
                    client="c", seq=seq, annotator_id=1, seconds=60.0, at=NOW, mode=WorkMode.REVIEW, tag_id=CAR,
                    pictures=1, labels=0, undone=False,
                )
            )  # fmt: skip
    flagged, tied, slow = reviewing.items(few)
    assert [(flagged.row, flagged.tag_id), (tied.row, tied.tag_id), (slow.row, slow.tag_id)] == [(0, 1), (1, 1), (2, 3)]
    assert flagged.chance == pytest.approx(0.75) and tied.chance == slow.chance == pytest.approx(0.5)
    assert flagged.worth == pytest.approx(tied.worth * 2 * 1.5)


def test_the_queue_is_paged_and_leaves_out_what_is_on_the_screen(few: Workspace) -> None:
    for person, state in (("anna", YES), ("bea", NO)):
        say(few, person, *[(row, BOAT, state) for row in range(10)])
    pages = [reviewing.queue(few, count=4, start=start) for start in (0, 4, 8)]
    assert [item["image"] for page in pages for item in page["items"]] == list(range(10))
    assert {page["total"] for page in pages} == {10} and pages[0]["by_cause"] == {"disagreement": 10}
    rest = reviewing.queue(few, count=4, have=[(0, BOAT), (1, BOAT)])
    assert [item["image"] for item in rest["items"]] == [2, 3, 4, 5]


def test_two_reviewers_are_not_shown_the_same_pair(few: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for person, state in (("anna", YES), ("bea", NO)):
        say(few, person, *((row, BOAT, state) for row in range(4)))
    rita, rob = few.acting_for("rita"), few.acting_for("rob")

    def shown(workspace: Workspace, held: Sequence[tuple[int, int | None]] = ()) -> list[int]:
        return [item["image"] for item in reviewing.queue(workspace, count=2, have=held, held=held)["items"]]

    assert shown(rita) == [0, 1]
    assert shown(rob) == [2, 3]
    assert shown(rita, [(1, BOAT)]) == [0]  # the first is no longer on the screen, the second is
    skipped = [(0, BOAT), (1, BOAT)]
    assert reviewing.queue(rita, count=2, have=skipped)["items"] == []  # dealt with, and not on the screen any more
    assert shown(rob, [(2, BOAT), (3, BOAT)]) == [0, 1]
    assert shown(rita) == []
    assert shown(few) == [0, 1]  # at the command line nobody is in the way
    monkeypatch.setattr(review_screens, "HELD_SECONDS", -1.0)
    shown(rita)  # and leaves
    assert shown(rob) == [0, 1]


def test_two_reviewers_who_begin_at_the_same_moment_are_not_shown_the_same_pair(
    few: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person, state in (("anna", YES), ("bea", NO)):
        say(few, person, *((row, BOAT, state) for row in range(4)))
    ranked, together = reviewing.items(few), Barrier(2)

    def both_have_looked(*_: object) -> list[reviewing.Item]:
        together.wait(20)
        return ranked

    monkeypatch.setattr(reviewing, "items", both_have_looked)
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(reviewing.queue, few.acting_for(name), count=2) for name in ("rita", "rob")]
        shown = sorted(item["image"] for one in asked for item in one.result()["items"])
    assert shown == [0, 1, 2, 3]


def test_the_queue_is_filtered_by_cause_tag_and_person(few: Workspace) -> None:
    for person, state in (("anna", YES), ("bea", NO)):
        say(few, person, (0, BOAT, state), (1, CAR, state))
    say(few, "carl", (1, CAR, NO))
    comments.add(few, "carl", 3, "look", SHIP)
    assert found(few, person="carl") == [(1, CAR)]
    assert found(few, tag_id=SHIP) == [(3, SHIP)]
    assert found(few, "disagreement", tag_id=BOAT, person="anna") == [(0, BOAT)]
    with pytest.raises(UnknownNameError, match="disagreement"):
        found(few, "disagrement")
    with pytest.raises(MissingError, match="nobody is called"):
        found(few, person="zora")


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_finds_nothing_where_there_is_nothing(cause: str, few: Workspace) -> None:
    with few.reading() as session:
        assert CAUSES[cause](Look(few, session)) == []


def test_only_reviewers_see_the_queue(workspace: Workspace) -> None:
    for name, role in (("adam", Role.ADMIN), ("anna", Role.ANNOTATOR), ("rita", Role.REVIEWER)):
        accounts.add(workspace, name, role, "correct horse battery")
    assert reviewing.queue(workspace.acting_for("rita"))["total"] == 0
    with pytest.raises(ForbiddenError):
        reviewing.queue(workspace.acting_for("anna"))
