"""The bytes behind any URI of `annotator.importers.addresses`, at any later time, from any thread or process."""

import bz2
import gzip
import lzma
import os
import tarfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from annotator.importers.addresses import local_path, show, split_member
from annotator.importers.archives import ARCHIVE_ERRORS, archive_refusal, is_plain, scheme_of_archive
from annotator.importers.files import check_byte_size, read_file
from annotator.importers.refusals import DEFAULT_LIMITS, Limits, refuse
from annotator.importers.remote import read_remote

_KEPT_OPEN = 8  # archives; each is a file handle and the list of its members
_OPENERS: dict[bytes, Callable[..., object]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


def read_bytes(uri: str, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a local file, an archive member or a remote file. Safe to call from many threads.

    Raises PictureError: missing, unreadable, too large, damaged archive, unknown scheme and the like.
    """
    member = split_member(uri)
    if member is not None:
        return _read_member(*member, limits)
    path = local_path(uri)
    return read_file(path, limits) if path is not None else read_remote(uri, limits)


def _read_member(archive: Path, member: str, limits: Limits) -> bytes:
    name = show(f"{archive}!{member}")
    try:
        return _KEPT.read(archive, member, name, limits)
    except KeyError as error:
        raise refuse("missing", name, "is not in the archive") from error
    except NotImplementedError as error:
        raise refuse("unsupported format", name, f"is packed in a way that cannot be read ({error})") from error
    except ARCHIVE_ERRORS as error:
        raise archive_refusal(error, name) from error


class _Zip:
    """An open zip archive and its members by name; the first of a repeated name counts, as in a scan."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.members = {info.filename: info for info in reversed(self.archive.infolist())}

    def read(self, member: str, name: str, limits: Limits) -> bytes:
        info = self.members[member]
        if info.flag_bits & 1:
            raise refuse("encrypted", name, "is protected by a password")
        check_byte_size(info.file_size, name, limits)
        return self.archive.read(info)

    def close(self) -> None:
        self.archive.close()


class _Tar:
    """An open tar archive and the place of each member met so far.

    Looking on only as far as needed, a compressed archive read in its own order is decompressed once.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            opener = _OPENERS.get(file.read(2), open)
        self.file = cast(IO[bytes], opener(path, "rb"))
        try:
            self.archive = tarfile.open(fileobj=self.file, mode="r:")  # noqa: SIM115 (kept open)
        except ARCHIVE_ERRORS:
            self.file.close()
            raise
        self.places: dict[str, tuple[int, int]] = {}

    def read(self, member: str, name: str, limits: Limits) -> bytes:
        while member not in self.places:
            self._look_on(member)
        start, size = self.places[member]
        check_byte_size(size, name, limits)
        self.file.seek(start)
        data = self.file.read(size)
        if len(data) < size:
            raise EOFError("the archive ends within this file")
        return data

    def _look_on(self, member: str) -> None:
        info = self.archive.next()
        if info is None:
            raise KeyError(member)
        self.archive.members = []  # type: ignore[attr-defined]  # it would keep every entry of a long archive
        if is_plain(info):
            self.places.setdefault(info.name, (info.offset_data, info.size))

    def close(self) -> None:
        self.archive.close()
        self.file.close()


class _Slot:
    """One archive kept open; whoever reads holds the lock, since its file has one position."""

    def __init__(self, path: Path) -> None:
        self.lock = threading.Lock()
        self.open: _Zip | _Tar | None = _Zip(path) if scheme_of_archive(path) == "zip" else _Tar(path)

    def close(self) -> None:
        with self.lock:
            if self.open is not None:
                self.open.close()
                self.open = None


class KeptArchives:
    """The archives read last, kept open. A changed archive is opened anew."""

    def __init__(self, most: int = _KEPT_OPEN) -> None:
        self.most = most
        self._slots: OrderedDict[tuple[str, int, int], _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, member: str, name: str, limits: Limits) -> bytes:
        """The bytes of one member; KeyError where it is not there, ARCHIVE_ERRORS where the archive is broken."""
        while True:
            slot = self._slot(path)
            with slot.lock:
                if slot.open is not None:  # else another thread pushed it out in between
                    return slot.open.read(member, name, limits)

    def close(self) -> None:
        """Close all."""
        with self._lock:
            slots = list(self._slots.values())
            self._slots.clear()
        for slot in slots:
            slot.close()

    def begin_anew(self) -> None:
        """For a process just forked: the open files share their position, and the locks their state, with the parent.

        They are set aside, not closed: closing would wait for a lock that no thread here will ever let go.
        """
        self._inherited = self._slots
        self._slots, self._lock = OrderedDict(), threading.Lock()

    def _slot(self, path: Path) -> _Slot:
        status = path.stat()
        key = (str(path), status.st_mtime_ns, status.st_size)
        pushed_out = []
        with self._lock:
            if key not in self._slots:
                self._slots[key] = _Slot(path)
            self._slots.move_to_end(key)
            while len(self._slots) > self.most:
                pushed_out.append(self._slots.popitem(last=False)[1])
            slot = self._slots[key]
        for old in pushed_out:
            old.close()
        return slot


_KEPT = KeptArchives()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_KEPT.begin_anew)


def close_archives() -> None:
    """Close the archives kept open, so that their files can be moved or deleted everywhere."""
    _KEPT.close()
