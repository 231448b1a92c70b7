"""Class folders: the folder a picture lies in is its tag.

Pictures are named by their content too, so that they are found again wherever they were imported from.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from annotator.importers.addresses import show
from annotator.importers.labels import checks
from annotator.importers.labels.base import Head, Names, Problems, collected
from annotator.importers.labels.json_lines import refuse_empty
from annotator.importers.labels.json_stream import elements
from annotator.importers.labels.shares import PICTURES
from annotator.records import Record, RecordLabel, Records
from annotator.terms import LabelState


def open_imagefolder(path: Path, problems: Problems) -> Records:
    """`[split/]tag/picture`: the folder's name is the one tag that is present. A picture in several folders has the
    tags of all of them; `tags.json` may say what tag a folder is. Raises EntryError where no folder holds a picture."""
    if not path.is_dir():
        raise problems.whole("is no folder; name the folder above those of the tags")
    names = Names()
    spoken = _folder_tags(path / "tags.json", names, problems)

    def read() -> Iterator[Record]:
        for file in pictures_below(path):
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
                if not element.key:
                    raise problems.whole("is a list; write an object of folders and their tags", "tags.json")
                found[element.key] = checks.tag_name(element.value)
                names.place(found[element.key])
            except ValueError as error:
                problems.add(f"tags.json, {checks.quoted(element.key)}", error)
    return found


def content_hash(file: Path) -> str:
    """The sha256 by which an imported picture is known."""
    if not file.is_file():
        raise ValueError("is no file but a pipe, a device or a link to nothing; put the picture there")
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def pictures_below(folder: Path) -> Iterator[Path]:
    """Pictures below a folder in a stable order; folders that are links are not entered."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if Path(name).suffix.lower() in PICTURES:
                yield Path(where, name)
