"""Bad labels files brought to a workspace: a file refused as a whole leaves no trace, of another the good is kept."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotator.errors import BadInputError
from annotator.services.importing_records import ImportOptions, import_records
from annotator.settings import Settings
from annotator.workspace import Workspace
from db.models import ImageFile
from tests.importers.labels.bad import BAD
from tests.importers.labels.bad.base import Content, write
from tests.importers.labels.bad.good import GOOD
from tests.services.worlds import make_world

FOLDERS = ("", "val2017/", "set/cat/", "set/train/cat/", "set/images/")
"""Where the good files of the formats look for a.jpg."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two images that every good file names, without a tag. The labels files lie beside the workspace."""
    folder = tmp_path_factory.mktemp("world")
    with Workspace.create(folder / "workspace", Settings(device="cpu", workers=2)) as made:
        make_world(made, 2, tags=())
        with made.transaction() as session:
            for row, name in enumerate("ab"):
                uris = [f"{folder.as_posix()}/{where}{name}.jpg" for where in FOLDERS]
                session.add_all([ImageFile(uri=uri, image_row=row) for uri in uris])
        yield made


def placed(world: Workspace, format: str, content: Content) -> Path:
    """The labels file, in the place of the one before."""
    path = world.folder.parent / GOOD[format][0]
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return write(path, content)


def everything(world: Workspace) -> tuple[list[str], list[tuple[Path, bytes]]]:
    """All rows of all tables, and all other files."""
    database = world.folder / "store.sqlite"
    with sqlite3.connect(database) as connection:
        rows = list(connection.iterdump())
    connection.close()
    files = [path for path in sorted(world.folder.rglob("*")) if path.is_file() and database.name not in path.name]
    return rows, [(path, path.read_bytes()) for path in files]


@pytest.mark.parametrize("format", BAD)
def test_a_file_refused_as_a_whole_leaves_no_trace_of_itself(world: Workspace, format: str) -> None:
    options = ImportOptions(format, add_tags=True)
    before = everything(world)
    for bad in BAD[format].values():
        if bad.whole:
            path = placed(world, format, bad.content)
            with pytest.raises(BadInputError):
                import_records(world, path, options)
    assert everything(world) == before


@pytest.mark.parametrize("format", BAD)
def test_of_a_file_with_one_bad_entry_the_good_ones_are_imported(world: Workspace, format: str) -> None:
    bad = next(bad for bad in BAD[format].values() if not bad.whole)
    report = import_records(world, placed(world, format, bad.content), ImportOptions(format, add_tags=True))
    assert report.images >= 1
    assert report.labels["positive"] >= 1
    assert report.written + report.unchanged >= 1
    assert report.refused_count >= 1
    assert all("; " in one for one in report.refused)
