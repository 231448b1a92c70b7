"""The Import page carries out the preview that is on the screen, and no other."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from annotator.jobs import Job
from annotator.services import arriving
from annotator.services.image_facts import names_of
from annotator.services.import_options import ImportOptions
from annotator.terms import JobState
from annotator.ui import label_import
from annotator.workspace import Workspace
from tests.pages.conftest import Opened
from tests.pages.test_pages import ROOT, SECONDS, words
from tests.services.rows import add_images, add_tags

Asked = list[dict[str, Any]]


@pytest.fixture
def previewed(
    workspace: Workspace,
    serve: Opened,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[Callable[..., None], Asked]:
    """What makes a preview of some tags the newest one, and what the worker is asked for."""
    add_images(workspace, 2)
    add_tags(workspace, ["boat", "car"])
    serve(workspace)
    asked: Asked = []
    newest: list[Job] = []

    def ask(_visit: Any, kind: str, **arguments: Any) -> bool:
        asked.append({"kind": kind, **arguments})
        return True

    def preview(tags: str, **options: Any) -> None:
        with workspace.reading() as session:
            name = names_of(session, [0])[0]
        file = arriving.keep(workspace, [(f"{len(newest)}.csv", f"file,labels\n{name},{tags}\n".encode())])[0]
        report = arriving.import_arrived(workspace, file, ImportOptions(preview=True, **options), {"ship": "boat"})
        newest.append(
            Job(f"job {len(newest)}", "import_labels", JobState.DONE, 0, 0, "", report, None, datetime.now(UTC), False)
        )

    monkeypatch.setattr(label_import, "ask", ask)
    monkeypatch.setattr(label_import, "last_done", lambda *_: newest[-1] if newest else None)
    return preview, asked


def page() -> AppTest:
    app = AppTest.from_file(str(ROOT / "pages" / "import.py"), default_timeout=SECONDS).run()
    assert not app.exception
    return app


def button(app: AppTest, label: str) -> Any:
    return next(button for button in app.button if button.label == label)


def test_the_import_is_the_preview_on_the_screen_with_its_table_and_options(
    previewed: tuple[Callable[..., None], Asked],
) -> None:
    preview, asked = previewed
    preview("ship|vessel|car")
    app = page()
    assert "nothing is written yet" in words(app)
    button(app, "Import these labels").click().run()
    assert not app.exception
    assert len(asked) == 1 and asked[0]["kind"] == "import_labels" and asked[0]["table"] == {"ship": "boat"}
    assert asked[0]["options"]["preview"] is False and asked[0]["options"]["complete"] is False
    assert asked[0]["path"].endswith("0.csv")


def test_a_press_does_not_carry_out_a_preview_that_came_meanwhile(previewed: tuple[Callable[..., None], Asked]) -> None:
    preview, asked = previewed
    preview("ship")
    app = page()
    pressed = button(app, "Import these labels")
    preview("ship|car")
    pressed.click().run()
    assert not app.exception and asked == []


def test_other_choices_than_those_of_the_preview_have_to_be_looked_at_first(
    previewed: tuple[Callable[..., None], Asked],
) -> None:
    preview, asked = previewed
    preview("ship")
    app = page()
    next(box for box in app.checkbox if box.label == "What an image does not list is absent").check().run()
    assert button(app, "Import these labels").disabled
    assert "others than those of this preview" in words(app)
    button(app, "Preview again").click().run()
    assert asked[0]["options"]["complete"] is True and asked[0]["options"]["preview"] is True
