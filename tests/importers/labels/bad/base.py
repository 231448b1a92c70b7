"""One kind of bad labels file, and how files are made of good ones."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAN = float("nan")
INFINITE = float("inf")
PIPE = object()
Content = bytes | Mapping[str, Any]
"""The bytes of a file; or a folder: name to bytes, to a text (a link to there), to None (a folder) or to PIPE."""


@dataclass(frozen=True)
class Bad:
    """`says` must stand in what is refused (it holds the value), `where` in its place. `whole`: nothing of the file is
    read; else the good entries are. `file`: the file that is named, where it is not the one that was given."""

    content: Content
    says: str
    where: str = ""
    whole: bool = False
    file: str = ""


Kinds = dict[str, Bad]


def write(path: Path, content: Content) -> Path:
    """Write a file, or a folder with all that is in it."""
    if isinstance(content, bytes):
        path.write_bytes(content)
        return path
    path.mkdir()
    for name, inner in content.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(inner, bytes):
            place.write_bytes(inner)
        elif isinstance(inner, str):
            place.symlink_to(inner)
        elif inner is PIPE:
            os.mkfifo(place)
        else:
            place.mkdir()
    return path


def text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def put(make: Callable[[], Any], *path_and_value: Any) -> bytes:
    """A good document with one value replaced."""
    *path, last, value = path_and_value
    document = inner = make()
    for step in path:
        inner = inner[step]
    inner[last] = value
    return text(document)


def without(make: Callable[[], Any], *path: Any) -> bytes:
    """A good document that lacks one value."""
    document = inner = make()
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return text(document)


def swapped(content: bytes, old: str, new: str) -> bytes:
    """`content` with `new` in the place of `old`, which stands there once."""
    assert content.count(old.encode()) == 1, old
    return content.replace(old.encode(), new.encode())


def tar(members: Mapping[str, bytes | str], mode: Any = "w") -> bytes:
    """An archive of these files; a text is a link to there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            add(archive, name, content)
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes | str) -> None:
    member = tarfile.TarInfo(name)
    if isinstance(content, str):
        member.type, member.linkname = tarfile.SYMTYPE, content
        archive.addfile(member)
    else:
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
