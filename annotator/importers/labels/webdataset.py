"""WebDataset: tar shards in which the members of one key belong together. Nothing is unpacked.

Pictures in them are named by their content too, so that they are found again wherever they were imported from.
"""

import hashlib
import json
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from annotator.importers.addresses import show
from annotator.importers.labels import checks
from annotator.importers.labels.base import Names, Problems, collected
from annotator.importers.labels.huggingface import described
from annotator.importers.labels.json_lines import not_json, refuse_empty
from annotator.importers.labels.shares import PICTURES
from annotator.records import Record, Records

MOST_MEMBER = 1 << 26  # bytes of a shard's labels


def open_webdataset(path: Path, problems: Problems) -> Records:
    """A tar file, or a folder of them: the members of one key belong together; `.json` has the labels as in jsonl,
    `.txt` or `.cls` a tag a line. Nothing is unpacked. Raises EntryError where no member can be used."""
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    names = Names()

    def read() -> Iterator[Record]:
        for shard in shards:
            yield from _shard(shard, names, problems)

    return refuse_empty(collected(problems, names, read), problems)


def _shard(path: Path, names: Names, problems: Problems) -> Iterator[Record]:
    """The records of one tar file, read from its beginning to its end."""
    if not path.is_file():
        raise problems.whole("is not a file; name the tar file")
    group = _Group(path, names, problems)
    try:
        with tarfile.open(path, "r|*", tarinfo=_Member) as archive:
            for member in archive:
                group.last = member.name
                if not member.isfile():
                    if not member.isdir():
                        what = "is a link or a device, which is not followed; pack the file itself"
                        problems.add(f"member {checks.quoted(member.name)}", what)
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
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = show(str(error)[:200])
        where = f"after {checks.quoted(group.last)}" if group.last else "as a whole"
        raise problems.whole(f"is no tar file that can be read to its end ({why}); export it anew", where) from error


class _Member(tarfile.TarInfo):
    """A member whose archive must end with a mark: tarfile takes a cut or a damaged header for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):
                raise  # the block of zeros that marks the end
            raise tarfile.ReadError(f"{error} where a member or the end is due") from error


class _Group:
    """The members of one key of a shard."""

    def __init__(self, path: Path, names: Names, problems: Problems) -> None:
        self.path, self.names, self.problems = path, names, problems
        self.key = self.last = ""
        self._begin()

    def _begin(self) -> None:
        self.picture = self.sha256 = ""
        self.entry: dict[str, Any] = {}
        self.tags: list[str] = []
        self.endings = set[str]()
        self.spoken = self.spoiled = False

    def take(self, name: str, ending: str, size: int, read: Callable[[int], bytes]) -> None:
        suffix = "." + ending.rpartition(".")[2]
        try:
            if ending in self.endings:
                raise ValueError(f"is there twice with the ending {ending!r}; remove one of the two")
            self.endings.add(ending)
            if suffix in PICTURES:
                digest = hashlib.sha256()
                while chunk := read(1 << 20):
                    digest.update(chunk)
                self.picture, self.sha256 = name, digest.hexdigest()
            elif suffix in (".json", ".txt", ".cls"):
                if size > MOST_MEMBER:
                    raise ValueError(f"has {size:,} bytes, at most {MOST_MEMBER:,} are read; is this the labels?")
                self.spoken = True
                self._said(suffix, read(size))
        except ValueError as error:
            self.spoiled = True
            self.problems.add(f"member {checks.quoted(name)}", error)

    def _said(self, suffix: str, content: bytes) -> None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeError as error:
            raise ValueError(f"is not UTF-8 ({str(error)[:80]}); save it as UTF-8") from error
        if suffix != ".json":
            self.tags += [line.strip() for line in text.splitlines() if line.strip()]
            return
        try:
            self.entry = checks.thing(json.loads(text, object_pairs_hook=checks.members), "the member")
        except json.JSONDecodeError as error:
            raise ValueError(not_json(error)) from error
        except RecursionError as error:
            raise ValueError("is not JSON that can be read (it nests too deep); correct it") from error

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
        record = described(entry, "", self.names, self.problems, where)
        return record if record.sha256 else record._replace(sha256=self.sha256)
