"""The vocabulary of a workspace."""

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.importers.vocabulary_files import TagEntry, TagList, read_tags
from annotator.terms import RelationKind
from annotator.workspace import Workspace
from db.models import Relation, Tag


def add_from_file(workspace: Workspace, file: Path) -> dict[str, int]:
    """Add the tags and relations of `file`; tags that exist get the file's definition, synonyms and parent."""
    return add(workspace, read_tags(file))


def add(workspace: Workspace, tags: TagList) -> dict[str, int]:
    with workspace.transaction() as session:
        known = {tag.key: tag for tag in session.scalars(select(Tag))}
        before = len(known)
        for entry in tags.tags:
            _put(session, known, entry)
        session.flush()
        for entry in tags.tags:
            if entry.parent:
                known[_key(entry.name)].parent_id = known[_key(entry.parent)].id
        for relation in tags.relations:
            a, b = known[_key(relation.a)].id, known[_key(relation.b)].id
            session.merge(Relation(kind=RelationKind(relation.kind), a_id=a, b_id=b))
        return {"added": len(known) - before, "tags": len(known), "relations": len(tags.relations)}


def add_names(session: Session, names: list[str]) -> None:
    """Add tags that are only names."""
    known = {tag.key: tag for tag in session.scalars(select(Tag))}
    for name in names:
        _put(session, known, TagEntry(name=name))
    session.flush()


def count(session: Session) -> int:
    return session.scalar(select(func.count(Tag.id)).where(Tag.archived.is_(False))) or 0


def _put(session: Session, known: dict[str, Tag], entry: TagEntry) -> None:
    tag = known.get(_key(entry.name))
    if tag is None:
        tag = known[_key(entry.name)] = Tag(name=entry.name, key=_key(entry.name))
        session.add(tag)
    tag.definition = entry.definition or tag.definition or ""
    tag.synonyms = list(entry.synonyms) or tag.synonyms or []
    tag.prompts = list(entry.prompts) or tag.prompts or []


def _key(name: str) -> str:
    return name.casefold()
