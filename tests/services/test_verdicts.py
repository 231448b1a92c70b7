"""Reviewers' decisions: final, reversible, and out of what they must not teach or measure."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from annotator.errors import BadInputError, ConflictError, ForbiddenError, MissingError
from annotator.services import accounts, comments, labelling, reviewing, tasks, verdicts
from annotator.services.answers import Answer
from annotator.services.judgements import Judgement, Step
from annotator.services.reviewing import Filter
from annotator.services.snapshots import take
from annotator.terms import LabelState, Origin, Role, TaskKind, Verdict
from annotator.workspace import Workspace
from db.models import Act, Comment, Label, Review, Task
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
BOAT, CAR = 1, 2


@pytest.fixture
def disputed(any_workspace: Workspace) -> Workspace:
    """Anna sees boats where Bea sees none; both see cars."""
    add_images(any_workspace, 8)
    add_tags(any_workspace, ["boat", "car"])
    for person, state in (("anna", YES), ("bea", NO)):
        labels = [(row, BOAT, state) for row in range(4)]
        labelling.set_labels(any_workspace, person, [*labels, (0, CAR, YES)])
    return any_workspace


def stored(workspace: Workspace) -> dict[tuple[int, int], tuple[LabelState, Verdict]]:
    with workspace.reading() as session:
        return {(one.image_row, one.tag_id): (one.state, one.verdict) for one in session.scalars(select(Review))}


def everything(workspace: Workspace) -> dict[str, Any]:
    """All that a reviewer's step may touch, apart from the log itself."""
    with workspace.reading() as session:
        return {
            "reviews": {
                (one.image_row, one.tag_id): (one.state, one.verdict, one.reviewer_id, one.at)
                for one in session.scalars(select(Review))
            },
            "comments": [(one.id, one.text, one.resolved_at) for one in session.scalars(select(Comment))],
            "tasks": [(one.id, one.for_id, one.done_at) for one in session.scalars(select(Task))],
            "labels": [(one.id, one.state) for one in session.scalars(select(Label))],
        }


def decide(workspace: Workspace, what: Verdict | Step, *, row: int = 0, tag: int | None = BOAT, **more: Any) -> Any:
    return verdicts.decide(workspace, "rita", [Judgement(row, tag, what, **more)])


def test_a_verdict_is_final_whatever_people_say_afterwards(disputed: Workspace) -> None:
    decide(disputed, Verdict.WRONG, state=NO)
    for person in ("carl", "dora"):
        labelling.set_labels(disputed, person, [(0, BOAT, YES)])
    snapshot = take(disputed)
    assert (snapshot.labels[0, 0], snapshot.origins[0, 0]) == (NO, Origin.REVIEW)
    assert snapshot.decider_names[snapshot.deciders[0, 0]] == "rita"


@pytest.mark.parametrize(
    ("what", "left"),
    [
        (Verdict.ACCEPTED, YES), (Verdict.ALSO_VALID, YES),
        (Verdict.WRONG, NO), (Verdict.FINER, NO), (Verdict.MAJOR, NO),
    ],
)  # fmt: skip
def test_each_verdict_leaves_the_label_or_turns_it_round(disputed: Workspace, what: Verdict, left: LabelState) -> None:
    assert decide(disputed, what, tag=CAR) == {"decided": 1, "changed": int(left != YES)}
    assert stored(disputed) == {(0, CAR): (left, what)}


def test_what_does_not_stand_cannot_be_turned_round(disputed: Workspace) -> None:
    with pytest.raises(BadInputError, match="say present or absent"):
        decide(disputed, Verdict.WRONG)
    assert stored(disputed) == {}
    assert decide(disputed, Verdict.WRONG, state=YES)["changed"] == 1


def test_several_judgements_are_all_written_or_none(disputed: Workspace) -> None:
    good, bad = Judgement(0, BOAT, Verdict.ACCEPTED), Judgement(99, BOAT, Verdict.ACCEPTED)
    with pytest.raises(MissingError, match="no image 99"):
        verdicts.decide(disputed, "rita", [good, bad])
    assert stored(disputed) == {}


def test_sending_back_asks_each_labeller_alone_with_the_reason_and_their_own_answer(disputed: Workspace) -> None:
    from annotator.services import questions

    decide(disputed, Step.SEND_BACK, comment="count the masts")
    assert tasks.claim(disputed, "carl", None, 5) == []
    assert tasks.claim(disputed, "carl", BOAT, 5) == []
    for person, state in (("anna", 1), ("bea", 0)):
        asked = questions.claim(disputed, person, None, 1)["questions"]
        assert [question["reason"] for question in asked] == ["rita asks about boat: count the masts"]
        assert [one["tag"] for one in asked[0]["suggestions"]] == [BOAT]
        assert asked[0]["answered"][BOAT] == state


def test_an_answer_of_another_person_leaves_what_was_sent_back_open(disputed: Workspace) -> None:
    decide(disputed, Step.SEND_BACK, comment="count the masts", people=("anna",))
    labelling.set_labels(disputed, "carl", [(0, BOAT, YES)])
    assert len(tasks.claim(disputed, "anna", None, 5)) == 1


