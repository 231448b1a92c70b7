import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from annotator.errors import UnknownNameError
from annotator.progress import Cancelled
from annotator.services import embedding
from annotator.services.importing import import_pictures
from annotator.services.vocabulary_changes import make
from annotator.settings import Settings
from annotator.snapshot import SnapshotTag
from annotator.workspace import Workspace
from tests.services.rows import add_tags
from tests.services.test_importing import picture

COUNT = 10


class Tiny:
    """Mean colours, and the size of the batch: a vector tells in which batch it was made."""

    name = "tiny@1"
    dim = 4
    device = "cpu"
    batch_size = 4
    draft_size = 32
    has_texts = False

    def __init__(self) -> None:
        self.batches: list[int] = []

    def preprocess(self, image: Pillow.Image) -> NDArray[Any]:
        return np.asarray(image.convert("RGB").resize((8, 8)))

    def encode_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self.batches.append(len(batch))
        means = batch.reshape(len(batch), -1, 3).mean(axis=1, dtype=np.float32)
        vectors = np.column_stack([means, np.full(len(batch), len(batch), np.float32)])
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def encode_texts(self, _texts: object) -> None:
        return


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        picture(tmp_path / "pictures" / f"{number}.png", number)
    return tmp_path / "pictures"


@pytest.fixture
def stocked(workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Ten pictures; every batch goes to disk at once."""
    import_pictures(workspace, [folder])
    monkeypatch.setattr(embedding, "FLUSH_SECONDS", -1.0)
    return workspace


def vectors(workspace: Workspace) -> NDArray[Any]:
    return np.array(workspace.embeddings("tiny@1").read())


@pytest.mark.parametrize("stop", [1, 4, 8, 10])
def test_an_interrupted_run_resumes_to_the_very_same_vectors(
    stocked: Workspace, folder: Path, tmp_path: Path, stop: int
) -> None:
    def interrupt(done: int, _total: int, _what: str) -> None:
        if done >= stop:
            raise Cancelled

    with pytest.raises(Cancelled):
        embedding.embed(stocked, backbone=Tiny(), progress=interrupt)
    resumed = Tiny()
    report = embedding.embed(stocked, backbone=resumed)
    assert report.images == COUNT
    assert sum(resumed.batches) < COUNT
    with Workspace.create(tmp_path / "other", Settings(device="cpu", workers=1)) as other:
        import_pictures(other, [folder])
        assert embedding.embed(other, backbone=Tiny()).new == COUNT
        assert np.array_equal(vectors(stocked), vectors(other))


def test_what_an_interruption_had_not_flushed_is_made_again(
    stocked: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "FLUSH_SECONDS", 1000.0)

    def interrupt(done: int, _total: int, _what: str) -> None:
        if done >= 8:
            raise Cancelled

    with pytest.raises(Cancelled):
        embedding.embed(stocked, backbone=Tiny(), progress=interrupt)
    embedding.embed(stocked, backbone=Tiny())
    assert len(vectors(stocked)) == COUNT


def test_a_second_run_computes_nothing(stocked: Workspace) -> None:
    embedding.embed(stocked, backbone=Tiny())
    before = vectors(stocked)
    again = Tiny()
    assert embedding.embed(stocked, backbone=again).new == 0
    assert sum(again.batches) <= COUNT % Tiny.batch_size
    assert np.array_equal(vectors(stocked), before)


def test_images_added_later_get_the_missing_vectors_only(stocked: Workspace, folder: Path) -> None:
    embedding.embed(stocked, backbone=Tiny())
    before = vectors(stocked)
    picture(folder / "later.png", 99)
    import_pictures(stocked, [folder])
    assert embedding.embed(stocked, backbone=Tiny()).new == 1
    after = vectors(stocked)
    assert len(after) == COUNT + 1
    assert np.array_equal(after[:COUNT], before)


def test_an_unreadable_picture_gets_a_zero_vector_and_is_listed(stocked: Workspace, folder: Path) -> None:
    (folder / "3.png").unlink()
    (folder / "8.png").write_bytes(b"no picture")
    report = embedding.embed(stocked, backbone=Tiny())
    assert [Path(uri).name for uri in report.unreadable] == ["3.png", "8.png"]
    assert np.flatnonzero(~vectors(stocked).any(axis=1)).tolist() == [3, 8]


def test_an_unreadable_picture_is_tried_again_by_the_next_run(stocked: Workspace, folder: Path) -> None:
    content = (folder / "3.png").read_bytes()
    (folder / "3.png").unlink()
    embedding.embed(stocked, backbone=Tiny())
    assert len(embedding.embed(stocked, backbone=Tiny()).unreadable) == 1
    (folder / "3.png").write_bytes(content)
    assert embedding.embed(stocked, backbone=Tiny()).unreadable == []
    assert vectors(stocked)[3].any()
    assert embedding.embed(stocked, backbone=Tiny()).unreadable == []


def test_all_pictures_gone_ends_with_a_list_and_no_crash(stocked: Workspace, folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    assert len(embedding.embed(stocked, backbone=Tiny()).unreadable) == COUNT
    assert not vectors(stocked).any()


def test_a_run_killed_between_its_two_files_is_resumed(stocked: Workspace, folder: Path) -> None:
    def interrupt(done: int, _total: int, _what: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        embedding.embed(stocked, backbone=Tiny(), progress=interrupt)
    failed = stocked.embeddings_folder("tiny@1") / embedding.FAILED
    failed.write_text(json.dumps([6]))  # noted before the shard that holds row 6 was written
    assert embedding.embed(stocked, backbone=Tiny()).unreadable == []
    assert len(vectors(stocked)) == COUNT
    assert vectors(stocked).any(axis=1).all()


def test_the_backbone_embedded_last_is_the_projects(stocked: Workspace) -> None:
    assert embedding.current_backbone(stocked) is None
    embedding.embed(stocked, backbone=Tiny())
    assert embedding.current_backbone(stocked) == "tiny@1"
    assert not embedding.has_texts(stocked)
    assert embedding.text_vectors(stocked, [SnapshotTag(1, "boat")]) is None


def test_what_a_tag_is_called_and_its_prompts_make_its_text_vector(stocked: Workspace, tiny_open_clip: str) -> None:
    embedding.embed(stocked, tiny_open_clip)
    add_tags(stocked, ["boat", "car"])
    tags = [SnapshotTag(1, "boat"), SnapshotTag(2, "car")]
    plain = embedding.text_vectors(stocked, tags)
    make(stocked, "me", "describe", tag="boat", prompts=["a dinghy at the quay"])
    prompted = embedding.text_vectors(stocked, tags)
    assert plain is not None
    assert prompted is not None
    assert np.abs(prompted[0] - plain[0]).max() > 1e-3
    np.testing.assert_array_equal(prompted[1], plain[1])


def test_an_unknown_backbone_brings_the_near_one_and_changes_nothing(stocked: Workspace) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'descriptor'"):
        embedding.embed(stocked, "descripter")
    assert embedding.current_backbone(stocked) is None


def test_an_empty_workspace_is_embedded_at_once(workspace: Workspace) -> None:
    report = embedding.embed(workspace, backbone=Tiny())
    assert (report.images, report.new, report.images_per_second) == (0, 0, 0.0)
