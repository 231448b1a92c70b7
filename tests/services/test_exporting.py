import json
from pathlib import Path

import pytest

from annotator.errors import UnknownNameError, UsageError
from annotator.exporters import EXPORTERS
from annotator.services import exporting, labelling
from annotator.snapshot import Snapshot
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN


@pytest.fixture
def stocked(workspace: Workspace) -> Workspace:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "car"])
    labelling.set_labels(workspace, "anna", [(0, 1, YES), (0, 2, NO), (1, 1, UNKNOWN), (2, 1, YES)])
    return workspace


@pytest.fixture
def two_files(monkeypatch: pytest.MonkeyPatch) -> str:
    """A format of two files."""
    monkeypatch.setitem(EXPORTERS, "pair", lambda _snapshot: {"a.txt": b"a", "deep/b.txt": b"b"})
    return "pair"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_export_counts_states_and_leaves_out_what_was_never_asked(
    stocked: Workspace, tmp_path: Path, format: str
) -> None:
    table = exporting.export(stocked, format, tmp_path / "labels.json")
    assert table["states"] == {"positive": 2, "negative": 1, "unknown": 1, "never asked": 4}
    assert table["origins"]["human"] == 4
    assert json.loads((tmp_path / "labels.json").read_text())


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_empty_workspace_is_exported(workspace: Workspace, tmp_path: Path, format: str) -> None:
    table = exporting.export(workspace, format, tmp_path / "labels.json")
    assert (table["images"], table["tags"]) == (0, 0)
    assert json.loads((tmp_path / "labels.json").read_text())["images"] == []


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


def test_an_export_that_fails_leaves_the_earlier_one(
    stocked: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "labels.json"
    exporting.export(stocked, "json", file)
    before = file.read_bytes()

    def broken(_snapshot: Snapshot) -> dict[str, bytes]:
        raise RuntimeError("out of paper")

    monkeypatch.setitem(EXPORTERS, "json", broken)
    with pytest.raises(RuntimeError):
        exporting.export(stocked, "json", file)
    assert file.read_bytes() == before
    assert names(tmp_path) == ["labels.json", "workspace"]


def test_several_files_become_a_folder_whole_or_not_at_all(
    stocked: Workspace, tmp_path: Path, two_files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = exporting.write_whole

    def disk_full(path: Path, content: bytes) -> None:
        if path.name == "b.txt":
            raise OSError("no space left on device")
        written(path, content)

    monkeypatch.setattr(exporting, "write_whole", disk_full)
    with pytest.raises(OSError, match="no space"):
        exporting.export(stocked, two_files, tmp_path / "out")
    assert names(tmp_path) == ["workspace"]
    monkeypatch.undo()
    monkeypatch.setitem(EXPORTERS, "pair", lambda _snapshot: {"a.txt": b"a", "deep/b.txt": b"b"})
    exporting.export(stocked, two_files, tmp_path / "out")
    assert (tmp_path / "out" / "deep" / "b.txt").read_bytes() == b"b"


def test_a_folder_that_exists_is_not_mixed_with_several_files(
    stocked: Workspace, tmp_path: Path, two_files: str
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match=r"out exists; name a folder that does not"):
        exporting.export(stocked, two_files, tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_a_target_without_an_ending_is_asked_about(stocked: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"name a file, for example"):
        exporting.export(stocked, "coco", tmp_path / "out")


def test_a_wrong_format_brings_the_near_one(stocked: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        exporting.export(stocked, "cocoa", tmp_path / "labels.json")
