import json
import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow
from typer.testing import CliRunner

from annotator import jobs
from annotator.backbones import open_backbone
from annotator.backbones.fine_tuning import TUNINGS, TuningSettings
from annotator.backbones.open_clip import PREPROCESSING, OpenClipBackbone, as_files
from annotator.cli import app
from annotator.errors import BadInputError, MissingError, UnknownNameError, UsageError
from annotator.progress import Cancelled
from annotator.services import embedding, fine_tuning, labelling, models, training
from annotator.services.importing import import_pictures
from annotator.services.snapshots import take
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Label
from tests.services.rows import add_tags

COUNT = 80
TAGS = ("red", "green", "blue")
FAST = TuningSettings(blocks=1, epochs=2, batch=16, learning_rate=1e-3)


@pytest.fixture
def truth() -> NDArray[np.int8]:
    return (np.random.default_rng(0).random((COUNT, len(TAGS))) < 0.5).astype(np.int8)


@pytest.fixture
def trained(workspace: Workspace, truth: NDArray[np.int8], tiny_open_clip: str, tmp_path: Path) -> Workspace:
    """Pictures of coarse noise, bright in the colours of their tags; all answered, embedded and trained."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(COUNT):
        pixels = rng.integers(0, 120, (6, 6, 3)) + 100 * truth[number]
        Pillow.fromarray(pixels.astype(np.uint8)).resize((48, 48), 0).save(folder / f"{number:02d}.png")
    import_pictures(workspace, [folder])
    add_tags(workspace, list(TAGS))
    answer(workspace, truth, range(COUNT))
    embedding.embed(workspace, tiny_open_clip)
    training.train(workspace)
    return workspace


@pytest.fixture(params=list(TUNINGS))
def settings(request: pytest.FixtureRequest) -> TuningSettings:
    return replace(FAST, way=request.param)


def answer(workspace: Workspace, truth: NDArray[np.int8], rows: Iterable[int]) -> None:
    with workspace.reading() as session:
        tags = {tag.name: tag.id for tag in live_tags(session)}
    states = [(row, tags[name], LabelState(int(truth[row, c]))) for row in rows for c, name in enumerate(TAGS)]
    labelling.set_labels(workspace, "anna", states)


def rows_of(workspace: Workspace, split: Split) -> list[int]:
    return [int(row) for row in np.flatnonzero(take(workspace).in_split(split))]


def opened(spec: str) -> OpenClipBackbone:
    backbone = open_backbone(spec, "cpu")
    assert isinstance(backbone, OpenClipBackbone)
    return backbone


def tuned_folders(workspace: Workspace) -> list[Path]:
    return sorted((workspace.folder / fine_tuning.FOLDER).glob("*"))


def test_the_result_opens_through_the_ordinary_spec_and_is_measured_as_reported(
    trained: Workspace, settings: TuningSettings, truth: NDArray[np.int8]
) -> None:
    report = fine_tuning.fine_tune(trained, settings)
    assert report.backbone is not None
    assert report.loss_after < report.loss_before
    assert report.images == len(rows_of(trained, Split.TRAIN))
    assert report.held_out_images == len(rows_of(trained, Split.VALIDATION))
    assert (report.unreadable, report.epochs) == ([], 2)
    assert report.next == f"annotator embed -w {trained.folder} --backbone {shlex.quote(report.backbone)}"
    assert report.mAP_before == pytest.approx(models.required(trained).metrics["mAP"], abs=0.02)
    assert opened(report.backbone).dim == 24
    assert [folder.name for folder in tuned_folders(trained)] == [report.backbone.split(":")[1].split("@")[0]]


def test_the_stored_model_gives_the_vectors_of_the_tuned_one(
    trained: Workspace, settings: TuningSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = np.random.default_rng(2).integers(0, 256, (5, 32, 32, 3), np.uint8)
    inside: list[OpenClipBackbone] = []
    monkeypatch.setattr(fine_tuning, "as_files", lambda backbone: inside.append(backbone) or as_files(backbone))
    spec = fine_tuning.fine_tune(trained, settings).backbone
    assert spec is not None
    found = opened(spec).encode_images(pictures)
    np.testing.assert_array_equal(found, inside[0].encode_images(pictures))
    original = opened(str(embedding.current_spec(trained)))
    assert not np.allclose(found, original.encode_images(pictures), atol=1e-4)
    np.testing.assert_array_equal(opened(spec).encode_texts(["a boat"]), original.encode_texts(["a boat"]))


def test_what_is_in_use_stays_until_embedding_is_done(trained: Workspace, settings: TuningSettings) -> None:
    before, model = embedding.current_backbone(trained), models.required(trained).id
    vectors = trained.embeddings(str(before)).read().copy()
    spec = fine_tuning.fine_tune(trained, settings).backbone
    assert spec is not None

    def cancel(done: int, _total: int, _what: str) -> None:
        if done >= COUNT / 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        embedding.embed(trained, spec, cancel)
    assert embedding.current_backbone(trained) == before
    assert models.required(trained).id == model
    assert np.array_equal(trained.embeddings(str(before)).read(), vectors)
    embedding.embed(trained, spec)
    assert embedding.current_backbone(trained) == opened(spec).name != before
    assert training.train(trained).metrics["held_out_images"] == len(rows_of(trained, Split.VALIDATION))


def test_a_tuned_model_is_tuned_again_under_a_name_of_the_same_length(trained: Workspace) -> None:
    first = fine_tuning.fine_tune(trained, FAST).backbone
    assert first is not None
    embedding.embed(trained, first)
    training.train(trained)
    second = fine_tuning.fine_tune(trained, replace(FAST, epochs=4, patience=4)).backbone
    assert second is not None
    assert first != second
    assert len(first) == len(second)


def test_the_same_workspace_gives_the_same_checkpoint(trained: Workspace, settings: TuningSettings) -> None:
    one, other = (fine_tuning.fine_tune(trained, settings) for _ in range(2))
    assert replace(one, seconds=0) == replace(other, seconds=0)


def test_cancelling_leaves_nothing(trained: Workspace, settings: TuningSettings) -> None:
    told: list[int] = []

    def cancel(done: int, total: int, _what: str) -> None:
        told.append(done)
        if done == total - 1:  # the state of the first epoch is stored by then
            assert [file.name for file in tuned_folders(trained)] == [fine_tuning.STATE]
            raise Cancelled

    with pytest.raises(Cancelled):
        fine_tuning.fine_tune(trained, settings, progress=cancel)
    assert told == list(range(1, len(told) + 1))
    assert tuned_folders(trained) == []


class Killed(BaseException):
    """The process ended here."""


def test_killed_and_resumed_equals_undisturbed(trained: Workspace, settings: TuningSettings) -> None:
    undisturbed = fine_tuning.fine_tune(trained, settings)

    def kill(done: int, total: int, _what: str) -> None:
        if done == total - 1:
            raise Killed

    with pytest.raises(Killed):
        fine_tuning.fine_tune(trained, settings, progress=kill)
    told: list[int] = []
    resumed = fine_tuning.fine_tune(trained, settings, progress=lambda done, *_: told.append(done))
    assert told[0] > 5
    assert replace(resumed, seconds=0) == replace(undisturbed, seconds=0)
    assert fine_tuning.STATE not in [file.name for file in tuned_folders(trained)]


def test_a_killed_run_is_not_gone_on_with_after_another_answer(trained: Workspace, truth: NDArray[np.int8]) -> None:
    def kill(done: int, total: int, _what: str) -> None:
        if done == total - 1:
            raise Killed

    with pytest.raises(Killed):
        fine_tuning.fine_tune(trained, FAST, progress=kill)
    answer(trained, 1 - truth, rows_of(trained, Split.TRAIN)[:1])
    told: list[int] = []
    fine_tuning.fine_tune(trained, FAST, progress=lambda done, *_: told.append(done))
    assert told[0] == 1


def test_answers_that_measure_or_test_never_train(trained: Workspace, truth: NDArray[np.int8]) -> None:
    """Contrary answers on test images move nothing; those of calibration are not learned from."""
    first = fine_tuning.fine_tune(trained, FAST)
    answer(trained, 1 - truth, rows_of(trained, Split.TEST))
    assert fine_tuning.fine_tune(trained, FAST).backbone == first.backbone
    with trained.transaction() as session:
        for label in session.query(Label).where(Label.image_row.in_(rows_of(trained, Split.TRAIN)[:5])):
            label.kind = TaskKind.CALIBRATION
    assert fine_tuning.fine_tune(trained, FAST).images == first.images - 5


def test_unreadable_pictures_are_left_out_and_listed(trained: Workspace, tmp_path: Path) -> None:
    """One gone that trains, one broken that measures."""
    with_files = dict(enumerate(embedding.first_files(trained)))
    gone = Path(with_files[rows_of(trained, Split.TRAIN)[2]])
    broken = Path(with_files[rows_of(trained, Split.VALIDATION)[1]])
    gone.unlink()
    broken.write_bytes(b"no picture")
    report = fine_tuning.fine_tune(trained, FAST)
    assert report.unreadable == sorted([str(gone), str(broken)])
    assert report.held_out_images == len(rows_of(trained, Split.VALIDATION)) - 1
    assert report.images == len(rows_of(trained, Split.TRAIN)) - 1


def test_where_nothing_improves_nothing_is_stored_and_it_is_said(trained: Workspace, truth: NDArray[np.int8]) -> None:
    answer(trained, 1 - truth, rows_of(trained, Split.TRAIN))
    report = fine_tuning.fine_tune(trained, FAST)
    assert (report.backbone, report.next, report.best_epoch) == (None, None, 0)
    assert "nothing is stored" in report.verdict
    assert (report.loss_after, report.mAP_after) == (report.loss_before, report.mAP_before)
    assert tuned_folders(trained) == []


def test_the_pictures_scaling_survives(
    trained: Workspace, tiny_open_clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint alone would be opened with the mean and deviation that open_clip takes for granted."""
    backbone = opened(tiny_open_clip)
    own = {**backbone.model.visual.preprocess_cfg, "mean": [0.5] * 3, "std": [0.25] * 3, "resize_mode": "squash"}
    monkeypatch.setattr(backbone.model.visual, "preprocess_cfg", own)
    name, files = as_files(backbone)
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    again = opened(f"open_clip:{name}@{tmp_path / f'{name}.pt'}")
    grey = Pillow.new("RGB", (64, 20), (255, 255, 255))
    np.testing.assert_allclose(again.pixels(again.preprocess(grey)[None])[0], np.full((3, 32, 32), 2.0))
    (tmp_path / f"{name}{PREPROCESSING}").write_text(json.dumps({"mean": [0, 0, 0]}))
    with pytest.raises(BadInputError, match="std, interpolation"):
        opened(f"open_clip:{name}@{tmp_path / f'{name}.pt'}")


