"""Sources: what is found, in which order, and that it can be opened again at any time."""

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from annotator.errors import PictureError
from annotator.importers.opening import KeptArchives, close_archives, read_bytes
from annotator.importers.pictures import Limits, Picture
from annotator.importers.refusals import Refused
from annotator.importers.sources import Found, read_found, scan
from tests.importers.bad_containers import jpeg, tarred, zipped


def found_in(*paths: str | Path, **options: object) -> list[Found]:
    """All that is found; nothing may be refused."""
    results = list(scan(paths, **options))
    assert not [result for result in results if isinstance(result, Refused)]
    return [result for result in results if isinstance(result, Found)]


def names(found: list[Found]) -> list[str]:
    """Last parts of their URIs."""
    return [item.uri.replace("!", "/").rsplit("/", 1)[1] for item in found]


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    close_archives()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in folders, beside other things."""
    for name in ("b/2.jpg", "b/10.jpg", "a/z.jpg", "c.jpg", "b/deep/er/x.jpg"):
        place = tmp_path / "photos" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(jpeg(name))
    for name in ("notes.txt", "b/labels.csv", ".DS_Store", "b/clip.mp4"):
        (tmp_path / "photos" / name).write_bytes(b"x")
    return tmp_path / "photos"


def test_a_folder_is_read_in_sorted_order_and_the_rest_is_counted(folder: Path) -> None:
    skipped: Counter[str] = Counter()
    found = found_in(folder, skipped=skipped)
    assert names(found) == ["z.jpg", "10.jpg", "2.jpg", "x.jpg", "c.jpg"]
    assert +skipped == {".txt": 1, ".csv": 1, ".mp4": 1, "hidden or system file": 1}
    assert found[-1].size == (folder / "c.jpg").stat().st_size
    assert found[-1].mtime_ns == (folder / "c.jpg").stat().st_mtime_ns


def test_the_scan_is_lazy(folder: Path) -> None:
    stream = scan([folder, "/no/such/place"])
    first = next(stream)
    assert isinstance(first, Found)
    (folder / "c.jpg").unlink()
    assert "c.jpg" not in names([item for item in stream if isinstance(item, Found)])


def test_every_uri_opens_the_same_bytes_again(folder: Path) -> None:
    zipped("a.zip", {"in/1.jpg": jpeg("1"), "ü!%.jpg": jpeg("2")})(folder)
    tarred("a.tar", {"3.jpg": jpeg("3")})(folder)
    tarred("a.tar.gz", {"4.jpg": jpeg("4"), "5.jpg": jpeg("5")})(folder)
    found = found_in(folder)
    assert len(found) == 10
    read = {item.uri: read_found(item) for item in found}
    for uri in reversed(read):
        again = read_found(Found(uri, uri))
        assert isinstance(again, Picture)
        assert again == read[uri]
    assert sum(item.data is not None for item in found) == 2


def test_many_threads_may_read_from_the_same_archives(tmp_path: Path) -> None:
    members = {f"{number}.jpg": bytes([number]) * 5000 for number in range(40)}
    paths = []
    for copy in range(4):
        zipped(f"{copy}.zip", members)(tmp_path)
        tarred(f"{copy}.tar.gz", members)(tmp_path)
        paths += [tmp_path / f"{copy}.zip", tmp_path / f"{copy}.tar.gz"]
    kept = KeptArchives(most=2)

    def read(number: int) -> bool:
        member = f"{number % 40}.jpg"
        return kept.read(paths[number % len(paths)], member, member, Limits()) == members[member]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(400)))
    kept.close()


def _read_in_child(uri: str, expected: bytes) -> None:
    raise SystemExit(0 if read_bytes(uri) == expected else 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_opens_archives_anew(tmp_path: Path) -> None:
    zipped("a.zip", {"a.jpg": b"a" * 9000, "b.jpg": b"b" * 9000})(tmp_path)
    uri = f"zip://{tmp_path}/a.zip!b.jpg"
    read_bytes(uri)
    child = multiprocessing.get_context("fork").Process(target=_read_in_child, args=(uri, b"b" * 9000))
    child.start()
    child.join(20)
    assert child.exitcode == 0


def test_a_changed_archive_is_opened_anew(tmp_path: Path) -> None:
    zipped("a.zip", {"a.jpg": b"old"})(tmp_path)
    uri = f"zip://{tmp_path}/a.zip!a.jpg"
    assert read_bytes(uri) == b"old"
    zipped("a.zip", {"a.jpg": b"newer"})(tmp_path)
    assert read_bytes(uri) == b"newer"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("zip://{0}/a.zip!gone.jpg", "missing"),
        ("zip://{0}/gone.zip!a.jpg", "missing"),
        ("tar://{0}/a.tar!gone.jpg", "missing"),
        ("{0}/gone.jpg", "missing"),
        ("{0}", "not a file"),
        ("{0}/a\0.jpg", "unsafe name"),
        ("{0}/" + "x" * 300, "unsafe name"),
        ("nosuch://a.jpg", "unknown scheme"),
        ("memory://gone.jpg", "missing"),
    ],
)
def test_what_cannot_be_opened_says_why(uri: str, reason: str, tmp_path: Path) -> None:
    zipped("a.zip", {"a.jpg": b"x"})(tmp_path)
    tarred("a.tar", {"a.jpg": b"x"})(tmp_path)
    with pytest.raises(PictureError) as caught:
        read_bytes(uri.format(tmp_path))
    assert caught.value.reason == reason


def test_links_out_are_followed_once_where_allowed(tmp_path: Path) -> None:
    outside, given = tmp_path / "outside", tmp_path / "given"
    outside.mkdir()
    given.mkdir()
    (outside / "a.jpg").write_bytes(jpeg("outside"))
    (outside / "round").symlink_to(outside)
    (given / "one.jpg").symlink_to(outside / "a.jpg")
    (given / "two.jpg").symlink_to(outside / "a.jpg")
    results = list(scan([given], follow_links_out=True))
    assert [item.uri for item in results if isinstance(item, Found)] == [str(outside / "a.jpg")]
    (given / "three").symlink_to(outside)
    results = list(scan([given], follow_links_out=True))
    assert {item.uri for item in results if isinstance(item, Found)} == {str(outside / "a.jpg")}
    assert [item.reason for item in results if isinstance(item, Refused)] == ["link loop"]


def test_a_root_that_is_a_link_keeps_its_own_name(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    assert found_in(tmp_path / "current")[-1].uri == str(tmp_path / "current" / "c.jpg")


def test_folders_deeper_than_a_path_may_be_long_are_refused_and_the_rest_read(tmp_path: Path) -> None:
    (tmp_path / "z.jpg").write_bytes(jpeg("deep"))
    levels, here = 850, Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(levels):
            Path("dddd").mkdir()
            os.chdir("dddd")
        results = list(scan([tmp_path]))
        for _ in range(levels):
            os.chdir("..")
            Path("dddd").rmdir()
    finally:
        os.chdir(here)
    assert [item.reason for item in results if isinstance(item, Refused)] == ["unsafe name"]
    assert len([item for item in results if isinstance(item, Found)]) == 1


def test_remote_folders_patterns_and_lists_are_read() -> None:
    store = fsspec.filesystem("memory")
    for name in ("a/1.jpg", "a/sub/2.jpg", "a/notes.txt", "a/.hidden.jpg", "b/3.png"):
        store.pipe(f"/shots/{name}", jpeg(name))
    store.pipe("/shots/list.csv", b"file\na/1.jpg\nmemory://shots/b/3.png\n")
    try:
        assert names(found_in("memory://shots/a")) == ["1.jpg", "2.jpg"]
        assert names(found_in("memory://shots/*/*.jpg")) == ["1.jpg"]
        assert names(found_in("memory://shots/a/1.jpg")) == ["1.jpg"]
        listed = found_in("memory://shots/list.csv")
        assert names(listed) == ["1.jpg", "3.png"]
        for item in [*listed, *found_in("memory://shots/a")]:
            assert isinstance(read_found(item), Picture)
    finally:
        store.rm("/shots", recursive=True)


def test_a_refused_line_of_a_list_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,x\na.jpg,1,2,3\n")
    refused = [item for item in scan([tmp_path / "a.csv"]) if isinstance(item, Refused)]
    assert "line 2" in refused[0].message


def test_odd_names_are_shown_escaped(tmp_path: Path) -> None:
    (tmp_path / "a\nb.jpg").write_bytes(jpeg("odd"))
    (item,) = found_in(tmp_path)
    assert item.display == f"{tmp_path}/a\\nb.jpg"
    assert item.uri == f"file://{tmp_path}/a%0Ab.jpg"