def test_an_answer_to_what_was_sent_back_keeps_what_the_label_may_be_used_for(disputed: Workspace) -> None:
    labelling.set_labels(disputed, "anna", [(7, BOAT, YES)], TaskKind.CALIBRATION)
    decide(disputed, Step.SEND_BACK, row=7, comment="count the masts")
    (task,) = tasks.claim(disputed, "anna", None, 5)
    labelling.record(disputed, "anna", "browser", [Answer(1, ((7, BOAT, NO),), (task.id,))])
    with disputed.reading() as session:
        label = session.scalar(select(Label).where(Label.image_row == 7))
    assert label is not None and (label.state, label.kind) == (NO, TaskKind.CALIBRATION)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "without a reason"),
        ({"comment": "look", "people": ("zora",)}, "nobody is called zora"),
        ({"comment": "look", "row": 6}, "decide it yourself"),
    ],
)
def test_what_cannot_be_sent_back_says_why(disputed: Workspace, more: dict[str, Any], message: str) -> None:
    with pytest.raises((BadInputError, MissingError), match=message):
        decide(disputed, Step.SEND_BACK, **more)


def test_a_verdict_ends_the_talk_and_the_open_questions_about_its_pair(disputed: Workspace) -> None:
    comments.add(disputed, "anna", 0, "is it?", BOAT)
    comments.add(disputed, "anna", 0, "nice picture")
    decide(disputed, Step.SEND_BACK, comment="count the masts")
    decide(disputed, Verdict.WRONG, state=NO, comment="it is a raft")
    assert tasks.claim(disputed, "anna", None, 5) == []
    talk = {one["text"]: one["open"] for one in comments.thread(disputed, 0)}
    assert talk == {"is it?": False, "nice picture": True, "count the masts": False, "it is a raft": False}


def test_resolving_a_skipped_picture_says_that_somebody_looked(disputed: Workspace) -> None:
    decide(disputed, Step.RESOLVE, row=5, tag=None)
    assert [(one["text"], one["open"]) for one in comments.thread(disputed, 5)] == [("looked at", False)]
    with pytest.raises(BadInputError, match="needs a tag"):
        decide(disputed, Verdict.ACCEPTED, row=5, tag=None)


STEPS: list[tuple[Verdict | Step, dict[str, Any]]] = [
    (Verdict.ACCEPTED, {}),
    (Verdict.MAJOR, {"state": YES, "comment": "plainly a boat"}),
    (Step.SEND_BACK, {"comment": "count the masts"}),
    (Step.RESOLVE, {"comment": "done"}),
]


@pytest.mark.parametrize(("what", "more"), STEPS, ids=[what.value for what, _ in STEPS])
def test_undo_puts_back_everything_that_stood_before(
    disputed: Workspace, what: Verdict | Step, more: dict[str, Any]
) -> None:
    comments.add(disputed, "anna", 0, "is it?", BOAT)
    decide(disputed, Step.SEND_BACK, comment="which one?", people=("bea",))
    decide(disputed, Verdict.WRONG, state=NO)
    comments.add(disputed, "anna", 0, "but no", BOAT)
    before = everything(disputed)
    decide(disputed, what, **more)
    assert everything(disputed) != before
    assert what.value in verdicts.undo(disputed, "rita")
    assert everything(disputed) == before


def test_undo_goes_back_step_by_step_and_says_when_nothing_is_left(disputed: Workspace) -> None:
    decide(disputed, Verdict.WRONG, state=NO)
    decide(disputed, Verdict.WRONG, state=YES)
    verdicts.undo(disputed, "rita")
    assert stored(disputed)[0, BOAT][0] == NO
    verdicts.undo(disputed, "rita")
    assert stored(disputed) == {}
    with pytest.raises(MissingError, match="nothing that could be taken back"):
        verdicts.undo(disputed, "rita")


def test_undo_leaves_what_another_reviewer_decided_since(disputed: Workspace) -> None:
    decide(disputed, Verdict.WRONG, state=NO)
    verdicts.decide(disputed, "rob", [Judgement(0, BOAT, Verdict.WRONG, YES)])
    verdicts.undo(disputed, "rita")
    assert stored(disputed)[0, BOAT][0] == YES


def test_a_verdict_on_all_that_a_filter_leaves_shows_first_what_it_changes_and_is_one_step(disputed: Workspace) -> None:
    told = verdicts.preview(disputed, Filter("disagreement", tag_id=BOAT), Verdict.WRONG, NO)
    assert (told["pairs"], told["changed"], told["tags"], told["open"]) == (4, 4, {"boat": 4}, 0)
    assert stored(disputed) == {}
    done = verdicts.decide_all(
        disputed, "rita", Filter("disagreement", tag_id=BOAT), Verdict.WRONG, NO, digest=told["digest"]
    )
    assert done == {"decided": 4, "changed": 4}
    assert stored(disputed) == {(row, BOAT): (NO, Verdict.WRONG) for row in range(4)}
    # Anna erred four times: what is left to review is her answer about the car, and nothing that was decided.
    assert [((one.row, one.tag_id), [cause for cause, _ in one.causes]) for one in reviewing.items(disputed)] == [
        ((0, CAR), ["fallen_skill"])
    ]
    assert verdicts.undo(disputed, "rita") == "4 verdicts at once"
    assert stored(disputed) == {}


