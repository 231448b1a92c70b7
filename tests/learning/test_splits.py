import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.errors import UsageError
from annotator.learning.splits import assign_splits, first_of_group
from annotator.snapshot import SPLIT_CODES
from annotator.terms import Split


def hashes(count: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def test_shares_come_out_as_asked_for() -> None:
    codes = assign_splits(hashes(20_000), {"train": 0.75, "validation": 0.15, "test": 0.10})
    assert np.bincount(codes) / 20_000 == pytest.approx([0.75, 0.15, 0.10], abs=0.01)
    assert codes.dtype == np.int8


def test_the_split_is_the_fraction_that_the_first_60_bits_spell() -> None:
    spelled = [f"{int(share * 16**15):015x}" + "0" * 49 for share in (0.0, 0.7499, 0.7501, 0.8999, 0.9001, 0.9999)]
    names = [SPLIT_CODES[code] for code in assign_splits(spelled)]
    assert names == [Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.VALIDATION, Split.TEST, Split.TEST]


@given(st.permutations(range(40)), st.integers(1, 40))
def test_images_added_or_reordered_move_nobody(order: list[int], kept: int) -> None:
    everything = hashes(40)
    whole = assign_splits(everything)
    assert (assign_splits([everything[i] for i in order[:kept]]) == whole[order[:kept]]).all()


def test_near_duplicates_share_the_split_of_the_first_of_them() -> None:
    images = hashes(300)
    groups = np.arange(300) % 100
    codes = assign_splits(first_of_group(images, groups))
    alone = assign_splits(images)
    assert (codes[:100] == alone[:100]).all()
    assert (codes[100:200] == codes[:100]).all()
    assert (codes[200:] == codes[:100]).all()


def test_a_later_duplicate_does_not_move_its_group() -> None:
    images = hashes(50)
    before = assign_splits(first_of_group(images[:49], np.arange(49)))
    after = assign_splits(first_of_group(images, np.append(np.arange(49), 7)))
    assert (after[:49] == before).all()
    assert after[49] == before[7]


def test_a_split_without_a_share_gets_no_image() -> None:
    codes = assign_splits(hashes(2000), {Split.TRAIN: 0.8, Split.TEST: 0.2})
    assert set(codes) == {SPLIT_CODES.index(Split.TRAIN), SPLIT_CODES.index(Split.TEST)}
    assert set(assign_splits(hashes(500), {"train": 1.0})) == {0}


def test_no_images_have_no_splits() -> None:
    assert len(assign_splits([])) == 0
    assert first_of_group([], np.array([], np.int64)) == []


@pytest.mark.parametrize("fractions", [{"train": 0.5}, {"training": 1.0}, {"train": 1.2, "test": -0.2}])
def test_wrong_shares_are_named(fractions: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="train, validation, test"):
        assign_splits(hashes(3), fractions)


@pytest.mark.parametrize("wrong", ["", "cat.jpg"])
def test_text_that_is_no_hash_is_named(wrong: str) -> None:
    with pytest.raises(UsageError, match=f"'{wrong}' is no sha256"):
        assign_splits([*hashes(2), wrong])


def test_every_image_needs_a_group() -> None:
    with pytest.raises(UsageError, match="3 images"):
        first_of_group(hashes(3), [0, 1])
