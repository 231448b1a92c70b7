"""The votes the queue looks at: whatever people do between two looks, they are what the store would count anew."""

from collections import Counter

import pytest
from sqlalchemy import select

from annotator.services import labelling, review_tally
from annotator.services.answers import Answer
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import JournalEntry, Label
from tests.services.rows import NOW, add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


def stored(workspace: Workspace) -> list[tuple[int, int, int, int]]:
    """(image, tag, yes, no) of every labelled pair, one label at a time."""
    votes: dict[tuple[int, int], Counter[LabelState]] = {}
    with workspace.reading() as session:
        for label in session.scalars(select(Label)):
            votes.setdefault((label.image_row, label.tag_id), Counter())[label.state] += 1
    return sorted((*pair, count[YES], count[NO]) for pair, count in votes.items())


def counted(workspace: Workspace) -> list[tuple[int, ...]]:
    return list(zip(*review_tally.counted(workspace).columns(), strict=True))


def test_votes_are_kept_up_with_what_people_do(any_workspace: Workspace) -> None:
    add_images(any_workspace, 6)
    add_tags(any_workspace, ["boat", "car"])
    assert counted(any_workspace) == []
    for number, (person, row, state) in enumerate(
        [("anna", 3, YES), ("bea", 3, NO), ("anna", 0, UNKNOWN), ("anna", 3, NO), ("bea", 5, YES)], start=1
    ):
        answer = Answer(number, ((row, 1, state), (row, 2, YES)))
        labelling.record(any_workspace, person, f"tab of {person}", [answer])
        assert counted(any_workspace) == stored(any_workspace)
    labelling.record(any_workspace, "anna", "tab of anna", [Answer(9, undo=3)])
    assert counted(any_workspace) == stored(any_workspace)
    assert not [row for row, *_ in counted(any_workspace) if row == 0]


def test_what_a_long_transaction_wrote_below_the_newest_entry_is_counted_too(any_workspace: Workspace) -> None:
    add_images(any_workspace, 6)
    add_tags(any_workspace, ["boat"])
    labelling.set_labels(any_workspace, "anna", [(0, 1, YES)])
    for number, row in ((5000, 1), (20, 2), (5001, 3)):  # ids are drawn before a transaction ends
        with any_workspace.transaction() as session:
            said = {"image_row": row, "tag_id": 1, "annotator_id": 1, "state": NO, "kind": TaskKind.PICK, "at": NOW}
            session.add(Label(id=number, **said))
            session.add(JournalEntry(id=number, **said))
        assert counted(any_workspace) == stored(any_workspace)
    assert [row for row, *_ in counted(any_workspace)] == [0, 1, 2, 3]


def test_after_very_many_changes_everything_is_counted_anew(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_images(workspace, 6)
    add_tags(workspace, ["boat"])
    labelling.set_labels(workspace, "anna", [(0, 1, YES)])
    counted(workspace)
    monkeypatch.setattr(review_tally, "MOST_ENTRIES", 3)
    labelling.set_labels(workspace, "anna", [(row, 1, NO) for row in range(6)])
    assert counted(workspace) == stored(workspace) == [(row, 1, 0, 1) for row in range(6)]
