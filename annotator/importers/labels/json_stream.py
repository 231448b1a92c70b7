"""JSON documents larger than memory: the elements of their top-level lists one by one."""

import codecs
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from annotator.errors import EntryError
from annotator.importers.addresses import show
from annotator.importers.files import file_refusal
from annotator.importers.labels.checks import members, quoted

CHUNK = 1 << 20  # characters read at once
MOST_ELEMENT = 1 << 26  # characters of one element: more is no entry of a labels file, and would fill the memory
_CUT = 16  # an error so near the end of what was read may come from the cut: the longest token is no longer
_SPACE = re.compile(r"[ \t\r\n]*")


class Element(NamedTuple):
    """`key` is the member of the top-level object, "" where the document is a list; `place` -1 where it is no list."""

    key: str
    place: int
    value: Any

    @property
    def where(self) -> str:
        return self.key if self.place < 0 else f"{self.key or 'entry '}[{self.place}]"


def elements(path: Path, lists: Collection[str] = ()) -> Iterator[Element]:
    """The members of the document's top-level object; those in `lists` element by element. Of a top-level list its
    elements, with the key "". Raises EntryError where it is not JSON, PictureError where it cannot be opened.
    """
    file = show(str(path))
    with open_json(path) as stream:
        document = _Document(file, stream)
        first = document.peek()
        if first == "[":
            yield from document.list_elements("")
        elif first == "{":
            yield from document.members(lists)
        else:
            what = f"begins with {quoted(first)} and is neither a JSON object nor a list"
            raise document.error(f"{what if first else 'is empty'}; export it anew")
        if document.peek():
            raise document.error(f"goes on after its end with {quoted(document.rest())}; keep one document in a file")


def open_json(path: Path) -> IO[str]:
    """The file as text: UTF-8 with or without a byte order mark, or UTF-16 with one."""
    try:
        if not path.is_file():
            raise EntryError(show(str(path)), "as a whole", "is not a file; name the JSON file")
        with path.open("rb") as raw:
            start = raw.read(2)
        wide = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return path.open(encoding="utf-16" if wide else "utf-8-sig", newline="")
    except (OSError, ValueError) as error:
        raise file_refusal(error, show(str(path))) from error


class _Document:
    """A place in a text of which only a part is held."""

    def __init__(self, file: str, stream: IO[str]) -> None:
        self.file, self.stream = file, stream
        self.buffer, self.at, self.line, self.ended = "", 0, 1, False
        self.key, self.index = "", -1
        self.decode = json.JSONDecoder(object_pairs_hook=members).raw_decode

    def error(self, message: str) -> EntryError:
        line = self.line + self.buffer.count("\n", 0, self.at)
        where = Element(self.key, self.index, None).where if self.key or self.index >= 0 else "as a whole"
        return EntryError(self.file, f"{where} (line {line})", message)

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            found = _SPACE.match(self.buffer, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if self.ended:
                return ""
            self._more()

    def rest(self) -> str:
        """What comes next, as far as it is at hand."""
        return self.buffer[self.at :][:20]

    def members(self, lists: Collection[str]) -> Iterator[Element]:
        self._take("{")
        seen = set[str]()
        while self.peek() != "}":
            self.key, self.index = "", -1
            key = self._value()
            if not isinstance(key, str):
                raise self.error(f"has a member whose name is {quoted(key)}; write it in double quotes")
            self._take(":")
            self.key = key
            if key in seen:
                raise self.error(f"has the member {quoted(key)} a second time; remove one of the two")
            seen.add(key)
            if key in lists and self.peek() == "[":
                yield from self.list_elements(key)
            else:
                yield Element(key, -1, self._value())
            self._next("}")
        self._take("}")
        self.key, self.index = "", -1

    def list_elements(self, key: str) -> Iterator[Element]:
        self._take("[")
        index = 0
        while self.peek() != "]":
            self.index = index
            yield Element(key, index, self._value())
            self._next("]")
            index += 1
        self._take("]")
        self.index = -1

    def _next(self, end: str) -> None:
        """A comma and what follows it, or the `end`."""
        if self.peek() != end:
            self._take(",")
            if self.peek() == end:
                raise self.error(f"has a comma before {end!r}; remove it")

    def _take(self, wanted: str) -> None:
        found = self.peek()
        if found != wanted:
            what = f"has {found!r} where {wanted!r} is due" if found else "ends in the middle: it was cut off"
            raise self.error(f"is not JSON: it {what}; export it anew")
        self.at += 1

    def _value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = self.decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self.buffer) - _CUT
                if self.ended or not cut:
                    raise self._not_json(error) from error
            except (ValueError, RecursionError) as error:  # a number of very many digits; lists in lists in lists
                raise self.error(f"is not JSON that can be read ({str(error)[:80]}); correct it") from error
            else:
                if end < len(self.buffer) or self.ended:
                    self.at = end
                    return value
            self._more()

    def _not_json(self, error: json.JSONDecodeError) -> EntryError:
        cut = error.pos >= len(self.buffer) - 1 or error.msg.startswith("Unterminated")
        what = "it ends in the middle: it was cut off" if cut else f"{error.msg} at {error.doc[error.pos :][:20]!r}"
        return self.error(f"is not JSON: {show(what)}; export it anew")

    def _more(self) -> None:
        self.line += self.buffer.count("\n", 0, self.at)
        held = len(self.buffer) - self.at
        if held > MOST_ELEMENT:
            raise self.error(f"is longer than {MOST_ELEMENT >> 20} million characters, which no entry is; correct it")
        try:
            fresh = self.stream.read(max(CHUNK, held))
        except UnicodeError as error:
            raise self.error(f"is not UTF-8 ({str(error)[:80]}); save it as UTF-8") from error
        self.buffer, self.at, self.ended = self.buffer[self.at :] + fresh, 0, not fresh
