"""The vocabulary to look through: a page of tags with what is known of each, whatever their number."""

import json
from typing import Any

from sqlalchemy import String, case, cast, func, or_, select
from sqlalchemy.orm import Session

from annotator.importers.names import clean_name
from annotator.learning.audits import Decision
from annotator.services.image_facts import image_count
from annotator.services.vocabulary import key_of
from annotator.terms import LabelState, RoundStatus
from annotator.workspace import Workspace
from db.models import Label, Relation, Round, RoundSet, Tag, Task


def listing(
    workspace: Workspace, search: str = "", *, archived: bool = False, start: int = 0, count: int = 50
) -> dict[str, Any]:
    """{"total": tags that fit, "tags": `count` of them from `start` on, by name}.

    Of each: id, name, parent, synonyms; present and absent: images by the majority of people; settled: images that
    rounds settled and nobody drew; open: all others; questions that wait. Only the tags shown are counted.
    """
    query = select(Tag).where(Tag.archived.is_(archived))
    if search.strip():
        query = query.where(_fits(search.strip()))
    with workspace.reading() as session:
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        shown = list(session.scalars(query.order_by(Tag.key).offset(start).limit(count)))
        ids = [tag.id for tag in shown]
        parents = [tag.parent_id for tag in shown if tag.parent_id is not None]
        names = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(parents))).all())
        votes, settled, waiting = _votes(session, ids), _settled(session, ids), _waiting(session, ids)
        images = image_count(session)
    rows = []
    for tag in shown:
        present, absent = votes.get(tag.id, (0, 0))
        by_rounds = settled.get(tag.id, 0)
        rows.append(
            {
                "id": tag.id, "name": tag.name, "parent": names.get(tag.parent_id or 0, ""),
                "synonyms": ", ".join(tag.synonyms), "present": present, "absent": absent, "settled": by_rounds,
                "open": max(0, images - present - absent - by_rounds), "questions": waiting.get(tag.id, 0),
            }
        )  # fmt: skip
    return {"total": total, "tags": rows}


def details(workspace: Workspace, tag_id: int) -> dict[str, Any]:
    """All that is said of one tag: its fields, and its relations as (relation, other tag's name, whether it comes
    first)."""
    with workspace.reading() as session:
        tag = session.get_one(Tag, tag_id)
        parent = session.get(Tag, tag.parent_id) if tag.parent_id else None
        relations = session.scalars(
            select(Relation).where((Relation.a_id == tag_id) | (Relation.b_id == tag_id)).order_by(Relation.kind)
        ).all()
        others = {one.b_id if one.a_id == tag_id else one.a_id for one in relations}
        names = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(others))).all())
        return {
            "id": tag.id, "name": tag.name, "parent": parent.name if parent else "", "definition": tag.definition,
            "synonyms": tag.synonyms, "prompts": tag.prompts, "examples": tag.examples, "hotkey": tag.hotkey,
            "colour": tag.colour, "names": tag.names, "archived": tag.archived,
            "relations": [
                (one.kind.value, names[one.b_id if one.a_id == tag_id else one.a_id], one.a_id == tag_id)
                for one in relations
            ],
        }  # fmt: skip


def names_of_tag(workspace: Workspace, name: str) -> dict[str, str]:
    """A tag's names in other languages; none of a tag that is not there."""
    with workspace.reading() as session:
        found = session.scalar(select(Tag.names).where(Tag.key == key_of(clean_name(name))))
        return dict(found or {})


def _fits(search: str) -> Any:
    """In a name, a synonym or a name in another language."""
    written = json.dumps(search)[1:-1]  # as the store writes letters beyond ASCII
    return or_(
        Tag.key.contains(search.casefold(), autoescape=True),
        cast(Tag.synonyms, String).icontains(written, autoescape=True),
        cast(Tag.names, String).icontains(written, autoescape=True),
    )


def _votes(session: Session, ids: list[int]) -> dict[int, tuple[int, int]]:
    """Images on which most people said present, and absent, by tag."""
    vote = case((Label.state == LabelState.POSITIVE, 1), (Label.state == LabelState.NEGATIVE, -1), else_=0)
    per_image = (
        select(Label.tag_id, func.sum(vote).label("balance"))
        .where(Label.tag_id.in_(ids))
        .group_by(Label.tag_id, Label.image_row)
        .subquery()
    )
    present, absent = (func.sum(case((way, 1), else_=0)) for way in (per_image.c.balance > 0, per_image.c.balance < 0))
    query = select(per_image.c.tag_id, present, absent).group_by(per_image.c.tag_id)
    return {tag: (int(yes), int(no)) for tag, yes, no in session.execute(query)}


def _settled(session: Session, ids: list[int]) -> dict[int, int]:
    query = (
        select(RoundSet.tag_id, func.sum(RoundSet.size - RoundSet.draws))
        .join(Round)
        .where(RoundSet.tag_id.in_(ids), Round.status == RoundStatus.SETTLED, RoundSet.decision == Decision.SETTLE)
        .group_by(RoundSet.tag_id)
    )
    return {tag: int(count) for tag, count in session.execute(query)}


def _waiting(session: Session, ids: list[int]) -> dict[int, int]:
    query = select(Task.tag_id, func.count()).where(Task.tag_id.in_(ids), Task.done_at.is_(None)).group_by(Task.tag_id)
    return {tag: count for tag, count in session.execute(query) if tag is not None}
