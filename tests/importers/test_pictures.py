"""Pictures: right size, right colours, thumbnails that fit, and nothing but PictureError for bad bytes."""

import hashlib
import io
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from annotator.errors import PictureError
from annotator.importers.pictures import Limits, fit, open_oriented, read_picture
from annotator.importers.pixels import to_8_bit
from annotator.importers.refusals import Refused
from annotator.importers.sources import Found
from tests.importers import picture_bytes as b


def pixels(data: bytes) -> np.ndarray:
    """What `open_oriented` gives, as floating point."""
    return np.asarray(open_oriented(data), dtype=np.float64)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(one - other).mean())


def thumbnail(data: bytes, size: int = 320) -> Image.Image:
    """One thumbnail, decoded."""
    return Image.open(io.BytesIO(read_picture(data, uri="/a").thumbnails[size]))


def test_a_picture_carries_its_identity_and_size() -> None:
    data = b.encoded(b.photo("identity", (2000, 900)), "PNG")
    picture = read_picture(data, uri="/photos/a.png")
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert (picture.uri, picture.byte_size, picture.format, picture.mode) == ("/photos/a.png", len(data), "PNG", "RGB")
    assert (picture.width, picture.height, picture.orientation, picture.frames) == (2000, 900, 1, 1)
    assert -(2**63) <= picture.perceptual_hash < 2**63
    assert picture.notes == ()


def test_a_path_and_its_bytes_give_the_same_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b.encoded(b.photo("path")))
    assert read_picture(path, uri="/a") == read_picture(path.read_bytes(), uri="/a")


def test_pictures_and_limits_can_be_sent_to_other_processes() -> None:
    picture = read_picture(b.encoded(b.photo("sent")), uri="/a")
    sent = (picture, Limits(), Found("/a", "/a", 1, 2, b"x"), Refused("/a", "damaged", "why"))
    assert pickle.loads(pickle.dumps(sent)) == sent


def test_a_picture_can_be_read_without_thumbnails() -> None:
    data = b.encoded(b.photo("none", (900, 700)))
    assert read_picture(data, uri="/a", thumbnail_sizes=()).thumbnails == {}


@pytest.mark.parametrize("size", [(64, 48), (320, 10), (2000, 1500), (1501, 3001), (30_000, 20)])
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_thumbnails_fit_their_size_and_are_never_larger_than_the_picture(size: tuple[int, int], format_: str) -> None:
    picture = read_picture(b.encoded(b.photo("fit", size), format_), uri="/a", thumbnail_sizes=(100, 320, 1280))
    assert (picture.width, picture.height) == size
    for longest, data in picture.thumbnails.items():
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == fit(*size, longest)
            assert max(image.size) == min(longest, *[max(size)])
            assert (image.format, image.mode) == ("JPEG", "RGB")


def test_thumbnails_carry_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x9286], exif[274] = "where I live", 6
    data = b.encoded(b.photo("private"), exif=exif, comment=b"where I live", icc_profile=b.srgb_profile())
    made = read_picture(data, uri="/a").thumbnails[320]
    assert b"where I live" not in made
    assert b"ICC_PROFILE" not in made
    assert not Image.open(io.BytesIO(made)).getexif()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright_as_pillow_would(orientation: int, format_: str) -> None:
    data = b.oriented("turned", orientation, format_)
    with Image.open(io.BytesIO(data)) as image:
        expected = ImageOps.exif_transpose(image).convert("RGB")
    picture = read_picture(data, uri="/a")
    assert picture.orientation == orientation
    assert (picture.width, picture.height) == expected.size
    assert np.array_equal(pixels(data), np.asarray(expected))
    assert thumbnail(data).size == expected.size
    assert distance(np.asarray(thumbnail(data), dtype=float), np.asarray(expected, dtype=float)) < 6


def test_a_picture_opened_smaller_shows_the_same() -> None:
    data = b.oriented("draft", 6)
    with Image.open(io.BytesIO(data)) as image:
        large = b.encoded(image.resize((2400, 1600)), exif=image.getexif())
    whole, small = open_oriented(large), open_oriented(large, shorter_side=300)
    assert whole.size == (1600, 2400)
    assert small.size == (400, 600)
    shrunk = whole.resize(small.size, Image.Resampling.BOX)
    assert distance(np.asarray(small, dtype=float), np.asarray(shrunk, dtype=float)) < 2


def test_an_embedding_and_a_thumbnail_see_the_same_colours() -> None:
    data = b.encoded(b.photo("same", (300, 200)), "PNG")
    assert distance(pixels(data), np.asarray(thumbnail(data), dtype=float)) < 4


def test_transparency_is_laid_over_white() -> None:
    half = b.SIZE[0] // 2
    for data in (b.encoded(b.with_alpha("white"), "PNG"), b.encoded(b.with_alpha("white").convert("LA"), "PNG")):
        assert (pixels(data)[:, :half] == 255).all()
        assert pixels(data)[:, half:].mean() < 200
    assert (pixels(b.encoded(Image.new("RGBA", b.SIZE, (0, 0, 0, 128)), "PNG")) == 127).all()


