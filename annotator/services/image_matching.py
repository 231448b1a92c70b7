"""Which image a record of a labels file is of: by content, by address, by path below a root, by the end of its path."""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from annotator.importers.addresses import resolve, scheme_of
from annotator.records import Record
from annotator.services.label_store import IN_A_QUERY
from annotator.services.label_store import parts as in_queries
from db.models import Image, ImageFile

AT_ONCE = 50_000  # files read at once while their last names are noted
MOST_ALIKE = 5000  # files of one name that are looked at
_PARTED = re.compile(r"[/!]")


class ImageMatcher:
    """`match` says of each record which row it is of, or why of none. Names are compared, never opened."""

    def __init__(self, session: Session, root: str, folder: Path) -> None:
        """`root` is what the file's names are relative to, "" where it does not say; `folder` is the file's own."""
        self.session = session
        self.bases = [base for base in (root, str(folder.absolute())) if base]
        self._endings: _Endings | None = None

    def match(self, records: Sequence[Record]) -> list[int | str]:
        """Of each record its row, or what is wrong in words."""
        by_content = self._column(Image.sha256, Image.row, {record.sha256 for record in records if record.sha256})
        rows = [by_content.get(record.sha256) for record in records]
        lost = [record.file.replace("\\", "/") for record, row in zip(records, rows, strict=True) if row is None]
        by_name = iter(self._by_name(lost) if lost else ())
        return [next(by_name) if row is None else row for row in rows]

    def _by_name(self, names: Sequence[str]) -> list[int | str]:
        addresses = [self._addresses(name) for name in names]
        by_address = self._column(
            ImageFile.uri, ImageFile.image_row, {address for several in addresses for address in several}
        )
        rows = [next((by_address[one] for one in several if one in by_address), None) for several in addresses]
        lost = [name for name, row in zip(names, rows, strict=True) if row is None]
        by_ending = iter(self._by_ending(lost) if lost else ())
        return [next(by_ending) if row is None else row for row in rows]

    def _addresses(self, name: str) -> list[str]:
        """The URIs a name may stand for, the likeliest first."""
        if scheme_of(name) or name.startswith("/"):
            return [name, resolve(name, "/")] if scheme_of(name) != "file" else [resolve(name, "/")]
        return [resolve(name, base) for base in self.bases]

    def _column(
        self, key: InstrumentedAttribute[str], value: InstrumentedAttribute[int], wanted: Collection[str]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        ordered = sorted(wanted)
        for start in range(0, len(ordered), IN_A_QUERY):
            part = ordered[start : start + IN_A_QUERY]
            found.update(dict(self.session.execute(select(key, value).where(key.in_(part))).all()))
        return found

    def _by_ending(self, names: Sequence[str]) -> list[int | str]:
        if self._endings is None:
            self._endings = _Endings(self.session)
        return [self._told(name, rows) for name, rows in zip(names, self._endings.rows(names), strict=True)]

    def _told(self, name: str, rows: Collection[int]) -> int | str:
        if ".." in name.split("/"):
            return "climbs out of its folder and is not imported; write the path below the root"
        if len(rows) == 1:
            return next(iter(rows))
        if rows:
            return "fits several imported pictures; give more of its path"
        return "no imported picture has this name or content; import it first, or correct the path"


class _Endings:
    """Checksums of the last one and two parts of all files' paths: 16 bytes a file, where paths are a hundred."""

    def __init__(self, session: Session) -> None:
        self.session = session
        sums: dict[int, list[NDArray[np.uint32]]] = {1: [], 2: []}
        ids = [np.empty(0, np.int64)]
        for part in _files(session):
            ids.append(np.array([number for number, _ in part], np.int64))
            for length, found in sums.items():
                found.append(np.array([_checksum(_parts(uri), length) for _, uri in part], np.uint32))
        self.ids = np.concatenate(ids)
        self.sums = {length: np.concatenate(found or [np.empty(0, np.uint32)]) for length, found in sums.items()}
        self.orders = {length: np.argsort(found, kind="stable") for length, found in self.sums.items()}

    def rows(self, names: Sequence[str]) -> list[set[int]]:
        """Of each name the images with a file whose path ends in it. Of a path from another machine, or an address,
        only file and folder have to fit: what is above is another one here."""
        tails = [_tail(name) for name in names]
        candidates = [self._candidates(tail) for tail in tails]
        files: dict[int, tuple[str, int]] = {}
        for part in in_queries({number for several in candidates for number in several}):
            query = select(ImageFile.id, ImageFile.uri, ImageFile.image_row).where(ImageFile.id.in_(part))
            files.update({number: (uri, row) for number, uri, row in self.session.execute(query)})
        return [
            {row for number in several for uri, row in [files[number]] if _parts(uri)[-len(tail) :] == tail}
            for tail, several in zip(tails, candidates, strict=True)
        ]

    def _candidates(self, tail: list[str]) -> list[int]:
        if not tail:
            return []
        length = min(len(tail), 2)
        order, wanted = self.orders[length], np.uint32(_checksum(tail, length))
        start = np.searchsorted(self.sums[length], wanted, "left", order)
        end = np.searchsorted(self.sums[length], wanted, "right", order)
        # Of very many files of one name a few tell as well that the name is not enough.
        found: list[int] = self.ids[order[start : min(end, start + MOST_ALIKE)]].tolist()
        return found


def _tail(name: str) -> list[str]:
    """The parts of a path that have to fit; none where it says too little."""
    parts = [part for part in _parts(name.partition("://")[2] or name) if part not in ("", ".")]
    if name.startswith("/") or scheme_of(name):
        return parts[-2:] if len(parts) > 1 else []
    return parts


def _parts(address: str) -> list[str]:
    return _PARTED.split(address)


def _checksum(parts: list[str], length: int) -> int:
    return crc32("/".join(parts[-length:]).encode(errors="surrogatepass"))


def _files(session: Session) -> Iterator[list[tuple[int, str]]]:
    """(id, uri) of all files, some at once."""
    query = select(ImageFile.id, ImageFile.uri).order_by(ImageFile.id).execution_options(yield_per=AT_ONCE)
    for _, group in groupby(session.execute(query), key=lambda row: row.id // AT_ONCE):
        yield [(row.id, row.uri) for row in group]
