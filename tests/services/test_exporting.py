import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from annotator.arrays import write_array, write_whole
from annotator.errors import ConflictError, UnknownNameError, UsageError
from annotator.exporters import EXPORTERS, ExportOptions, Sink
from annotator.records import Record, Records
from annotator.services import exporting, labelling, suggesting, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.records import collected
from annotator.services.snapshots import take
from annotator.settings import Settings
from annotator.terms import LabelState, Split
from annotator.workspace import Workspace
from db.models import Image, Tag
from tests.services.rows import add_images, add_tags

FILES = [name for name, exporter in EXPORTERS.items() if exporter.file]
FOLDERS = [name for name, exporter in EXPORTERS.items() if not exporter.file]

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def stocked(workspace: Workspace) -> Workspace:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "car"])
    labelling.set_labels(workspace, "anna", [(0, 1, YES), (0, 2, NO), (1, 1, UNKNOWN), (2, 1, YES)])
    return workspace


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Workspace]:
    """The 48 committed pictures, answers of three kinds on nine of them, one tag archived; nobody changes it."""
    with Workspace.create(tmp_path_factory.mktemp("pictured") / "w", Settings(device="cpu", workers=2)) as made:
        vocabulary.add_from_file(made, samples / "tags.yaml")
        import_pictures(made, [samples / "images"])
        tags = take(made).tags[:5]
        answers = [(row, tag.id, (YES, NO, UNKNOWN)[(row + tag.id) % 3]) for row in range(9) for tag in tags]
        labelling.set_labels(made, "anna", answers)
        with made.transaction() as session:
            session.get_one(Tag, 5).archived = True
        yield made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def target(folder: Path, format: str) -> Path:
    return folder / f"out{EXPORTERS[format].suffix}"


def adds_up(table: dict) -> bool:
    """Everything in the store is written or left out, by image, by pair, and by state and origin."""
    lines = [table["images"], table["pairs"], *table["labels"]]
    of_states = sum(line["written"] for line in table["labels"]) == table["pairs"]["written"]
    return of_states and all(line["store"] == line["written"] + sum(line["left out"].values()) for line in lines)


@pytest.mark.parametrize("format", EXPORTERS)
@pytest.mark.parametrize("labelled", [False, True])
def test_every_export_adds_up_to_the_store(pictured: Workspace, tmp_path: Path, format: str, labelled: bool) -> None:
    snapshot = take(pictured)
    wanted = ExportOptions(only_labelled=labelled, splits=(Split.TRAIN, Split.VALIDATION) if labelled else ())
    table = exporting.export(pictured, format, target(tmp_path, format), wanted)
    assert adds_up(table)
    assert table["images"]["store"] == 48
    assert table["pairs"]["store"] == 48 * (len(snapshot.tags) + 1)
    assert table["pairs"]["left out"]["archived tag"] == 48
    assert table["snapshot"] == snapshot.hash
    assert (table["images"]["left out"].get("without a label", 0) > 0) == labelled


def test_the_table_counts_states_and_what_was_never_asked(stocked: Workspace, tmp_path: Path) -> None:
    table = exporting.export(stocked, "json", tmp_path / "labels.json")
    assert [(line["state"], line["written"]) for line in table["labels"]] == [
        ("positive", 2), ("negative", 1), ("unknown", 1)
    ]  # fmt: skip
    assert table["pairs"] == {"store": 8, "written": 4, "left out": {"never asked": 4, "archived tag": 0}}


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_empty_workspace_is_exported(workspace: Workspace, tmp_path: Path, format: str) -> None:
    table = exporting.export(workspace, format, target(tmp_path, format))
    assert table["images"] == {"store": 0, "written": 0, "left out": {}}
    assert target(tmp_path, format).exists()


@pytest.mark.parametrize("format", FOLDERS)
def test_a_folder_holds_its_table(pictured: Workspace, tmp_path: Path, format: str) -> None:
    table = exporting.export(pictured, format, tmp_path / "out")
    kept = json.loads((tmp_path / "out" / exporting.TABLE).read_text())
    assert {**kept, "path": table["path"]} == table


