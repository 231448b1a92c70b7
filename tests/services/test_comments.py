"""Talk about pictures: anybody who labels may join it."""

import pytest

from annotator.errors import BadInputError, ForbiddenError, MissingError
from annotator.services import accounts, comments
from annotator.terms import Role
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags


@pytest.fixture
def talked(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 3)
    add_tags(any_workspace, ["boat", "car"])
    comments.add(any_workspace, "anna", 0, " what is this?  ")
    comments.add(any_workspace, "bea", 0, "a raft", 1)
    comments.add(any_workspace, "carl", 1, "elsewhere")
    return any_workspace


def test_a_thread_holds_what_was_said_of_a_picture_and_its_tags_in_order(talked: Workspace) -> None:
    told = [(one["person"], one["tag_name"], one["text"], one["open"]) for one in comments.thread(talked, 0)]
    assert told == [("anna", "", "what is this?", True), ("bea", "boat", "a raft", True)]


def test_a_thread_about_a_tag_is_resolved_apart_from_that_about_the_picture(talked: Workspace) -> None:
    assert comments.resolve(talked, 0, 1) == 1
    assert [one["open"] for one in comments.thread(talked, 0)] == [True, False]
    assert comments.resolve(talked, 0) == 1
    assert comments.resolve(talked, 0) == 0


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_empty_and_endless_comments_are_refused(talked: Workspace, text: str) -> None:
    with pytest.raises(BadInputError, match="comment"):
        comments.add(talked, "anna", 0, text)


@pytest.mark.parametrize(("row", "tag"), [(9, None), (0, 9)])
def test_what_is_not_there_cannot_be_talked_about(talked: Workspace, row: int, tag: int | None) -> None:
    with pytest.raises(MissingError, match="9"):
        comments.add(talked, "anna", row, "look", tag)


def test_annotators_may_comment_and_strangers_may_not(talked: Workspace) -> None:
    accounts.add(talked, "adam", Role.ADMIN, "correct horse battery")
    accounts.add(talked, "anna", Role.ANNOTATOR, "correct horse battery")
    theirs = talked.acting_for("anna")
    comments.add(theirs, "anna", 2, "look")
    assert comments.resolve(theirs, 2) == 1
    with pytest.raises(ForbiddenError):
        comments.add(talked.acting_for("zora"), "zora", 2, "look")
