from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import ConflictError, MissingError, UsageError
from annotator.services import gold, labelling, send_back, tasks
from annotator.services.answers import Answer
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from tests.services.crew import NO, TAG, YES, answer, make_questions
from tests.services.journal import replayed, stored

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def worked(any_workspace: Workspace) -> Workspace:
    """Anna answered the first six of twelve questions, Ben one of them on his own account."""
    make_questions(any_workspace, 12)
    for task in tasks.claim(any_workspace, "anna", TAG, 6):
        answer(any_workspace, "anna", task, NO)
    labelling.set_labels(any_workspace, "ben", [(0, TAG, YES)])
    return any_workspace


def rows(workspace: Workspace, name: str) -> list[int]:
    return sorted(row for row, _, person in stored(workspace) if person == {"anna": 1, "ben": 2}[name])


def test_a_preview_counts_and_changes_nothing(worked: Workspace) -> None:
    before = stored(worked)
    found = send_back.preview(worked, "anna", LONG_AGO)
    assert (found.screens, found.pictures, found.labels, found.questions) == (6, 6, 6, 6)
    assert stored(worked) == before
    step = send_back.send_back(worked, "anna", LONG_AGO, found.until)
    assert replace(step, number=None) == found


def test_a_stretch_goes_and_its_questions_are_asked_of_others_only(worked: Workspace) -> None:
    send_back.send_back(worked, "anna", LONG_AGO)
    assert rows(worked, "anna") == [] and rows(worked, "ben") == [0]
    assert replayed(worked) == stored(worked)
    assert [task.image_row for task in tasks.claim(worked, "anna", TAG, 20)] == list(range(6, 12))
    assert [task.image_row for task in tasks.claim(worked, "carl", TAG, 20)] == list(range(6))


def test_one_step_puts_all_of_it_back(worked: Workspace) -> None:
    before = stored(worked)
    step = send_back.send_back(worked, "anna", LONG_AGO)
    back = send_back.undo(worked, step.number or 0)
    assert (back.labels, back.questions) == (6, 6)
    assert stored(worked) == before == replayed(worked)
    assert [task.image_row for task in tasks.claim(worked, "carl", TAG, 20)] == list(range(6, 12))
    assert [row["put back"] for row in send_back.history(worked)] == [True]
    again = send_back.send_back(worked, "anna", LONG_AGO)
    assert again.questions == 6


def test_what_others_answered_meanwhile_stays_beside_what_comes_back(worked: Workspace) -> None:
    step = send_back.send_back(worked, "anna", LONG_AGO)
    for task in tasks.claim(worked, "ben", TAG, 3):
        answer(worked, "ben", task, YES)
    assert send_back.undo(worked, step.number or 0).questions == 3
    assert rows(worked, "anna") == list(range(6)) and rows(worked, "ben") == [0, 1, 2]


def test_only_the_stretch_goes_and_what_was_said_before_comes_forth(worked: Workspace) -> None:
    now = datetime.now(UTC)
    labelling.record(worked, "anna", "tab", [Answer(1, ((0, TAG, YES),))])
    found = send_back.send_back(worked, "anna", now)
    assert found.labels == 1 and rows(worked, "anna") == list(range(6))
    assert stored(worked)[0, TAG, 1][0] == NO


def test_answers_to_gold_stay(workspace: Workspace) -> None:
    make_questions(workspace, 40)
    gold.declare(workspace, "rita", [(row, TAG, YES) for row in range(20)])
    workspace.change_project(gold_share=0.5)
    for task in tasks.claim(workspace, "anna", TAG, 20):
        answer(workspace, "anna", task, NO)
    send_back.send_back(workspace, "anna", LONG_AGO)
    left = stored(workspace)
    assert left and {label[1] for label in left.values()} == {TaskKind.GOLD}
    assert replayed(workspace) == left


@pytest.mark.parametrize(
    ("since", "until", "error"),
    [
        (datetime(2020, 1, 1), None, UsageError),
        (LONG_AGO, LONG_AGO - timedelta(days=1), UsageError),
        (LONG_AGO, LONG_AGO + timedelta(days=1), MissingError),
    ],
)
def test_a_stretch_without_end_or_answers_is_refused(
    worked: Workspace, since: datetime, until: datetime | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        send_back.send_back(worked, "anna", since, until)


def test_what_was_not_sent_back_cannot_be_put_back_and_nothing_twice(worked: Workspace) -> None:
    with pytest.raises(MissingError):
        send_back.undo(worked, 1)
    step = send_back.send_back(worked, "anna", LONG_AGO)
    send_back.undo(worked, step.number or 0)
    with pytest.raises(ConflictError):
        send_back.undo(worked, step.number or 0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 3), st.sampled_from(list(LabelState))),
        st.tuples(st.just("undo"), st.integers(1, 8), st.none()),
        st.tuples(st.just("send back"), st.integers(0, 8), st.none()),
        st.tuples(st.just("put back"), st.integers(0, 3), st.none()),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=12, deadline=None)
@given(done=steps)
def test_the_journal_always_replays_to_what_is_stored(done: list[tuple[str, int, LabelState | None]]) -> None:
    with TemporaryDirectory() as folder, Workspace.create(Path(folder) / "w") as made:
        make_questions(made, 4)
        times, numbers = [datetime.now(UTC)], []
        for seq, (what, which, state) in enumerate(done, 1):
            if what == "say" and state is not None:
                labelling.record(made, "anna", "tab", [Answer(seq, ((which, TAG, state),))])
            elif what == "undo":
                labelling.record(made, "anna", "tab", [Answer(seq, undo=which)])
            elif what == "send back":
                with suppress(MissingError):  # nothing stands from then on, or nobody is called so yet
                    numbers.append(send_back.send_back(made, "anna", times[min(which, len(times) - 1)]).number or 0)
            elif numbers:
                with suppress(ConflictError):
                    send_back.undo(made, numbers[which % len(numbers)])
            times.append(datetime.now(UTC))
            assert replayed(made) == stored(made)
