import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from annotator import arrays
from annotator.arrays import ShardedArray, StoredTiles, write_whole


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "SHARD_ROWS", 8)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("steps", [[1], [8], [3, 5], [7, 2, 20], [16, 1]])
def test_what_was_flushed_is_read_back_in_order_however_it_was_appended(tmp_path: Path, steps: list[int]) -> None:
    rows = np.random.default_rng(0).normal(size=(sum(steps), 3)).astype(np.float16)
    store = ShardedArray.create(tmp_path / "a", 3)
    start = 0
    for step in steps:
        store.append(rows[start : start + step])
        store.flush()
        start += step
    again = ShardedArray.open(tmp_path / "a")
    assert again is not None
    assert len(again) == len(rows)
    np.testing.assert_array_equal(again.read(), rows)


@pytest.mark.usefixtures("small_shards")
def test_rows_that_were_not_flushed_do_not_count(tmp_path: Path) -> None:
    store = ShardedArray.create(tmp_path / "a", 2)
    store.append(np.ones((5, 2)))
    store.flush()
    store.append(np.zeros((5, 2)))
    assert len(store) == 5
    again = ShardedArray.open(tmp_path / "a")
    assert again is not None and len(again) == 5


def test_some_rows_are_taken_in_the_order_asked_for_from_shards_of_their_own_size(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(23, 6)).astype(np.float16)
    store = ShardedArray.create(tmp_path / "a", 6, shard_rows=4)
    store.append(rows)
    store.flush()
    again = ShardedArray.open(tmp_path / "a")
    assert again is not None
    assert len(list((tmp_path / "a").glob("rows-*.npy"))) == 6
    np.testing.assert_array_equal(again.read(), rows)
    wanted = np.array([22, 0, 5, 5, 4])
    np.testing.assert_array_equal(again.take(wanted), rows[wanted])
    tiles = StoredTiles(again, 2, 20)
    assert (len(tiles), tiles.shape) == (20, (20, 3, 2))
    np.testing.assert_array_equal(tiles[3:9], rows[3:9].reshape(6, 3, 2))
    np.testing.assert_array_equal(tiles[15:99], rows[15:20].reshape(5, 3, 2))
    np.testing.assert_array_equal(tiles[wanted[1:]], rows[wanted[1:]].reshape(4, 3, 2))


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_whole(file, b"old")
    program = (
        "import os, pathlib, annotator.arrays as a\n"
        "os.fsync = lambda handle: os._exit(9)\n"
        f"a.write_whole(pathlib.Path({str(file)!r}), b'new')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert file.read_bytes() == b"old"
