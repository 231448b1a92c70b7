from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.errors import MissingError
from annotator.learning.heads import HEADS
from annotator.services import labelling, models, suggesting, training
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, RoundStatus, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Label, Round, Tag
from tests.services.rows import add_tags
from tests.services.worlds import BACKBONE, make_world, put_tiles, whole

COUNT = 240
ANSWERED = 120


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT, noise=0.6)


@pytest.fixture
def answered(workspace: Workspace, truth: Truth) -> Workspace:
    """The first half of the images carry the true answers."""
    labelling.set_labels(workspace, "anna", [label for row in range(ANSWERED) for label in whole(truth, row)])
    return workspace


def rows_of(workspace: Workspace, split: Split, below: int = ANSWERED) -> list[int]:
    return [row for row in np.flatnonzero(take(workspace).in_split(split)).tolist() if row < below]


def flip(workspace: Workspace, truth: Truth, rows: list[int], kind: TaskKind = TaskKind.PICK) -> None:
    flipped = [(row, tag, LabelState(1 - state)) for row in rows for _, tag, state in whole(truth, row)]
    labelling.set_labels(workspace, "anna", flipped, kind)


def head(workspace: Workspace, model: int) -> dict[str, NDArray[Any]]:
    return models.load_arrays(workspace, model)


