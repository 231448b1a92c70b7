"""Multi-tag scenes drawn from chance alone, with exact labels: the pictures of the first run and of the tests.

``python -m data_samples.scenes FOLDER --count N --seed S`` writes pictures, labels.csv and tags.yaml.

The labels are exact because a thing is either seen or not there. After a scene is painted, every tagged thing of
which too little is seen (`MIN_PIXELS`, `MIN_SHARE`, `MIN_CONTRAST`) is taken out and the scene is painted again. So a
tag is true when, and only when, at least one of its things can be seen, and no picture holds a remnant of another.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageChops

from data_samples.canvas import OVERSAMPLE, Brush, Canvas, Setting, photograph
from data_samples.kinds import KINDS
from data_samples.layout import HEAVENLY, LAND, PEAKS, SKY, STREET, WATER, Thing, draw_scene

GENERATOR = 1
"""Goes up whenever the same seed gives another picture: pictures of another number are drawn again."""
MIN_PIXELS = 55
"""Pixels of the finished picture that a thing has to own; larger for what covers land or sky (`kinds.KINDS`)."""
MIN_SHARE = 0.5
"""Share of a thing that nothing in front of it may hide."""
MIN_CONTRAST = 18.0
"""Mean difference (0 to 255) between a thing and what it was painted over."""
QUALITY = 88
STAGE = (SKY, PEAKS, WATER, LAND, STREET)
"""Layers that other things are seen in front of: only their own size decides."""


@dataclass(frozen=True)
class TagInfo:
    """A tag of the scenes. `parent` is the tag it implies."""

    name: str
    definition: str
    synonyms: tuple[str, ...] = ()
    parent: str | None = None


TAGS: tuple[TagInfo, ...] = (
    TagInfo("sea", "Open water that reaches to the horizon. A pond does not count.", ("ocean",)),
    TagInfo("mountain", "Rocky mountain with pointed peaks. Rounded hills do not count.", ("peak",)),
    TagInfo("road", "Paved road with marks in its middle.", ("street",)),
    TagInfo("snow", "Snow lies on the ground."),
    TagInfo("sun", "The disc of the sun is seen."),
    TagInfo("moon", "The disc or crescent of the moon is seen."),
    TagInfo("night", "Dark sky without daylight.", ("night-time",)),
    TagInfo("cloud", "A cloud with an outline. An even grey sky does not count.", ("clouds",)),
    TagInfo("tree", "A plant with a trunk. Bushes and flowers do not count."),
    TagInfo("fence", "A row of posts with rails.", ("railing",)),
    TagInfo("building", "A house, a lighthouse or a tower block. A silo does not count."),
    TagInfo("house", "A small building with a pitched roof.", ("home", "cottage"), "building"),
    TagInfo("lighthouse", "A striped tower with a lantern.", ("beacon",), "building"),
    TagInfo("vehicle", "A car, a bus or a boat."),
    TagInfo("car", "A car, on or off the road. A bus does not count.", ("automobile",), "vehicle"),
    TagInfo("boat", "A sailing boat, motor boat or ship, afloat or ashore.", ("ship",), "vehicle"),
    TagInfo("balloon", "A hot-air balloon. A kite does not count.", ("hot-air balloon",)),
    TagInfo("person", "A human being, of whatever size.", ("human", "people")),
    TagInfo("animal", "A bird, a dog or a sheep."),
    TagInfo("bird", "A bird in the air or on the ground.", parent="animal"),
    TagInfo("dog", "A dog.", parent="animal"),
)
EXCLUDES: tuple[tuple[str, str], ...] = (("sun", "moon"), ("sun", "night"))
"""Pairs that are never true together."""

_PARENT = {tag.name: tag.parent for tag in TAGS}


def scene(rng: np.random.Generator) -> tuple[Image.Image, frozenset[str]]:
    """One picture, RGB of 320 x 240 or 240 x 320 pixels, and the names of the tags that are true."""
    setting, things = draw_scene(rng)
    painting, things = compose(setting, things)
    return photograph(painting, rng, setting.light.night), tags_of(things)


def compose(setting: Setting, things: Sequence[Thing]) -> tuple[Image.Image, list[Thing]]:
    """The painting and the things in it: painted again without those of which too little is seen, until none is."""
    kept = list(things)
    painting, hidden = _paint(setting, kept)
    while hidden:
        kept = _without(kept, hidden)
        painting, hidden = _paint(setting, kept)
    return painting, kept


def tags_of(things: Sequence[Thing]) -> frozenset[str]:
    """The tags these things make true, with the parents they imply."""
    return frozenset(name for thing in things for tag in KINDS[thing.kind].tags for name in _with_parents(tag))


def _with_parents(tag: str) -> list[str]:
    parent = _PARENT[tag]
    return [tag] if parent is None else [tag, *_with_parents(parent)]


def _without(things: Sequence[Thing], hidden: frozenset[int]) -> list[Thing]:
    """The cast less the hidden ones; with sun or moon goes their path of light on the water."""
    dark = any(things[place].layer == HEAVENLY for place in hidden)
    return [t for place, t in enumerate(things) if place not in hidden and not (dark and t.kind == "glitter")]


def _paint(setting: Setting, things: Sequence[Thing]) -> tuple[Image.Image, frozenset[int]]:
    """The painting, and the places in `things` of tagged things of which too little is seen."""
    canvas = Canvas(setting)
    whole: dict[int, int] = {}
    pale: set[int] = set()
    for place, thing in enumerate(things):
        kind = KINDS[thing.kind]
        box = _surroundings(thing, setting)
        small = bool(kind.tags) and thing.layer not in STAGE
        before = canvas.image.crop(box) if small else None
        canvas.number = place + 1
        brush = Brush(canvas, thing.x, thing.y, thing.size, thing.flip, thing.depth)
        kind.painter(brush, np.random.default_rng(thing.seed))
        if before is not None:
            own = np.asarray(canvas.owners.crop(box)) == place + 1
            whole[place] = int(np.count_nonzero(own))
            change = np.asarray(ImageChops.difference(before, canvas.image.crop(box)))[own]
            if change.size == 0 or change.mean() < MIN_CONTRAST:
                pale.add(place)
    seen = canvas.owners.histogram()[1 : len(things) + 1]
    hidden = {
        place
        for place, thing in enumerate(things)
        if KINDS[thing.kind].tags
        and (
            seen[place] < (KINDS[thing.kind].pixels or MIN_PIXELS) * OVERSAMPLE**2
            or seen[place] < MIN_SHARE * whole.get(place, 0)
        )
    }
    return canvas.image, frozenset(hidden | pale)


def _surroundings(thing: Thing, setting: Setting) -> tuple[int, int, int, int]:
    """Box of the canvas in which a thing that is not part of the stage lies."""
    x, y, size = round(thing.x), round(thing.y), thing.size
    reach, below = round((KINDS[thing.kind].half_width * 1.2 + 0.15) * size), 1.1 if thing.layer == HEAVENLY else 0.3
    left, top = max(0, x - reach), max(0, y - round(1.3 * size))
    right, bottom = min(setting.width, x + reach), min(setting.height, y + round(below * size))
    return left, top, max(left, right), max(top, bottom)


def write_scenes(folder: Path, count: int, seed: int, progress: Callable[[int], None] | None = None) -> Path:
    """Writes `count` scenes and gives the path of their labels.csv.

    ``folder/images/scene-0000.jpg`` and so on, ``folder/labels.csv`` (``file,labels``, labels separated by ``|``) and
    ``folder/tags.yaml`` (``tags`` and ``relations``). Each picture depends on (`seed`, its number) alone. Broken off
    and called again, it goes on where it stopped and ends with the same files: a picture carries its number, seed and
    labels in its comment, so one that fits is not drawn again. `progress` is given the number of pictures there are.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("file", "labels"))
    for index in range(count):
        name = f"images/scene-{index:04d}.jpg"
        labels = _labels_of(folder / name, seed, index)
        if labels is None:
            labels = _write_scene(folder / name, seed, index)
        rows.writerow((name, "|".join(labels)))
        if progress is not None:
            progress(index + 1)
    _write(folder / "tags.yaml", yaml.safe_dump(_vocabulary(), sort_keys=False, width=110).encode())
    _write(folder / "labels.csv", table.getvalue().encode())
    return folder / "labels.csv"


