"""Formats that are folders: classes as folders, YOLO's texts, metadata by split, shards."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from annotator.errors import BadInputError, EntryError
from annotator.importers.labels import Problems, open_labels, sniff
from annotator.records import Record
from annotator.terms import LabelState, Split
from tests.importers.labels.bad.base import tar, text
from tests.importers.labels.bad.good import META, PICTURE, shard_good


def picture(path: Path, shade: int = 0) -> str:
    """A small PNG; its sha256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (40, 30), shade).save(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path, format: str | None = None) -> tuple[list[str], list[Record], Problems]:
    problems = Problems(path)
    records = open_labels(path, problems, format)
    return [tag.name for tag in records.header.tags], list(records.read()), problems


def test_the_folder_is_the_tag_and_the_content_names_the_picture(tmp_path: Path) -> None:
    sha = picture(tmp_path / "train" / "cat" / "x" / "a.png")
    picture(tmp_path / "val" / "dog" / "b.png", 9)
    assert sniff(tmp_path) == "imagefolder"
    tags, records, problems = read(tmp_path)
    assert (tags, problems.count) == (["cat", "dog"], 0)
    assert [(record.file, record.split) for record in records] == [
        ("train/cat/x/a.png", Split.TRAIN), ("val/dog/b.png", Split.VALIDATION)
    ]  # fmt: skip
    assert records[0].sha256 == sha


def test_folders_get_the_names_that_are_told_of_them(tmp_path: Path) -> None:
    picture(tmp_path / "cat%2Fdog" / "a.png")
    (tmp_path / "tags.json").write_bytes(text({"cat%2Fdog": "cat/dog"}))
    assert read(tmp_path)[0] == ["cat/dog"]


def test_a_picture_in_no_folder_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "stray.png")
    picture(tmp_path / "cat" / "a.png")
    _, records, problems = read(tmp_path)
    assert len(records) == 1
    assert "stray.png" in str(problems.kept[0])


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    picture(tmp_path / "secret" / "s.png")
    picture(tmp_path / "set" / "cat" / "a.png")
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "secret", target_is_directory=True)
    assert [record.file for record in read(tmp_path / "set")[1]] == ["cat/a.png"]


def yolo(folder: Path, lines: str, names: str = "names: [cat, dog]\n") -> None:
    picture(folder / "images" / "train" / "a.png")
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "a.txt").write_text(lines)
    (folder / "data.yaml").write_text(f"path: ../../etc\ntrain: /etc\n{names}")


@pytest.mark.parametrize("names", ["names: [cat, dog]\n", "names: {0: cat, 1: dog}\n"])
def test_yolo_boxes_become_pixels_of_the_picture(names: str, tmp_path: Path) -> None:
    yolo(tmp_path, "0 0.5 0.5 0.5 0.2\n1 0.5 0.5 1 1 0.25\n", names)
    assert sniff(tmp_path) == "yolo_detection"
    tags, records, problems = read(tmp_path)
    assert (tags, problems.count, len(records)) == (["cat", "dog"], 0, 1)
    assert records[0].boxes[0][1:] == pytest.approx((10, 12, 20, 6))
    assert [(tags[s.tag], s.score) for s in records[0].suggestions] == [("dog", 0.25)]
    assert records[0].file == "images/train/a.png"
    assert records[0].split == Split.TRAIN


BAD_LINES = {
    "words": ("cat 0.5 0.5 0.1 0.1", "is 'cat'"),
    "too few": ("0 0.5 0.5", "has 3 numbers"),
    "too many": ("0 0.5 0.5 0.1 0.1 0.5 0.5 7", "has 8 numbers"),
    "unknown class": ("2 0.5 0.5 0.1 0.1", "class is '2'"),
    "negative class": ("-1 0.5 0.5 0.1 0.1", "class is '-1'"),
    "class of a half": ("0.5 0.5 0.5 0.1 0.1", "class is '0.5'"),
    "huge class": ("9" * 400 + " 0.5 0.5 0.1 0.1", "a cell is"),
    "NaN": ("0 nan 0.5 0.1 0.1", "nan"),
    "infinite": ("0 inf 0.5 0.1 0.1", "inf"),
    "negative width": ("0 0.5 0.5 -0.1 0.1", "width of the box is -0.1"),
    "pixels": ("0 200 100 50 50", "not in shares"),
    "score of two": ("0 0.5 0.5 0.1 0.1 2", "score is 2"),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_bad_yolo_lines_are_refused_alone(kind: str, tmp_path: Path) -> None:
    line, says = BAD_LINES[kind]
    yolo(tmp_path, f"{line}\n0 0.5 0.5 0.5 0.5\n")
    tags, records, problems = read(tmp_path)
    assert [tags[label.tag] for label in records[0].labels] == ["cat"]
    assert "labels/train/a.txt, line 1" in str(problems.kept[0])
    assert says in str(problems.kept[0])


BAD_NAMES = {"none": "nc: 2\n", "a number": "names: 2\n", "not YAML": "names: [cat\n", "twice": "names: [cat, Cat]\n",
             "code": "names: !!python/object/apply:os.getcwd []\n", "holes": "names: {0: cat, 5: dog}\n"}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_NAMES)
def test_bad_yolo_names_are_refused_as_a_whole(kind: str, tmp_path: Path) -> None:
    yolo(tmp_path, "0 0.5 0.5 0.5 0.5\n", BAD_NAMES[kind])
    with pytest.raises(EntryError, match=r"names|YAML"):
        read(tmp_path, "yolo_detection")


def test_metadata_of_several_splits_is_one_collection(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "metadata.jsonl").write_text(META)
    assert sniff(tmp_path) == "huggingface"
    tags, records, _ = read(tmp_path)
    assert tags == ["cat", "dog"]
    assert [(record.file, record.split) for record in records] == [
        ("test/a.jpg", Split.TEST), ("test/b.jpg", Split.TEST), ("train/a.jpg", Split.TRAIN),
        ("train/b.jpg", Split.TRAIN),
    ]  # fmt: skip


def test_shards_are_read_in_order_and_pictures_named_by_content(tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(tar({"c.json": text({"labels": [{"tag": "emu", "state": "negative"}]})}))
    (tmp_path / "a.tar").write_bytes(tar(shard_good()))
    assert sniff(tmp_path) == "webdataset"
    tags, records, _ = read(tmp_path)
    assert tags == ["cat", "dog", "emu"]
    assert [record.file for record in records] == ["a.jpg", "b", "c"]
    assert records[0].sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert records[2].labels[0].state == LabelState.NEGATIVE


def test_members_that_climb_out_of_a_shard_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "in" / "evil.tar"
    path.parent.mkdir()
    path.write_bytes(tar({"../../out.json": json.dumps({"labels": ["cat"]}).encode(), "/abs.txt": b"dog"}))
    _, records, _ = read(path)
    assert [record.file for record in records] == ["../../out", "/abs"]
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["evil.tar", "in"]


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no image"):
        read(tmp_path)
