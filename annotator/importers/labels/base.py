"""What every label importer shares: what it takes and gives, what it refuses, and the tags it meets."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotator.errors import EntryError
from annotator.importers.addresses import show
from annotator.importers.labels.checks import tag_name
from annotator.importers.names import same_name
from annotator.records import Header, Record, RecordRelation, Records, RecordTag

MOST_KEPT = 1000  # messages; a file of a million bad entries must not fill the memory
MOST_WHERE = 200  # characters: a place may hold a key of the file
MOST_TAGS = 200_000  # twice the largest vocabulary there is: more are no tags but, say, a column of captions


class Problems:
    """Entries that were refused: the first thousand in words, all of them counted."""

    def __init__(self, path: Path) -> None:
        self.file = show(str(path))
        self.kept: list[EntryError] = []
        self.count = 0
        self._opening = (0, 0)

    def add(self, where: str, problem: object) -> None:
        self.count += 1
        if len(self.kept) < MOST_KEPT:
            self.kept.append(EntryError(self.file, show(where[:MOST_WHERE]), str(problem)))

    def opened(self) -> None:
        """What was found until now stays when the records are read again."""
        self._opening = (len(self.kept), self.count)

    def again(self) -> None:
        """Forget what an earlier reading of the records found."""
        kept, self.count = self._opening
        del self.kept[kept:]

    def whole(self, message: str, where: str = "as a whole") -> EntryError:
        """The error of a file that cannot be used at all."""
        return EntryError(self.file, where, message)


class Strict(Problems):
    """For a file that this program wrote: the first entry that cannot be used is raised instead of noted."""

    def add(self, where: str, problem: object) -> None:
        super().add(where, problem)
        raise self.kept[-1]


@dataclass(frozen=True)
class LabelImporter:
    """One format.

    `open` gives the records of a file or folder; bad entries go to the problems as the records are read, and a file
    that is no such format at all raises EntryError. `recognises` tells from a path and its first bytes (none of a
    folder) whether it may be one.
    """

    open: Callable[[Path, Problems], Records]
    recognises: Callable[[Path, bytes], bool]
    says: str


class Names:
    """The tags of a file, in the order in which they are met; two spellings of one name are one tag."""

    def __init__(self, tags: Iterable[RecordTag] = (), *, closed: bool = False) -> None:
        self._tags: list[RecordTag] = []
        self._places: dict[str, int] = {}
        self._spellings: dict[object, int] = {}
        self._closed = False
        for tag in tags:
            self.put(tag)
        self._closed = closed

    def __len__(self) -> int:
        return len(self._tags)

    def place(self, name: object) -> int:
        """The number of the tag called `name`. Raises ValueError for what is no name, or not in a closed list."""
        if isinstance(name, str):
            found = self._spellings.get(name)
            if found is not None:
                return found
        return self.put(RecordTag(tag_name(name)), name)

    def name(self, place: int) -> str:
        return self._tags[place].name

    def close(self) -> None:
        """From now on a tag that was not met is refused: the list was a list of all."""
        self._closed = True

    def put(self, tag: RecordTag, spelling: object = None) -> int:
        """Take a tag with all that is said of it; what an earlier mention said stays."""
        key = same_name(tag.name)
        place = self._places.get(key)
        if place is None:
            if self._closed:
                raise ValueError(f"the tag {tag.name!r} is not in the file's own list of tags; add it there")
            if len(self._tags) >= MOST_TAGS:
                raise ValueError(f"{tag.name!r} is the tag number {MOST_TAGS + 1:,}; name the column that holds tags")
            place = self._places[key] = len(self._tags)
            self._tags.append(tag)
        self._spellings[tag.name if spelling is None else spelling] = place
        return place

    def tags(self) -> tuple[RecordTag, ...]:
        """All of them; a parent that is no tag is left out."""
        return tuple(
            tag if tag.parent is None else replace(tag, parent=self._spelled(tag.parent, tag.name))
            for tag in self._tags
        )

    def _spelled(self, parent: str, child: str) -> str | None:
        place = self._places.get(same_name(parent))
        return None if place is None or same_name(parent) == same_name(child) else self._tags[place].name


@dataclass
class Head:
    """What a file says beside its images."""

    names: Names = field(default_factory=Names)
    relations: list[RecordRelation] = field(default_factory=list)
    snapshot: str = ""
    root: str = ""


def collected(
    problems: Problems,
    names: Names,
    read: Callable[[], Iterator[Record]],
    head: Head | None = None,
    *,
    images: int | None = None,
) -> Records:
    """Records whose tags are known once all were read, which is done here where the number of `images` is not given
    (0: not counted)."""
    head = head or Head()

    def again() -> Iterator[Record]:
        problems.again()
        return read()

    problems.opened()
    count = sum(1 for _ in again()) if images is None else images
    return Records(Header(names.tags(), tuple(head.relations), head.snapshot, head.root, count), again)
