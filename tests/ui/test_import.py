"""A project begun in the browser alone: pictures and labels of another tool come in through the Import page."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page
from sqlalchemy import select

from annotator.services.image_facts import image_count
from annotator.settings import Settings
from annotator.workspace import Workspace
from benchmarks.serving import until
from db.models import Label, Tag
from tests.ui.app import Served, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def empty(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("empty") / "workspace"
    with Workspace.create(folder, Settings(device="cpu", workers=1)) as workspace, serving(workspace) as served:
        yield served


def stored(served: Served) -> dict[tuple[int, str], int]:
    """State by image and tag."""
    with served.workspace.reading() as session:
        found = session.execute(select(Label.image_row, Tag.name, Label.state).join(Tag, Tag.id == Label.tag_id)).all()
    return {(row, name): int(state) for row, name, state in found}


def upload(page: Page, place: int) -> Locator:
    """The field for files, once the page that shows it is drawn to its end: nobody picks a file within that moment."""
    field = page.locator("input[type=file]").nth(place)
    field.wait_for(state="attached")
    page.wait_for_timeout(500)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    return field


def test_a_project_begins_with_uploads_and_goes_on_with_the_labels_of_another_tool(
    page: Page, empty: Served, scenes: Path, tmp_path: Path
) -> None:
    pictures = sorted((scenes / "images").iterdir())[:3]
    instances = {
        "images": [{"id": number, "file_name": file.name} for number, file in enumerate(pictures)],
        "categories": [{"id": 1, "name": "boat"}, {"id": 2, "name": "<b>car</b>"}],
        "annotations": [{"id": 1, "image_id": 0, "category_id": 1}, {"id": 2, "image_id": 2, "category_id": 2}],
    }
    labels = tmp_path / "instances.json"
    labels.write_text(json.dumps(instances))
    page.goto(empty.base)
    page.get_by_role("link", name="Import pictures").click()
    page.get_by_text("import them first").wait_for()
    page.get_by_text("from this browser").click()
    upload(page, 0).set_input_files([*pictures, pictures[0]])
    page.get_by_role("button", name="Import the pictures").click()
    page.get_by_text("The last import: 3 added, 0 there already, 1 with the content").wait_for(timeout=90_000)
    with empty.workspace.reading() as session:
        assert image_count(session) == 3

    page.get_by_text("from this browser").nth(1).click()
    upload(page, 1).set_input_files(labels)
    page.get_by_text("instances.json").wait_for()
    page.get_by_text("What an image does not list is absent").click()
    page.get_by_role("button", name="Preview", exact=True).click()
    page.get_by_text("Preview of instances.json, as coco: nothing is written yet").wait_for(timeout=90_000)
    assert stored(empty) == {}
    page.get_by_role("button", name="Import these labels").click()
    page.get_by_text("instances.json was imported, as coco").wait_for(timeout=90_000)
    told = stored(empty)
    assert len(told) == 6 and {pair for pair, state in told.items() if state == 1} == {(0, "boat"), (2, "<b>car</b>")}
    page.get_by_role("link", name="Home").first.click()
    until(lambda: page.get_by_text("Answer some pictures").count() or page.get_by_text("Label more").count())


def test_what_cannot_be_imported_is_told_where_it_was_tried(page: Page, empty: Served, tmp_path: Path) -> None:
    empty.open(page, "import")
    path = page.get_by_role("textbox", name="Folder, picture, archive, list or URL")
    path.fill(str(tmp_path / "nowhere"))
    path.press("Enter")
    page.get_by_role("button", name="Import the pictures").click()
    page.get_by_text("does not exist on the server's machine").wait_for()
