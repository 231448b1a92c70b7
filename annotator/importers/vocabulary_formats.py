"""The files tag lists come in, to raw entries. One function a format; `READERS` lists them by the file's ending."""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from annotator.errors import TableError
from annotator.importers.delimited import Table

_COLUMNS = {
    "name": ("name", "tag", "label", "class", "display_name"),
    "definition": ("definition", "description"),
    "synonyms": ("synonyms", "synonym", "aliases"),
    "prompts": ("prompts", "prompt"),
    "parent": ("parent",),
}
_OPTIONAL = ("definition", "synonyms", "prompts", "parent")
_YAML_LOADER: type[yaml.BaseLoader] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # Base: `no` and `1990` stay text


@dataclass(frozen=True, slots=True)
class RawTag:
    """One tag as the file writes it. `line` is 0 where the format does not tell."""

    line: int
    name: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True, slots=True)
class RawRelation:
    """One relation as the file writes it."""

    kind: str
    a: str
    b: str


@dataclass(slots=True)
class RawList:
    """What one file holds; `errors` are entries that are no tags at all."""

    tags: list[RawTag] = field(default_factory=list)
    relations: list[RawRelation] = field(default_factory=list)
    exactly_one: list[tuple[str, ...]] = field(default_factory=list)
    errors: list[TableError] = field(default_factory=list)


def read_text(file: str, text: str) -> RawList:
    """One tag a line; lines that begin with # are comments."""
    lines = enumerate(text.splitlines(), 1)
    return RawList([RawTag(number, line) for number, line in lines if line.strip() and not line.startswith("#")])


def read_csv(file: str, text: str) -> RawList:
    """Columns name (or tag, label, class), definition, synonyms and prompts separated by ``|``, parent; others ignored.

    Raises TableError where there is no name column.
    """
    table = Table(file, io.StringIO(text, newline=""), _COLUMNS, optional=_OPTIONAL)
    raw = RawList()
    for line, cells in table.records(raw.errors):
        cell = {column: table.cell(cells, column) for column in _COLUMNS}
        lists = {column: tuple(cell[column].split("|")) if cell[column] else () for column in ("synonyms", "prompts")}
        raw.tags.append(RawTag(line, cell["name"], cell["definition"], **lists, parent=cell["parent"]))
    return raw


def read_json(file: str, text: str) -> RawList:
    """A list of tags, or {"tags": …, "relations": …}; a tag is a string or an object. Raises TableError."""
    try:
        return _from_data(file, json.loads(text))
    except json.JSONDecodeError as error:
        raise TableError(file, error.lineno, f"is not JSON ({error.msg}); correct it there") from error
    except (ValueError, RecursionError) as error:
        raise TableError(file, 1, f"is not JSON that can be read ({error})") from error


def read_yaml(file: str, text: str) -> RawList:
    """The same as JSON, written as YAML; every value is text. Raises TableError."""
    try:
        return _from_data(file, yaml.load(text, Loader=_YAML_LOADER))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise TableError(file, line, f"is not YAML ({error.problem}); correct it there") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TableError(file, 1, f"is not YAML that can be read ({str(error)[:200]})") from error


READERS: dict[str, Callable[[str, str], RawList]] = {
    ".txt": read_text,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".json": read_json,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}
"""A file's ending to its reader: (name to show, text) to raw entries."""


def _from_data(file: str, data: object) -> RawList:
    if isinstance(data, Mapping) and "tags" not in data:
        keys = ", ".join(map(str, list(data)[:10]))
        raise TableError(file, 1, f"has no key 'tags'; keys found: {keys or 'none'}; write a list, or {{tags: […]}}")
    given = data if isinstance(data, Mapping) else {"tags": data}
    tags, relations, groups = given["tags"], given.get("relations") or [], given.get("exactly_one") or []
    raw = RawList()
    for place, entry in enumerate(_entries(file, tags), 1):
        try:
            raw.tags.append(_tag(entry))
        except TypeError as error:
            raw.errors.append(TableError(file, 1, f"tag number {place}: {error}"))
    for place, entry in enumerate(relations if isinstance(relations, list) else [relations], 1):
        try:
            raw.relations.append(_relation(entry))
        except TypeError as error:
            raw.errors.append(TableError(file, 1, f"relation number {place}: {error}"))
    for place, group in enumerate(groups if isinstance(groups, list) else [groups], 1):
        try:
            raw.exactly_one.append(_group(group))
        except TypeError as error:
            raw.errors.append(TableError(file, 1, f"group number {place} of exactly_one: {error}"))
    return raw


def _entries(file: str, tags: object) -> Iterable[object]:
    """The tags of a list, or of a mapping from name to definition or object."""
    if isinstance(tags, list):
        return tags
    if isinstance(tags, Mapping):
        return _named(tags)
    raise TableError(file, 1, f"'tags' is {_what(tags)}; write a list")


def _named(tags: Mapping[object, object]) -> Iterator[object]:
    for name, value in tags.items():
        if isinstance(value, Mapping):
            yield {"name": name, **value}
        else:
            yield {"name": name, "definition": value or ""}


def _tag(entry: object) -> RawTag:
    if not isinstance(entry, Mapping):
        return RawTag(0, _text(entry, "a tag"))
    if "name" not in entry and "tag" not in entry:
        raise TypeError(f"has no key 'name'; keys found: {', '.join(map(str, entry)) or 'none'}")
    return RawTag(
        0,
        _text(entry.get("name", entry.get("tag")), "the name"),
        _text(entry.get("definition") or "", "the definition"),
        _texts(entry.get("synonyms"), "a synonym"),
        _texts(entry.get("prompts"), "a prompt"),
        _text(entry.get("parent") or "", "the parent"),
    )


def _relation(entry: object) -> RawRelation:
    if not isinstance(entry, Mapping) or not {"kind", "a", "b"} <= set(entry):
        raise TypeError(f"is {_what(entry)}; write {{kind: implies, a: puppy, b: dog}}")
    return RawRelation(*(_text(entry[key], f"the key {key!r}") for key in ("kind", "a", "b")))


def _group(group: object) -> tuple[str, ...]:
    if not isinstance(group, list) or len(group) < 2:
        raise TypeError(f"is {_what(group)}; write a list of at least two tags: [day, night]")
    return _texts(group, "a tag of the group")


def _texts(value: object, what: str) -> tuple[str, ...]:
    """A list of texts, or one text with ``|`` between them."""
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(_text(item, what) for item in value)
    return tuple(_text(value, what).split("|"))


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"{what} is {_what(value)}; write text, in quotes")


def _what(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "empty"}
    return names.get(type(value), "a number")
