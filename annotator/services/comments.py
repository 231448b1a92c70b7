"""Talk about a picture, or about one tag on it: one thread each, open until somebody resolves it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, MissingError
from annotator.services.judgements import said
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.workspace import Workspace
from db.models import Annotator, Comment, Image, Tag


@needs(Right.LABEL, own="person")
def add(workspace: Workspace, person: str, row: int, text: str, tag_id: int | None = None) -> int:
    """Write one comment, which opens the thread; its number. A flag is a comment: reviewers see open threads.

    Raises BadInputError for an empty or too long text, MissingError where there is no such image or tag.
    """
    text = said(text)
    if not text:
        raise BadInputError("an empty comment says nothing; write what is to be looked at")
    with workspace.transaction() as session:
        _known(session, row, tag_id)
        return write(session, annotator_called(session, person).id, row, tag_id, text, datetime.now(UTC)).id


@needs(Right.LABEL)
def thread(workspace: Workspace, row: int) -> list[dict[str, Any]]:
    """All comments about an image and its tags, the first one first."""
    query = (
        select(Comment, Annotator.name, Tag.name)
        .join(Annotator, Annotator.id == Comment.annotator_id)
        .outerjoin(Tag, Tag.id == Comment.tag_id)
        .where(Comment.image_row == row).order_by(Comment.id)
    )  # fmt: skip
    with workspace.reading() as session:
        return [
            {
                "comment": comment.id, "image": row, "tag": comment.tag_id, "tag_name": tag or "", "person": person,
                "text": comment.text, "at": comment.at.isoformat(timespec="seconds"),
                "open": comment.resolved_at is None,
            }
            for comment, person, tag in session.execute(query)
        ]  # fmt: skip


@needs(Right.LABEL)
def resolve(workspace: Workspace, row: int, tag_id: int | None = None) -> int:
    """End the open thread about an image, or about one tag on it; how many comments were open."""
    with workspace.transaction() as session:
        _known(session, row, tag_id)
        opened = session.scalars(
            select(Comment).where(Comment.image_row == row, _about(tag_id), Comment.resolved_at.is_(None))
        ).all()
        for comment in opened:
            comment.resolved_at = datetime.now(UTC)
        return len(opened)


def write(session: Session, annotator_id: int, row: int, tag_id: int | None, text: str, at: datetime) -> Comment:
    """`add` inside a transaction that is open already, without its checks."""
    comment = Comment(image_row=row, tag_id=tag_id, annotator_id=annotator_id, text=text, at=at, resolved_at=None)
    session.add(comment)
    session.flush()
    return comment


def _about(tag_id: int | None) -> ColumnElement[bool]:
    return Comment.tag_id.is_(None) if tag_id is None else Comment.tag_id == tag_id


def _known(session: Session, row: int, tag_id: int | None) -> None:
    if session.get(Image, row) is None:
        raise MissingError(f"there is no image {row} in this workspace")
    if tag_id is not None and session.get(Tag, tag_id) is None:
        raise MissingError(f"there is no tag {tag_id} in this workspace")
