"""The served app as a person sees it: a workspace of the committed pictures, its server, its pages."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page
from sqlalchemy import delete, select, update

from annotator.services import embedding, labelling, picking, suggesting, training, vocabulary
from annotator.services.importing import import_pictures
from annotator.services.people import annotator_called
from annotator.services.scripted import answer_from_truth, read_truth
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.workspace import Workspace
from benchmarks.serving import APP, Server, until
from db.models import Annotator, Label, Relation, Submission, Tag

PERSON = "me"
ANSWERED = 30
PATIENCE = 20.0


def make_workspace(folder: Path, scenes: Path) -> Workspace:
    """Drawn scenes, embedded, partly answered, trained once; no training starts by itself."""
    workspace = Workspace.create(folder, Settings(device="cpu", workers=1))
    vocabulary.add_from_file(workspace, scenes / "tags.yaml")
    import_pictures(workspace, [scenes / "images"])
    embedding.embed(workspace)
    picking.refill(workspace, ANSWERED, "random")
    answer_from_truth(workspace, read_truth(workspace, scenes / "labels.csv"), "sample annotator", ANSWERED)
    training.train(workspace)
    suggesting.refresh(workspace)
    picking.refill(workspace)
    workspace.change_project(retrain_images=10_000)
    differ(workspace)
    with workspace.transaction() as session:
        annotator_called(session, PERSON)
        # A key changes one tag; what follows from others has tests of its own.
        session.execute(delete(Relation))
        session.execute(update(Tag).values(parent_id=None))
    return workspace


def differ(workspace: Workspace) -> None:
    """Somebody who sees two labels otherwise: there is something to review."""
    with workspace.reading() as session:
        said = session.execute(select(Label.image_row, Label.tag_id, Label.state).order_by(Label.id).limit(2)).all()
    labelling.set_labels(workspace, "second annotator", [(row, tag, LabelState(1 - state)) for row, tag, state in said])


@contextmanager
def serving(workspace: Workspace) -> "Iterator[Served]":
    """The app on `workspace`, until the block ends."""
    served = Served(workspace)
    served.start()
    try:
        yield served
    finally:
        served.end(signal.SIGKILL)


class Served(Server):
    """The app on a workspace, and what its store holds."""

    def __init__(self, workspace: Workspace, environment: dict[str, str] | None = None) -> None:
        super().__init__(*APP, "-w", str(workspace.folder), "--port", "{port}", environment=environment)
        self.workspace = workspace

    def open(self, page: Page, name: str) -> None:
        page.goto(f"{self.base}/{name}")
        page.locator("[data-testid=stMainBlockContainer]").wait_for()

    # The store

    def submissions(self) -> list[tuple[str, int, str | None]]:
        """(client, seq, problem) of everything the person sent, as stored."""
        query = select(Submission.client, Submission.seq, Submission.problem).join(Annotator)
        with self.workspace.reading() as session:
            found = session.execute(query.where(Annotator.name == PERSON).order_by(Submission.id)).all()
        return [tuple(row) for row in found]

    def labels(self, row: int) -> dict[int, int]:
        """The person's states by tag id on one image."""
        query = select(Label.tag_id, Label.state).join(Annotator)
        with self.workspace.reading() as session:
            found = session.execute(query.where(Annotator.name == PERSON, Label.image_row == row)).all()
        return {tag: int(state) for tag, state in found}


class LabelPage:
    """The Label page by its keys, and what is on the screen."""

    def __init__(self, page: Page, served: Served, name: str = "label") -> None:
        self.page = page
        served.open(page, name)
        self.painted()

    def painted(self) -> int:
        """Wait for the picture; its row."""
        picture = self.page.locator(".stage img[data-part=picture]:not([hidden])")
        picture.wait_for()
        until(lambda: picture.evaluate("image => image.complete && image.naturalWidth > 0"))
        return int(str(picture.get_attribute("src")).rsplit("/", 1)[1])

    def chip(self, place: int) -> Locator:
        return self.page.locator(".chip").nth(place)

    def states(self) -> dict[int, int]:
        script = "chips => chips.map((chip) => [Number(chip.dataset.tag), chip.ariaPressed])"
        pressed = {"true": 1, "false": 0, "mixed": -1}
        return {tag: pressed[state] for tag, state in self.page.locator(".chip").evaluate_all(script)}

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, *keys: str) -> tuple[int, dict[int, int]]:
        """Press `keys`, accept; the row and the states that were on the screen."""
        row = self.painted()
        self.press(*keys)
        states = self.states()
        self.press("Enter")
        return row, states

    def saved(self) -> None:
        until(lambda: "saved" in self.status())

    def status(self) -> str:
        return str(self.page.locator("[data-part=status]").text_content())


class VerifyPage:
    """The Verify page on one tag, its pictures painted."""

    def __init__(self, page: Page, served: Served, tag: str) -> None:
        self.page = page
        served.open(page, "verify")
        page.locator(".cell").first.wait_for()
        self.choose(tag)

    def choose(self, tag: str) -> None:
        question = self.page.locator(".question", has_text=f": {tag}")
        if not question.count():
            self.page.get_by_role("combobox", name="Choose a tag").fill(tag)
            self.page.locator("[role=option]", has_text=tag).first.wait_for()
            self.page.keyboard.press("Enter")
        question.wait_for()
        self.painted()
        self.page.locator(".cell").first.and_(self.page.locator(":focus")).wait_for()  # the keys are the cells' again

    def painted(self) -> None:
        images = self.page.locator(".cell img")
        images.first.wait_for()
        until(lambda: images.evaluate_all("all => all.length && all.every((one) => one.naturalWidth)"))

    def rows(self) -> list[int]:
        script = "all => all.map((one) => Number(one.src.split('/').at(-1)))"
        return list(self.page.locator(".cell img").evaluate_all(script))

    def exceptions(self) -> list[bool]:
        return list(self.page.locator(".cell").evaluate_all("all => all.map((one) => one.ariaPressed === 'true')"))

    def status(self) -> str:
        return str(self.page.locator("[data-part=status]").text_content())


def tag_id(served: Served, name: str) -> int:
    tags = vocabulary.browser_list(served.workspace)["tags"]
    return next(int(number) for number, tag, _ in tags if tag == name)
