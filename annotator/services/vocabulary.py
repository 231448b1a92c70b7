"""The vocabulary of a workspace."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.errors import MissingError
from annotator.importers.vocabulary_files import TagEntry, TagList, read_tags
from annotator.services.rights import Right, needs
from annotator.terms import LabelState, RelationKind
from annotator.vocabulary import Relations
from annotator.workspace import Workspace
from db.models import Label, Relation, Tag

EXAMPLES = 6


@needs(Right.VOCABULARY)
def add_from_file(workspace: Workspace, file: Path) -> dict[str, int]:
    """Add the tags and relations of `file`; tags that exist get the file's definition, synonyms and parent."""
    return add(workspace, read_tags(file))


@needs(Right.VOCABULARY)
def add(workspace: Workspace, tags: TagList) -> dict[str, int]:
    with workspace.transaction() as session:
        known = {tag.key: tag for tag in session.scalars(select(Tag))}
        before = len(known)
        for entry in tags.tags:
            _put(session, known, entry)
        session.flush()
        for entry in tags.tags:
            if entry.parent:
                known[key_of(entry.name)].parent_id = known[key_of(entry.parent)].id
        for relation in tags.relations:
            a, b = known[key_of(relation.a)].id, known[key_of(relation.b)].id
            session.merge(Relation(kind=RelationKind(relation.kind), a_id=a, b_id=b))
    if tags.exactly_one:
        workspace.change_project(exactly_one=[list(group) for group in tags.exactly_one])
    return {"added": len(known) - before, "tags": len(known), "relations": len(tags.relations)}


def add_names(session: Session, names: list[str]) -> None:
    """Add tags that are only names."""
    known = {tag.key: tag for tag in session.scalars(select(Tag))}
    for name in names:
        _put(session, known, TagEntry(name=name))
    session.flush()


def browser_list(workspace: Workspace) -> dict[str, Any]:
    """All tags as the browser needs them: `tags` as [id, name, synonyms and names in other languages], `exactly_one`
    the groups of ids of which exactly one is present, `implies` and `excludes` pairs of ids, `hotkeys` key to id,
    `colours` id to colour. Definitions come one by one: a vocabulary of 100,000 tags is fetched whole."""
    groups = workspace.project.exactly_one
    columns = Tag.id, Tag.name, Tag.synonyms, Tag.names, Tag.hotkey, Tag.colour
    with workspace.reading() as session:
        rows = session.execute(select(*columns).where(Tag.archived.is_(False)).order_by(Tag.id)).all()
        relations = relations_of(session)
    ids = {row.name: row.id for row in rows}
    both_ways = {pair for a, b in relations.same_as for pair in ((a, b), (b, a))}
    return {
        "tags": [[row.id, row.name, [*row.synonyms, *row.names.values()]] for row in rows],
        "exactly_one": [[ids[name] for name in group if name in ids] for group in groups],
        "implies": sorted(relations.implies | both_ways),
        "excludes": sorted(relations.excludes),
        "hotkeys": {row.hotkey: row.id for row in rows if row.hotkey},
        "colours": {row.id: row.colour for row in rows if row.colour},
    }


def described(workspace: Workspace, tag_id: int) -> dict[str, Any]:
    """One tag with its definition, synonyms, parent and example pictures (rows people chose, then those it is on).

    Raises MissingError when there is none.
    """
    with workspace.reading() as session:
        tag = session.get(Tag, tag_id)
        if tag is None:
            raise MissingError(f"there is no tag {tag_id} in this workspace")
        parent = session.get(Tag, tag.parent_id) if tag.parent_id else None
        sure = (
            select(Label.image_row)
            .where(Label.tag_id == tag_id)
            .group_by(Label.image_row)
            # Several people agree, or at least nobody objects.
            .having(func.min(Label.state) == LabelState.POSITIVE)
            .order_by(func.count(Label.id).desc(), Label.image_row)
            .limit(EXAMPLES)
        )
        examples = dict.fromkeys([*tag.examples, *session.scalars(sure)])
        return {
            "id": tag.id,
            "name": tag.name,
            "definition": tag.definition,
            "synonyms": tag.synonyms,
            "parent": parent.name if parent else None,
            "examples": list(examples)[: max(EXAMPLES, len(tag.examples))],
        }


def relations_of(session: Session, columns: Iterable[int] | None = None) -> Relations:
    """The relations of all tags; `columns`: the tags of label arrays in their order, by default those in use."""
    parents = session.execute(select(Tag.id, Tag.parent_id).where(Tag.parent_id.is_not(None)))
    related = session.execute(select(Relation.kind, Relation.a_id, Relation.b_id))
    if columns is None:
        columns = session.scalars(select(Tag.id).where(Tag.archived.is_(False)).order_by(Tag.id))
    return _relations(
        tuple(columns), tuple((tag, above) for tag, above in parents), tuple((kind, a, b) for kind, a, b in related)
    )


@lru_cache(maxsize=4)  # what follows from a tag is remembered with the relations
def _relations(
    columns: tuple[int, ...], parents: tuple[tuple[int, int], ...], related: tuple[tuple[RelationKind, int, int], ...]
) -> Relations:
    return Relations.of(columns, dict(parents), related)


def count(session: Session) -> int:
    return session.scalar(select(func.count(Tag.id)).where(Tag.archived.is_(False))) or 0


def _put(session: Session, known: dict[str, Tag], entry: TagEntry) -> None:
    tag = known.get(key_of(entry.name))
    if tag is None:
        tag = known[key_of(entry.name)] = Tag(name=entry.name, key=key_of(entry.name))
        session.add(tag)
    tag.definition = entry.definition or tag.definition or ""
    tag.synonyms = list(entry.synonyms) or tag.synonyms or []
    tag.prompts = list(entry.prompts) or tag.prompts or []


def key_of(name: str) -> str:
    return name.casefold()
