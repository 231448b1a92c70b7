import pytest
from sqlalchemy import select

from annotator.errors import MissingError, UnknownNameError, UsageError
from annotator.services import skipping, tasks
from annotator.terms import SkipReason, TaskKind
from annotator.workspace import Workspace
from db.models import Skip, Task
from tests.services.rows import add_images, add_tags


@pytest.fixture
def asked(any_workspace: Workspace) -> Workspace:
    """Three pictures to be tagged."""
    add_images(any_workspace, 3)
    add_tags(any_workspace, ["boat"])
    with any_workspace.transaction() as session:
        for row in range(3):
            session.add(Task(kind=TaskKind.PICK, image_row=row, position=row, reason="test"))
    return any_workspace


def rows(workspace: Workspace, name: str) -> list[int]:
    return [task.image_row for task in tasks.claim(workspace, name, None, 10)]


def test_a_skipped_question_goes_to_others_at_once_and_never_comes_back(asked: Workspace) -> None:
    first, *_ = tasks.claim(asked, "anna", None, 3)
    skipping.skip(asked, "anna", first.id, SkipReason.UNCLEAR_TAG, "is a  raft a boat?")
    assert rows(asked, "ben") == [0]
    assert rows(asked, "anna") == [1, 2]
    with asked.reading() as session:
        assert session.scalars(select(Skip.reason)).one() == "tag unclear: is a raft a boat?"


def test_a_skipped_picture_may_still_be_asked_about_one_tag(asked: Workspace) -> None:
    first, *_ = tasks.claim(asked, "anna", None, 1)
    skipping.skip(asked, "anna", first.id)
    with asked.transaction() as session:
        tasks.add_verify_picks(session, 1, [0], "test")
    assert [task.image_row for task in tasks.claim(asked, "anna", 1, 5)] == [0]


def test_what_was_for_one_person_goes_to_everybody_when_it_is_skipped(asked: Workspace) -> None:
    first, *_ = tasks.claim(asked, "anna", None, 1)
    with asked.transaction() as session:
        task = session.get_one(Task, first.id)
        task.for_id = task.annotator_id
    skipping.skip(asked, "anna", first.id)
    assert rows(asked, "ben") == [0, 1, 2]


def test_skipping_what_somebody_else_holds_leaves_it_to_them(asked: Workspace) -> None:
    first, *_ = tasks.claim(asked, "anna", None, 1)
    skipping.skip(asked, "ben", first.id)
    assert tasks.held_by(asked, "anna") == [first.id]


@pytest.mark.parametrize(
    ("task", "reason", "text", "error"),
    [(99, "", "", MissingError), (1, "bored", "", UnknownNameError), (1, "other", "x" * 400, UsageError)],
)
def test_a_skip_that_cannot_be_kept_is_refused(
    asked: Workspace, task: int, reason: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        skipping.skip(asked, "anna", task, reason, text)
    assert skipping.skips(asked) == []