def test_the_records_are_the_snapshot(stocked: Workspace) -> None:
    snapshot = take(stocked)
    with collected(stocked) as found:
        records = list(found.records.read())
        assert found.records.header.snapshot == snapshot.hash
        assert found.records.header.images == len(records) == 4
    assert [record.file for record in records] == [f"{row}.jpg" for row in range(4)]
    assert [label.state for label in records[0].labels] == [YES, NO]
    assert {label.by for record in records for label in record.labels} == {"anna"}
    assert [record.split for record in records] == [list(Split)[code] for code in snapshot.splits]


def test_a_second_reading_sees_the_same_moment(stocked: Workspace) -> None:
    with collected(stocked) as found:
        before = list(found.records.read())
        labelling.set_labels(stocked, "bea", [(3, 1, YES)])
        assert list(found.records.read()) == before


def test_only_the_splits_asked_for_are_written(stocked: Workspace, tmp_path: Path) -> None:
    with stocked.transaction() as session:
        for row, split in enumerate((Split.TRAIN, Split.TEST, Split.TEST, Split.TRAIN)):
            session.get_one(Image, row).given_split = split.value
    table = exporting.export(stocked, "json", tmp_path / "labels.json", ExportOptions(splits=(Split.TEST,)))
    images = json.loads((tmp_path / "labels.json").read_text())["images"]
    assert [image["file"] for image in images] == ["1.jpg", "2.jpg"]
    assert table["images"]["left out"] == {"in another split": 2}
    assert table["pairs"]["left out"]["in another split"] == 2
    assert adds_up(table)


def test_suggestions_are_what_is_likely_and_undecided(filled: Workspace, tmp_path: Path) -> None:
    board = suggesting.current(filled)
    assert board is not None
    with collected(filled, ExportOptions(suggestions=True)) as found:
        records = list(found.records.read())
    for row, record in enumerate(records):
        assert {suggestion.tag for suggestion in record.suggestions} == set(np.flatnonzero(board.scores[row] >= 0.5))
    with collected(filled) as found:
        assert not any(record.suggestions for record in found.records.read())


def test_a_decided_tag_is_no_suggestion(filled: Workspace) -> None:
    folder = filled.folder / "suggestions"
    note = json.loads((folder / "current.json").read_text())
    write_array(folder / note["folder"] / "scores.npy", np.full((48, len(note["tag_ids"])), 0.9, np.float16))
    write_whole(folder / "current.json", json.dumps(note).encode())
    labelling.set_labels(filled, "anna", [(0, note["tag_ids"][0], NO)])
    with collected(filled, ExportOptions(suggestions=True)) as found:
        first = next(found.records.read())
    assert {suggestion.tag for suggestion in first.suggestions} == set(range(1, len(note["tag_ids"])))
    assert first.suggestions[0].score == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("format", [name for name in EXPORTERS if EXPORTERS[name].pictures != "never"])
@pytest.mark.parametrize("pictures", ["copy", "resize:32"])
def test_pictures_stand_in_the_export(pictured: Workspace, tmp_path: Path, format: str, pictures: str) -> None:
    exporting.export(pictured, format, tmp_path / "out", ExportOptions(pictures, only_labelled=True))
    found = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".png", ".jpg", ".tar")]
    assert len(found) >= (1 if format == "webdataset" else 5)
    assert not any(path.is_symlink() for path in found)
    for path in found:
        if pictures.startswith("resize") and path.suffix != ".tar":
            with Picture.open(path) as picture:
                assert max(picture.size) == 32


