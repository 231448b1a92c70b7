"""The vocabulary changes and nothing that people did is lost."""

import contextlib
import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from annotator.errors import AnnotatorError, ConflictError, MissingError, UnknownNameError, UsageError
from annotator.services import labelling, tasks, vocabulary
from annotator.services.answers import Answer
from annotator.services.snapshots import take
from annotator.services.vocabulary_changes import history, make, preview, undo
from annotator.settings import Settings
from annotator.terms import LabelState, RelationKind, Verdict
from annotator.workspace import Workspace
from db.models import Comment, Gold, JournalEntry, Label, Relation, Review, Skip, Tag, Task, VocabularyChange
from tests.services import test_review_tally
from tests.services.journal import replayed, stored
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
BOAT, SHIP, CAR, TREE = 1, 2, 3, 4


@pytest.fixture
def stocked(any_workspace: Workspace) -> Workspace:
    """Six images and four tags; two people answered."""
    return fill(any_workspace)


def fill(workspace: Workspace) -> Workspace:
    add_images(workspace, 6)
    add_tags(workspace, ["boat", "ship", "car", "tree"])
    anna = [Answer(1, ((0, BOAT, YES), (0, SHIP, NO))), Answer(2, ((1, SHIP, YES), (2, BOAT, UNKNOWN), (2, SHIP, NO)))]
    labelling.record(workspace, "anna", "a", anna)
    labelling.record(workspace, "bea", "b", [Answer(1, ((0, SHIP, YES), (3, SHIP, NO), (4, CAR, YES)))])
    return workspace


def says(workspace: Workspace) -> dict[tuple[str, int, str], LabelState]:
    """(annotator, image, tag name) to state."""
    with workspace.reading() as session:
        tags = {tag.id: tag.name for tag in session.scalars(select(Tag))}
        people = {1: "anna", 2: "bea"}
        return {
            (people[label.annotator_id], label.image_row, tags[label.tag_id]): label.state
            for label in session.scalars(select(Label))
        }


def tag(workspace: Workspace, number: int) -> Tag:
    with workspace.reading() as session:
        return session.get_one(Tag, number)


def state_of(workspace: Workspace) -> object:
    """Everything of the vocabulary and of what was said by it."""
    with workspace.reading() as session:
        columns = [column.name for column in Tag.__table__.columns]
        tags = [[getattr(one, name) for name in columns] for one in session.scalars(select(Tag).order_by(Tag.id))]
        relations = sorted((one.kind, one.a_id, one.b_id) for one in session.scalars(select(Relation)))
        questions = sorted(
            (one.image_row, one.tag_id or 0, one.kind, one.reason, one.position)
            for one in session.scalars(select(Task).where(Task.done_at.is_(None)))
        )
        reviews = sorted((one.image_row, one.tag_id, one.state, one.verdict) for one in session.scalars(select(Review)))
        gold = sorted((one.image_row, one.tag_id, one.state, one.instant) for one in session.scalars(select(Gold)))
        talk = sorted((one.image_row, one.tag_id or 0, one.text) for one in session.scalars(select(Comment)))
        skips = sorted((one.image_row, one.tag_id or 0) for one in session.scalars(select(Skip)))
    marks = reviews, gold, talk, skips
    return tags, relations, questions, marks, stored(workspace), workspace.project.exactly_one


def test_merged_tags_have_all_labels_and_present_wins(stocked: Workspace) -> None:
    report = make(stocked, "anna", "merge", tag="ship", into="boat")
    assert says(stocked) == {
        ("anna", 0, "boat"): YES, ("anna", 1, "boat"): YES, ("anna", 2, "boat"): UNKNOWN,
        ("bea", 0, "boat"): YES, ("bea", 3, "boat"): NO, ("bea", 4, "car"): YES,
    }  # fmt: skip
    assert (report["labels"], report["combined"]) == (5, 2)
    assert (tag(stocked, SHIP).archived, tag(stocked, BOAT).synonyms) == (True, ["ship"])
    assert replayed(stocked) == stored(stocked)


def test_the_journal_notes_both_of_two_answers_that_became_one(stocked: Workspace) -> None:
    make(stocked, "anna", "merge", tag="ship", into="boat")
    with stocked.reading() as session:
        noted = session.scalars(
            select(JournalEntry).where(
                JournalEntry.change_id.is_not(None), JournalEntry.image_row == 0, JournalEntry.annotator_id == 1
            )
        )
        assert sorted((entry.tag_id, entry.previous, entry.state) for entry in noted) == [
            (BOAT, YES, YES), (SHIP, NO, None),
        ]  # fmt: skip


