"""Label errors found out of fold, left for reviewers, and what their fixes bring."""

import json

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.services import label_errors, labelling, reviewing, verdicts
from annotator.services.judgements import Judgement
from annotator.services.reviewing import Filter
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Split, Verdict
from annotator.workspace import Workspace
from tests.services.worlds import make_world, whole

COUNT = 240
WRONG = tuple(range(5, COUNT, 20))  # images on which the first tag is labelled the other way round


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT, noise=0.3)


@pytest.fixture
def noisy(workspace: Workspace, truth: Truth) -> Workspace:
    labels = [label for row in range(COUNT) for label in whole(truth, row)]
    labelling.set_labels(workspace, "anna", labels)
    tag = truth.tag_ids[0]
    turned = [(row, tag, LabelState(1 - truth.labels[row, 0])) for row in WRONG]
    labelling.set_labels(workspace, "anna", turned)
    return workspace


def test_wrong_labels_come_first_in_the_queue(noisy: Workspace, truth: Truth) -> None:
    counts = label_errors.find(noisy)
    found = reviewing.items(noisy, Filter("label_error"))
    hits = {(row, truth.tag_ids[0]) for row in WRONG} & {(item.row, item.tag_id) for item in found}
    assert len(hits) >= 0.8 * len(WRONG)
    assert len(hits) >= 0.7 * counts["suspects"]
    assert found[0].chance > 0.5 and "models that never saw it" in found[0].causes[0][1]
    of_tag = reviewing.items(noisy, Filter("label_error", tag_id=truth.tag_ids[1]))
    assert of_tag == [item for item in found if item.tag_id == truth.tag_ids[1]]
    assert reviewing.items(noisy, Filter("label_error", person="anna")) == found


def test_what_the_last_search_found_is_listed_by_name_the_likeliest_first(noisy: Workspace, truth: Truth) -> None:
    assert label_errors.latest(noisy) is None
    counts = label_errors.find(noisy)
    found = label_errors.latest(noisy, most=10)
    assert found is not None
    assert found["counts"] == counts
    chances = [one["chance"] for one in found["suspects"]]
    assert len(chances) == 10
    assert chances == sorted(chances, reverse=True)
    assert {one["tag"] for one in found["suspects"]} <= {"boat", "car", "tree"}
    assert all(one["label"] in ("positive", "negative", "unknown") and one["name"] for one in found["suspects"])


def test_what_was_decided_or_labelled_anew_is_no_suspect_any_more(noisy: Workspace) -> None:
    label_errors.find(noisy)
    first, second, *rest = reviewing.items(noisy, Filter("label_error"))
    verdicts.decide(noisy, "rita", [Judgement(first.row, first.tag_id, Verdict.ACCEPTED)])
    stands = reviewing.queue(noisy, Filter("label_error"))["items"][0]["state"]
    labelling.set_labels(noisy, "anna", [(second.row, second.tag_id or 0, LabelState(1 - stands))])
    left = [(item.row, item.tag_id) for item in reviewing.items(noisy, Filter("label_error"))]
    assert left == [(item.row, item.tag_id) for item in rest]


def test_tags_that_nobody_gave_are_proposed(noisy: Workspace, truth: Truth) -> None:
    shown = [row for row in range(COUNT) if truth.labels[row, 1] == 1 and row not in WRONG][:10]
    labelling.set_labels(noisy, "anna", [(row, truth.tag_ids[1], LabelState.UNKNOWN) for row in shown])
    label_errors.find(noisy)
    found = {(item.row, item.tag_id): item for item in reviewing.items(noisy, Filter("label_error"))}
    proposed = [found[row, truth.tag_ids[1]] for row in shown if (row, truth.tag_ids[1]) in found]
    assert len(proposed) >= len(shown) / 2 and all(item.chance > 0.5 for item in proposed)


def test_near_duplicates_that_differ_are_found(noisy: Workspace, truth: Truth) -> None:
    """The first of each ten images and the next one are near duplicates of each other."""
    tag = truth.tag_ids[2]
    labelling.set_labels(noisy, "anna", [(30, tag, LabelState.POSITIVE), (31, tag, LabelState.NEGATIVE)])
    assert label_errors.find(noisy)["near-duplicates"] >= 2
    words = {(item.row, item.tag_id): item.causes[0][1] for item in reviewing.items(noisy, Filter("label_error"))}
    assert {(30, tag), (31, tag)} <= words.keys()


def test_images_whose_twin_is_in_another_split_are_reported(noisy: Workspace) -> None:
    from db.models import Image

    with noisy.transaction() as session:
        session.get_one(Image, 50).given_split, session.get_one(Image, 51).given_split = "train", "test"
    assert label_errors.find(noisy)["leaks"] == 2
    assert [(leak["image"], leak["split"]) for leak in label_errors.report(noisy)["leaks"]] == [
        (50, "train"),
        (51, "test"),
    ]


def test_fixes_are_measured_on_the_same_held_out_answers(noisy: Workspace, truth: Truth) -> None:
    assert label_errors.compare(noisy)["fixes"] == 0
    train = set(np.flatnonzero(take(noisy).in_split(Split.TRAIN)).tolist())
    fixes = [Judgement(row, truth.tag_ids[0], Verdict.WRONG, LabelState(truth.labels[row, 0])) for row in WRONG]
    verdicts.decide(noisy, "rita", fixes)
    found = label_errors.compare(noisy)
    assert found["fixes"] == len(train & set(WRONG))
    assert found["difference"] == pytest.approx(found["after"] - found["before"], abs=2e-4)
    assert found["low"] <= found["high"]


def test_the_same_search_finds_the_same(noisy: Workspace) -> None:
    file = noisy.folder / "label_errors" / "latest.json"
    found = []
    for _ in range(2):
        label_errors.find(noisy)
        found.append({name: part for name, part in json.loads(file.read_text()).items() if name != "at"})
    assert found[0] == found[1]


def test_a_search_without_answers_and_a_report_without_search_say_what_to_do(
    workspace: Workspace, truth: Truth
) -> None:
    with pytest.raises(MissingError, match="answer more in Label"):
        label_errors.find(workspace)
    with pytest.raises(MissingError, match="annotator label-errors"):
        label_errors.report(workspace)
