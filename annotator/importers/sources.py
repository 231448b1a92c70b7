"""Where pictures come from: folders, files, archives, lists of files and fsspec URLs, as one lazy stream.

for found in scan(["/photos", "more.zip", "list.csv", "s3://bucket/shots"]):
    ...  # Found: let a process call read_found(found); Refused: list it
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import BadInputError, PictureError, TableError
from annotator.importers.addresses import local_path, local_uri, scheme_of, show, split_member
from annotator.importers.archives import is_archive, scan_archive
from annotator.importers.file_kinds import suffix_of
from annotator.importers.files import file_refusal
from annotator.importers.folders import FolderWalk
from annotator.importers.opening import read_bytes
from annotator.importers.pictures import THUMBNAIL_SIZES, Picture, read_picture
from annotator.importers.refusals import DEFAULT_LIMITS, Limits, Refused, refuse
from annotator.importers.remote import list_remote
from annotator.importers.tables import LIST_SUFFIXES, read_list


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be a picture. `read_bytes(uri)` opens it now and at any later time.

    `display` is safe to show; `size` and `mtime_ns` are None where asking would cost a request each. `data` is set
    only for members of compressed tar archives, which were read in passing.
    """

    uri: str
    display: str
    size: int | None = None
    mtime_ns: int | None = None
    data: bytes | None = None


def scan(
    paths: Sequence[str | Path],
    *,
    limits: Limits = DEFAULT_LIMITS,
    follow_links_out: bool = False,
    skipped: Counter[str] | None = None,
) -> Iterator[Found | Refused]:
    """Everything below `paths` that may be a picture, in a stable order, and what is refused already by its name.

    A path is a folder (read with its subfolders and the archives in them), a picture, a zip or tar archive, a list
    (CSV, TSV, JSON lines, text) or an fsspec URL of a folder, a file, a list or a pattern with ``*``. Never raises
    for what it finds. `skipped` counts, by ending, what was passed over: text files, hidden files, links to files
    that are read anyway.
    """
    scanner = _Scanner(limits, follow_links_out, Counter() if skipped is None else skipped)
    for path in paths:
        yield from scanner.scan(str(path))


def read_found(
    found: Found, limits: Limits = DEFAULT_LIMITS, thumbnail_sizes: Sequence[int] = THUMBNAIL_SIZES
) -> Picture | Refused:
    """Read what `scan` found. Made for a pool of processes: arguments and results can be sent, nothing is raised."""
    try:
        data = read_bytes(found.uri, limits) if found.data is None else found.data
        return read_picture(data, uri=found.uri, limits=limits, thumbnail_sizes=thumbnail_sizes)
    except PictureError as error:
        return Refused(found.uri, error.reason, str(error))


@dataclass(frozen=True, slots=True)
class _Scanner:
    limits: Limits
    follow_links_out: bool
    skipped: Counter[str]

    def scan(self, path: str) -> Iterator[Found | Refused]:
        """One path a person gave."""
        uri = _uri_of(path)
        try:
            if split_member(uri) is not None:
                yield Found(uri, show(uri))
            elif scheme_of(uri) not in ("", "file"):
                yield from self._scan_remote(uri)
            else:
                yield from self._scan_local(local_path(uri) or Path(path))
        except PictureError as error:
            yield Refused(uri, error.reason, str(error))
        except BadInputError as error:
            yield Refused(uri, "unusable list", str(error))

    def _scan_local(self, path: Path) -> Iterator[Found | Refused]:
        name = show(str(path))
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            raise file_refusal(error, name) from error
        if stat.S_ISDIR(status.st_mode):
            yield from self._scan_folder(path)
        elif not stat.S_ISREG(status.st_mode):
            raise refuse("not a file", name, "is a pipe, a socket or a device")
        elif is_archive(path.name):
            yield from self._scan_archive(path, status.st_mtime_ns)
        elif path.suffix.lower() in LIST_SUFFIXES:
            yield from self._scan_list(local_uri(path))
        else:
            yield Found(local_uri(path), name, status.st_size, status.st_mtime_ns)

    def _scan_folder(self, folder: Path) -> Iterator[Found | Refused]:
        for file in FolderWalk(folder, self.skipped, follow_links_out=self.follow_links_out):
            if isinstance(file, Refused):
                yield file
            elif is_archive(file.path):
                yield from self._scan_archive(Path(file.path), file.mtime_ns)
            else:
                yield Found(local_uri(file.path), show(file.found_as), file.size, file.mtime_ns)

    def _scan_archive(self, path: Path, mtime_ns: int) -> Iterator[Found | Refused]:
        for member in scan_archive(path, self.limits, self.skipped):
            if isinstance(member, Refused):
                yield member
            else:
                yield Found(member.uri, member.display, member.size, mtime_ns, member.data)

    def _scan_list(self, uri: str) -> Iterator[Found | Refused]:
        errors: list[TableError] = []
        seen = set[str]()
        for row in read_list(uri, errors):
            yield from _bad_lines(uri, errors)
            if row.uri in seen:
                self.skipped["named twice in a list"] += 1
                continue
            seen.add(row.uri)
            yield _look_up(row.uri, f"line {row.line} of {show(uri)}")
        yield from _bad_lines(uri, errors)

    def _scan_remote(self, uri: str) -> Iterator[Found | Refused]:
        if suffix_of(uri) in LIST_SUFFIXES:
            yield from self._scan_list(uri)
            return
        for file in list_remote(uri, self.skipped):
            if is_archive(file.uri):
                error = refuse("nested archive", show(file.uri), "is an archive that does not lie on this machine")
                yield Refused(file.uri, error.reason, str(error))
            else:
                yield Found(file.uri, show(file.uri), file.size, file.mtime_ns)


def _uri_of(path: str) -> str:
    return path if scheme_of(path) else local_uri(path)


def _look_up(uri: str, where: str) -> Found | Refused:
    """What a list names, if it is there. A remote file is only asked for when it is read."""
    path = local_path(uri)
    if path is None:
        return Found(uri, show(uri))
    name = f"{show(str(path))} ({where})"
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return _as_refused(uri, file_refusal(error, name))
    if not stat.S_ISREG(status.st_mode):
        return _as_refused(uri, refuse("not a file", name, "is a folder, a pipe or a device"))
    return Found(uri, show(os.fspath(path)), status.st_size, status.st_mtime_ns)


def _as_refused(uri: str, error: PictureError) -> Refused:
    return Refused(uri, error.reason, str(error))


def _bad_lines(uri: str, errors: list[TableError]) -> Iterator[Refused]:
    """The errors met so far, taken out of the list."""
    for error in errors:
        yield Refused(f"{uri}#{error.line}", "unusable list", str(error))
    errors.clear()
