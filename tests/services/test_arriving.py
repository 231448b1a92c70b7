"""What comes in by the browser lies safely in the workspace; paths lead nowhere they should not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.errors import AnnotatorError, ForbiddenError, MissingError, UsageError
from annotator.services import accounts, arriving
from annotator.services.image_facts import names_of
from annotator.services.import_options import ImportOptions
from annotator.settings import Settings
from annotator.terms import Role
from annotator.workspace import Workspace
from db.models import Label
from tests.services.rows import add_images, add_tags

pytestmark = pytest.mark.usefixtures("cheap_hashes")
HOSTILE = [
    "../../etc/passwd",
    "..\\..\\boot.ini",
    ".hidden",
    "",
    "...",
    "a" * 400 + ".jpg",
    "a\0b.jpg",
    "é" * 200 + ".jpg",
    " ",
]


@pytest.fixture
def shared(workspace: Workspace, tmp_path: Path) -> Path:
    """A folder that admins may import from, once people sign in."""
    folder = tmp_path / "shared"
    (folder / "inside").mkdir(parents=True)
    workspace.settings = Settings(import_from=f"{tmp_path / 'other'}, {folder}")
    accounts.add(workspace, "Ada", Role.ADMIN, "correct horse")
    return folder


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.create(tmp_path_factory.mktemp("uploads") / "workspace") as workspace:
        yield workspace


@settings(deadline=None)  # each file is written for good
@given(st.lists(st.tuples(st.text() | st.sampled_from(HOSTILE), st.binary(max_size=20)), min_size=1, max_size=6))
def test_uploads_of_any_name_are_kept_whole_and_apart_inside_the_workspace(
    receiving: Workspace, uploads: list[tuple[str, bytes]]
) -> None:
    kept = arriving.keep(receiving, uploads)
    assert arriving.keep(receiving, uploads) == kept
    assert [file.read_bytes() for file in kept] == [content for _, content in uploads]
    assert len({file.parent for file in kept}) == 1 and kept[0].parent.parent == receiving.folder / "arrivals"
    assert sorted(kept[0].parent.iterdir()) == sorted(kept)


def test_names_that_file_systems_take_stay_as_they_are(workspace: Workspace) -> None:
    names = ["IMG 01 (2).jpg", "#boat's [a]%.jpg", "žluťoučký.png", "boat.JPG", "boat.jpg"]
    kept = arriving.keep(workspace, [(name, name.encode()) for name in names])
    assert [file.name for file in kept] == [*names[:4], "boat (2).jpg"]


def test_nothing_uploaded_is_told(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="choose files"):
        arriving.keep(workspace, [])


def test_one_person_alone_may_read_what_the_machine_holds(workspace: Workspace, tmp_path: Path) -> None:
    assert arriving.reachable(workspace, f" {tmp_path} ") == str(tmp_path)
    assert arriving.reachable(workspace, "s3://bucket/shots") == "s3://bucket/shots"


@pytest.mark.parametrize("path", ["", "  ", "a\0b", "~nobody-of-that-name/x", "x" * 5000])
def test_what_is_no_path_is_told(workspace: Workspace, path: str) -> None:
    with pytest.raises(UsageError):
        arriving.reachable(workspace, path)


def test_a_path_that_leads_nowhere_is_told(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="does not exist"):
        arriving.reachable(workspace, str(tmp_path / "nowhere"))


def test_where_people_sign_in_only_named_folders_are_read(workspace: Workspace, shared: Path) -> None:
    ada = workspace.acting_for("Ada")
    assert arriving.reachable(ada, f"{shared}/inside") == str(shared / "inside")
    (shared / "out").symlink_to("/etc")
    outside = [
        "/etc/passwd",
        f"{shared}/../..",
        f"{shared}/out/passwd",
        f"{shared}-more",
        "http://10.0.0.1/",
        "file:///etc",
    ]
    (shared / "list.csv").write_text("file\n/etc/passwd\n")
    with pytest.raises(ForbiddenError, match="name the folder"):
        arriving.reachable(ada, f"{shared}/list.csv", pictures=True)
    for path in [*outside, str(arriving.keep(ada, [("list.csv", b"file\n/etc/passwd\n")])[0])]:
        with pytest.raises(ForbiddenError, match="ANNOTATOR_IMPORT_FROM"):
            arriving.reachable(ada, path)


def test_the_workspace_itself_is_no_place_to_import_from(workspace: Workspace, shared: Path) -> None:
    """What was uploaded as labels must not come back as a list of pictures."""
    workspace.settings = Settings(import_from=str(workspace.folder.parent))
    ada = workspace.acting_for("Ada")
    uploaded = arriving.keep(ada, [("list.csv", b"file\n/etc/passwd\n")])[0]
    for pictures in (True, False):
        with pytest.raises(ForbiddenError):
            arriving.reachable(ada, str(uploaded), pictures=pictures)
    assert arriving.reachable(ada, str(shared)) == str(shared)


def test_a_table_of_the_page_says_which_tag_is_which(workspace: Workspace) -> None:
    add_images(workspace, 2)
    add_tags(workspace, ["boat", "car"])
    with workspace.reading() as session:
        first, second = names_of(session, [0, 1]).values()
    text = f'file,labels\n{first},"ship|""odd"", name"\n{second},car\n'
    file = arriving.keep(workspace, [("labels.csv", text.encode())])[0]
    table = {"ship": "boat", '"odd", name': ""}
    preview = arriving.import_arrived(workspace, file, ImportOptions(preview=True), table)
    assert {tag["name"]: tag["to"] for tag in preview["tags"]} == {"ship": "boat", '"odd", name': "", "car": "car"}
    assert preview["table"] == table and preview["options"]["mapping"] is None
    options = ImportOptions(**{**preview["options"], "preview": False})
    report = arriving.import_arrived(workspace, Path(preview["path"]), options, preview["table"])
    with workspace.reading() as session:
        assert session.query(Label).count() == report["written"] == 2


def test_a_table_that_names_no_tag_imports_nothing(workspace: Workspace) -> None:
    add_images(workspace, 1)
    add_tags(workspace, ["boat"])
    file = arriving.keep(workspace, [("labels.csv", b"file,labels\n0.jpg,ship\n")])[0]
    with pytest.raises(AnnotatorError, match="vessel"):
        arriving.import_arrived(workspace, file, ImportOptions(), {"ship": "vessel"})
    with workspace.reading() as session:
        assert not session.query(Label).count()
