from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from annotator.backbones import open_backbone
from annotator.errors import UnknownNameError
from annotator.importers.pictures import open_oriented
from annotator.progress import Cancelled
from annotator.services import embedding, tiles
from annotator.services.importing import import_pictures
from annotator.settings import Settings
from annotator.workspace import Workspace
from tests.services.test_embedding import COUNT, Tiny
from tests.services.test_importing import picture


class Wide(Tiny):
    """Takes so many pictures at once that two pictures' tiles make a batch."""

    batch_size = 18


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
    found = tiles.stored(workspace, "tiny@1", COUNT)
    assert found is not None
    return np.array(found[:])


def files(workspace: Workspace) -> dict[str, bytes]:
    folder = workspace.embeddings_folder("tiny@1") / "tiles"
    return {file.name: file.read_bytes() for file in folder.glob("rows-*.npy")}


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 7), (10, 10), (101, 64)])
def test_the_tiles_cover_the_picture_and_overlap_a_little(size: tuple[int, int]) -> None:
    ramp = np.arange(size[0] * size[1], dtype=np.int32).reshape(size[1], size[0])
    cut = [np.asarray(tile) for tile in tiles.cut(Pillow.fromarray(ramp))]
    assert len(cut) == 9
    assert all(tile.size for tile in cut)
    assert set(np.concatenate([tile.ravel() for tile in cut]).tolist()) == set(ramp.ravel().tolist())
    assert all(tile.shape[1] <= 0.4 * size[0] + 1 and tile.shape[0] <= 0.4 * size[1] + 1 for tile in cut)


def test_each_tile_has_the_vector_of_the_cut_picture(workspace: Workspace, samples: Path) -> None:
    import_pictures(workspace, [samples / "images"])
    backbone = open_backbone("descriptor")
    tiles.embed_tiles(workspace, backbone)
    found = tiles.stored(workspace, backbone.name, 48)
    assert found is not None
    assert found.shape == (48, 9, backbone.dim)
    for row in (0, 31):
        uri = embedding.first_files(workspace)[row]
        drafted = open_oriented(Path(uri), shorter_side=240)
        alone = np.concatenate([backbone.encode_images(backbone.preprocess(tile)[None]) for tile in tiles.cut(drafted)])
        np.testing.assert_allclose(found[np.array([row])][0], alone, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(found[:], np.float32), axis=2), 1, atol=1e-2)


@pytest.mark.parametrize("stop", [1, 2, 4, 10])
def test_an_interrupted_run_resumes_to_the_very_same_bytes(
    stocked: Workspace, folder: Path, tmp_path: Path, stop: int
) -> None:
    def interrupt(done: int, _total: int, _what: str) -> None:
        if done >= stop:
            raise Cancelled

    with pytest.raises(Cancelled):
        tiles.embed_tiles(stocked, Wide(), interrupt)
    assert (tiles.stored(stocked, "tiny@1", COUNT) is None) == (stop < COUNT)
    resumed = Wide()
    tiles.embed_tiles(stocked, resumed)
    assert sum(resumed.batches) < 9 * COUNT
    with Workspace.create(tmp_path / "other", Settings(device="cpu", workers=1)) as other:
        import_pictures(other, [folder])
        assert tiles.embed_tiles(other, Wide()).new == COUNT
        assert files(stocked) == files(other)


def test_a_second_run_computes_nothing_and_later_images_only_what_is_missing(stocked: Workspace, folder: Path) -> None:
    tiles.embed_tiles(stocked, Wide())
    before, again = vectors(stocked), Wide()
    assert tiles.embed_tiles(stocked, again).new == 0
    assert again.batches == []
    picture(folder / "later.png", 99)
    import_pictures(stocked, [folder])
    assert tiles.stored(stocked, "tiny@1", COUNT + 1) is None
    assert tiles.embed_tiles(stocked, Wide()).new == 1
    assert np.array_equal(vectors(stocked), before)
    assert tiles.stored(stocked, "tiny@1", COUNT + 1) is not None


def test_an_unreadable_picture_has_tiles_of_zeros_until_it_can_be_read(stocked: Workspace, folder: Path) -> None:
    content = (folder / "3.png").read_bytes()
    (folder / "3.png").unlink()
    report = tiles.embed_tiles(stocked, Wide())
    assert [Path(uri).name for uri in report.unreadable] == ["3.png"]
    assert np.flatnonzero(~vectors(stocked).any(axis=(1, 2))).tolist() == [3]
    (folder / "3.png").write_bytes(content)
    assert tiles.embed_tiles(stocked, Wide()).unreadable == []
    assert vectors(stocked).any(axis=2).all()


def test_whole_vectors_are_the_same_with_tiles_and_without(stocked: Workspace, folder: Path, tmp_path: Path) -> None:
    whole, of_tiles = tiles.embed(stocked, "descriptor", True)
    assert of_tiles is not None
    assert (whole.new, of_tiles.new) == (COUNT, COUNT)
    with Workspace.create(tmp_path / "other", Settings(device="cpu", workers=1)) as other:
        import_pictures(other, [folder])
        assert tiles.embed(other, "descriptor")[1] is None
        one, two = (each.embeddings("descriptor@1").read() for each in (stocked, other))
        assert np.array_equal(one, two)


def test_the_project_remembers_whether_tiles_are_wanted(stocked: Workspace) -> None:
    assert tiles.embed(stocked, "descriptor")[1] is None
    assert tiles.embed(stocked, tiles=True)[1] is not None
    assert tiles.embed(stocked)[1] is not None
    assert tiles.embed(stocked, tiles=False)[1] is None
    assert tiles.embed(stocked)[1] is None
    with pytest.raises(UnknownNameError):
        tiles.embed(stocked, "descripter", True)
    assert not stocked.project.tiles


def test_progress_of_tiles_is_told(stocked: Workspace) -> None:
    told: list[tuple[int, int, str]] = []
    tiles.embed_tiles(stocked, Wide(), lambda *step: told.append(step))
    assert told == [(done, COUNT, "embedding tiles") for done in (2, 4, 6, 8, 10)]
