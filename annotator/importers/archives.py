"""Pictures inside zip and tar archives, listed and judged where they lie: nothing is ever unpacked to disk.

A zip or plain tar gives any member at once. A compressed tar can only be read from its beginning, so a scan hands
over each member's bytes as it passes; reading a single member again later costs decompressing all before it.
"""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import PictureError
from annotator.importers.addresses import local_uri, member_uri, show
from annotator.importers.file_kinds import SKIPPED_SUFFIXES, is_junk, suffix_of
from annotator.importers.files import file_refusal
from annotator.importers.refusals import DEFAULT_LIMITS, Limits, Refused, refuse

ZIP_SUFFIXES = (".zip", ".cbz")
TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_MOST_INFLATED, _SUSPECT_BYTES = 200, 1 << 26  # pictures hardly shrink: 64 MiB of 200:1 is a bomb, not a picture

# What zipfile and tarfile raise on broken archives. EOFError, zlib and lzma: a compressed tar that was cut.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
    MemoryError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive that may be a picture; `data` where it had to be read in passing."""

    uri: str
    display: str
    size: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of either kind of archive, before it is judged. `packed`: its bytes in the archive."""

    name: str
    size: int
    packed: int
    kind: str  # "file", "folder", or in words what else it is
    encrypted: bool = False
    read: Callable[[], bytes] | None = None


def is_archive(name: str) -> bool:
    """Does the name end like an archive that is read in place?"""
    return name.lower().endswith(ZIP_SUFFIXES + TAR_SUFFIXES)


def is_compressed_tar(path: Path) -> bool:
    """Do the first bytes say gzip, bzip2 or xz?"""
    with path.open("rb") as file:
        return file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"))


def scheme_of_archive(path: Path) -> str:
    """ "zip" or "tar"."""
    return "zip" if path.name.lower().endswith(ZIP_SUFFIXES) else "tar"


def scan_archive(
    path: Path, limits: Limits = DEFAULT_LIMITS, skipped: Counter[str] | None = None
) -> Iterator[Member | Refused]:
    """The members of a zip or tar archive in its own order. What is cut or damaged ends in one `Refused`."""
    counter = Counter[str]() if skipped is None else skipped
    seen, passed = set[str](), 0
    scheme = scheme_of_archive(path)
    try:
        for entry in _zip_entries(path) if scheme == "zip" else _tar_entries(path):
            passed += 1
            name = show(f"{path}!{entry.name}")
            uri = member_uri(scheme, path, entry.name)
            try:
                if _is_wanted(entry, counter):
                    _judge(entry, name, seen, limits)
                    yield Member(uri, name, entry.size, entry.read() if entry.read else None)
            except PictureError as error:
                yield Refused(uri, error.reason, str(error))
    except ARCHIVE_ERRORS as error:
        refusal = archive_refusal(error, show(str(path)), f"after {passed:,} entries ")
        yield Refused(local_uri(path), refusal.reason, str(refusal))


def archive_refusal(error: BaseException, name: str, where: str = "") -> PictureError:
    """What an error of zipfile, tarfile or below means."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return file_refusal(error, name)
    said = " ".join(str(error).split()) or type(error).__name__
    return refuse("damaged archive", name, f"cannot be read {where}({said[:200]})")


def _is_wanted(entry: _Entry, skipped: Counter[str]) -> bool:
    """May the entry be a picture by its name? Counts what is passed over."""
    if entry.kind == "folder":
        return False
    if any(is_junk(part) for part in entry.name.split("/") if part not in ("", ".", "..")):
        skipped["hidden or system file"] += 1
        return False
    suffix = suffix_of(entry.name)
    if suffix in SKIPPED_SUFFIXES:
        skipped[suffix] += 1
        return False
    return True


def _judge(entry: _Entry, name: str, seen: set[str], limits: Limits) -> None:
    """Raise PictureError for an entry that is not to be read."""
    parts = entry.name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0][1:2] == ":":
        raise refuse("unsafe name", name, "leads out of the archive")
    if entry.kind != "file":
        raise refuse("not a file", name, f"is {entry.kind}")
    if is_archive(entry.name):
        raise refuse("nested archive", name, "is an archive inside an archive")
    if entry.encrypted:
        raise refuse("encrypted", name, "is protected by a password")
    if entry.name in seen:
        raise refuse("repeated name", name, "is in the archive twice")
    seen.add(entry.name)
    if entry.size > limits.file_bytes:
        raise refuse("too large", name, f"unpacks to {entry.size:,} bytes, at most {limits.file_bytes:,} are read")
    if entry.size > _SUSPECT_BYTES and entry.size > _MOST_INFLATED * entry.packed:
        raise refuse("too large", name, f"unpacks from {entry.packed:,} to {entry.size:,} bytes, as no picture does")


def _zip_entries(path: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            word = "folder" if info.is_dir() else "file" if plain else "a link or a device"
            yield _Entry(info.filename, info.file_size, info.compress_size, word, bool(info.flag_bits & 1))


def _tar_entries(path: Path) -> Iterator[_Entry]:
    compressed = is_compressed_tar(path)
    with tarfile.open(path) as archive:
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # it would keep every entry of a long archive
            word = "folder" if info.isdir() else "file" if is_plain(info) else "a link, a device or a sparse file"
            yield _Entry(info.name, info.size, info.size, word, read=_reader(archive, info) if compressed else None)


def _reader(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = archive.extractfile(info)
        data = file.read() if file else b""
        if len(data) < info.size:
            raise EOFError("the archive ends within this file")
        return data

    return read


def is_plain(info: tarfile.TarInfo) -> bool:
    """Is the entry of a tar archive a file whose bytes lie there as they are?"""
    return info.isreg() and not info.issparse()
