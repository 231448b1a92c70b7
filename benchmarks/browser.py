"""Key press to the next picture painted, beside plain Streamlit: python -m benchmarks.browser [--quick] [--scale].

Chromium without a window, 1920 x 1080, one after the other in the same run. Label: Enter until the next photo
(1280 x 960, made from the coco256 pack) is complete, decoded and in a frame. Verify: Enter until all 60 pictures of the
next page are. Plain is benchmarks/plain_app.py: st.image, st.checkbox and st.button with a shortcut, run by
`streamlit run`. Pauses between presses are those of a quick person. `--scale` measures the same in a workspace
of 1,000,000 images and 1,000 tags beside the small one. Type-ahead: the search behind each keystroke in 100,000 tags.
"""

import argparse
import csv
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Picture
from playwright.sync_api import Browser, Page

from annotator.services import embedding, picking, suggesting, vocabulary
from annotator.services.importing import import_pictures
from annotator.settings import Settings
from annotator.workspace import Workspace
from benchmarks import million, report
from benchmarks.serving import Server, app, chromium

TAGS = 24
BLOCK = 50  # presses before it is the other one's turn: both meet the same noise
PAUSE_MS, PAGE_PAUSE_MS = 350, 1200
PAGE = 60  # pictures
PAGES_OF_A_TAG = 2  # of 256 photos three quarters are for training: enough for two pages and the next one
WIDTH, HEIGHT = 1920, 1080
VOCABULARY = 100_000

# Installed in the page: the time from a key to the frame in which every picture that `find` names is new and painted.
PROBE = """
window.probe = (find) => {
  const all = () => find().map((image) => image.src);
  const before = all().join();
  window.took = null;
  addEventListener("keydown", () => {
    const pressed = performance.now();
    const look = () => {
      const images = find();
      const painted = images.length && images.every((image) => image.complete && image.naturalWidth);
      if (!painted || all().join() === before) return requestAnimationFrame(look);
      Promise.all(images.map((image) => image.decode().catch(() => {}))).then(() =>
        requestAnimationFrame(() => requestAnimationFrame(() => (window.took = performance.now() - pressed))));
    };
    requestAnimationFrame(look);
  }, { once: true, capture: true });
};
"""
IN_COMPONENT = """() => [...document.querySelector('[data-testid="stBidiComponentIsolated"]').shadowRoot
  .querySelectorAll('%s')]"""
OURS = {"label": IN_COMPONENT % ".stage img[data-part=picture]", "verify": IN_COMPONENT % ".cell img"}
PLAIN = "() => [...document.querySelectorAll('[data-testid=stImage] img')]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer presses, a smaller large workspace")
    parser.add_argument("--scale", action="store_true", help="beside a workspace of 1,000,000 images and 1,000 tags")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    presses, pages = (40, 8) if options.quick else (200, 20)
    if options.scale:
        presses, pages = (40, 8) if options.quick else (60, 12)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        photos = _photos(folder / "pictures")
        figures: dict[str, Any] = {}
        with _small(folder / "small", folder / "pictures") as workspace, app(workspace.folder) as ours:
            if options.scale:
                images, tags = (50_000, 200) if options.quick else (1_000_000, 1_000)
                print(f"making a workspace of {images:,} images and {tags:,} tags")
                with (
                    million.make(folder / "large", photos, images, tags, 3 * presses, 10) as large,
                    app(large.folder) as other,
                ):
                    figures |= _scale(browser, ours, other, presses, pages)
            else:
                plain = Server(
                    "streamlit", "run", "benchmarks/plain_app.py", "--server.headless", "true", "--server.port",
                    "{port}", "--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false", "--", name,
                )  # fmt: skip
                with plain:
                    figures |= _beside_plain(browser, ours, plain, presses, pages)
                figures["type_ahead"] = _type_ahead(browser, ours)
    type_ahead = figures.pop("type_ahead", None)
    report.show("Key press to painted, ms", [{"what": what, **values} for what, values in figures.items()])
    if type_ahead:
        report.show("Type-ahead, ms a keystroke", [type_ahead])
        figures["type_ahead"] = type_ahead
    report.write(options.json, figures)


def _beside_plain(browser: Browser, ours: Server, plain: Server, presses: int, pages: int) -> dict[str, Any]:
    # Verify first: what Label answers, Verify need not ask any more.
    grids = _alternate(
        pages,
        PAGES_OF_A_TAG,
        _presser(browser, f"{ours.base}/verify?tag={{turn}}&size={PAGE}", OURS["verify"], PAGE_PAUSE_MS),
        _presser(browser, f"{plain.base}/?mode=grid", PLAIN, PAGE_PAUSE_MS),
    )
    measured = _alternate(
        presses,
        BLOCK,
        _presser(browser, f"{ours.base}/label", OURS["label"], PAUSE_MS),
        _presser(browser, f"{plain.base}/", PLAIN, PAUSE_MS),
    )
    return {
        "label": _against(*measured, "plain"),
        "verify": _against(*grids, "plain"),
    }


def _scale(browser: Browser, small: Server, large: Server, presses: int, pages: int) -> dict[str, Any]:
    label = [_presser(browser, f"{server.base}/label", OURS["label"], PAUSE_MS) for server in (large, small)]
    verify = [
        _presser(browser, f"{server.base}/verify?tag={{turn}}&size={PAGE}", OURS["verify"], PAGE_PAUSE_MS)
        for server in (large, small)
    ]
    verify_times = _alternate(pages, PAGES_OF_A_TAG, *verify)
    label_times = _alternate(presses, BLOCK, *label)
    return {
        "label_at_scale": _against(*label_times, "small", slower=True),
        "verify_at_scale": _against(*verify_times, "small", slower=True),
    }


