"""Names that try to be code: of tags, files, people, comments and definitions. On no page does anything run."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog
from sqlalchemy import select

from annotator.services import comments, embedding, labelling, picking, suggesting, training, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.vocabulary_changes import make
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.ui.menu import MENU
from annotator.workspace import Workspace
from db.models import Image, Tag
from tests.ui.app import Served, serving

pytestmark = pytest.mark.browser

SCRIPT = "<img src=x onerror=\"window.hacked='{}'\">"
HOSTILE = [
    SCRIPT.format("image"),
    "<script>window.hacked='script'</script>",
    "\"><svg onload=window.hacked='svg'>",
    "'-alert(1)-'",
    "[click](javascript:window.hacked='link')",
    "{{constructor.constructor('window.hacked=1')()}}",
    '=HYPERLINK("http://evil.example")',
]


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Iterator[Served]:
    """A workspace all of whose names are hostile, half answered and trained."""
    folder = tmp_path_factory.mktemp("hostile")
    pictures = folder / "pictures"
    pictures.mkdir()
    for number, file in enumerate(sorted((samples / "images").glob("*"))):
        name = HOSTILE[number % len(HOSTILE)].replace("/", "∕")[:80]
        shutil.copy(file, pictures / f"{name}{number}{file.suffix}")
    with Workspace.create(folder / "workspace", Settings(device="cpu", workers=1)) as workspace:
        with workspace.transaction() as session:
            vocabulary.add_names(session, HOSTILE)
            for tag in session.scalars(select(Tag)):
                tag.definition, tag.synonyms = SCRIPT.format("definition"), [SCRIPT.format("synonym")]
        import_pictures(workspace, [pictures])
        embedding.embed(workspace)
        with workspace.reading() as session:
            rows = list(session.scalars(select(Image.row).order_by(Image.row)))
            tags = list(session.scalars(select(Tag.id).order_by(Tag.id)))
        for person, shift in ((HOSTILE[0], 0), (HOSTILE[2], 1)):
            states = (LabelState.NEGATIVE, LabelState.POSITIVE)
            answers = [
                (row, tag, states[(row + tag + shift * (row % 3 == 0)) % 2]) for row in rows[:30] for tag in tags
            ]
            labelling.set_labels(workspace, person, answers)
        comments.add(workspace, HOSTILE[0], rows[0], SCRIPT.format("comment"), None)
        make(workspace, HOSTILE[0], "describe", tag=HOSTILE[1], definition=SCRIPT.format("changed"))
        training.train(workspace)
        suggesting.refresh(workspace)
        picking.refill(workspace)
        with serving(workspace) as served:
            yield served


@pytest.mark.parametrize("name", MENU)
def test_nothing_that_a_name_holds_is_run(browser: Browser, hostile: Served, name: str) -> None:
    talked: list[str] = []

    def note(dialog: Dialog) -> None:
        talked.append(dialog.message)
        dialog.dismiss()

    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        page = context.new_page()
        page.on("dialog", note)
        hostile.open(page, "" if name == "home" else name)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        page.wait_for_timeout(1000)
        assert page.evaluate("window.hacked") is None
        assert not page.locator("a[href^='javascript:']").count()
        assert not page.locator("img[src='x'], script:text('hacked')").count()
    assert not talked
