from annotator.services import dashboard, labelling, verdicts
from annotator.services.answers import Answer
from annotator.services.judgements import Judgement
from annotator.terms import LabelState, Verdict, WorkMode
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


def answered(workspace: Workspace) -> Workspace:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "car"])
    for name, answers in {
        "anna": [(0, 1, YES), (1, 1, YES), (2, 1, UNKNOWN)],
        "bert": [(0, 1, YES), (1, 1, NO)],
        "carl": [(1, 1, NO)],
    }.items():
        given = [Answer(seq, (label,), seconds=2.0, mode=WorkMode.LABEL) for seq, label in enumerate(answers, 1)]
        labelling.record(workspace, name, f"client of {name}", given)
    return workspace


def test_each_person_is_counted_with_pace_and_agreement(any_workspace: Workspace) -> None:
    rows = {row["person"]: row for row in dashboard.by_person(answered(any_workspace))}
    anna, bert = rows["anna"], rows["bert"]
    assert (anna["pictures"], anna["today"], anna["answers a minute"]) == (3, 3, 30.0)
    assert (anna["labels"], anna["same as accepted"]) == (2, 0.5)  # of two to one, the majority's is accepted
    assert bert["same as accepted"] == 1.0
    assert anna["skill"] is None
    verdicts.decide(any_workspace, "rita", [Judgement(row, 1, Verdict.ACCEPTED) for row in (0, 1)])
    assert {row["person"]: row["skill"] for row in dashboard.by_person(any_workspace)} == {
        "anna": 0.5, "bert": 1.0, "carl": 1.0,
    }  # fmt: skip


def test_days_add_up_to_the_answers(any_workspace: Workspace) -> None:
    days = dashboard.by_day(answered(any_workspace))
    assert sum(row["answers"] for row in days) == 6
    assert {row["person"] for row in days} == {"anna", "bert", "carl"}


def test_cost_is_time_by_accepted_labels(any_workspace: Workspace) -> None:
    cost = dashboard.cost(answered(any_workspace))
    assert (cost["by people"], cost["settled"], cost["open"]) == (2, 0, 6)
    assert cost["seconds each"] == 6.0


def test_an_answer_taken_back_costs_and_counts_nothing(any_workspace: Workspace) -> None:
    answered(any_workspace)
    labelling.record(any_workspace, "carl", "client of carl", [Answer(2, undo=1)])
    assert "carl" not in {row["person"] for row in dashboard.by_person(any_workspace)}


def test_what_is_left_is_not_guessed_before_there_is_a_model(any_workspace: Workspace) -> None:
    assert dashboard.to_finish(answered(any_workspace)) == []
