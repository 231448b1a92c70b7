"""Names that try to be code: of tags, files, people, comments and definitions. On no page does anything run.

And requests that try to be more than they may: addresses that lead out, uploads without an end.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Dialog
from sqlalchemy import select

from annotator.services import comments, embedding, labelling, picking, suggesting, training, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.vocabulary_changes import make
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.ui.app import OPTIONS
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


@pytest.mark.parametrize(
    "up", ["../../../", "..%2f..%2f..%2f", "%2e%2e/%2e%2e/%2e%2e/", "..%5c..%5c", "%252e%252e%252f", "//"]
)
def test_no_address_of_the_server_leads_to_its_files(hostile: Served, up: str) -> None:
    """Sent as they are: a browser would tidy them first."""
    secret = hostile.workspace.secret
    for start in ("", "api/ui/", "api/pictures/320/", "api/exports/", "static/", "media/", "component/", "app/static/",
                  "_stcore/bidi-components/", "_stcore/upload_file/", "invitation/"):  # fmt: skip
        for file in ("workspace/secret.key", "secret.key", "pyproject.toml", "etc/passwd"):
            with closing(HTTPConnection("127.0.0.1", hostile.port, timeout=20)) as connection:
                connection.request("GET", f"/{start}{up}{file}")
                body = connection.getresponse().read().decode(errors="replace")
            assert secret not in body and "[build-system]" not in body and "root:" not in body


def test_an_upload_beyond_the_limit_is_refused_by_the_server_too(browser: Browser, hostile: Served) -> None:
    most = int(OPTIONS["server.maxUploadSize"]) << 20
    with browser.new_context() as context:
        page = context.new_page()
        hostile.open(page, "search")
        chooser = page.locator("[data-testid=stFileUploaderDropzoneInput]")
        with page.expect_request(lambda request: request.method == "PUT") as sent:
            chooser.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
        page.get_by_text("x.png: ").wait_for()
        token = {"X-Xsrftoken": sent.value.headers["x-xsrftoken"]}
        token["Cookie"] = "; ".join(f"{one['name']}={one['value']}" for one in context.cookies())

        def status(headers: dict[str, str], size: int, url: str = urlsplit(sent.value.url).path) -> int:
            return upload(hostile.port, url, {**token, **headers}, size)

        assert status({}, most) == 204
        assert status({"Content-Length": str(most + 1)}, 0) == 413
        assert status({}, most + (2 << 20)) == 413
        assert status({"Content-Length": "many"}, 0) == 400
        assert status({"Cookie": ""}, 10) == 403
        assert status({}, 10, "/_stcore/upload_file/nobody/x") == 400


def upload(port: int, url: str, headers: dict[str, str], size: int) -> int:
    """The status of an upload of `size` bytes that does not say beforehand how long it is, unless `headers` do."""

    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
        for start in range(0, size, 1 << 20):
            yield bytes(min(1 << 20, size - start))
        yield b"\r\n--b--\r\n"

    announced = {"Content-Type": "multipart/form-data; boundary=b", **headers}
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # what is too long is not waited for
            connection.request("PUT", url, None if "Content-Length" in headers else body(), announced)
        return connection.getresponse().status
