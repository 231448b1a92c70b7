"""Every file below a folder, in sorted order; what must not be followed is refused, what is no picture passed over."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from annotator.errors import PictureError
from annotator.importers.addresses import absolute, local_uri, show
from annotator.importers.file_kinds import SKIPPED_SUFFIXES, is_junk, suffix_of
from annotator.importers.files import file_refusal
from annotator.importers.refusals import Refused, refuse


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A regular file worth trying. `found_as` differs from `path` where a link was followed."""

    path: str
    found_as: str
    size: int
    mtime_ns: int


class FolderWalk:
    """One walk below `root`: depth first, each folder's names sorted by their characters.

    Hidden files, what operating systems leave behind and files of known other kinds are counted in `skipped`.
    A link to what the walk meets anyway is counted too; one to a hidden place is followed, once; one that leads out
    of `root` is refused unless `follow_links_out`.
    """

    def __init__(self, root: str | Path, skipped: Counter[str], *, follow_links_out: bool = False) -> None:
        self.root = absolute(root)
        self.real_root = os.path.realpath(root)
        self.skipped = skipped
        self.follow_links_out = follow_links_out
        self._followed: set[str] = set()

    def __iter__(self) -> Iterator[LocalFile | Refused]:
        waiting = [iter([self.root])]  # a stack of folders being read: no recursion, however deep they lie
        while waiting:
            path = next(waiting[-1], None)
            if path is None:
                waiting.pop()
                continue
            try:
                found = self._look_at(path)
            except (OSError, ValueError) as error:
                yield _refused(path, file_refusal(error, show(path)))
            except PictureError as error:
                yield _refused(path, error)
            else:
                if isinstance(found, LocalFile):
                    yield found
                elif found is not None:
                    waiting.append(found)

    def _look_at(self, path: str) -> LocalFile | Iterator[str] | None:
        """A file to try, a folder's paths, or None for what is passed over."""
        status, found_as = os.lstat(path), path
        if stat.S_ISLNK(status.st_mode):
            target = self.real_root if path == self.root else self._follow(path)
            if target is None:
                self.skipped["link to what is read anyway"] += 1
                return None
            path, status = (path if path == self.root else target), os.stat(target)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode):
            return self._list(path)
        if not stat.S_ISREG(status.st_mode):
            raise refuse("not a file", show(path), "is a pipe, a socket or a device")
        return LocalFile(path, found_as, status.st_size, status.st_mtime_ns) if self._is_wanted(path) else None

    def _list(self, folder: str) -> Iterator[str]:
        names = sorted(os.listdir(folder))  # noqa: PTH208 (names only: a folder may hold millions)
        wanted = [name for name in names if not is_junk(name)]
        self.skipped["hidden or system file"] += len(names) - len(wanted)
        start = folder.rstrip(os.sep) + os.sep
        return (start + name for name in wanted)

    def _is_wanted(self, path: str) -> bool:
        suffix = suffix_of(path)
        if suffix in SKIPPED_SUFFIXES:
            self.skipped[suffix] += 1
        return suffix not in SKIPPED_SUFFIXES

    def _follow(self, link: str) -> str | None:
        """Where a link leads, if the walk does not come there anyway. Raises PictureError or OSError."""
        target = os.path.realpath(link, strict=True)
        inside = _is_below(target, self.real_root)
        if not inside and not self.follow_links_out:
            raise refuse("link out", show(link), f"is a link to {show(target)}, outside the folder")
        if _is_below(os.path.realpath(os.path.dirname(link)), target):  # noqa: PTH120
            raise refuse("link loop", show(link), f"is a link back to the folder {show(target)} it lies in")
        hidden = any(is_junk(part) for part in Path(target[len(self.real_root) :]).parts)
        if (inside and not hidden) or target in self._followed:
            return None
        self._followed.add(target)
        return target


def _is_below(path: str, folder: str) -> bool:
    """Is `path` that folder or within it? Both resolved."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _refused(path: str, error: PictureError) -> Refused:
    return Refused(local_uri(path), error.reason, str(error))
