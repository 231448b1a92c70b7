import pytest

from annotator.services import gold, labelling, send_back, skill, tasks
from annotator.services.answers import Answer
from annotator.terms import TaskKind, Verdict
from annotator.workspace import Workspace
from tests.services.crew import NO, TAG, YES, answer, make_questions, review


@pytest.fixture
def watched(workspace: Workspace) -> Workspace:
    """Half of the questions are gold, all of it present."""
    make_questions(workspace, 300)
    gold.declare(workspace, "rita", [(row, TAG, YES) for row in range(150)])
    workspace.change_project(gold_share=0.5, skill_floor=0.8)
    return workspace


def work(workspace: Workspace, name: str, count: int, wrong_every: int | None) -> None:
    """Answer until `count` known pairs were answered, one in `wrong_every` of them wrong."""
    known = 0
    while known < count:
        for task in tasks.claim(workspace, name, TAG, 10):
            is_gold = task.kind == TaskKind.GOLD
            known += is_gold
            wrong = is_gold and wrong_every is not None and known % wrong_every == 0
            answer(workspace, name, task, NO if wrong else YES)


def rows_of(workspace: Workspace, name: str) -> dict[str, dict[str, object]]:
    return {str(row["tag"]): row for row in skill.skills(workspace) if row["person"] == name}


def test_skill_is_the_share_of_right_answers_with_its_interval(watched: Workspace) -> None:
    work(watched, "anna", 40, None)
    boat = rows_of(watched, "anna")["boat"]
    assert boat["accuracy"] == boat["sensitivity"] == 1
    assert 0.9 < float(str(boat["accuracy low"])) < 1
    assert boat["specificity"] is None
    assert rows_of(watched, "anna")["all tags"]["answers"] == boat["answers"]


def test_reviewed_labels_count_as_they_stood_and_defensible_ones_do_not(workspace: Workspace) -> None:
    make_questions(workspace, 4)
    labelling.set_labels(workspace, "anna", [(row, TAG, YES) for row in range(4)])
    for row, verdict in enumerate((Verdict.ACCEPTED, Verdict.WRONG, Verdict.ALSO_VALID, Verdict.FINER)):
        review(workspace, row, YES if verdict == Verdict.ACCEPTED else NO, verdict)
    labelling.set_labels(workspace, "rita", [(3, TAG, NO)])
    labelling.set_labels(workspace, "ben", [(1, TAG, NO)])  # after the verdict: no proof of skill
    found = rows_of(workspace, "anna")["boat"]
    assert (found["answers"], found["accuracy"]) == (2, 0.5)
    assert not rows_of(workspace, "rita") and not rows_of(workspace, "ben")


def test_an_alarm_is_raised_for_who_answers_badly_and_for_nobody_else(watched: Workspace) -> None:
    work(watched, "anna", 60, None)
    work(watched, "ben", 60, 2)
    (alarm,) = skill.alarms(watched)
    assert (alarm.person, alarm.by) == ("ben", "gold")
    assert alarm.at_most < 0.8
    assert alarm.right < alarm.answers


def test_suspects_are_the_answers_of_the_bad_stretch_that_nobody_reviewed(watched: Workspace) -> None:
    work(watched, "ben", 60, 2)
    found = skill.suspects(watched)
    rows = {row for row, _, _ in found}
    assert rows and not rows & set(range(150))
    review(watched, found[0][0], YES)
    assert found[0] not in skill.suspects(watched)


def test_after_sending_back_the_alarm_begins_anew(watched: Workspace) -> None:
    work(watched, "ben", 60, 2)
    (alarm,) = skill.alarms(watched)
    step = send_back.send_back(watched, "ben", alarm.since)
    assert skill.alarms(watched) == [] and skill.suspects(watched) == []
    assert rows_of(watched, "ben")["boat"]["answers"] >= 60  # what was measured stays known
    send_back.undo(watched, step.number or 0)
    assert [alarm.person for alarm in skill.alarms(watched)] == ["ben"]


@pytest.mark.parametrize(("instant", "accuracy"), [(True, 0), (False, 1)])
def test_who_was_told_is_measured_by_the_first_answer_who_was_not_by_the_last(
    watched: Workspace, instant: bool, accuracy: float
) -> None:
    gold.declare(watched, "rita", [(row, TAG, YES) for row in range(150)], instant=instant)
    page = [task for task in tasks.claim(watched, "anna", TAG, 40) if task.kind == TaskKind.GOLD]
    client, seq = "tab", 0
    for task in page:
        for said in (Answer(seq + 1, ((task.image_row, TAG, NO),), (task.id,)), Answer(seq + 2, undo=seq + 1),
                     Answer(seq + 3, ((task.image_row, TAG, YES),), (task.id,))):  # fmt: skip
            labelling.record(watched, "anna", client, [said])
        seq += 3
    assert rows_of(watched, "anna")["boat"]["accuracy"] == accuracy
