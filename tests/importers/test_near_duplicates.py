"""Near-duplicates: copies are found, different pictures are not, and groups are those of a plain search."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from annotator.errors import UsageError
from annotator.importers.near_duplicates import DISTANCE, LARGEST_DISTANCE, extend_groups, group_near_duplicates
from annotator.importers.perceptual_hash import FLAT, hash_of_grey, perceptual_hash
from annotator.importers.pictures import open_oriented, read_picture
from annotator.settings import Settings
from tests.importers import picture_bytes as b


def hash_of(data: bytes) -> int:
    return read_picture(data, uri="/a").perceptual_hash


def bits_apart(one: int, other: int) -> int:
    return ((one ^ other) & (2**64 - 1)).bit_count()


def plain_groups(hashes: np.ndarray, distance: int) -> list[int]:
    """By looking at every pair, again and again."""
    values = [int(value) for value in hashes]
    groups = list(range(len(values)))
    changed = True
    while changed:
        changed = False
        for i, one in enumerate(values):
            for j, other in enumerate(values):
                near = bits_apart(one, other) <= distance and FLAT not in (one, other)
                if near and groups[i] != groups[j]:
                    groups[i] = groups[j] = min(groups[i], groups[j])
                    changed = True
    return groups


def clustered(seed: int, count: int, flips: int) -> np.ndarray:
    """Hashes of which many are few flips from another."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(-(2**63), 2**63 - 1, max(1, count // 4), dtype=np.int64)
    hashes = hashes[rng.integers(0, len(hashes), count)].view(np.uint64)
    for _ in range(flips):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, count).astype(np.uint64))
    hashes[rng.random(count) < 0.1] = FLAT
    return hashes.view(np.int64)


def test_the_hash_is_that_of_an_independent_transform() -> None:
    grey = np.random.default_rng(3).uniform(0, 255, (32, 32))
    coefficients = dctn(grey, norm="ortho")[1:9, 1:9].ravel()
    bits = "".join("1" if value > np.median(coefficients) else "0" for value in coefficients)
    assert hash_of_grey(grey) & (2**64 - 1) == int(bits, 2)


def test_a_picture_without_texture_has_the_hash_that_is_near_to_nothing() -> None:
    for image in (Image.new("RGB", (300, 200), "teal"), Image.linear_gradient("L"), Image.new("1", (9, 9))):
        assert perceptual_hash(image.convert("RGB")) == FLAT
    assert group_near_duplicates(np.full(4, FLAT, np.int64)).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_copies_resized_or_saved_anew_keep_their_hash(seed: str) -> None:
    image = b.photo(seed, (1600, 1200))
    original = hash_of(b.encoded(image, quality=92))
    small = image.resize((400, 300), Image.Resampling.LANCZOS)
    copies = {
        "worse": b.encoded(image, quality=30),
        "smaller": b.encoded(small, quality=80),
        "webp": b.encoded(image, "WEBP", quality=60),
        "png": b.encoded(small, "PNG"),
        "grey": b.encoded(image.convert("L")),
        "turned": b.encoded(image.transpose(Image.Transpose.ROTATE_90), exif=_turned(6)),
    }
    assert max(bits_apart(original, hash_of(copy)) for copy in copies.values()) <= DISTANCE
    others = [hash_of(b.encoded(b.photo(f"{seed} {number}"))) for number in range(20)]
    assert min(bits_apart(original, other) for other in others) > 3 * DISTANCE


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(0, 6), st.integers(0, LARGEST_DISTANCE))
def test_groups_are_those_of_a_plain_search(seed: int, count: int, flips: int, distance: int) -> None:
    hashes = clustered(seed, count, flips)
    assert group_near_duplicates(hashes, distance).tolist() == plain_groups(hashes, distance)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60))
def test_groups_grown_step_by_step_are_those_made_at_once(seed: int, first: int, then: int) -> None:
    hashes = clustered(seed, first + then + 1, 3)
    groups = group_near_duplicates(hashes[:first])
    groups = extend_groups(groups, hashes[:first], hashes[first : first + then])
    groups = extend_groups(groups, hashes[: first + then], hashes[first + then :])
    assert groups.tolist() == group_near_duplicates(hashes).tolist()
    assert groups.dtype == np.int64


def test_a_new_picture_may_join_two_groups() -> None:
    hashes = np.array([0b1, 0b1_1111_0000_0001, 0b0001_0011_0000_0001], np.int64)
    groups = group_near_duplicates(hashes[:2], 4)
    assert groups.tolist() == [0, 1]
    assert extend_groups(groups, hashes[:2], hashes[2:], 4).tolist() == [0, 0, 0]


def test_many_equal_hashes_are_one_group_quickly() -> None:
    hashes = np.full(200_000, 12345, np.int64)
    hashes[::2] = 12344
    assert not group_near_duplicates(hashes).any()


@pytest.mark.parametrize(("groups", "distance"), [([0], 4), ([], -1), ([], 9)])
def test_what_does_not_fit_together_is_refused(groups: list[int], distance: int) -> None:
    with pytest.raises(UsageError, match=r"bits|groups"):
        extend_groups(np.array(groups, np.int64), np.empty(0, np.int64), np.array([1], np.int64), distance)


def test_real_photos_are_told_apart_and_their_copies_found() -> None:
    folder = Settings().real_data / "coco256" / "images"
    if not folder.exists():
        pytest.skip("the real data set coco256 is not here; set ANNOTATOR_REAL_DATA")
    photos = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:120]]
    copies = [_smaller(data) for data in photos]
    groups = group_near_duplicates(np.array([hash_of(data) for data in photos + copies], np.int64))
    assert groups.tolist() == [*range(len(photos)), *range(len(photos))]


def _smaller(data: bytes) -> bytes:
    image = open_oriented(data)
    buffer = io.BytesIO()
    image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=60)
    return buffer.getvalue()
