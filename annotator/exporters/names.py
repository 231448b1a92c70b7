"""File names and times in an export. Names are relative to one root, so that equal names never collide."""

import posixpath
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote

LONGEST = 120  # bytes of a folder's name: most file systems bear 255 of a whole name
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/%]')


def root_of(uris: Iterable[str], root: str | None = None) -> str | None:
    """The deepest folder above all local files of `uris` (and below or at `root`, that of files seen earlier).

    None as long as no file was local.
    """
    for uri in uris:
        if not uri.startswith("/"):
            continue
        folder = posixpath.dirname(uri)
        if root is None:
            root = folder
        elif not _is_below(uri, root):
            root = posixpath.commonpath([root, folder])
    return root


def relative_name(uri: str, root: str) -> str:
    """The name of a local file below `root`; what is not a local path keeps its whole address."""
    return uri[len(root) :].lstrip("/") if uri.startswith("/") else uri


def relative_names(uris: Sequence[str]) -> tuple[str, list[str]]:
    """(root, name of each file below it).

    >>> relative_names(["/a/b/1.jpg", "/a/c/1.jpg", "s3://x/1.jpg"])
    ('/a', ['b/1.jpg', 'c/1.jpg', 's3://x/1.jpg'])
    """
    root = root_of(uris) or ""
    return root, [relative_name(uri, root) for uri in uris]


def address_of(root: str, file: str) -> str:
    """The whole address of a record's `file`."""
    return file if "://" in file or file.startswith("/") or not root else posixpath.join(root, file)


def inner_name(file: str, sha256: str) -> str:
    """A name below an export for a record's `file`: its own, or one made of its content's where it is an address."""
    if "://" not in file and not file.startswith("/") and ".." not in file.split("/"):
        return file
    last = re.split(r"[/!]", file)[-1]
    return f"addresses/{sha256[:16]}-{folder_name(last)}"


def folder_name(tag: str) -> str:
    """A tag's name as a folder's: what a file system refuses is percent-encoded, a long one is cut."""
    name = _UNSAFE.sub(lambda found: quote(found.group(), safe=""), tag)
    if name.startswith(".") or name != name.strip():
        name = "%2E" + name[1:] if name.startswith(".") else name.strip()
    return name.encode()[:LONGEST].decode(errors="ignore") or "_"


def folder_names(tags: Sequence[str]) -> list[str]:
    """One folder a tag. Two that would be the same, in any case, get their place in the list behind them."""
    names = [folder_name(tag) for tag in tags]
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name.casefold() in seen:
            names[place] = f"{name} {place}"
        seen.add(names[place].casefold())
    return names


@lru_cache(maxsize=1 << 16)
def iso_time(seconds: int) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC; None for 0, which says never."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None


def _is_below(uri: str, folder: str) -> bool:
    return uri.startswith(folder if folder.endswith("/") else folder + "/")