def _labels_of(path: Path, seed: int, index: int) -> list[str] | None:
    """Labels in the comment of a picture this generator wrote for (`seed`, `index`); None for any other file."""
    if not path.exists():
        return None
    try:
        with Image.open(path) as picture:
            note = json.loads(picture.info.get("comment", b"null"))
    except (OSError, ValueError):
        return None
    fits = isinstance(note, dict) and note | _origin(seed, index) == note
    return [str(name) for name in note["labels"]] if fits else None


def _origin(seed: int, index: int) -> dict[str, int]:
    return {"generator": GENERATOR, "seed": seed, "index": index}


def _write_scene(path: Path, seed: int, index: int) -> list[str]:
    picture, tags = scene(np.random.default_rng((seed, index)))
    labels = [tag.name for tag in TAGS if tag.name in tags]
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, comment=json.dumps({**_origin(seed, index), "labels": labels}))
    _write(path, content.getvalue())
    return labels


def _write(path: Path, content: bytes) -> None:
    """All or nothing: the file gets its name when it is whole."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _vocabulary() -> dict[str, list[dict[str, object]]]:
    return {
        "tags": [
            {"name": t.name, "definition": t.definition, "synonyms": list(t.synonyms), "parent": t.parent} for t in TAGS
        ],
        "relations": [{"kind": "excludes", "a": a, "b": b} for a, b in EXCLUDES],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m data_samples.scenes", description="Writes labelled scenes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    sys.stdout.write(f"{write_scenes(chosen.folder, chosen.count, chosen.seed)}\n")


if __name__ == "__main__":
    main()
