"""Formats that are folders or archives: class folders, YOLO, Hugging Face metadata and WebDataset shards.

Pictures in them are named by their content too, so that they are found again wherever they were imported from.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from annotator.errors import AnnotatorError
from annotator.importers.addresses import show
from annotator.importers.files import read_file
from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.entries import record_of
from annotator.importers.labels.json_lines import lines, refuse_empty
from annotator.importers.labels.json_stream import elements
from annotator.importers.labels.shares import LISTED, PICTURES, listed, picture_size, scaled
from annotator.records import Record, RecordLabel, Records, RecordScore
from annotator.terms import LabelState

MOST_LINES = 1 << 20  # characters of one YOLO text
MOST_MEMBER = 1 << 26  # bytes of a shard's labels
MOST_PICTURE = 1 << 30


def open_imagefolder(path: Path, problems: Problems) -> Records:
    """`[split/]tag/picture`: the folder's name is the one tag that is present. A picture in several folders has the
    tags of all of them; `tags.json` may say what tag a folder is. Raises EntryError where no folder holds a picture."""
    if not path.is_dir():
        raise problems.whole("is no folder; name the folder above those of the tags")
    names = Names()
    spoken = _folder_tags(path / "tags.json", names, problems)

    def read() -> Iterator[Record]:
        for file in _pictures(path):
            relative = file.relative_to(path)
            folders = relative.parts[:-1]
            split = checks.SPLITS.get(folders[0].lower()) if len(folders) > 1 else None
            try:
                if not folders:
                    raise ValueError("lies in no folder of a tag; move it into one")
                folder = folders[1 if split else 0]
                label = RecordLabel(names.place(spoken.get(folder, folder)), LabelState.POSITIVE)
                yield Record(relative.as_posix(), content_hash(file), split=split, labels=(label,))
            except (ValueError, OSError) as error:
                problems.add(show(relative.as_posix()), error)

    return refuse_empty(collected(problems, names, read, Head(root=str(path.absolute()))), problems)


def _folder_tags(file: Path, names: Names, problems: Problems) -> dict[str, str]:
    """What tag each folder is, where a file says so."""
    found: dict[str, str] = {}
    if file.is_file():
        for element in elements(file):
            try:
                found[element.key] = checks.tag_name(element.value)
                names.place(found[element.key])
            except ValueError as error:
                problems.add(f"tags.json, {checks.quoted(element.key)}", error)
    return found


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
    pictures = {_stem(file, folder, "images"): file for file in _pictures(folder)}

    def read() -> Iterator[Record]:
        for file in sorted((folder / "labels").rglob("*.txt")):
            where = show(file.relative_to(folder).as_posix())
            try:
                yield _yolo_image(file, folder, pictures.get(_stem(file, folder, "labels")), len(names), problems)
            except (ValueError, AnnotatorError) as error:
                problems.add(where, error)

    return refuse_empty(collected(problems, names, read, Head(root=str(folder.absolute()))), problems)


def open_huggingface(path: Path, problems: Problems) -> Records:
    """`metadata.jsonl` with a `file_name` on each line and lists of tags (labels, negative, unknown …)."""
    files = sorted(path.rglob("metadata.jsonl")) if path.is_dir() else [path]
    if not files:
        raise problems.whole("holds no metadata.jsonl; name the file or its folder")
    names = Names()

    def read() -> Iterator[Record]:
        for file in files:
            folder = file.parent.relative_to(path).as_posix() if path.is_dir() else "."
            split = checks.SPLITS.get(file.parent.name.lower())
            for number, entry in lines(file, problems):
                where = f"line {number}" if len(files) == 1 else f"{show(folder)}, line {number}"
                try:
                    record = _described(entry, "" if folder == "." else f"{folder}/", names, problems, where)
                    yield record if record.split else record._replace(split=split)
                except ValueError as error:
                    problems.add(where, error)

    return refuse_empty(collected(problems, names, read), problems)


def open_webdataset(path: Path, problems: Problems) -> Records:
    """A tar file, or a folder of them: the members of one key belong together; `.json` has the labels as in jsonl,
    `.txt` or `.cls` a tag a line. Nothing is unpacked. Raises EntryError where no member can be used."""
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    names = Names()

    def read() -> Iterator[Record]:
        for shard in shards:
            yield from _shard(shard, names, problems)

    return refuse_empty(collected(problems, names, read), problems)


def content_hash(file: Path) -> str:
    """The sha256 by which an imported picture is known."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _pictures(folder: Path) -> Iterator[Path]:
    """Pictures below a folder in a stable order; folders that are links are not entered."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURES:
                yield Path(where, name)


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
            raise problems.whole(f"is not YAML ({checks.quoted(str(error))}); correct it", show(file.name)) from error
        names = said.get("names") if isinstance(said, dict) else None
        if isinstance(names, dict) and sorted(map(str, names)) == sorted(map(str, range(len(names)))):
            names = [names.get(number, names.get(str(number))) for number in range(len(names))]
        if isinstance(names, list):
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
        text = read_file(file).decode("utf-8-sig")[:MOST_LINES]
    except UnicodeError as error:
        raise ValueError("is not UTF-8; save it as UTF-8") from error
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
    if max(map(abs, shares)) > 2:
        raise ValueError(f"the box {checks.quoted(' '.join(cells[1:5]))} is not in shares of the sides, from 0 to 1")
    return int(numbers[0]), shares, checks.probability(numbers[5]) if len(numbers) == 6 else None


def _picture_of(labels: Path) -> str:
    """Where the picture of a text would be: in `images` instead of `labels`, most likely a JPEG."""
    parts = ["images" if part == "labels" else part for part in labels.with_suffix(".jpg").parts]
    return "/".join(parts)


def _described(entry: Any, folder: str, names: Names, problems: Problems, where: str) -> Record:
    """A line of metadata: `labels` as objects, or lists of tags by state."""
    image = checks.thing(entry, "the line")
    key = next((key for key in ("file_name", "file", "image") if key in image), "file_name")
    file = checks.file_name(checks.needed(image, key))
    plain = {key: value for key, value in image.items() if key not in LISTED}
    record = record_of({**plain, "file": file}, names, problems, where)
    items = image.get("labels")
    if isinstance(items, list) and any(isinstance(item, dict) for item in items):
        record = record_of({**plain, "file": file, "labels": items}, names, problems, where)
    else:
        record = record._replace(labels=listed(image, names, problems, where))
    scheme = "://" in file or file.startswith("/")
    return record._replace(file=file if scheme else folder + file)


def _shard(path: Path, names: Names, problems: Problems) -> Iterator[Record]:
    """The records of one tar file, read from its beginning to its end."""
    group = _Group(path, names, problems)
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                key, _, ending = member.name.rpartition("/")[2].partition(".")
                key = member.name[: len(member.name) - len(ending) - (1 if ending else 0)] if ending else member.name
                if key != group.key:
                    yield from group.finished()
                    group.key = key
                stream = archive.extractfile(member)
                if stream is not None:
                    group.take(member.name, f".{ending.lower()}", member.size, stream.read)
            yield from group.finished()
    except (tarfile.TarError, OSError, EOFError) as error:
        if not path.is_file():
            raise problems.whole("is not a file; name the tar file") from error
        raise problems.whole(f"is no tar file that can be read to its end ({error}); export it anew") from error


class _Group:
    """The members of one key of a shard."""

    def __init__(self, path: Path, names: Names, problems: Problems) -> None:
        self.path, self.names, self.problems = path, names, problems
        self.key = ""
        self._begin()

    def _begin(self) -> None:
        self.picture = self.sha256 = ""
        self.entry: dict[str, Any] = {}
        self.tags: list[str] = []
        self.spoken = self.spoiled = False

    def take(self, name: str, ending: str, size: int, read: Callable[[int], bytes]) -> None:
        suffix = "." + ending.rpartition(".")[2]
        try:
            if suffix in PICTURES:
                digest = hashlib.sha256()
                while chunk := read(1 << 20):
                    digest.update(chunk)
                self.picture, self.sha256 = name, digest.hexdigest()
            elif suffix in (".json", ".txt", ".cls"):
                if size > MOST_MEMBER:
                    raise ValueError(f"has {size:,} bytes, at most {MOST_MEMBER:,} are read; is this the labels?")
                self._said(suffix, read(size))
        except (ValueError, RecursionError) as error:
            self.spoiled = True
            self.problems.add(f"member {checks.quoted(name)}", error)

    def _said(self, suffix: str, content: bytes) -> None:
        self.spoken = True
        try:
            text = content.decode("utf-8-sig")
        except UnicodeError as error:
            raise ValueError("is not UTF-8; save it as UTF-8") from error
        if suffix != ".json":
            self.tags += [line.strip() for line in text.splitlines() if line.strip()]
            return
        try:
            self.entry = checks.thing(json.loads(text), "the member")
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON ({error.msg} at character {error.pos + 1}); correct it") from error

    def finished(self) -> Iterator[Record]:
        """The record of the group, where it is one; the next group begins."""
        if self.spoken and not self.spoiled:
            where = f"key {checks.quoted(self.key)}"
            try:
                yield self._record(where)
            except ValueError as error:
                self.problems.add(where, error)
        self._begin()

    def _record(self, where: str) -> Record:
        entry = dict(self.entry)
        if self.tags:
            entry.setdefault("labels", self.tags)
        if not any(key in entry for key in ("file", "file_name")):
            entry["file"] = self.picture or self.key
        record = _described(entry, "", self.names, self.problems, where)
        return record if record.sha256 else record._replace(sha256=self.sha256)