def test_another_backbone_is_told_with_what_to_do(filled: Workspace) -> None:
    with pytest.raises(UsageError, match=r"embedded by descriptor@1; .*--backbone open_clip:"):
        fine_tuning.fine_tune(filled)


def test_what_has_to_come_first_is_told(
    workspace: Workspace, trained: Workspace, truth: NDArray[np.int8], tiny_open_clip: str
) -> None:
    with pytest.raises(UnknownNameError, match="known: auto, cpu, cuda"):
        fine_tuning.fine_tune(trained, FAST, device="gpu")
    add_tags(trained, ["moon"])
    with pytest.raises(MissingError, match="vocabulary changed"):
        fine_tuning.fine_tune(trained, FAST)


def test_no_embeddings_no_model_and_no_answers_are_told(
    workspace: Workspace, tiny_open_clip: str, samples: Path
) -> None:
    with pytest.raises(MissingError, match="annotator embed -w"):
        fine_tuning.fine_tune(workspace)
    import_pictures(workspace, sorted((samples / "images").iterdir())[:3])
    embedding.embed(workspace, tiny_open_clip)
    with pytest.raises(MissingError, match="annotator train -w"):
        fine_tuning.fine_tune(workspace)


def test_a_model_of_other_vectors_is_told(trained: Workspace) -> None:
    spec = fine_tuning.fine_tune(trained, FAST).backbone
    embedding.embed(trained, spec)
    with pytest.raises(MissingError, match="annotator train -w"):
        fine_tuning.fine_tune(trained, FAST)


def test_a_head_that_reads_more_than_the_vectors_is_told(trained: Workspace) -> None:
    trained.change_project(head="neighbours")
    training.train(trained)
    with pytest.raises(UsageError, match="head=text_anchored"):
        fine_tuning.fine_tune(trained, FAST)


def test_the_command_and_the_job_do_the_same(trained: Workspace, settings: TuningSettings) -> None:
    asked = {"way": settings.way, "blocks": 1, "epochs": 2, "learning_rate": 1e-3}
    result = jobs.KINDS["fine_tune"](trained, asked, lambda *_: None)
    options = [text for name, value in asked.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    said = CliRunner().invoke(app, ["fine-tune", "-w", str(trained.folder), *options, "--device", "cpu", "--json"])
    assert said.exit_code == 0
    assert json.loads(said.output) | {"seconds": 0} == result | {"seconds": 0}
    assert result["backbone"] is not None
