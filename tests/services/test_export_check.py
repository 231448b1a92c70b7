from pathlib import Path

import pytest

from annotator.errors import BadInputError, UnknownNameError
from annotator.exporters import EXPORTERS
from annotator.services import exporting, labelling
from annotator.services.export_check import READERS, check
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags

YES, NO, UNKNOWN = LabelState.POSITIVE, LabelState.NEGATIVE, LabelState.UNKNOWN
FORMATS = ("coco", "json", "jsonl", "csv", "parquet")


@pytest.fixture
def stocked(workspace: Workspace) -> Workspace:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "=car"])
    labelling.set_labels(workspace, "anna", [(0, 1, YES), (0, 2, NO), (1, 1, UNKNOWN), (2, 2, YES)])
    return workspace


def made(workspace: Workspace, folder: Path, format: str) -> Path:
    file = folder / f"labels{EXPORTERS[format].suffix}"
    exporting.export(workspace, format, file)
    return file


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_just_made_agrees_with_the_store(stocked: Workspace, tmp_path: Path, format: str) -> None:
    report = check(stocked, made(stocked, tmp_path, format))
    assert report["labels"] == {"agree": 4}
    assert report["tags"] == []
    assert report["same"] == (format != "csv")  # which names no snapshot


@pytest.mark.parametrize("format", FORMATS)
def test_what_changed_since_is_told_tag_by_tag(stocked: Workspace, tmp_path: Path, format: str) -> None:
    file = made(stocked, tmp_path, format)
    labelling.set_labels(stocked, "anna", [(0, 1, NO), (3, 1, YES)])
    report = check(stocked, file)
    assert report["labels"] == {"agree": 3, "differ": 1, "only in the store": 1}
    assert report["tags"] == [{"tag": "boat", "differ": 1, "only in the file": 0, "only in the store": 1}]
    assert not report["same"]


@pytest.mark.parametrize("format", FORMATS)
def test_images_of_another_workspace_are_only_in_the_file(stocked: Workspace, tmp_path: Path, format: str) -> None:
    file = made(stocked, tmp_path, format)
    with Workspace.create(tmp_path / "other") as other:
        report = check(other, file)
    assert report["images"]["only in the file"] == (3 if format == "csv" else 4)
    assert report["labels"] == {"only in the file": 4}


@pytest.mark.parametrize("suffix", READERS)
def test_a_file_of_something_else_is_refused(stocked: Workspace, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x{suffix}").write_text("{}\nnothing\n")
    with pytest.raises(BadInputError, match="no"):
        check(stocked, tmp_path / f"x{suffix}")


def test_another_ending_names_those_that_can_be_checked(stocked: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"\.parquet"):
        check(stocked, tmp_path / "x.xml")
