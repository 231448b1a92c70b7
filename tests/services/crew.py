"""People at work for tests: questions on rows without pictures, answered through the real services."""

from datetime import UTC, datetime

from annotator.services import labelling, tasks
from annotator.services.answers import Answer, Receipt
from annotator.services.people import annotator_called
from annotator.terms import LabelState, Verdict
from annotator.workspace import Workspace
from db.models import Review, Task
from tests.services.rows import add_images, add_tags

TAG = 1
YES, NO = LabelState.POSITIVE, LabelState.NEGATIVE


def make_questions(workspace: Workspace, count: int, tags: tuple[str, ...] = ("boat",)) -> None:
    """`count` images, each asked about the first tag."""
    add_images(workspace, count)
    add_tags(workspace, list(tags))
    with workspace.transaction() as session:
        tasks.add_verify_picks(session, TAG, list(range(count)), "likely to show it")


def answer(workspace: Workspace, name: str, task: Task, state: LabelState, seq: int = 1) -> Receipt:
    """`name` answers a question about a tag, from a page of their own."""
    given = Answer(seq, ((task.image_row, task.tag_id or TAG, state),), (task.id,), seconds=1.0)
    return labelling.record(workspace, name, f"{name} {task.id} {seq}", [given])


def review(workspace: Workspace, row: int, state: LabelState, verdict: Verdict = Verdict.WRONG) -> None:
    with workspace.transaction() as session:
        reviewer = annotator_called(session, "rita").id
        session.merge(
            Review(
                image_row=row, tag_id=TAG, reviewer_id=reviewer, state=state, verdict=verdict, at=datetime.now(UTC)
            )
        )  # fmt: skip