def test_a_preview_of_another_queue_is_no_leave_to_decide(disputed: Workspace) -> None:
    told = verdicts.preview(disputed, Filter("disagreement"), Verdict.ACCEPTED)
    labelling.set_labels(disputed, "bea", [(3, BOAT, YES)])
    with pytest.raises(ConflictError, match="changed since the preview"):
        verdicts.decide_all(disputed, "rita", Filter("disagreement"), Verdict.ACCEPTED, digest=told["digest"])


def test_turning_round_in_bulk_leaves_ties_for_single_verdicts(disputed: Workspace) -> None:
    labelling.set_labels(disputed, "carl", [(0, BOAT, YES)])
    told = verdicts.preview(disputed, Filter("disagreement"), Verdict.WRONG)
    assert (told["pairs"], told["changed"], told["open"]) == (1, 1, 3)


def test_a_verdict_of_the_browsers_outbox_counts_once_and_is_taken_back(disputed: Workspace) -> None:
    item = {"seq": 1, "seconds": 2.5, "verdict": {"image": 0, "tag": BOAT, "what": "major error", "state": 1}}
    for _ in range(2):
        receipt = labelling.record(disputed, "rita", "browser", [Answer.received(item)])
        assert (receipt.acked, receipt.problems) == (1, [])
    assert stored(disputed) == {(0, BOAT): (YES, Verdict.MAJOR)}
    with disputed.reading() as session:
        assert len(session.scalars(select(Act).where(Act.what == verdicts.LOGGED)).all()) == 1
    for seq in (2, 3):
        labelling.record(disputed, "rita", "browser", [Answer.received({"seq": seq, "undo": 1})])
    assert stored(disputed) == {}


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ({"image": 0, "tag": BOAT, "what": "perhaps"}, "one of accepted"),
        ({"image": 0, "what": "accepted"}, "needs a tag"),
        ({"image": "0", "tag": BOAT, "what": "accepted"}, "whole numbers"),
        ({"image": 99, "tag": BOAT, "what": "accepted"}, "no image 99"),
        ({"image": 0, "tag": BOAT, "what": "label wrong"}, "say present or absent"),
        ({"image": 0, "tag": BOAT, "what": "accepted", "state": 7}, "1, 0 or -1"),
        ({"image": 0, "tag": BOAT, "what": "send back", "comment": "x" * 3000}, "at most 2000 letters"),
        ({"image": 0, "tag": BOAT, "what": "send back", "people": "anna"}, "list of names"),
        ("accepted", "must be an object"),
    ],
)
def test_a_verdict_that_cannot_be_carried_out_is_told_and_holds_up_nothing(
    disputed: Workspace, verdict: Any, message: str
) -> None:
    good = {"image": 1, "tag": BOAT, "what": "accepted", "state": 1}
    items = [Answer.received({"seq": 1, "verdict": verdict}), Answer.received({"seq": 2, "verdict": good})]
    receipt = labelling.record(disputed, "rita", "browser", items)
    assert receipt.acked == 2
    assert [problem["seq"] for problem in receipt.problems] == [1]
    assert message in receipt.problems[0]["message"]
    assert stored(disputed) == {(1, BOAT): (YES, Verdict.ACCEPTED)}


def test_only_reviewers_decide(disputed: Workspace) -> None:
    for name, role in (("adam", Role.ADMIN), ("anna", Role.ANNOTATOR), ("rita", Role.REVIEWER)):
        accounts.add(disputed, name, role, "correct horse battery")
    with pytest.raises(ForbiddenError):
        verdicts.decide(disputed.acting_for("anna"), "anna", [Judgement(0, BOAT, Verdict.ACCEPTED)])
    item = Answer.received({"seq": 1, "verdict": {"image": 0, "tag": BOAT, "what": "accepted", "state": 1}})
    assert "may not review" in labelling.record(disputed, "anna", "one", [item]).problems[0]["message"]
    assert labelling.record(disputed, "rita", "two", [item]).problems == []
    assert list(stored(disputed)) == [(0, BOAT)]


def test_each_step_of_a_reviewer_stands_in_the_log_with_its_time(disputed: Workspace) -> None:
    started = datetime.now(UTC)
    decide(disputed, Verdict.MAJOR, state=NO)
    with disputed.reading() as session:
        (act,) = session.scalars(select(Act).where(Act.what == verdicts.LOGGED))
    assert (act.person, act.details["words"]) == ("rita", "major error on image 0")
    assert started <= act.at <= datetime.now(UTC)
