"""Promises of every exporter, and of each one's own format against another reader."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from annotator.exporters import EXPORTERS, Exporter
from annotator.exporters.names import iso_time, relative_names
from annotator.snapshot import Snapshot, SnapshotTag
from annotator.terms import LabelState, Origin

# Per image: present, absent, cannot tell, never asked - in all four columns once.
LABELS = np.array([[1, 0, -1, -1], [-1, 1, 0, -1], [1, 1, 1, 0]], np.int8)
ORIGINS = np.array([[1, 3, 1, 0], [0, 2, 4, 2], [3, 3, 1, 1]], np.uint8)


def make(labels: np.ndarray = LABELS, origins: np.ndarray = ORIGINS, folder: str = "/pictures") -> Snapshot:
    images, tags = labels.shape
    return Snapshot(
        rows=np.arange(images),
        sha256=tuple(f"{row:064x}" for row in range(images)),
        files=tuple(f"{folder}/{row % 2}/same.jpg" if row < 2 else f"{folder}/ünï {row}.jpg" for row in range(images)),
        sizes=np.tile(np.array([[640, 480]], np.int32), (images, 1)),
        tags=tuple(SnapshotTag(10 + tag, f"tag <{tag}> & ✓", parent="things" if tag else None) for tag in range(tags)),
        labels=labels,
        origins=origins,
        deciders=np.where(origins == Origin.ROUND, 2, (origins > 0).astype(int)).astype(np.uint16),
        decider_names=("", "anna", "round 1"),
        decided_at=np.where(origins > 0, 1_700_000_000, 0).astype(np.uint32),
        splits=np.array([row % 3 for row in range(images)], np.int8),
        groups=np.arange(images),
    )


def empty() -> Snapshot:
    return make(np.empty((0, 0), np.int8), np.empty((0, 0), np.uint8))


every = pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS)


@every
def test_the_same_snapshot_gives_the_same_bytes(exporter: Exporter) -> None:
    assert exporter(make()) == exporter(make())


@every
def test_an_empty_workspace_can_be_exported(exporter: Exporter) -> None:
    for name, content in exporter(empty()).items():
        assert name
        assert content


@every
def test_file_names_stay_inside_the_folder(exporter: Exporter) -> None:
    for name in exporter(make()):
        assert not Path(name).is_absolute()
        assert ".." not in Path(name).parts


@every
def test_what_was_never_asked_changes_nothing_when_it_is_asked_less(exporter: Exporter) -> None:
    """Absent, cannot tell and never asked are three different exports."""
    outcomes = set()
    for state, origin in ((0, 1), (-1, 1), (-1, 0), (1, 1)):
        labels, origins = LABELS.copy(), ORIGINS.copy()
        labels[0, 3], origins[0, 3] = state, origin
        snapshot = make(labels, origins)
        outcomes.add(tuple(content.replace(snapshot.hash.encode(), b"") for content in exporter(snapshot).values()))
    assert len(outcomes) == 4


@every
def test_who_decided_is_told(exporter: Exporter) -> None:
    text = b"".join(exporter(make()).values()).decode()
    assert "anna" in text
    assert "round 1" in text
    assert "2023-11-14T22:13:20+00:00" in text


@every
def test_equal_file_names_of_two_folders_do_not_collide(exporter: Exporter) -> None:
    text = b"".join(exporter(make()).values()).decode()
    assert '"0/same.jpg"' in text
    assert '"1/same.jpg"' in text


def test_json_names_the_state_of_each_asked_pair_and_no_other() -> None:
    document = json.loads(EXPORTERS["json"](make())["labels.json"])
    names = [tag["name"] for tag in document["tags"]]
    states = {state.name.lower(): int(state) for state in LabelState}
    labels, asked = np.full(LABELS.shape, -1), np.zeros(LABELS.shape, bool)
    for row, image in enumerate(document["images"]):
        for label in image["labels"]:
            place = row, names.index(label["tag"])
            labels[place], asked[place] = states[label["state"]], True
    assert np.array_equal(labels, LABELS)
    assert np.array_equal(asked, ORIGINS != Origin.NOBODY)


def test_coco_keeps_absent_unclear_and_never_asked_apart() -> None:
    document = json.loads(EXPORTERS["coco"](make())["labels.json"])
    present: dict[int, set[int]] = {image["id"]: set() for image in document["images"]}
    for annotation in document["annotations"]:
        present[annotation["image_id"]].add(annotation["category_id"])
    for row, image in enumerate(document["images"]):
        unclear = (LABELS[row] == -1) & (ORIGINS[row] != Origin.NOBODY)
        assert present[image["id"]] == set(np.flatnonzero(LABELS[row] == 1) + 1)
        assert image["neg_category_ids"] == (np.flatnonzero(LABELS[row] == 0) + 1).tolist()
        assert image["not_exhaustive_category_ids"] == (np.flatnonzero(unclear) + 1).tolist()


@pytest.mark.parametrize("snapshot", [make(), empty()], ids=["full", "empty"])
def test_pycocotools_reads_the_coco_export_with_the_same_counts(snapshot: Snapshot, tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    file = tmp_path / "labels.json"
    file.write_bytes(EXPORTERS["coco"](snapshot)["labels.json"])
    coco = COCO(str(file))
    assert len(coco.getImgIds()) == len(snapshot)
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == [tag.name for tag in snapshot.tags]
    for place, category in enumerate(sorted(coco.getCatIds())):
        positives = np.flatnonzero(snapshot.labels[:, place] == 1) + 1
        assert sorted(coco.getImgIds(catIds=[category])) == positives.tolist()
    assert len(coco.getAnnIds()) == (snapshot.labels == 1).sum()
    assert len(Counter(annotation["id"] for annotation in coco.loadAnns(coco.getAnnIds()))) == len(coco.getAnnIds())


@pytest.mark.parametrize(
    ("uris", "root", "names"),
    [
        ([], "", []),
        (["/a/1.jpg"], "/a", ["1.jpg"]),
        (["/a/b/1.jpg", "/a/bc/1.jpg"], "/a", ["b/1.jpg", "bc/1.jpg"]),
        (["/1.jpg", "/a/1.jpg"], "/", ["1.jpg", "a/1.jpg"]),
        (["s3://x/1.jpg", "s3://y/1.jpg"], "", ["s3://x/1.jpg", "s3://y/1.jpg"]),
        (["/a/1.jpg", "s3://x/1.jpg"], "/a", ["1.jpg", "s3://x/1.jpg"]),
    ],
)
def test_names_are_relative_to_the_deepest_common_folder(uris: list[str], root: str, names: list[str]) -> None:
    assert relative_names(uris) == (root, names)


def test_no_time_is_no_time() -> None:
    assert iso_time(0) is None
