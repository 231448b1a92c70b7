from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotator.errors import MissingError
from annotator.scoring.fusion import ORIGINS
from annotator.services import labelling, suggesting
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import LabelState, Split, SuggestionOrigin
from annotator.workspace import Workspace
from db.models import Label
from tests.services.worlds import BACKBONE, TAGS, make_world, put_model, put_tiles, whole

COUNT = 200
ANSWERED = 100


@pytest.fixture
def truth(workspace: Workspace) -> Truth:
    return make_world(workspace, COUNT)


@pytest.fixture
def answered(workspace: Workspace, truth: Truth) -> Workspace:
    labelling.set_labels(workspace, "anna", [label for row in range(ANSWERED) for label in whole(truth, row)])
    return workspace


def board(workspace: Workspace) -> suggesting.Board:
    suggesting.refresh(workspace)
    found = suggesting.current(workspace)
    assert found is not None
    return found


def rows_of(workspace: Workspace, split: Split) -> list[int]:
    return [row for row in np.flatnonzero(take(workspace).in_split(split)).tolist() if row < ANSWERED]


def test_without_embeddings_the_command_is_told(workspace: Workspace) -> None:
    assert suggesting.current(workspace) is None
    with pytest.raises(MissingError, match="annotator embed -w"):
        suggesting.refresh(workspace)


def test_without_a_source_nothing_is_suggested(workspace: Workspace, truth: Truth) -> None:
    found = board(workspace)
    assert found.scores.shape == (COUNT, 3)
    assert not found.scores.any()
    assert found.mean_average_precision == {}


def test_suggestions_are_never_labels(answered: Workspace) -> None:
    before = take(answered).hash
    board(answered)
    assert take(answered).hash == before
    with answered.reading() as session:
        assert session.query(Label).count() == 3 * ANSWERED


def test_neighbours_of_answered_images_are_suggested_their_tags(answered: Workspace, truth: Truth) -> None:
    found = board(answered)
    assert {suggestion.origin for suggestion in found.ranked(ANSWERED)} == {SuggestionOrigin.NEIGHBOURS}
    scores = found.scores[ANSWERED:].astype(float)
    present = truth.labels[ANSWERED:] == 1
    assert np.median(scores[present]) > np.median(scores[~present])


def test_a_sure_model_speaks_loudest(answered: Workspace, truth: Truth) -> None:
    model = put_model(answered, truth, np.where(truth.labels == 1, 0.999, 0.001))
    found = board(answered)
    assert found.model_id == model
    assert found.mean_average_precision["fused"] > 0.9
    for row in range(ANSWERED, COUNT):
        ranked = found.ranked(row)
        count = int((truth.labels[row] == 1).sum())
        assert {suggestion.tag_id for suggestion in ranked[:count]} == {
            tag for tag, state in zip(truth.tag_ids, truth.labels[row], strict=True) if state == 1
        }


def test_scores_are_shares_in_falling_order(answered: Workspace) -> None:
    found = board(answered)
    for row in range(0, COUNT, 7):
        scores = [suggestion.score for suggestion in found.ranked(row)]
        assert scores == sorted(scores, reverse=True)
        assert 0 <= scores[-1] <= scores[0] <= 1


def test_the_best_images_of_a_tag_come_best_first(answered: Workspace) -> None:
    found = board(answered)
    column = np.asarray(found.scores[:, 1], np.float32)
    for count in (0, 1, 10, COUNT, COUNT + 50):
        rows = found.best_images(found.tag_ids[1], count)
        assert len(rows) == len(set(rows)) == min(count, COUNT)
        assert column[rows].tolist() == np.sort(column)[::-1][:count].tolist()
    assert found.best_images(999, 5) == []


def test_answers_on_test_images_move_no_suggestion(answered: Workspace, truth: Truth) -> None:
    before = board(answered)
    flipped = [
        (row, tag, LabelState(1 - state))
        for row in rows_of(answered, Split.TEST)
        for _, tag, state in whole(truth, row)
    ]
    assert flipped
    labelling.set_labels(answered, "anna", flipped)
    assert np.array_equal(board(answered).scores, before.scores)


def test_cannot_tell_moves_no_suggestion(answered: Workspace, truth: Truth) -> None:
    before = np.array(board(answered).scores)
    unclear = [(row, tag, LabelState.UNKNOWN) for row in range(ANSWERED, COUNT) for tag in truth.tag_ids]
    labelling.set_labels(answered, "ben", unclear)
    assert np.array_equal(board(answered).scores, before)


def test_the_same_workspace_gives_the_same_suggestions_bit_for_bit(answered: Workspace) -> None:
    first, second = board(answered), board(answered)
    assert np.array_equal(first.scores, second.scores)
    assert np.array_equal(first.origins, second.origins)
    assert first.mean_average_precision == second.mean_average_precision


def test_an_image_that_came_later_has_no_suggestion_yet(answered: Workspace) -> None:
    assert board(answered).ranked(COUNT) == []


def test_only_the_newest_scores_stay_on_disk(answered: Workspace) -> None:
    for _ in range(3):
        board(answered)
    folder: Path = answered.folder / "suggestions"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    assert list(folder.rglob("*.tmp")) == []


def test_the_best_rows_of_a_tag_are_those_of_its_scores(answered: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also past the rows that are kept ready."""
    monkeypatch.setattr(suggesting, "PART", 7)
    suggesting.refresh(answered)
    board = suggesting.current(answered)
    assert board is not None
    scores = np.asarray(board.scores, np.float32)
    for tag, column in zip(board.tag_ids, scores.T, strict=True):
        rows = board.best_images(tag, len(column))
        assert sorted(rows) == list(range(len(column)))
        assert (np.diff(column[rows]) <= 0).all()
        few = replace(board, best=suggesting.best_rows(scores, most=10))
        assert few.best_images(tag, 25) == rows[:25]
    assert board.best_images(10_000, 5) == []


def test_tiles_speak_when_every_image_has_them(
    workspace: Workspace, truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors = np.asarray(workspace.embeddings(BACKBONE).read(), np.float32)
    texts = np.stack([vectors[truth.labels[:, tag] == 1].mean(axis=0) for tag in range(len(TAGS))])
    monkeypatch.setattr(suggesting, "text_vectors", lambda *_: texts / np.linalg.norm(texts, axis=1, keepdims=True))
    tiles = vectors[:, None] + 0.05 * rng.standard_normal((COUNT, 9, vectors.shape[1]))
    put_tiles(workspace, tiles[: COUNT - 1])
    suggesting.refresh(workspace)
    silent = board(workspace)
    put_tiles(workspace, tiles[COUNT - 1 :])
    heard = board(workspace)
    said = {suggestion.origin for row in range(COUNT) for suggestion in heard.ranked(row)}
    assert SuggestionOrigin.TILES in said
    assert SuggestionOrigin.TILES not in {one.origin for row in range(COUNT) for one in silent.ranked(row)}
    assert not np.array_equal(heard.scores, silent.scores)


def test_what_a_code_of_a_stored_origin_means_never_changes() -> None:
    assert [origin.value for origin in ORIGINS] == ["zero-shot", "neighbours", "model", "fused", "tiles", "imported"]
