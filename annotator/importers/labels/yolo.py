"""YOLO detection: a list of names, and a text of boxes in shares of the sides for each picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from annotator.errors import AnnotatorError
from annotator.importers.addresses import show
from annotator.importers.files import read_file
from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.folders import content_hash, pictures_below
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.labels.shares import picture_size, scaled
from annotator.records import Record, RecordLabel, Records, RecordScore
from annotator.terms import LabelState

MOST_LINES = 1 << 20  # characters of one text


def open_yolo_detection(path: Path, problems: Problems) -> Records:
    """`data.yaml` with the names, `labels/…/x.txt` with lines `class x y width height [score]`, `images/…/x.jpg`.

    The names listed are those that were looked for, but an image without one of them says nothing of it. Boxes need
    the picture, whose sides they are shares of. Raises EntryError where there are no names or labels.
    """
    folder = path if path.is_dir() else path.parent
    names = Names()
    for number, name in enumerate(_yolo_names(path, problems)):
        try:
            if names.place(name) != number:
                raise ValueError(f"the name {checks.quoted(name)} is there twice; give each class its own")
        except ValueError as error:
            raise problems.whole(str(error), f"names[{number}]") from error
    pictures = {_stem(file, folder, "images"): file for file in pictures_below(folder)}

    def read() -> Iterator[Record]:
        for file in sorted((folder / "labels").rglob("*.txt")):
            where = show(file.relative_to(folder).as_posix())
            try:
                yield _yolo_image(file, folder, pictures.get(_stem(file, folder, "labels")), len(names), problems)
            except (ValueError, AnnotatorError) as error:
                problems.add(where, error)

    return refuse_empty(collected(problems, names, read, Head(root=str(folder.absolute()))), problems)


def _stem(file: Path, folder: Path, kind: str) -> str:
    """What a picture and its labels have in common: the path below `images` or `labels`, without ending."""
    parts = file.relative_to(folder).with_suffix("").parts
    return "/".join(part for part in parts if part != kind)


def _yolo_names(path: Path, problems: Problems) -> list[Any]:
    """The classes of data.yaml (a list, or numbers with names), or of classes.txt or obj.names, a name a line."""
    folder = path if path.is_dir() else path.parent
    options = ([path] if path.is_file() else []) + sorted(folder.glob("*.y*ml"))
    for file in options:
        try:
            said = yaml.safe_load(read_file(file).decode("utf-8-sig"))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            why = " ".join(str(error).split())
            raise problems.whole(f"is not YAML ({show(why[:200])}); correct it", show(file.name)) from error
        names = said.get("names") if isinstance(said, dict) else None
        if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
            names = [names.get(number, names.get(str(number))) for number in range(len(names))]
        if isinstance(names, list):
            classes = said.get("nc", len(names))
            if classes != len(names):
                what = f"says nc: {checks.quoted(classes)} and names {len(names)} classes; correct one of the two"
                raise problems.whole(what, show(file.name))
            return names
        raise problems.whole(f"its names are {checks.quoted(names)}; write names: [cat, dog]", show(file.name))
    for name in ("classes.txt", "obj.names"):
        if (folder / name).is_file():
            return read_file(folder / name).decode("utf-8-sig", "replace").splitlines()
    raise problems.whole("has no data.yaml or classes.txt with the names of the classes; add one")


def _yolo_image(file: Path, folder: Path, picture: Path | None, classes: int, problems: Problems) -> Record:
    relative = file.relative_to(folder)
    split = next((checks.SPLITS[part] for part in relative.parts if part in checks.SPLITS), None)
    width, height = picture_size(picture) if picture else (0, 0)
    labels, boxes, scores = dict[int, RecordLabel](), [], list[RecordScore]()
    try:
        text = read_file(file).decode("utf-8-sig")
    except UnicodeError as error:
        raise ValueError(f"is not UTF-8 ({str(error)[:80]}); save it as UTF-8") from error
    if len(text) > MOST_LINES:
        raise ValueError(
            f"has {len(text):,} characters, at most {MOST_LINES:,} are read; put one picture's boxes into it"
        )
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            tag, shares, score = _yolo_line(line.split(), classes)
        except ValueError as error:
            problems.add(f"{show(relative.as_posix())}, line {number}", error)
            continue
        if score is not None:
            scores.append(RecordScore(tag, score, "yolo"))
            continue
        labels.setdefault(tag, RecordLabel(tag, LabelState.POSITIVE))
        box = scaled(tag, shares, width, height)
        boxes += [box] if box else []
    name = picture.relative_to(folder).as_posix() if picture else _picture_of(relative)
    if picture and not width and labels:
        problems.add(show(name), "is no picture that can be read, so its boxes are left out; copy it again")
    sha256 = content_hash(picture) if picture else ""
    return Record(name, sha256, width, height, split, tuple(labels.values()), tuple(scores), tuple(boxes))


def _yolo_line(cells: list[str], classes: int) -> tuple[int, tuple[float, float, float, float], float | None]:
    if len(cells) not in (5, 6):
        raise ValueError(f"has {len(cells)} numbers; write: class x y width height, and a score where there is one")
    numbers = [checks.number(checks.parsed(cell, "a cell"), "a cell") for cell in cells]
    if not numbers[0].is_integer() or not 0 <= numbers[0] < classes:
        raise ValueError(f"the class is {checks.quoted(cells[0])}; write a whole number from 0 to {classes - 1}")
    x, y, width, height = numbers[1:5]
    shares = checks.box([x - width / 2, y - height / 2, width, height])
    if max(map(abs, numbers[1:5])) > 1:
        box = checks.quoted(" ".join(cells[1:5]))
        raise ValueError(f"the box {box} is not in shares of the sides; write four numbers from 0 to 1")
    return int(numbers[0]), checks.within(shares, 1, 1), checks.probability(numbers[5]) if len(numbers) == 6 else None


def _picture_of(labels: Path) -> str:
    """Where the picture of a text would be: in `images` instead of `labels`, most likely a JPEG."""
    parts = ["images" if part == "labels" else part for part in labels.with_suffix(".jpg").parts]
    return "/".join(parts)
