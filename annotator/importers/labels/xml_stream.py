"""XML read in one pass and safely: no document types, so no entities, nothing fetched, nothing expanded."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from xml.parsers import expat

from annotator.errors import EntryError
from annotator.importers.addresses import show
from annotator.importers.files import file_refusal

CHUNK = 1 << 16
DEEPEST = 32
MOST_TEXT = 1 << 16  # characters of one text or of one element's attributes


class Event(NamedTuple):
    """The start of an element with its attributes, or its end with its text."""

    kind: Literal["start", "end"]
    name: str
    attributes: dict[str, str]
    text: str
    line: int


class _Refused(Exception):
    pass


def events(path: Path) -> Iterator[Event]:
    """The elements in their order. Raises EntryError for what is not XML, PictureError where it cannot be opened."""
    file = show(str(path))
    handler = _Handler()
    try:
        if not path.is_file():
            raise EntryError(file, "as a whole", "is not a file; name the XML file")
        stream = path.open("rb")
    except (OSError, ValueError) as error:
        raise file_refusal(error, file) from error
    with stream:
        ended = False
        while not ended:
            chunk = stream.read(CHUNK)
            ended = not chunk
            try:
                handler.parser.Parse(chunk, ended)
            except _Refused as error:
                raise EntryError(file, f"line {handler.parser.CurrentLineNumber}", str(error)) from error
            except (expat.ExpatError, ValueError, LookupError, TypeError) as error:  # the last two: strange encodings
                where = f"line {handler.parser.CurrentLineNumber}"
                raise EntryError(file, where, f"is not XML ({show(str(error)[:100])}); export it anew") from error
            while handler.waiting:
                yield handler.waiting.popleft()


class _Handler:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.waiting: deque[Event] = deque()
        self.texts: list[str] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.texts.append("")
        if len(self.texts) > DEEPEST:
            raise _Refused(f"nests elements more than {DEEPEST} deep, which no annotations do; remove them")
        if sum(map(len, attributes.values())) > MOST_TEXT:
            raise _Refused(f"has attributes of more than {MOST_TEXT:,} characters; shorten them")
        self.waiting.append(Event("start", name, attributes, "", self.parser.CurrentLineNumber))

    def _end(self, name: str) -> None:
        self.waiting.append(Event("end", name, {}, self.texts.pop().strip(), self.parser.CurrentLineNumber))

    def _characters(self, text: str) -> None:
        if self.texts:
            self.texts[-1] += text
            if len(self.texts[-1]) > MOST_TEXT:
                raise _Refused(f"has a text of more than {MOST_TEXT:,} characters; shorten it")

    def _doctype(self, *_: object) -> None:
        raise _Refused("has a document type (<!DOCTYPE …>), which can expand without end; remove it")
