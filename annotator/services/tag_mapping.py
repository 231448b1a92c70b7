"""Which tag of the workspace each tag of a labels file is: as a table says, by name, or by synonym."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import TableError, UsageError
from annotator.importers.addresses import local_uri
from annotator.importers.delimited import Table, open_text
from annotator.importers.names import clean_name, hint, same_name
from annotator.records import Header, RecordTag
from annotator.services.snapshots import merged_into
from annotator.services.votes import live_tags
from db.models import Relation, Tag

COLUMNS = {"from": ("from",), "to": ("to",)}
HINTS = 20
NAME, SYNONYM, MERGED, TABLE, NEW, LEFT_OUT, UNKNOWN = (
    "name", "synonym", "merged", "table", "new", "left out", "unknown"
)  # fmt: skip
"""How a tag of the file was found."""


@dataclass
class Mapped:
    """One tag of the file. `tag_id` None: its labels are left out, by the table or because there is no such tag."""

    name: str
    to: str
    how: str
    tag_id: int | None = None


def read_map(file: Path) -> dict[str, str]:
    """A CSV with the columns from and to; an empty `to` leaves a tag out. Raises TableError naming the line."""
    uri, errors = local_uri(file), list[TableError]()
    found: dict[str, str] = {}
    with open_text(uri) as stream:
        table = Table(uri, stream, COLUMNS)
        for line, cells in table.records(errors):
            source, target = (clean_name(table.cell(cells, column)) for column in ("from", "to"))
            if found.setdefault(same_name(source), target) != target:
                raise TableError(table.file, line, f"{source!r} goes to two tags; leave one line of it")
    if errors:
        raise errors[0]
    return found


def map_tags(session: Session, header: Header, table: Mapping[str, str], *, add: bool) -> list[Mapped]:
    """Of each tag of `header` the workspace's one. Missing ones are added with what the file says of them where `add`,
    or where there is no tag yet. Raises UsageError where the table names a tag that is not there.
    """
    tags = live_tags(session)
    known = _Known(session, tags)
    found = _looked_up(header, table, known)
    if add or not tags:
        _add(session, header, found, known)
    hints = 0
    for one in found:
        if one.how == UNKNOWN and hints < HINTS:
            hints += 1
            one.to = hint(one.name, [tag.name for tag in tags]).strip()
    return found


def check_map(session: Session, header: Header, table: Mapping[str, str]) -> None:
    """Raises what `map_tags` would, and changes nothing."""
    _looked_up(header, table, _Known(session, live_tags(session)))


def _looked_up(header: Header, table: Mapping[str, str], known: "_Known") -> list[Mapped]:
    found = [_one(tag, known, table) for tag in header.tags]
    mapped = {same_name(tag.name) for tag in header.tags}
    unused = [name for name in table if name not in mapped]
    if unused:
        names = [tag.name for tag in header.tags]
        raise UsageError(
            f"--map: no tag of the file is called {unused[0]!r}{hint(unused[0], names)}; correct the table"
        )
    return found


class _Known:
    """The workspace's tags by name, by synonym, and those that are part of another one now."""

    def __init__(self, session: Session, tags: Sequence[Tag]) -> None:
        self.by_name = {same_name(tag.name): tag for tag in tags}
        self.by_synonym: dict[str, Tag | None] = {}
        for tag in tags:
            for word in dict.fromkeys(map(same_name, (*tag.synonyms, *tag.names.values()))):
                self.by_synonym[word] = None if word in self.by_synonym else tag  # of two tags: of none
        ends, ids = merged_into(session), {tag.id: tag for tag in tags}
        merged = session.scalars(select(Tag).where(Tag.id.in_(ends))) if ends else ()
        self.merged = {same_name(tag.name): ids[ends[tag.id]] for tag in merged if ends[tag.id] in ids}

    def find(self, tag: RecordTag) -> tuple[Tag, str] | None:
        key = same_name(tag.name)
        if key in self.by_name:
            return self.by_name[key], NAME
        if key in self.merged:
            return self.merged[key], MERGED
        words = [key, key.replace("_", " "), *map(same_name, tag.synonyms)]
        for word in words:
            found = self.by_synonym.get(word) or (self.by_name.get(word) if word != key else None)
            if found is not None:
                return found, SYNONYM
        return None


def _one(tag: RecordTag, known: _Known, table: Mapping[str, str]) -> Mapped:
    target = table.get(same_name(tag.name))
    if target == "":
        return Mapped(tag.name, "", LEFT_OUT)
    if target is not None:
        there = known.by_name.get(same_name(target))
        if there is None:
            names = [one.name for one in known.by_name.values()]
            raise UsageError(
                f"--map: no tag is called {target!r}{hint(target, names)}; correct it, or add the tag first"
            )
        return Mapped(tag.name, there.name, TABLE, there.id)
    found = known.find(tag)
    return Mapped(tag.name, "", UNKNOWN) if found is None else Mapped(tag.name, found[0].name, found[1], found[0].id)


def _add(session: Session, header: Header, found: list[Mapped], known: _Known) -> None:
    """Make the tags that are not there, with their words, parents and the relations between any of the file's tags."""
    archived = set(session.scalars(select(Tag.key).where(Tag.archived.is_(True))))
    fresh: dict[str, Tag] = {}
    for tag, one in zip(header.tags, found, strict=True):
        if one.how == UNKNOWN and tag.name.casefold() not in archived:
            synonyms = [word for word in tag.synonyms if same_name(word) != same_name(tag.name)]
            made = Tag(name=tag.name, key=tag.name.casefold(), definition=tag.definition, synonyms=synonyms, prompts=[])
            session.add(made)
            fresh[same_name(tag.name)] = made
            one.to, one.how = made.name, NEW
    session.flush()
    for one in found:
        if one.how == NEW:
            one.tag_id = fresh[same_name(one.name)].id
    ids = {same_name(one.name): one.tag_id for one in found if one.tag_id is not None}
    for tag in header.tags:
        if tag.parent and same_name(tag.name) in fresh:
            fresh[same_name(tag.name)].parent_id = ids.get(same_name(tag.parent))
    for relation in header.relations:
        a, b = ids.get(same_name(relation.a)), ids.get(same_name(relation.b))
        if a and b and a != b and {same_name(relation.a), same_name(relation.b)} & set(fresh):
            session.merge(Relation(kind=relation.kind, a_id=a, b_id=b))
    session.flush()
