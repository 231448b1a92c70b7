"""Questions that a person would not answer: they go to others at once and are never asked of that person again."""

from datetime import UTC, datetime

from sqlalchemy import select

from annotator.errors import MissingError, UnknownNameError, UsageError
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.terms import SkipReason, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Skip, Tag, Task

LONGEST = 300  # characters of a person's own words


@needs(Right.LABEL, own="annotator")
def skip(workspace: Workspace, annotator: str, task_id: int, reason: str = "", text: str = "") -> None:
    """Give up the question `task_id` for good, with a reason of `SkipReason` or none, and a few words or none.

    Raises MissingError where there is no such question, UnknownNameError for another reason, UsageError for long words.
    """
    if reason and reason not in list(SkipReason):
        raise UnknownNameError("reason to skip", reason, SkipReason)
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise UsageError(f"{len(text)} characters of reason; {LONGEST} are enough for anybody to read")
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        task = session.scalar(select(Task).where(Task.id == task_id).with_for_update())
        if task is None:
            raise MissingError(f"there is no question {task_id} to skip")
        session.add(
            Skip(
                image_row=task.image_row, tag_id=task.tag_id, annotator_id=person.id, at=datetime.now(UTC),
                reason=": ".join(filter(None, (reason, text))),
            )
        )  # fmt: skip
        if task.done_at is not None or task.annotator_id not in (None, person.id):
            return  # somebody else got it meanwhile
        if task.kind == TaskKind.GOLD:
            session.delete(task)  # it was made for this person
        else:
            task.annotator_id = task.for_id = task.leased_until = None


def skips(workspace: Workspace, most: int = 200) -> list[dict[str, str | int]]:
    """The newest skips, for whoever reviews."""
    query = (
        select(Skip, Annotator.name, Tag.name)
        .join(Annotator, Annotator.id == Skip.annotator_id)
        .outerjoin(Tag, Tag.id == Skip.tag_id)
        .order_by(Skip.id.desc())
        .limit(most)
    )
    with workspace.reading() as session:
        return [
            {"image": one.image_row, "tag": tag or "all shown", "person": person, "reason": one.reason or "none given"}
            for one, person, tag in session.execute(query)
        ]
