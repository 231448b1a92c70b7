"""Questions for one person alone: asked first of them, and of nobody else unless they give one up."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError
from annotator.services.label_store import alike, parts
from annotator.services.people import required
from annotator.services.rights import Right, needs
from annotator.services.tasks import Band
from annotator.terms import TaskKind
from annotator.workspace import Workspace
from db.models import Image, Tag, Task


@needs(Right.REVIEW)
def assign(workspace: Workspace, person: str, rows: Sequence[int], tag_id: int | None = None) -> int:
    """Ask `person` about the images `rows`, each as a whole or about one tag; how many questions that made.

    They take the place of the same questions for anybody; those that wait for this person already are not made anew.
    Raises MissingError for a name nobody has, BadInputError for an image or tag that is not there.
    """
    reason = "asked of you"
    with workspace.transaction() as session:
        who = required(session, person).id
        there: set[int] = set()
        waiting: set[int] = set()
        for part in parts(set(rows)):
            there.update(session.scalars(select(Image.row).where(Image.row.in_(part))))
            theirs = select(Task.image_row).where(
                Task.image_row.in_(part), Task.for_id == who, Task.done_at.is_(None), Task.kind != TaskKind.GOLD,
                alike(Task.tag_id, tag_id),
            )  # fmt: skip
            waiting.update(session.scalars(theirs))
        if set(rows) - there or (tag_id is not None and session.get(Tag, tag_id) is None):
            raise BadInputError(f"no image {sorted(set(rows) - there)[:5]} or no tag {tag_id} in this workspace")
        fresh = [row for row in dict.fromkeys(rows) if row not in waiting]
        _make_room(session, fresh, tag_id)
        for place, row in enumerate(fresh):
            position = Band.PERSONAL.position(place)
            session.add(
                Task(kind=TaskKind.PICK, image_row=row, tag_id=tag_id, position=position, reason=reason, for_id=who)
            )
        return len(fresh)


def _make_room(session: Session, rows: Sequence[int], tag_id: int | None) -> None:
    """Take one question for anybody about each of `rows` out of the queue; what a round asks stays."""
    for row in rows:
        same = select(Task).where(
            Task.image_row == row, alike(Task.tag_id, tag_id), Task.done_at.is_(None),
            Task.annotator_id.is_(None), Task.for_id.is_(None), Task.round_number.is_(None),
        )  # fmt: skip
        task = session.scalar(same.order_by(Task.id).limit(1))
        if task is not None:
            session.delete(task)
