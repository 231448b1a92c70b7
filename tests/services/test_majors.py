"""Major errors as a regression set: measured by every model, taught to none."""

import numpy as np
import pytest
from numpy.typing import NDArray

from annotator.services import labelling, majors, models, training, verdicts
from annotator.services.judgements import Judgement
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Split, Verdict
from annotator.workspace import Workspace
from db.models import Model
from tests.services.worlds import make_world, put_model, whole

COUNT, ANSWERED = 240, 120
YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT, noise=0.6)


@pytest.fixture
def answered(workspace: Workspace, truth: Truth) -> Workspace:
    labelling.set_labels(workspace, "anna", [label for row in range(ANSWERED) for label in whole(truth, row)])
    return workspace


def major(workspace: Workspace, row: int, tag: int, state: LabelState) -> None:
    verdicts.decide(workspace, "rita", [Judgement(row, tag, Verdict.MAJOR, state)])


def rows_of(workspace: Workspace, split: Split) -> NDArray[np.int64]:
    return np.flatnonzero(take(workspace).in_split(split))


def test_every_model_is_measured_on_the_major_errors(answered: Workspace, truth: Truth) -> None:
    sure = np.abs(models.predictions(answered, _trained(answered)) - 0.5) > 0.45
    row = next(row for row in range(ANSWERED, COUNT) if sure[row].all())
    right, wrong = LabelState(truth.labels[row, 0]), LabelState(1 - truth.labels[row, 1])
    major(answered, row, truth.tag_ids[0], right)
    major(answered, row, truth.tag_ids[1], wrong)
    report = training.train(answered).metrics["majors"]
    assert report == {"count": 2, "passed": 1, "failed": [[row, truth.tag_ids[1]]], "new": []}


def _trained(workspace: Workspace) -> Model:
    training.train(workspace)
    return models.required(workspace)


def test_a_major_error_and_its_near_duplicate_teach_no_model(answered: Workspace, truth: Truth) -> None:
    train = set(rows_of(answered, Split.TRAIN).tolist())
    row = next(row for row in range(0, ANSWERED, 10) if row in train)  # the next one is its near duplicate
    assert row + 1 in train
    major(answered, row, truth.tag_ids[0], NO)
    snapshot = take(answered)
    data = training.training_set(answered, snapshot, COUNT)
    taught = dict(zip(data.train_rows.tolist(), data.train_labels, strict=True))
    assert [taught[each][0] for each in (row, row + 1)] == [-1, -1]
    assert [taught[each][1] for each in (row, row + 1)] == truth.labels[[row, row + 1], 1].tolist()


def test_a_review_of_what_nobody_labelled_measures_nothing_and_may_teach(answered: Workspace, truth: Truth) -> None:
    fresh = [row for row in range(ANSWERED, COUNT) if row % 10 > 1]
    held, taught = set(rows_of(answered, Split.VALIDATION)), set(rows_of(answered, Split.TRAIN))
    one, other = next(row for row in fresh if row in held), next(row for row in fresh if row in taught)
    for row in (one, other):
        verdicts.decide(answered, "rita", [Judgement(row, truth.tag_ids[0], Verdict.WRONG, YES)])
    data = training.training_set(answered, take(answered), COUNT)
    assert one not in data.held_rows and other in data.train_rows


def test_a_reviewed_answer_on_a_held_out_image_measures_with_the_reviewers_word(
    answered: Workspace, truth: Truth
) -> None:
    row = next(row for row in rows_of(answered, Split.VALIDATION).tolist() if row < ANSWERED)
    turned = LabelState(1 - truth.labels[row, 0])
    verdicts.decide(answered, "rita", [Judgement(row, truth.tag_ids[0], Verdict.WRONG, turned)])
    data = training.training_set(answered, take(answered), COUNT)
    assert data.held_labels[data.held_rows.tolist().index(row), 0] == turned
    assert row not in data.train_rows


def failing(workspace: Workspace, truth: Truth) -> tuple[int, int]:
    """A pair that models trained here fail, marked as a major error; the model in use passed it by chance."""
    sure = np.abs(models.predictions(workspace, _trained(workspace)) - 0.5) > 0.45
    row = next(row for row in range(ANSWERED, COUNT) if sure[row].all())
    major(workspace, row, truth.tag_ids[0], LabelState(1 - truth.labels[row, 0]))
    return row, truth.tag_ids[0]


def test_a_model_that_makes_a_major_error_again_is_not_put_in_use_unless_it_is_better(
    answered: Workspace, truth: Truth
) -> None:
    row, tag = failing(answered, truth)
    before = models.predictions(answered, models.required(answered)).copy()
    before[row, 0] = 1 - before[row, 0]
    as_good = put_model(answered, truth, before)
    report = training.train(answered)
    assert not report.in_use
    assert f"makes a major error again that model {as_good} did not: boat on image {row}" in report.verdict
    assert report.metrics["majors"]["new"] == [[row, tag]]
    worse = put_model(answered, truth, np.full(before.shape, 0.9 if truth.labels[row, 0] == 0 else 0.1))
    report = training.train(answered)
    assert report.in_use and f"that model {worse} did not" in report.verdict


def test_an_error_that_the_model_before_made_too_blocks_nothing(answered: Workspace, truth: Truth) -> None:
    row, tag = failing(answered, truth)
    report = training.train(answered)
    assert report.in_use and "major" not in report.verdict
    assert report.metrics["majors"] == {"count": 1, "passed": 0, "failed": [[row, tag]], "new": []}


def test_what_a_reviewer_cannot_tell_measures_nothing(answered: Workspace, truth: Truth) -> None:
    major(answered, 5, truth.tag_ids[0], LabelState.UNKNOWN)
    with answered.reading() as session:
        assert majors.pairs(session) == {}