def test_a_merge_is_undone_to_the_last_label(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        session.merge(Review(image_row=0, tag_id=SHIP, reviewer_id=1, state=YES, at=session.get_one(Label, 1).at))
        session.merge(Review(image_row=0, tag_id=BOAT, reviewer_id=2, state=NO, at=session.get_one(Label, 1).at))
        at = session.get_one(Label, 1).at
        session.merge(Review(image_row=3, tag_id=SHIP, reviewer_id=2, state=NO, verdict=Verdict.MAJOR, at=at))
        session.add(Gold(image_row=1, tag_id=SHIP, annotator_id=1, state=YES, instant=True, at=at))
        session.add(Gold(image_row=2, tag_id=SHIP, annotator_id=1, state=NO, at=at))
        session.add(Gold(image_row=2, tag_id=BOAT, annotator_id=2, state=YES, at=at))
        session.add(Skip(image_row=5, tag_id=SHIP, annotator_id=1, reason="unclear", at=at))
        session.add(Comment(image_row=5, tag_id=SHIP, annotator_id=1, text="a raft?", at=at))
        tasks.add_verify_picks(session, SHIP, [4, 5], "test")
        tasks.add_verify_picks(session, BOAT, [5], "test")
        session.merge(Relation(kind=RelationKind.EXCLUDES, a_id=SHIP, b_id=TREE))
        session.get_one(Tag, CAR).parent_id = SHIP
    stocked.change_project(exactly_one=[["ship", "car", "tree"]])
    before = state_of(stocked)
    report = make(stocked, "anna", "merge", tag="ship", into="boat")
    assert (report["reviews"], report["questions moved"], report["questions dropped"]) == (2, 1, 1)
    assert (report["gold"], report["comments"]) == (2, 1)
    assert stocked.project.exactly_one == [["boat", "car", "tree"]]
    with stocked.reading() as session:
        assert {(one.image_row, one.tag_id): (one.state, one.verdict) for one in session.scalars(select(Review))} == {
            (0, BOAT): (YES, Verdict.ACCEPTED), (3, BOAT): (NO, Verdict.MAJOR),
        }  # fmt: skip
        assert {(one.image_row, one.tag_id): (one.state, one.instant) for one in session.scalars(select(Gold))} == {
            (1, BOAT): (YES, True), (2, BOAT): (YES, False),
        }  # fmt: skip
        assert [one.tag_id for one in (*session.scalars(select(Comment)), *session.scalars(select(Skip)))] == [BOAT] * 2
        assert [(one.kind, one.a_id, one.b_id) for one in session.scalars(select(Relation))] == [
            (RelationKind.EXCLUDES, BOAT, TREE)
        ]
    assert tag(stocked, CAR).parent_id == BOAT
    undo(stocked, "anna")
    assert state_of(stocked) == before
    assert replayed(stocked) == stored(stocked)


def test_a_merge_that_an_earlier_version_recorded_is_undone(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        at = session.get_one(Label, 1).at
        for row, number, state in ((0, SHIP, YES), (1, SHIP, YES), (1, BOAT, NO)):
            session.add(Review(image_row=row, tag_id=number, reviewer_id=1, state=state, at=at))
    before = state_of(stocked)
    make(stocked, "anna", "merge", tag="ship", into="boat")
    with stocked.transaction() as session:  # verdicts had no kinds, gold and talk stayed behind
        change = session.scalars(select(VocabularyChange)).one()
        payload = {name: value for name, value in change.payload.items() if name not in ("gold", "talk")}
        for marks in payload["reviews"].values():
            for one in marks:
                del one["verdict"]
        change.payload = payload
    undo(stocked, "anna")
    assert state_of(stocked) == before


def test_what_was_answered_after_a_merge_outlives_its_undo(stocked: Workspace) -> None:
    make(stocked, "anna", "merge", tag="ship", into="boat")
    labelling.record(stocked, "anna", "a", [Answer(3, ((1, BOAT, NO), (5, BOAT, YES)))])
    undo(stocked, "anna")
    said = says(stocked)
    assert (said["anna", 1, "ship"], said["anna", 1, "boat"], said["anna", 5, "boat"]) == (YES, NO, YES)


def test_taking_back_an_answer_that_came_after_a_merge_leads_back_to_the_merged_label(stocked: Workspace) -> None:
    make(stocked, "anna", "merge", tag="ship", into="boat")
    labelling.record(stocked, "anna", "a", [Answer(3, ((1, BOAT, NO),)), Answer(4, undo=3)])
    assert says(stocked)["anna", 1, "boat"] == YES
    undo(stocked, "anna")
    assert ("anna", 1, "boat") not in says(stocked)


def test_an_answer_from_before_a_merge_is_not_taken_back_unnoticed(stocked: Workspace) -> None:
    make(stocked, "anna", "merge", tag="ship", into="boat")
    before = says(stocked)
    receipt = labelling.record(stocked, "anna", "a", [Answer(3, undo=2)])
    assert "the vocabulary changed" in receipt.problems[0]["message"]
    assert says(stocked) == before
    undo(stocked, "anna")
    assert labelling.record(stocked, "anna", "a", [Answer(4, undo=2)]).problems == []
    assert ("anna", 1, "ship") not in says(stocked)


def test_an_answer_on_its_way_during_a_merge_reaches_what_is_left(stocked: Workspace) -> None:
    make(stocked, "anna", "merge", tag="ship", into="boat")
    labelling.record(stocked, "anna", "a", [Answer(3, ((5, SHIP, YES), (5, BOAT, NO)))])
    assert says(stocked)["anna", 5, "boat"] == YES


def test_a_preview_says_what_the_change_does_and_does_nothing(stocked: Workspace) -> None:
    before = state_of(stocked)
    seen = preview(stocked, "anna", "merge", tag="ship", into="boat")
    assert state_of(stocked) == before
    assert history(stocked) == []
    done = make(stocked, "anna", "merge", tag="ship", into="boat")
    assert {**seen, "number": None} == {**done, "number": None}


def test_a_renamed_tag_keeps_its_labels_and_its_place_in_groups(stocked: Workspace) -> None:
    stocked.change_project(exactly_one=[["ship", "car"]])
    make(stocked, "anna", "rename", tag="ship", name="Vessel")
    assert (tag(stocked, SHIP).name, tag(stocked, SHIP).key) == ("Vessel", "vessel")
    assert says(stocked)["bea", 3, "Vessel"] == NO
    assert stocked.project.exactly_one == [["Vessel", "car"]]
    undo(stocked, "anna")
    assert tag(stocked, SHIP).key == "ship"
    assert stocked.project.exactly_one == [["ship", "car"]]


def test_a_split_asks_anew_where_the_tag_was_present_and_guesses_nothing(stocked: Workspace) -> None:
    before = stored(stocked)
    report = make(stocked, "anna", "split", tag="ship", into=["sailing ship", "boat"])
    assert stored(stocked) == before
    with stocked.reading() as session:
        asked = sorted((one.tag_id, one.image_row) for one in session.scalars(select(Task)))
    # Image 0 was answered on boat already.
    assert asked == [(BOAT, 1), (5, 0), (5, 1)]
    assert (report["questions asked"], report["labels"]) == (3, 5)
    assert tag(stocked, SHIP).archived
    undo(stocked, "anna")
    assert not tag(stocked, SHIP).archived
    assert tag(stocked, 5).archived
    with stocked.reading() as session:
        assert session.scalars(select(Task)).all() == []


def test_an_archived_tag_is_neither_asked_nor_counted_and_comes_back_whole(stocked: Workspace) -> None:
    with stocked.transaction() as session:
        tasks.add_verify_picks(session, SHIP, [4, 5], "test")
    before = stored(stocked)
    make(stocked, "anna", "archive", tag="ship")
    assert [one.name for one in take(stocked).tags] == ["boat", "car", "tree"]
    assert tasks.claim(stocked, "anna", SHIP, 5) == []
    make(stocked, "anna", "unarchive", tag="ship")
    assert stored(stocked) == before
    undo(stocked, "anna", 2)
    assert len(tasks.claim(stocked, "anna", SHIP, 5)) == 2


def test_changes_are_undone_in_reverse_order_and_all_of_them_or_none(stocked: Workspace) -> None:
    before = state_of(stocked)
    make(stocked, "anna", "rename", tag="ship", name="vessel")
    make(stocked, "anna", "merge", tag="vessel", into="boat")
    make(stocked, "anna", "merge", tag="boat", into="car")
    with pytest.raises(MissingError):
        undo(stocked, "anna", 4)
    assert [one["what"] for one in undo(stocked, "bea", 3)] == [
        "undo: merge 'boat' into 'car'", "undo: merge 'vessel' into 'boat'", "undo: rename 'ship' to 'vessel'",
    ]  # fmt: skip
    assert state_of(stocked) == before
    assert [one["undone"] for one in history(stocked)] == [False, False, False, True, True, True]


def test_relations_that_would_contradict_each_other_are_refused_by_name(stocked: Workspace) -> None:
    make(stocked, "anna", "parent", tag="ship", parent="boat")
    make(stocked, "anna", "relate", relation="implies", tag="boat", other="car")
    with pytest.raises(ConflictError, match="circle: 'boat' → 'car' → 'ship' → 'boat'"):
        make(stocked, "anna", "parent", tag="car", parent="ship")
    with pytest.raises(ConflictError, match="'ship' would imply 'ship' and 'car', which exclude each other"):
        make(stocked, "anna", "relate", relation="excludes", tag="ship", other="car")
    make(stocked, "anna", "unrelate", relation="implies", tag="boat", other="car")
    make(stocked, "anna", "relate", relation="excludes", tag="ship", other="car")
    with stocked.reading() as session:
        assert vocabulary.relations_of(session).implied({SHIP}, set()).keys() == {BOAT, CAR}


def test_everything_that_is_said_of_a_tag_is_checked_and_undone(stocked: Workspace) -> None:
    before = state_of(stocked)
    make(
        stocked, "anna", "describe", tag="boat", definition=" floats  on water", synonyms=["Dinghy", "dinghy", "BOAT"],
        prompts=["a photo of a boat"], examples=[3, 3, 1], hotkey="B", colour="#1D4ED8", names={"de": "Boot", "fr": ""},
    )  # fmt: skip
    found = tag(stocked, BOAT)
    assert (found.definition, found.synonyms, found.examples) == ("floats on water", ["Dinghy"], [3, 1])
    assert (found.hotkey, found.colour, found.names) == ("b", "#1d4ed8", {"de": "Boot"})
    assert vocabulary.described(stocked, BOAT)["examples"][:2] == [3, 1]
    undo(stocked, "anna")
    assert state_of(stocked) == before


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "says"),
    [
        ("describe", {"tag": "boat", "hotkey": "u"}, UsageError, "hotkey 'u' is taken"),
        ("describe", {"tag": "boat", "colour": "blue"}, UsageError, "#rrggbb"),
        ("describe", {"tag": "boat", "examples": [99]}, MissingError, "no image 99"),
        ("describe", {"tag": "boat", "examples": list(range(99))}, UsageError, "at most 12"),
        ("describe", {"tag": "boat", "names": {"German!": "Boot"}}, UsageError, "language 'German!'"),
        ("describe", {"tag": "boat", "prompts": [" "]}, UsageError, "a prompt of 'boat' is empty"),
        ("describe", {"tag": "boat", "synonyms": ["a|b"]}, UsageError, "holds '|'"),
        ("describe", {"tag": "boat", "weight": 3}, UnknownNameError, "no field of a tag is called 'weight'"),
        ("rename", {"tag": "boat", "name": "SHIP"}, ConflictError, "'ship' is a tag already"),
        ("rename", {"tag": "boat", "name": " "}, UsageError, "the name is empty"),
        ("merge", {"tag": "boat", "into": "boat"}, UsageError, "merged into itself"),
        ("merge", {"tag": "bota", "into": "ship"}, UnknownNameError, "did you mean 'boat'"),
        ("merge", {"tag": 77, "into": "ship"}, MissingError, "no tag 77"),
        ("split", {"tag": "boat", "into": ["dinghy"]}, UsageError, "two tags or more"),
        ("split", {"tag": "boat", "into": ["dinghy", "boat"]}, UsageError, "cannot be split into itself"),
        ("unarchive", {"tag": "boat"}, ConflictError, "is not archived"),
        ("parent", {"tag": "boat", "parent": "boat"}, UsageError, "its own parent"),
        ("relate", {"relation": "likes", "tag": "boat", "other": "ship"}, UnknownNameError, "no relation is called"),
        ("relate", {"relation": "excludes", "tag": "boat", "other": "boat"}, UsageError, "related to itself"),
        ("unrelate", {"relation": "excludes", "tag": "boat", "other": "car"}, ConflictError, "there is no relation"),
        ("paint", {"tag": "boat"}, UnknownNameError, "no change of the vocabulary is called 'paint'"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_whole(
    workspace: Workspace, kind: str, arguments: dict[str, object], error: type[AnnotatorError], says: str
) -> None:
    fill(workspace)
    before = state_of(workspace)
    with pytest.raises(error, match=says.replace("|", "\\|")):
        make(workspace, "anna", kind, **arguments)
    assert state_of(workspace) == before
    assert history(workspace) == []


def test_a_hotkey_belongs_to_one_tag(workspace: Workspace) -> None:
    fill(workspace)
    make(workspace, "anna", "describe", tag="boat", hotkey="b")
    with pytest.raises(ConflictError, match="'b' toggles 'boat' already"):
        make(workspace, "anna", "describe", tag="ship", hotkey="b")


NAMES = ["boat", "ship", "car", "tree"]
PERSON = st.sampled_from(["anna", "bea"])
ANY_TAG = st.integers(1, 4)
steps = st.one_of(
    st.tuples(st.just("answer"), PERSON, st.integers(0, 2), ANY_TAG, st.sampled_from([YES, NO, UNKNOWN])),
    st.tuples(st.just("take back"), PERSON, st.integers(1, 6)),
    st.tuples(st.just("merge"), ANY_TAG, ANY_TAG),
    st.tuples(st.just("split"), ANY_TAG, ANY_TAG, ANY_TAG),
    st.tuples(st.just("archive"), ANY_TAG),
    st.tuples(st.just("unarchive"), ANY_TAG),
    st.tuples(st.just("rename"), ANY_TAG, st.sampled_from(["x", "y"])),
    st.tuples(st.just("undo")),
)  # fmt: skip
fresh = itertools.count()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=3, max_size=14), st.booleans())
def test_in_any_order_no_label_is_lost_and_the_journal_tells_them_all(
    tmp_path: Path, todo: list[tuple], related: bool
) -> None:
    with Workspace.create(tmp_path / f"w{next(fresh)}", Settings(device="cpu")) as workspace:
        add_images(workspace, 3)
        add_tags(workspace, NAMES)
        if related:
            with workspace.transaction() as session:
                session.get_one(Tag, BOAT).parent_id = SHIP
                session.add(Relation(kind=RelationKind.EXCLUDES, a_id=SHIP, b_id=CAR))
        seq = {"anna": 0, "bea": 0}
        for name, *arguments in todo:
            pairs = {key[0::2] for key in stored(workspace)}
            with contextlib.suppress(AnnotatorError):
                act(workspace, seq, name, *arguments)
            assert replayed(workspace) == stored(workspace)
            assert test_review_tally.counted(workspace) == test_review_tally.stored(workspace)
            if name not in ("take back", "answer"):
                # What a person said of an image is still there, by whatever name.
                assert {key[0::2] for key in stored(workspace)} == pairs
        while True:
            try:
                undo(workspace, "anna")
            except MissingError:
                break
        assert replayed(workspace) == stored(workspace)
        said = {key: state for key, (state, *_, because) in stored(workspace).items() if because is None}
        assert says_without_changes(workspace) == said
        with workspace.reading() as session:
            originals = [session.get_one(Tag, number) for number in range(1, 5)]
            assert [(one.name, one.archived) for one in originals] == [(name, False) for name in NAMES]


def act(workspace: Workspace, seq: dict[str, int], name: str, *arguments) -> None:
    if name == "answer":
        person, row, number, state = arguments
        seq[person] += 1
        labelling.record(workspace, person, person, [Answer(seq[person], ((row, number, state),))])
    elif name == "take back":
        person, earlier = arguments
        seq[person] += 1
        labelling.record(workspace, person, person, [Answer(seq[person], undo=earlier)])
    elif name == "merge":
        make(workspace, "anna", "merge", tag=arguments[0], into=arguments[1])
    elif name == "split":
        into = [tag(workspace, number).name for number in arguments[1:]]
        make(workspace, "anna", "split", tag=arguments[0], into=into)
    elif name == "rename":
        make(workspace, "anna", "rename", tag=arguments[0], name=arguments[1])
    elif name == "undo":
        undo(workspace, "anna")
    else:
        make(workspace, "anna", name, tag=arguments[0])


def says_without_changes(workspace: Workspace) -> dict[tuple[int, int, int], LabelState]:
    """What people said last and did not take back, as if the vocabulary had never changed."""
    from db.models import Submission

    with workspace.reading() as session:
        undone = set(session.scalars(select(Submission.id).where(Submission.undone.is_(True))))
        gave = set(session.scalars(select(Submission.id).where(Submission.labels > 0)))
        found = {}
        for entry in session.scalars(select(JournalEntry).order_by(JournalEntry.id)):
            if entry.change_id is None and entry.because_id is None and entry.submission_id in gave - undone:
                found[entry.image_row, entry.tag_id, entry.annotator_id] = entry.state
        return found
