"""The vocabulary's doctor, and the list to look through."""

import numpy as np
import pytest

from annotator.services import labelling, vocabulary
from annotator.services.vocabulary_changes import make
from annotator.services.vocabulary_doctor import Finding, examine
from annotator.services.vocabulary_list import details, listing
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags
from tests.services.worlds import make_world, put_model

YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE


def found(workspace: Workspace, kind: str) -> list[Finding]:
    return [finding for finding in examine(workspace) if finding.kind == kind]


def test_relations_that_labels_keep_are_proposed_and_applied(workspace: Workspace) -> None:
    add_images(workspace, 600)
    add_tags(workspace, ["animal", "dog", "car", "hound"])
    for row in range(600):
        is_dog, is_car = row % 4 == 0, row % 4 == 1
        states = [is_dog or row % 4 == 2, is_dog, is_car, is_dog]
        labelling.set_labels(workspace, "anna", [(row, tag, LabelState(said)) for tag, said in enumerate(states, 1)])
    proposals = {(one.kind, *one.tags): one for one in examine(workspace)}
    assert ("implies", "dog", "animal") in proposals
    assert ("same as", "dog", "hound") in proposals
    assert ("same as", "hound", "dog") not in proposals
    assert ("excludes", "animal", "car") in proposals
    change = proposals["implies", "dog", "animal"].change
    make(workspace, "anna", **change)
    make(workspace, "anna", **proposals["excludes", "animal", "car"].change)
    left = {(one.kind, *one.tags) for one in examine(workspace)}
    assert ("implies", "dog", "animal") not in left
    assert ("excludes", "dog", "car") not in left


def test_tags_without_pictures_and_doubles_come_with_the_change_that_mends_them(workspace: Workspace) -> None:
    add_images(workspace, 12)
    add_tags(workspace, ["sailboat", "Sail boats", "tree"])
    labelling.set_labels(workspace, "anna", [(row, 2, YES) for row in range(11)] + [(0, 1, YES)])
    (double,) = found(workspace, "double")
    assert double.tags == ["sailboat", "Sail boats"]
    assert [one.tags for one in found(workspace, "rare")] == [["sailboat"]]
    assert [one.tags for one in found(workspace, "never used")] == [["tree"]]
    make(workspace, "anna", **double.change)
    assert listing(workspace)["tags"][0]["present"] == 11


def test_relations_that_contradict_each_other_or_the_answers_are_found(workspace: Workspace) -> None:
    add_images(workspace, 3)
    add_tags(workspace, ["animal", "dog", "cat"])
    make(workspace, "anna", "relate", relation="excludes", tag="dog", other="cat")
    labelling.set_labels(workspace, "anna", [(0, 2, YES), (0, 3, YES)])
    assert [one.tags for one in found(workspace, "contradicted")] == [["dog", "cat"]]
    with workspace.transaction() as session:
        for tag in vocabulary.relations_of(session).tags[1:]:
            session.get_one(vocabulary.Tag, tag).parent_id = 2 if tag == 3 else 3
    assert [sorted(one.tags) for one in found(workspace, "circle")] == [["cat", "dog"]]
    (impossible, *_) = found(workspace, "impossible")
    make(workspace, "anna", **impossible.change)
    assert found(workspace, "impossible") == []


def test_what_the_model_mixes_up_is_named(workspace: Workspace) -> None:
    truth = make_world(workspace, 200, tags=("boat", "ship"))
    said = [
        (row, tag, LabelState(state))
        for row in range(200)
        for tag, state in zip(truth.tag_ids, truth.labels[row].tolist(), strict=True)
    ]
    labelling.set_labels(workspace, "anna", said)
    assert found(workspace, "mixed up") == []
    put_model(workspace, truth, np.where(truth.labels[:, :1] == 1, 0.9, truth.labels * 0.9))
    assert [one.tags for one in found(workspace, "mixed up")] == [["boat", "ship"]]


def test_the_list_is_searched_in_names_synonyms_and_languages_and_pages_through(any_workspace: Workspace) -> None:
    add_images(any_workspace, 4)
    add_tags(any_workspace, ["boat", "car", "100% wool", "tree"])
    make(any_workspace, "anna", "describe", tag="boat", synonyms=["dinghy"], names={"de": "Kähne"})
    make(any_workspace, "anna", "parent", tag="boat", parent="tree")
    labelling.set_labels(any_workspace, "anna", [(0, 1, YES), (1, 1, NO)])
    labelling.set_labels(any_workspace, "bea", [(0, 1, YES), (1, 1, YES)])

    def names(search: str = "", **choices: int) -> list[str]:
        return [one["name"] for one in listing(any_workspace, search, **choices)["tags"]]

    assert names() == ["100% wool", "boat", "car", "tree"]
    assert names(start=1, count=2) == ["boat", "car"]
    for search, name in (("DINGHY", "boat"), ("Kähne", "boat"), ("0%", "100% wool"), ("%", "100% wool")):
        assert names(search) == [name]
    boat = listing(any_workspace, "boat")
    assert boat["total"] == 1
    assert {name: boat["tags"][0][name] for name in ("present", "absent", "open", "parent")} == {
        "present": 1, "absent": 0, "open": 3, "parent": "tree",
    }  # fmt: skip
    make(any_workspace, "anna", "archive", tag="car")
    assert (names(), names(archived=True)) == (["100% wool", "boat", "tree"], ["car"])


def test_all_that_is_said_of_a_tag_is_told(workspace: Workspace) -> None:
    add_tags(workspace, ["dog", "cat"])
    make(workspace, "anna", "relate", relation="excludes", tag="dog", other="cat")
    assert details(workspace, 1)["relations"] == [("excludes", "cat", True)]
    assert details(workspace, 2)["relations"] == [("excludes", "dog", False)]


@pytest.mark.slow
def test_a_vocabulary_of_many_thousand_tags_is_listed_page_by_page(workspace: Workspace) -> None:
    add_tags(workspace, [f"tag {number:05}" for number in range(20_000)])
    page = listing(workspace, "tag 1", start=5_000, count=3)
    assert (page["total"], [one["name"] for one in page["tags"]]) == (10_000, ["tag 15000", "tag 15001", "tag 15002"])
