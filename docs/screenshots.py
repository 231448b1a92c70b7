"""Pictures of every page in light and dark for docs/tour.md: python -m docs.screenshots [FOLDER]."""

import sys
import tempfile
from pathlib import Path

from PIL import Image as Picture
from playwright.sync_api import Page
from sqlalchemy import select

from annotator.learning.queries import DEFAULT
from annotator.services import labelling, picking, replaying, rounds, training
from annotator.services.demo import make_demo
from annotator.services.scripted import answer_from_truth, answer_tag_from_truth, read_truth
from annotator.settings import Settings
from annotator.terms import LabelState
from annotator.ui.menu import MENU
from annotator.workspace import Workspace
from benchmarks.serving import Server, app, chromium
from db.models import Label

SIZE = {"width": 1360, "height": 850}
QUALITY = 72


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        make_demo(folder)
        with Workspace.open(folder, Settings()) as workspace:
            _fill(workspace)
        with app(folder) as server, chromium() as browser:
            for scheme in ("light", "dark"):
                for page_name in MENU:
                    context = browser.new_context(viewport=SIZE, color_scheme=scheme)
                    _take(context.new_page(), server, page_name, out / f"{page_name}-{scheme}.webp")
                    context.close()


def _fill(workspace: Workspace) -> None:
    """What makes each page worth looking at: some work of one's own, a replay, and a round that waits for audits."""
    truth = read_truth(workspace, workspace.folder / "scenes" / "labels.csv")
    picking.refill(workspace, 200)
    answer_from_truth(workspace, truth, Settings().name, 200)
    training.train(workspace)
    replaying.replay_workspace(workspace, replaying.recipes_of([DEFAULT, "diversity", "margin"]))
    rounds.propose(workspace, Settings().name, whole_images=0)
    for tag_id in truth.tag_ids[:6]:
        answer_tag_from_truth(workspace, truth, Settings().name, tag_id, 30)
    _second_opinions(workspace)


def _second_opinions(workspace: Workspace) -> None:
    """Somebody who sees a little otherwise, so that there is something to review."""
    with workspace.reading() as session:
        said = session.execute(select(Label.image_row, Label.tag_id, Label.state).order_by(Label.id)).all()
    turned = {place for place in range(len(said)) if place % 40 == 7}
    labelling.set_labels(
        workspace, "Anna",
        [(row, tag, LabelState(1 - state) if place in turned else state)
         for place, (row, tag, state) in enumerate(said) if state != LabelState.UNKNOWN],
    )  # fmt: skip


def _take(page: Page, server: Server, name: str, file: Path) -> None:
    page.goto(f"{server.base}/{'' if name == 'home' else name}")
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    if name == "search":
        page.get_by_label("Tag", exact=True).fill("boat")
        page.keyboard.press("Enter")
    if name == "label":
        page.locator("[data-part=picture]:visible").first.wait_for()
    if name == "review":
        page.locator(".votes tr").first.wait_for()
    if name in ("verify", "search", "clusters"):
        page.locator(".cell").first.wait_for()
        page.wait_for_timeout(2000)
        for place in (3, 4, 9):
            page.locator(".cell").nth(place).click()
        page.mouse.move(1, 1)
    page.wait_for_timeout(2500)
    raw = file.with_suffix(".png")
    page.screenshot(path=raw)
    with Picture.open(raw) as picture:
        picture.convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    raw.unlink()


if __name__ == "__main__":
    main()
