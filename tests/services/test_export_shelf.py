import zipfile

import pytest

from annotator.errors import MissingError
from annotator.services import export_shelf, labelling
from annotator.terms import LabelState
from annotator.workspace import Workspace
from tests.services.rows import add_images, add_tags


@pytest.fixture
def stocked(workspace: Workspace) -> Workspace:
    add_images(workspace, 4)
    add_tags(workspace, ["boat", "car"])
    labelling.set_labels(workspace, "anna", [(0, 1, LabelState.POSITIVE)])
    return workspace


def test_an_export_lies_on_the_shelf_until_it_is_discarded(stocked: Workspace) -> None:
    made = export_shelf.make(stocked, "jsonl")
    assert export_shelf.listed(stocked) == [made]
    file = export_shelf.file_of(stocked, made["name"])
    assert file.stat().st_size == made["bytes"]
    export_shelf.discard(stocked, made["name"])
    assert export_shelf.listed(stocked) == []
    assert list(file.parent.iterdir()) == []


def test_a_folder_becomes_one_file_to_fetch(stocked: Workspace) -> None:
    made = export_shelf.make(stocked, "fiftyone")
    with zipfile.ZipFile(export_shelf.file_of(stocked, made["name"])) as archive:
        assert {"metadata.json", "samples.json", "reconcile.json"} <= set(archive.namelist())
    assert len(list((stocked.folder / "exports").iterdir())) == 2


def test_the_newest_come_first_and_old_ones_go(stocked: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_shelf, "KEPT", 2)
    made = [export_shelf.make(stocked, format)["name"] for format in ("csv", "json", "coco")]
    assert [entry["name"] for entry in export_shelf.listed(stocked)] == made[:0:-1]
    with pytest.raises(MissingError):
        export_shelf.file_of(stocked, made[0])


@pytest.mark.parametrize("name", ["../workspace.json", "", ".", "other.csv", "workspace.json"])
def test_only_what_lies_on_the_shelf_is_given_out(stocked: Workspace, name: str) -> None:
    export_shelf.make(stocked, "csv")
    with pytest.raises(MissingError, match="there is no export"):
        export_shelf.file_of(stocked, name)