def assert_same(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert np.array_equal(a[name], b[name]), name


def open_round(workspace: Workspace, model: int, status: RoundStatus = RoundStatus.PROPOSED) -> None:
    with workspace.transaction() as session:
        label = session.query(Label).first()
        assert label is not None
        session.add(
            Round(
                number=1, status=status, seed=1, pool_hash="", pool_size=0, model_id=model, tag_ids=[], targets={},
                annotator_id=label.annotator_id, at=label.at,
            )
        )  # fmt: skip


def as_audits(workspace: Workspace, rows: list[int]) -> None:
    with workspace.transaction() as session:
        for label in session.query(Label).where(Label.image_row.in_(rows)):
            label.kind, label.round_number = TaskKind.AUDIT, 1


@pytest.mark.parametrize("name", HEADS)
def test_any_head_trains_and_its_uncertainty_can_be_asked_for_later(answered: Workspace, name: str) -> None:
    answered.change_project(head=name)
    report = training.train(answered)
    model = models.required(answered)
    assert (model.id, model.head) == (report.model, name)
    vectors = answered.embeddings(BACKBONE).read()
    found = models.variances(answered, model)(vectors)
    assert found.shape == models.predictions(answered, model).shape
    assert (found > 0).all()


def test_a_head_that_looks_at_tiles_is_trained_on_them_and_predicts_with_them(answered: Workspace) -> None:
    answered.change_project(head="dual_prompt")
    whole_only = training.train(answered)
    vectors = np.asarray(answered.embeddings(BACKBONE).read(), np.float32)
    tiles = vectors[:, None] + 0.3 * np.random.default_rng(0).standard_normal((COUNT, 9, vectors.shape[1]))
    put_tiles(answered, tiles)
    report = training.train(answered)
    assert head(answered, whole_only.model)["prompts.looks"] == 0
    assert head(answered, report.model)["prompts.looks"] == 1
    model = models.history(answered)[-1]
    trained, stored = models.head(answered, model), tiles.astype(np.float16)
    order = trained.logits(vectors, stored).argsort(axis=0, kind="stable")
    said = np.asarray(models.predictions(answered, model))
    np.testing.assert_allclose(np.diff(np.take_along_axis(said, order, axis=0), axis=0).min(), 0, atol=1e-2)
    assert (models.variances(answered, model)(vectors, stored) > 0).all()


def test_the_loss_of_the_project_is_the_one_that_trains(answered: Workspace) -> None:
    plain = head(answered, training.train(answered).model)
    answered.change_project(loss="pairwise_ranking")
    ranked = head(answered, training.train(answered).model)
    assert not np.array_equal(plain["weights"], ranked["weights"])


def test_a_tag_is_never_less_likely_than_its_child(answered: Workspace) -> None:
    with answered.transaction() as session:
        boat, _, tree = session.scalars(select(Tag).order_by(Tag.id))
        boat.parent_id = tree.id
    training.train(answered)
    suggesting.refresh(answered)
    board = suggesting.current(answered)
    assert board is not None
    for p in (models.predictions(answered, models.required(answered)), board.scores):
        assert (p[:, 2] >= p[:, 0]).all()
        assert (p[:, 2] == p[:, 0]).any()
        assert (p[:, 1] > p[:, 2]).any()


def test_a_trained_model_is_in_use_and_knows_the_unanswered_images(answered: Workspace, truth: Truth) -> None:
    report = training.train(answered)
    assert report.in_use
    assert models.required(answered).id == report.model
    unseen = models.predictions(answered, models.required(answered))[ANSWERED:]
    assert ((unseen > 0.5) == (truth.labels[ANSWERED:] == 1)).mean() > 0.8
    assert report.images == len(rows_of(answered, Split.TRAIN))
    assert report.metrics["held_out_images"] == len(rows_of(answered, Split.VALIDATION))


def test_the_same_workspace_trains_the_same_model_bit_for_bit(answered: Workspace) -> None:
    first, second = training.train(answered), training.train(answered)
    assert_same(head(answered, first.model), head(answered, second.model))
    one, other = (np.load(answered.predictions_file(report.model)) for report in (first, second))
    assert one.tobytes() == other.tobytes()


def test_answers_on_validation_images_never_train(answered: Workspace, truth: Truth) -> None:
    before = training.training_set(answered, take(answered), COUNT)
    held_out = rows_of(answered, Split.VALIDATION)
    flip(answered, truth, held_out)
    after = training.training_set(answered, take(answered), COUNT)
    assert np.array_equal(before.train_rows, after.train_rows)
    assert np.array_equal(before.train_labels, after.train_labels)
    assert set(held_out) == set(after.held_rows.tolist())
    assert not np.array_equal(before.held_labels, after.held_labels)


def test_answers_on_test_images_move_nothing(answered: Workspace, truth: Truth) -> None:
    first = training.train(answered)
    flip(answered, truth, rows_of(answered, Split.TEST))
    second = training.train(answered)
    assert_same(head(answered, first.model), head(answered, second.model))
    assert second.metrics["mAP"] == first.metrics["mAP"]


def test_answers_of_an_open_audit_never_train(answered: Workspace, truth: Truth) -> None:
    model = training.train(answered).model
    open_round(answered, model)
    audits = rows_of(answered, Split.TRAIN)[:30] + rows_of(answered, Split.VALIDATION)[:3]
    as_audits(answered, audits)
    first = training.train(answered)
    assert first.images == len(rows_of(answered, Split.TRAIN)) - 30
    flip(answered, truth, audits)
    as_audits(answered, audits)
    second = training.train(answered)
    assert_same(head(answered, first.model), head(answered, second.model))


def test_audits_of_an_ended_round_train(answered: Workspace) -> None:
    first = training.train(answered)
    open_round(answered, first.model, RoundStatus.ROLLED_BACK)
    as_audits(answered, rows_of(answered, Split.TRAIN)[:30])
    second = training.train(answered)
    assert second.images == first.images
    assert_same(head(answered, first.model), head(answered, second.model))


def test_answers_of_cannot_tell_move_nothing(answered: Workspace, truth: Truth) -> None:
    first = training.train(answered)
    unclear = [(row, tag, LabelState.UNKNOWN) for row in range(ANSWERED, COUNT) for tag in truth.tag_ids]
    labelling.set_labels(answered, "ben", unclear)
    second = training.train(answered)
    assert second.labels == first.labels
    assert_same(head(answered, first.model), head(answered, second.model))


def test_a_worse_model_is_kept_but_not_put_in_use(answered: Workspace, truth: Truth) -> None:
    good = training.train(answered)
    flip(answered, truth, rows_of(answered, Split.TRAIN))
    bad = training.train(answered)
    assert not bad.in_use
    assert "worse" in bad.verdict
    assert models.required(answered).id == good.model
    assert [model.in_use for model in models.history(answered)] == [True, False]


def test_a_model_of_another_vocabulary_is_replaced(answered: Workspace) -> None:
    training.train(answered)
    add_tags(answered, ["moon"])
    report = training.train(answered)
    assert report.in_use
    assert models.predictions(answered, models.required(answered)).shape == (COUNT, 4)


@pytest.mark.parametrize("answers", [0, 1, 9])
def test_too_few_answers_are_told_with_what_would_do(workspace: Workspace, truth: Truth, answers: int) -> None:
    rows = rows_of(workspace, Split.TRAIN)[:answers]
    labelling.set_labels(workspace, "anna", [label for row in rows for label in whole(truth, row)])
    with pytest.raises(MissingError, match=rf"^{answers} answered .* at least 10 .*open Label"):
        training.train(workspace)
    assert models.in_use(workspace) is None


def test_no_embeddings_are_told_with_the_command(workspace: Workspace) -> None:
    with pytest.raises(MissingError, match="annotator embed -w"):
        training.train(workspace)
    with pytest.raises(MissingError, match="annotator train -w"):
        models.required(workspace)


def test_training_without_one_held_out_answer_works(workspace: Workspace, truth: Truth) -> None:
    rows = rows_of(workspace, Split.TRAIN)[:40]
    labelling.set_labels(workspace, "anna", [label for row in rows for label in whole(truth, row)])
    report = training.train(workspace)
    assert report.in_use
    assert report.metrics["mAP"] is None


def test_a_tag_with_answers_of_one_kind_only_trains(workspace: Workspace, truth: Truth) -> None:
    for state, tag in ((LabelState.POSITIVE, 1), (LabelState.NEGATIVE, 2)):
        labelling.set_labels(workspace, "anna", [(row, tag, state) for row in range(60)])
    training.train(workspace)
    probabilities = models.predictions(workspace, models.required(workspace))
    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_training_is_due_after_enough_new_answers(answered: Workspace, truth: Truth) -> None:
    assert training.due_at(answered) is not None
    training.train(answered)
    assert training.due_at(answered) is None
    more = range(ANSWERED, ANSWERED + 30)
    labelling.set_labels(answered, "anna", [label for row in more for label in whole(truth, row)])
    assert training.due_at(answered) is not None