def _against(ours: list[float], other: list[float], name: str, *, slower: bool = False) -> dict[str, Any]:
    """Medians and 95th percentiles; the ratio says how many times faster ours is (`slower`: how many times slower)."""
    median, reference = float(np.median(ours)), float(np.median(other))
    return {
        "median_ms": round(median, 1),
        "p95_ms": round(float(np.percentile(ours, 95)), 1),
        f"{name}_median_ms": round(reference, 1),
        f"{name}_p95_ms": round(float(np.percentile(other, 95)), 1),
        f"ratio_to_{name}": round(median / reference if slower else reference / median, 2),
        "presses": len(ours),
    }


Presser = Callable[[int, int], list[float]]


def _alternate(count: int, block: int, *pressers: Presser) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in pressers]
    turn = 0
    while len(times[0]) < count:
        turn += 1
        for place, presser in enumerate(pressers):
            times[place] += presser(min(block, count - len(times[0]) if place == 0 else block), turn)
        shortest = min(len(taken) for taken in times)
        times = [taken[:shortest] for taken in times]
    return times


def _presser(browser: Browser, address: str, find: str, pause: int) -> Presser:
    """Opens the page, presses Enter so often, and gives the milliseconds of each press."""

    def press(count: int, turn: int) -> list[float]:
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
        try:
            page = context.new_page()
            page.goto(address.format(turn=turn))
            _ready(page, find)
            return [_once(page, find, pause) for _ in range(count)]
        finally:
            context.close()

    return press


def _ready(page: Page, find: str) -> None:
    page.add_script_tag(content=PROBE)
    page.wait_for_function(
        f"() => {{ try {{ const all = ({find})(); return all.length && all.every((one) => one.naturalWidth) }}"
        " catch { return false } }",
        timeout=60_000,
    )
    page.wait_for_timeout(2500)  # the first questions ahead arrive


def _once(page: Page, find: str, pause: int) -> float:
    page.evaluate(f"probe({find})")
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.took !== null", timeout=30_000)
    page.wait_for_timeout(pause)
    return float(page.evaluate("window.took"))


def _vocabulary() -> list[list[Any]]:
    """100,000 tags: real names (ImageNet-22k and LVIS, Open Images), then pairs of them until there are enough."""
    folder = report.packs() / "vocab"
    names: dict[str, None] = {}
    for file in ("imagenet22k_lvis_22047.csv", "openimages_labels_7881.csv"):
        with (folder / file).open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                names[next(value for key, value in row.items() if "name" in key.lower())] = None
    real = list(names)
    rng = np.random.default_rng(0)
    while len(names) < VOCABULARY:
        first, second = rng.choice(len(real), 2)
        names[f"{real[first]} {real[second]}"] = None
    return [[number, name, []] for number, name in enumerate(names)]


def _type_ahead(browser: Browser, ours: Server) -> dict[str, Any]:
    """Names typed letter by letter, every fourth with a letter left out: the time of each keystroke's search."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{ours.base}/label")
    found = page.evaluate(
        """async (tags) => {
          const { TagIndex } = await import("/api/ui/tag_index.js");
          const began = performance.now();
          const index = new TagIndex(tags);
          const built = performance.now() - began;
          const times = [];
          let hits = 0, wanted = 0;
          for (let at = 0; at < tags.length; at += Math.floor(tags.length / 60)) {
            const name = tags[at][1];
            const typed = at % 4 ? name : name.slice(0, 2) + name.slice(3);
            for (let letters = 1; letters <= Math.min(typed.length, 14); letters += 1) {
              const start = performance.now();
              index.search(typed.slice(0, letters));
              times.push(performance.now() - start);
            }
            wanted += 1;
            hits += index.search(typed).some((one) => one.id === tags[at][0]);
          }
          return { built, times, hits, wanted };
        }""",
        _vocabulary(),
    )
    context.close()
    return {
        "tags": VOCABULARY,
        "keystrokes": len(found["times"]),
        "median_ms": round(float(np.median(found["times"])), 2),
        "p95_ms": round(float(np.percentile(found["times"], 95)), 2),
        "worst_ms": round(max(found["times"]), 1),
        "index_built_ms": round(found["built"]),
        "found": f"{found['hits']} of {found['wanted']}",
    }


def _photos(folder: Path) -> list[Path]:
    """The pack's photos at 1280 x 960: what a phone's or a camera's picture is on a screen."""
    folder.mkdir(parents=True)
    made = []
    for file in sorted((report.packs() / "coco256").rglob("*.jpg")):
        with Picture.open(file) as opened:
            picture = opened.convert("RGB").resize((1280, 960), Picture.Resampling.LANCZOS)
        made.append(folder / file.name)
        picture.save(made[-1], "JPEG", quality=90)
    return made


def _small(folder: Path, pictures: Path) -> Workspace:
    workspace = Workspace.create(folder, Settings(device="cpu"))
    with workspace.transaction() as session:
        vocabulary.add_names(session, [f"tag {number}" for number in range(TAGS)])
    import_pictures(workspace, [pictures])
    embedding.embed(workspace)
    suggesting.refresh(workspace)
    workspace.change_project(retrain_images=10**9)
    picking.refill(workspace, 250)
    return workspace


if __name__ == "__main__":
    main()
