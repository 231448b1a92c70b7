"""Pictures for the screen: upright, in the right tones, never larger than a screen shows."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw

from annotator.errors import MissingError
from annotator.services import pictures
from annotator.services.importing import import_pictures
from annotator.workspace import Workspace

RED, BLUE = (220, 30, 30), (30, 30, 220)


def shown(workspace: Workspace, folder: Path, size: str) -> Picture.Image:
    import_pictures(workspace, [folder])
    file, tag = pictures.file_of(workspace, 0, size)
    assert tag.startswith('"') and tag.endswith(f'{size}"')
    return Picture.open(io.BytesIO(file.read_bytes())).convert("RGB")


def halves(width: int, height: int) -> Picture.Image:
    """Red above, blue below."""
    picture = Picture.new("RGB", (width, height), BLUE)
    ImageDraw.Draw(picture).rectangle((0, 0, width, height // 2), fill=RED)
    return picture


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(pixel, int) - colour).max() < 40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.mark.parametrize("size", pictures.SIZES)
def test_a_turned_picture_is_shown_upright(workspace: Workspace, folder: Path, size: str) -> None:
    turned = halves(300, 400).transpose(Picture.Transpose.ROTATE_90)
    exif = turned.getexif()
    exif[0x0112] = 6  # turn by 90 degrees to the right to see it upright
    turned.save(folder / "a.jpg", exif=exif)
    picture = shown(workspace, folder, size)
    assert picture.height > picture.width
    middle = picture.width // 2
    assert near(picture.getpixel((middle, 20)), RED) and near(picture.getpixel((middle, picture.height - 20)), BLUE)


@pytest.mark.parametrize("size", pictures.SIZES)
def test_sixteen_bits_keep_their_tones(workspace: Workspace, folder: Path, size: str) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    Picture.fromarray(np.tile(ramp, (64, 1))).save(folder / "a.png")
    row = np.asarray(shown(workspace, folder, size).convert("L"))[32].astype(int)
    expected = np.linspace(0, 255, len(row))
    assert np.abs(row - expected).max() < 12


@pytest.mark.parametrize("size", pictures.SIZES)
def test_a_palette_keeps_its_colours(workspace: Workspace, folder: Path, size: str) -> None:
    halves(120, 120).quantize(8).save(folder / "a.gif")
    picture = shown(workspace, folder, size)
    assert near(picture.getpixel((60, 20)), RED) and near(picture.getpixel((60, 100)), BLUE)


def test_a_huge_picture_is_sent_with_no_more_than_a_screen_shows(workspace: Workspace, folder: Path) -> None:
    halves(4000, 3000).save(folder / "a.jpg")
    picture = shown(workspace, folder, "full")
    assert 3_900_000 < picture.width * picture.height <= pictures.FULL_PIXELS
    assert picture.width / picture.height == pytest.approx(4 / 3, abs=0.01)


def test_a_small_picture_is_not_blown_up(workspace: Workspace, folder: Path) -> None:
    halves(200, 150).save(folder / "a.png")
    assert shown(workspace, folder, "1280").size == (200, 150)


@pytest.mark.parametrize(("row", "size"), [(0, "64"), (0, "../.."), (7, "320")])
def test_what_is_not_there_is_named(workspace: Workspace, folder: Path, row: int, size: str) -> None:
    halves(50, 50).save(folder / "a.png")
    import_pictures(workspace, [folder])
    with pytest.raises(MissingError):
        pictures.file_of(workspace, row, size)