def test_sixteen_bits_become_the_same_eight() -> None:
    eight = np.asarray(b.photo("deep").convert("L"))
    sixteen = Image.fromarray(eight.astype(np.uint16) * 257)
    for format_ in ("PNG", "TIFF", "PPM"):
        assert np.array_equal(pixels(b.encoded(sixteen, format_))[..., 0], eight)
    assert np.array_equal(pixels(b.png_16_bit_rgb("deep")), np.asarray(b.photo("deep")))


def test_twelve_bits_in_sixteen_are_not_black() -> None:
    assert pixels(b.encoded(b.grey_16("microscope", 4095), "TIFF")).max() == 255


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 32768, 65535], [0, 128, 255]),
        ([0, 2048, 4095], [0, 128, 255]),
        ([-100, 0, 100], [0, 128, 255]),
        ([0, 600_000, 1_000_000], [0, 153, 255]),
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 128.0, 255.0], [0, 128, 255]),
        ([0.0, 32768.0, 65535.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([float("nan"), float("inf"), 1.0], [0, 0, 255]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_numbers_of_any_range_become_eight_bits(values: list[float], expected: list[int]) -> None:
    assert to_8_bit(np.array([values])).tolist() == [expected]


def test_cmyk_keeps_its_colours_with_and_without_adobes_marker() -> None:
    expected = np.asarray(b.photo("ink"), dtype=float)
    inverted = b.encoded(b.photo("ink").convert("CMYK"), quality=95)
    assert b"Adobe" in inverted
    assert distance(pixels(inverted), expected) < 4
    assert distance(pixels(b.cmyk_not_inverted("ink")), expected) < 8


def test_lab_becomes_the_colour_it_names() -> None:
    lab = ImageCms.createProfile("LAB")
    there = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    image = ImageCms.applyTransform(b.photo("lab"), there)
    assert distance(pixels(b.encoded(image, "TIFF")), np.asarray(b.photo("lab"), dtype=float)) < 3


def test_an_embedded_profile_changes_the_colours_and_a_broken_one_does_not() -> None:
    plain = pixels(b.encoded(b.photo("profile"), "PNG"))
    srgb = b.encoded(b.photo("profile"), "PNG", icc_profile=b.srgb_profile())
    broken = b.encoded(b.photo("profile"), "PNG", icc_profile=b"nonsense" * 30)
    assert np.array_equal(pixels(srgb), plain)
    assert np.array_equal(pixels(broken), plain)
    assert "profile" in read_picture(broken, uri="/a").notes[0]
    swapped = b.srgb_profile().replace(b"sRGB", b"XRGB").replace(b"s\0R\0G\0B", b"X\0R\0G\0B")
    swapped = swapped.replace(b"rXYZ", b"tmp_").replace(b"bXYZ", b"rXYZ").replace(b"tmp_", b"bXYZ")
    exchanged = pixels(b.encoded(b.photo("profile"), "PNG", icc_profile=swapped))
    assert distance(exchanged, plain[..., ::-1]) < 3


def test_the_first_frame_counts_and_the_number_of_frames_is_told() -> None:
    for format_ in ("WEBP", "PNG", "TIFF"):
        data = b.frames("moving", format_)
        picture = read_picture(data, uri="/a")
        assert picture.frames == 3
        assert picture.notes == ("3 frames, the first is used",)
        assert distance(pixels(data), np.asarray(b.photo("moving"), dtype=float)) < 12


def test_a_jpeg_that_was_cut_and_closed_again_is_told() -> None:
    data = b.encoded(b.photo("closed", (200, 200)))
    assert any("grey" in note for note in read_picture(data[: len(data) // 2] + b"\xff\xd9", uri="/a").notes)


def test_limits_are_judged_by_the_header_alone(tmp_path: Path) -> None:
    data = b.encoded(b.photo("limits"))
    for limits in (Limits(pixels=1000), Limits(side=50), Limits(file_bytes=100)):
        with pytest.raises(PictureError, match="raise the import's limits") as caught:
            read_picture(data, uri="/a", limits=limits)
        assert caught.value.reason == "too large"
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(PictureError, match="3,221,225,472 bytes"):
        read_picture(path, uri="/a")


def test_a_file_that_may_not_be_read_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(PictureError, match="permissions") as caught:
        read_picture(tmp_path / "a.jpg", uri="/a")
    assert caught.value.reason == "unreadable"


def test_reading_leaves_the_process_as_it_was() -> None:
    before = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    read_picture(b.encoded(b.photo("clean")), uri="/a")
    with pytest.raises(PictureError):
        read_picture(b.png_bomb(), uri="/a")
    assert (list(warnings.filters), Image.MAX_IMAGE_PIXELS) == before


WHOLE = {format_: b.encoded(b.photo(format_), format_) for format_ in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP")} | {
    "animated GIF": b.frames("fuzz", "GIF"),
    "JPEG with EXIF": b.oriented("fuzz", 6),
    "AVIF": b.encoded(b.photo("fuzz"), "AVIF"),
}


@pytest.mark.parametrize("kind", WHOLE)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_twisted_bytes_give_a_picture_or_a_picture_error(kind: str, data: st.DataObject) -> None:
    twisted = bytearray(WHOLE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        twisted[data.draw(st.integers(0, len(twisted) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(twisted)), st.integers(0, len(twisted))))
    try:
        picture = read_picture(bytes(twisted[:cut]), uri="/a")
    except PictureError as error:
        assert str(error).startswith("/a: ")
    else:
        assert picture.width > 0
