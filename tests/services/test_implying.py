"""What follows from an answer by the relations of the vocabulary."""

import pytest
from sqlalchemy import select

from annotator.services import implying, labelling, sessions, vocabulary
from annotator.services.answers import Answer
from annotator.services.implying import contradictions
from annotator.services.labelling import record
from annotator.services.vocabulary_changes import make, undo
from annotator.terms import LabelState, TaskKind, WorkMode
from annotator.workspace import Workspace
from db.models import Label, Task
from tests.services.journal import replayed, stored
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
ANIMAL, DOG, PUPPY, CAT, CAR = 1, 2, 3, 4, 5


@pytest.fixture
def pets(any_workspace: Workspace) -> Workspace:
    add_images(any_workspace, 4)
    add_tags(any_workspace, ["animal", "dog", "puppy", "cat", "car"])
    for tag, parent in ((DOG, ANIMAL), (PUPPY, DOG), (CAT, ANIMAL)):
        make(any_workspace, "lead", "parent", tag=tag, parent=parent)
    make(any_workspace, "lead", "relate", relation="excludes", tag=DOG, other=CAT)
    return any_workspace


def states(workspace: Workspace, row: int = 0) -> dict[int, tuple[LabelState, int | None]]:
    with workspace.reading() as session:
        query = select(Label).where(Label.image_row == row).order_by(Label.tag_id)
        return {label.tag_id: (label.state, label.because_id) for label in session.scalars(query)}


def test_an_answer_brings_what_follows_as_the_persons_labels_and_undo_takes_them_along(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, PUPPY, YES),))])
    assert states(pets) == {ANIMAL: (YES, PUPPY), DOG: (YES, PUPPY), PUPPY: (YES, None), CAT: (NO, PUPPY)}
    assert replayed(pets) == stored(pets)
    record(pets, "anna", "c", [Answer(2, undo=1)])
    assert states(pets) == {}
    assert replayed(pets) == stored(pets)


def test_what_was_answered_is_never_written_over_by_what_follows(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, ANIMAL, UNKNOWN),)), Answer(2, ((0, PUPPY, YES), (0, DOG, UNKNOWN)))])
    assert states(pets) == {ANIMAL: (UNKNOWN, None), DOG: (UNKNOWN, None), PUPPY: (YES, None), CAT: (NO, PUPPY)}


def test_another_answer_takes_what_followed_from_the_first_along(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, DOG, YES),)), Answer(2, ((0, DOG, NO),))])
    assert states(pets) == {DOG: (NO, None), PUPPY: (NO, DOG)}
    record(pets, "anna", "c", [Answer(3, undo=2)])
    assert states(pets) == {ANIMAL: (YES, DOG), DOG: (YES, None), CAT: (NO, DOG)}
    assert replayed(pets) == stored(pets)


def test_what_follows_from_two_answers_stays_when_one_is_taken_back(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, DOG, YES),)), Answer(2, ((0, PUPPY, YES),)), Answer(3, undo=1)])
    assert states(pets)[DOG] == (YES, PUPPY)
    assert states(pets)[ANIMAL] == (YES, PUPPY)
    assert replayed(pets) == stored(pets)


def test_an_answer_that_replaced_what_followed_gives_way_to_it_again(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, DOG, YES),)), Answer(2, ((0, ANIMAL, NO),)), Answer(3, undo=2)])
    assert states(pets) == {ANIMAL: (YES, DOG), DOG: (YES, None), CAT: (NO, DOG)}
    assert replayed(pets) == stored(pets)


def test_nobody_elses_labels_follow(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, DOG, YES),))])
    record(pets, "bea", "d", [Answer(1, ((0, CAR, YES),))])
    with pets.reading() as session:
        assert len(session.scalars(select(Label)).all()) == 4


def test_what_follows_serves_what_the_answer_serves(pets: Workspace) -> None:
    with pets.transaction() as session:
        session.add(Task(id=1, kind=TaskKind.CALIBRATION, image_row=0, tag_id=DOG, position=0, reason="test"))
    record(pets, "anna", "c", [Answer(1, ((0, DOG, YES),), (1,))])
    with pets.reading() as session:
        assert set(session.scalars(select(Label.kind))) == {TaskKind.CALIBRATION}


def test_imported_labels_bring_what_follows_too(pets: Workspace) -> None:
    labelling.set_labels(pets, "import", [(0, PUPPY, YES)])
    assert states(pets)[ANIMAL] == (YES, PUPPY)


def test_what_follows_is_no_answer_of_a_session(pets: Workspace) -> None:
    begun = sessions.begin(pets, "anna", WorkMode.LABEL)
    record(pets, "anna", "c", [Answer(1, ((0, PUPPY, YES),), mode=WorkMode.LABEL, session=begun["session"])])
    report = sessions.report(pets, begun["session"])
    assert (report["answers"], report["present"], report["absent"]) == (1, 1, 0)


def test_an_absent_root_of_a_large_tree_does_not_write_it_whole(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implying, "MOST_ABSENT", 2)
    add_images(workspace, 1)
    add_tags(workspace, ["thing", "a", "b", "c"])
    for child in "abc":
        make(workspace, "lead", "parent", tag=child, parent="thing")
    record(workspace, "anna", "c", [Answer(1, ((0, 1, NO),))])
    assert states(workspace) == {1: (NO, None)}


def test_contradictions_of_one_person_are_listed_and_imply_nothing(pets: Workspace) -> None:
    record(
        pets, "anna", "c", [Answer(1, ((0, DOG, YES), (0, CAT, YES))), Answer(2, ((1, ANIMAL, NO), (1, PUPPY, YES)))]
    )
    record(pets, "bea", "d", [Answer(1, ((0, CAR, YES),))])
    shown = ("image", "annotator", "present_tag", "against_tag", "state")
    assert [tuple(one[name] for name in shown) for one in contradictions(pets)] == [
        (0, "anna", "dog", "cat", YES),
        (1, "anna", "puppy", "animal", NO),
    ]
    assert len(contradictions(pets, most=1)) == 1
    assert states(pets, 1) == {ANIMAL: (NO, None), PUPPY: (YES, None)}


def test_a_merge_takes_what_followed_along_and_brings_it_back(pets: Workspace) -> None:
    record(pets, "anna", "c", [Answer(1, ((0, PUPPY, YES),)), Answer(2, ((1, DOG, NO), (1, CAT, YES)))])
    before = stored(pets)
    make(pets, "lead", "merge", tag="puppy", into="dog")
    assert states(pets)[DOG] == (YES, None)
    assert replayed(pets) == stored(pets)
    undo(pets, "lead")
    assert stored(pets) == before
    assert replayed(pets) == stored(pets)


def test_the_browser_gets_relations_keys_colours_and_names_in_other_languages(pets: Workspace) -> None:
    make(pets, "lead", "describe", tag="dog", hotkey="d", colour="#112233", names={"de": "Hund"})
    found = vocabulary.browser_list(pets)
    assert found["tags"][1] == [DOG, "dog", ["Hund"]]
    assert found["implies"] == [(DOG, ANIMAL), (PUPPY, DOG), (CAT, ANIMAL)]
    assert (found["excludes"], found["hotkeys"], found["colours"]) == ([(DOG, CAT)], {"d": DOG}, {DOG: "#112233"})