def test_pictures_by_reference_are_links_to_where_they_lie(pictured: Workspace, tmp_path: Path) -> None:
    exporting.export(pictured, "yolo_classification", tmp_path / "out")
    links = [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    assert links
    assert {str(path.resolve()) for path in links} <= set(take(pictured).files)


def test_a_picture_that_is_gone_is_left_out_and_named(stocked: Workspace, tmp_path: Path) -> None:
    table = exporting.export(stocked, "imagefolder", tmp_path / "out")
    assert table["images"]["left out"] == {"no present tag": 2, "the picture cannot be read": 2}
    assert "/pictures/0.jpg" in table["unreadable"][0]
    assert adds_up(table)


def test_a_folder_that_exists_gets_the_file(stocked: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    exporting.export(stocked, "coco", tmp_path / "out")
    assert names(tmp_path / "out") == ["labels.json"]


def test_an_export_replaces_the_earlier_one_whole(stocked: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    exporting.export(stocked, "json", file)
    before = file.read_bytes()
    exporting.export(stocked, "json", file)
    assert file.read_bytes() == before
    assert names(tmp_path) == ["labels.json", "workspace"]


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_export_that_fails_half_way_leaves_the_earlier_one_or_nothing(
    stocked: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    file = target(tmp_path, format)
    if EXPORTERS[format].file:
        exporting.export(stocked, format, file)
    before = file.read_bytes() if file.exists() else None
    whole = EXPORTERS[format]

    def half(records: Records, sink: Sink) -> None:
        def breaking() -> Iterator[Record]:
            yield next(records.read())
            raise RuntimeError("out of paper")

        whole(replace(records, read=breaking), sink)

    monkeypatch.setitem(EXPORTERS, format, replace(whole, write=half))
    with pytest.raises(RuntimeError):
        exporting.export(stocked, format, file)
    assert (file.read_bytes() if file.exists() else None) == before
    assert names(tmp_path) == ([file.name, "workspace"] if before is not None else ["workspace"])


def test_a_killed_export_leaves_no_file_of_its_name(stocked: Workspace, tmp_path: Path) -> None:
    code = """
import os, sys
from dataclasses import replace
from pathlib import Path
from annotator.exporters import EXPORTERS
from annotator.services import exporting
from annotator.workspace import Workspace

def dies(records, sink):
    with sink.open("labels.json") as out:
        out.write(b"half")
        out.flush()
        os.kill(os.getpid(), 9)

EXPORTERS["json"] = replace(EXPORTERS["json"], write=dies)
exporting.export(Workspace.open(Path(sys.argv[1])), "json", Path(sys.argv[2]))
"""
    file = tmp_path / "labels.json"
    killed = subprocess.run([sys.executable, "-c", code, str(stocked.folder), str(file)], check=False)
    assert killed.returncode == -9
    assert not file.exists()
    (left,) = tmp_path.glob(".labels.json.*.tmp")
    exporting.export(stocked, "json", file)
    assert left.exists()  # it might be an export that still runs
    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    exporting.export(stocked, "json", file)
    assert json.loads(file.read_text())["images"]
    assert names(tmp_path) == ["labels.json", "workspace"]


def test_a_format_that_does_not_read_to_the_end_is_refused(
    stocked: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lazy(records: Records, sink: Sink) -> None:
        next(records.read())
        with sink.open("labels.json") as out:
            out.write(b"{}")

    monkeypatch.setitem(EXPORTERS, "json", replace(EXPORTERS["json"], write=lazy))
    with pytest.raises(ConflictError, match="did not read all"):
        exporting.export(stocked, "json", tmp_path / "labels.json")
    assert names(tmp_path) == ["workspace"]


@pytest.mark.parametrize("format", FOLDERS)
def test_a_folder_that_exists_is_not_mixed_with_an_export(stocked: Workspace, tmp_path: Path, format: str) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match=r"out exists; name a folder that does not"):
        exporting.export(stocked, format, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_a_target_without_an_ending_is_asked_about(stocked: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name a file, for example"):
        exporting.export(stocked, "coco", tmp_path / "out")


def test_a_wrong_format_brings_the_near_one(stocked: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        exporting.export(stocked, "cocoa", tmp_path / "labels.json")


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("json", ExportOptions(pictures="copy"), "holds no pictures; formats that do"),
        ("imagefolder", ExportOptions(pictures="resize:big"), "write reference, copy or resize:SIZE"),
        ("csv", ExportOptions(suggestions=True), "no place for suggestions; formats that have"),
    ],
)
def test_what_a_format_cannot_do_is_told_beforehand(
    stocked: Workspace, tmp_path: Path, format: str, options: ExportOptions, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        exporting.export(stocked, format, target(tmp_path, format), options)
    assert names(tmp_path) == ["workspace"]
