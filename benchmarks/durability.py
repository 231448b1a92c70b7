"""Not one answer lost, none doubled: python -m benchmarks.durability [--quick].

A script labels in a real Chromium at 20 answers a second while the server is killed with `kill -9` and started again
and the network is cut, each at random moments. Then the store is compared with what the script pressed: every answer
once, in its order, with its states. A key on a picture that has not arrived is refused by the app and pressed again;
it is no answer.
"""

import argparse
import random
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from sqlalchemy import select

from annotator.services import picking, vocabulary
from annotator.services.importing import import_pictures
from annotator.settings import Settings
from annotator.workspace import Workspace
from benchmarks import report
from benchmarks.serving import Server, app, chromium, until
from data_samples.scenes import write_scenes
from db.models import JournalEntry, Submission

PICTURES = 3000
TAGS = 6
A_SECOND = 20
CUT_SECONDS = (0.5, 3.0)
STALLED_SECONDS = 120
PERSON = "me"


class Wire:
    """A TCP proxy that can be cut: connections end and new ones are refused until it is mended."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.is_cut = False
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def _accept(self) -> None:
        while True:
            near, _ = self.listener.accept()
            try:
                if self.is_cut:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self.to_port), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            # Before the first thread, which may close both at once.
            self.open |= {near, far}
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, here: socket.socket, there: socket.socket) -> None:
        with suppress(OSError):
            while data := here.recv(65_536):
                there.sendall(data)
        for one in (here, there):
            self.open.discard(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@dataclass
class Troubles:
    """Kills and cuts at random moments between the answers, in a thread of their own."""

    server: Server
    wire: Wire
    plan: list[str]
    seconds: float
    rng: random.Random
    kills: int = 0
    cuts: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        for trouble in self.plan:
            time.sleep(self.rng.uniform(0.2, 1.8) * self.seconds)
            if trouble == "kill":
                self.server.end(signal.SIGKILL)
                time.sleep(self.rng.uniform(0, 1))
                self.server.start()
                self.kills += 1
            else:
                self.wire.cut()
                time.sleep(self.rng.uniform(*CUT_SECONDS))
                self.wire.mend()
                self.cuts += 1
        self.ended.set()


def run(workspace: Workspace, browser: Browser, answers: int, troubles: int, seed: int = 0) -> dict[str, Any]:
    """Label `answers` pictures through `troubles` kills and as many cuts; what was sent, stored, lost and doubled."""
    rng = random.Random(seed)
    server = app(workspace.folder)
    with server:
        wire = Wire(server.port)
        plan = ["kill", "cut"] * troubles
        rng.shuffle(plan)
        trouble = Troubles(server, wire, plan, answers / A_SECOND / max(1, len(plan)) / 2, rng)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"http://127.0.0.1:{wire.port}/label")
        page.locator(".chip").first.wait_for(timeout=60_000)
        threading.Thread(target=trouble.run, daemon=True).start()
        began = time.monotonic()
        said = _label(page, answers, rng, trouble)
        seconds = time.monotonic() - began
        until(trouble.ended.is_set, 300)
        until(lambda: _saved(page), 120)
    return {**_compared(workspace, said), "kills": trouble.kills, "cuts": trouble.cuts, "seconds": round(seconds, 1)}


def _saved(page: Page) -> bool:
    return str(page.locator("[data-part=status]").text_content()).startswith("saved")


def _label(page: Page, answers: int, rng: random.Random, trouble: Troubles) -> list[dict[str, Any]]:
    """Press until so many were accepted and all troubles are over; (row, states) of each, as on the screen."""
    said: list[dict[str, Any]] = []
    last = time.monotonic()
    while len(said) < answers or not trouble.ended.is_set():
        began = time.monotonic()
        if began - last > STALLED_SECONDS:
            raise TimeoutError(f"no answer was accepted for {STALLED_SECONDS} s; {len(said)} were before")
        page.keyboard.press(str(rng.randint(1, TAGS)))
        shown = _screen(page)
        page.keyboard.press("Enter")
        if shown and _here(page) > shown["here"]:
            said.append(shown)
            last = began
        time.sleep(max(0.0, 1 / A_SECOND - (time.monotonic() - began)))
    return said


ROOT = "document.querySelector('[data-testid=\"stBidiComponentIsolated\"]')?.shadowRoot"


def _screen(page: Page) -> dict[str, Any] | None:
    """What is answered by Enter now: the picture's row and its states; None where no picture is."""
    shown: dict[str, Any] | None = page.evaluate(
        f"""() => {{
          const root = {ROOT};
          const image = root?.querySelector('.stage img[data-part=picture]:not([hidden])');
          if (!image) return null;
          const pressed = {{ true: 1, false: 0, mixed: -1 }};
          const chips = [...root.querySelectorAll('.chip')];
          return {{
            here: Number(root.querySelector('[data-part=status]').textContent.match(/(\\d+) answered/)?.[1] ?? 0),
            row: Number(image.src.split('/').at(-1)),
            states: Object.fromEntries(chips.map((chip) => [chip.dataset.tag, pressed[chip.ariaPressed]])),
          }};
        }}"""
    )
    return shown


def _here(page: Page) -> int:
    """How many answers the screen counts."""
    status = page.evaluate(f"{ROOT}?.querySelector('[data-part=status]').textContent ?? ''")
    return int(next((word for word in status.split("·")[1].split() if word.isdigit()), 0)) if "·" in status else 0


def _compared(workspace: Workspace, said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The store against what the script pressed, answer by answer."""
    with workspace.reading() as session:
        submissions = session.scalars(select(Submission).where(Submission.labels > 0).order_by(Submission.id)).all()
        stored = []
        for submission in submissions:
            entries = session.scalars(select(JournalEntry).where(JournalEntry.submission_id == submission.id)).all()
            states = {str(entry.tag_id): int(entry.state) for entry in entries if entry.state is not None}
            stored.append((entries[0].image_row if entries else -1, states))
    pressed = [(one["row"], one["states"]) for one in said]
    rows = [row for row, _ in stored]
    return {
        "sent": len(pressed),
        "stored": len(stored),
        "lost": sum(one not in stored for one in pressed),
        "doubled": len(rows) - len(set(rows)),
        "in_order": stored == pressed,
    }


def make(folder: Path, pictures: int) -> Workspace:
    """A workspace of drawn scenes with a few tags, all of them waiting to be labelled."""
    write_scenes(folder / "scenes", pictures, seed=3)
    workspace = Workspace.create(folder / "workspace", Settings(device="cpu"))
    with workspace.transaction() as session:
        vocabulary.add_names(session, [f"tag {number}" for number in range(TAGS)])
    import_pictures(workspace, [folder / "scenes" / "images"])
    workspace.change_project(retrain_images=10**9)
    picking.refill(workspace, pictures, "random")
    return workspace


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="200 answers, 2 kills and 2 cuts")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    answers, troubles, pictures = (200, 2, 500) if options.quick else (2000, 20, PICTURES)
    with tempfile.TemporaryDirectory() as name, make(Path(name), pictures) as workspace, chromium() as browser:
        figures = run(workspace, browser, answers, troubles)
    report.show("Answers through kill -9 and cut networks", [figures])
    report.write(options.json, figures)


if __name__ == "__main__":
    main()
