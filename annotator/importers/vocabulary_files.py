"""Lists of tags people bring: text, CSV, YAML or JSON, with definitions, synonyms, prompts, parents and relations.

A bad entry is collected as an error and the rest goes on; two spellings of one name become one tag, with a note.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from annotator.errors import TableError, UnknownNameError
from annotator.importers.addresses import local_uri, scheme_of, show
from annotator.importers.delimited import open_text
from annotator.importers.file_kinds import suffix_of
from annotator.importers.names import clean_name, hint, name_problem, same_name
from annotator.importers.vocabulary_formats import READERS, RawRelation, RawTag
from annotator.terms import RelationKind

_HINTS = 20  # errors that get a "did you mean": the search takes half a second in 100,000 names


@dataclass(frozen=True, slots=True)
class TagEntry:
    """One tag of a list, cleaned; `parent` is the name of another tag of it. `line` is 0 where unknown (YAML, JSON)."""

    name: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    parent: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class RelationEntry:
    """One relation between two tags of a list: `a` implies, excludes or is the same as `b`."""

    kind: RelationKind
    a: str
    b: str


@dataclass(frozen=True, slots=True)
class TagList:
    """A list of tags in the file's order. `notes`: what was changed; `errors`: what was left out.

    `exactly_one`: groups of tags of which every image shows exactly one.
    """

    tags: tuple[TagEntry, ...]
    relations: tuple[RelationEntry, ...]
    notes: tuple[str, ...]
    errors: tuple[TableError, ...]
    exactly_one: tuple[tuple[str, ...], ...] = ()


def read_tags(source: str | Path, *, add_parents: bool = False) -> TagList:
    """Read a list of tags from a file or URL that ends in .txt, .csv, .tsv, .json, .yaml or .yml.

    Names are NFC, trimmed, with single spaces; a name that differs from an earlier one only by case is merged into it.
    A parent that is no tag of the list is an error, unless `add_parents` makes it one. Parents in a circle are
    dropped. Raises TableError where the file holds no tags or cannot be understood, UnknownNameError for another
    ending, PictureError where it cannot be read.
    """
    uri = str(source) if scheme_of(str(source)) else local_uri(source)
    reader = READERS.get(suffix_of(uri))
    if reader is None:
        raise UnknownNameError("kind of tag list", suffix_of(uri) or show(uri), READERS)
    with open_text(uri) as stream:
        text = stream.read()
    raw = reader(show(uri), text)
    building = _Building(show(uri), text, errors=list(raw.errors))
    building.add_tags(raw.tags)
    if not building.tags:
        raise TableError(building.file, 1, "holds no tags; write one a line, or a table with a column 'name'")
    building.settle_parents(add_parents)
    building.break_circles()
    building.note_shared_synonyms()
    building.add_relations(raw.relations)
    building.add_groups(raw.exactly_one)
    return TagList(
        tuple(building.tags.values()),
        tuple(building.relations),
        tuple(building.notes),
        tuple(building.errors),
        tuple(building.groups),
    )


@dataclass(slots=True)
class _Building:
    """A list being put together. `tags` is keyed by `same_name`."""

    file: str
    text: str
    errors: list[TableError]
    tags: dict[str, TagEntry] = field(default_factory=dict)
    relations: dict[RelationEntry, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    hints: int = _HINTS

    def add_tags(self, raw_tags: Iterable[RawTag]) -> None:
        for raw in raw_tags:
            tag = _clean(raw)
            problem = name_problem(tag.name)
            if problem:
                self._report(tag.line, tag.name, problem)
                continue
            key = same_name(tag.name)
            first = self.tags.setdefault(key, tag)
            if first is not tag:
                self.tags[key] = self._merged(first, tag)

    def settle_parents(self, add_parents: bool) -> None:
        """Spell every parent as its own tag does; report, or add, those that are no tag."""
        for key, tag in list(self.tags.items()):
            if tag.parent is None:
                continue
            above = same_name(tag.parent)
            if above == key:
                self.tags[key] = replace(tag, parent=None)
                self.notes.append(f"{tag.name!r} named itself as its parent, which means it has none")
                continue
            if above not in self.tags and add_parents and not name_problem(tag.parent):
                self.tags[above] = TagEntry(tag.parent, line=tag.line)
                self.notes.append(f"{tag.parent!r} was added: it is the parent of {tag.name!r}")
            parent = self._known(tag.parent, tag.line, f"the parent of {tag.name!r}")
            self.tags[key] = replace(tag, parent=parent)

    def break_circles(self) -> None:
        """Drop the parents of tags that are their own ancestors."""
        done = set[str]()
        for start in self.tags:
            path: dict[str, None] = {}
            key: str | None = start
            while key is not None and key not in done and key not in path:
                path[key] = None
                parent = self.tags[key].parent
                key = None if parent is None else same_name(parent)
            if key is not None and key in path:
                self._refuse_circle(list(path)[list(path).index(key) :])
            done.update(path)

    def note_shared_synonyms(self) -> None:
        for tag in self.tags.values():
            for synonym in tag.synonyms:
                other = self.tags.get(same_name(synonym))
                if other is not None:
                    self.notes.append(f"{synonym!r}, a synonym of {tag.name!r}, is a tag too")

    def add_relations(self, raw_relations: Iterable[RawRelation]) -> None:
        for raw in raw_relations:
            kind = clean_name(raw.kind.replace("_", " ")).lower()
            if kind not in list(RelationKind):
                self._report(0, raw.kind, f"no relation is called {raw.kind!r}; known: {', '.join(RelationKind)}")
                continue
            a, b = (self._known(clean_name(name), 0, f"a side of {kind!r}") for name in (raw.a, raw.b))
            if a is not None and a == b:
                self._report(0, a, f"{a!r} cannot stand in a relation to itself; remove it")
            elif a is not None and b is not None:
                self.relations[RelationEntry(RelationKind(kind), a, b)] = None

    def add_groups(self, raw_groups: Iterable[tuple[str, ...]]) -> None:
        """Groups of known tags; a tag belongs to one group only, else two groups could contradict each other."""
        grouped = set[str]()
        for raw in raw_groups:
            known = [self._known(clean_name(name), 0, "a tag of a group of exactly_one") for name in raw]
            names = tuple(dict.fromkeys(name for name in known if name is not None))
            twice = grouped.intersection(names)
            if twice:
                self._report(0, min(twice), f"{min(twice)!r} is in two groups of exactly_one; leave it in one")
            elif len(names) > 1:
                self.groups.append(names)
                grouped.update(names)

    def _merged(self, first: TagEntry, again: TagEntry) -> TagEntry:
        where = f" (line {again.line})" if again.line else ""
        what = "is there twice" if again.name == first.name else f"is the tag {first.name!r}"
        self.notes.append(f"{again.name!r}{where} {what}; the two were merged")
        return replace(
            first,
            definition=first.definition or again.definition,
            synonyms=tuple(dict.fromkeys(first.synonyms + again.synonyms)),
            prompts=tuple(dict.fromkeys(first.prompts + again.prompts)),
            parent=first.parent or again.parent,
        )

    def _known(self, name: str, line: int, what: str) -> str | None:
        """The tag's own spelling; None, and an error, where there is no such tag."""
        tag = self.tags.get(same_name(name))
        if tag is not None:
            return tag.name
        self.hints -= 1
        near = hint(name, [tag.name for tag in self.tags.values()]) if self.hints >= 0 else ""
        self._report(line, name, f"{what} is {name!r}, which is no tag of the list{near}; add it, or correct it")
        return None

    def _refuse_circle(self, keys: list[str]) -> None:
        tags = [self.tags[key] for key in keys]
        chain = " → ".join(tag.name for tag in [*tags[:10], tags[0]])
        self._report(tags[0].line, tags[0].name, f"parents in a circle: {chain}; their parents were left out")
        for key, tag in zip(keys, tags, strict=True):
            self.tags[key] = replace(tag, parent=None)

    def _report(self, line: int, name: str, problem: str) -> None:
        self.errors.append(TableError(self.file, line or self._line_of(name), problem))

    def _line_of(self, name: str) -> int:
        """The first line with `name` in it, for formats that do not tell lines."""
        return self.text.count("\n", 0, max(0, self.text.find(name))) + 1


def _clean(raw: RawTag) -> TagEntry:
    name = clean_name(raw.name)
    own = same_name(name)
    synonyms = _cleaned(raw.synonyms, lambda text: same_name(text) != own)
    prompts = _cleaned(raw.prompts, bool)
    return TagEntry(name, clean_name(raw.definition), synonyms, prompts, clean_name(raw.parent) or None, raw.line)


def _cleaned(texts: Iterable[str], keep: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for raw in texts if (text := clean_name(raw)) and keep(text)))
