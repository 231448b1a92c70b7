"""One step of a reviewer in one transaction: verdicts, questions sent back, talk that ends, and what stood before."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, MissingError
from annotator.services import comments
from annotator.services.judgements import CHANGES, Judgement, opposite
from annotator.services.label_store import parts
from annotator.services.review_pairs import Stands, standing, votes_on
from annotator.terms import LabelState, TaskKind, Verdict
from annotator.workspace import Workspace
from db.models import Annotator, Comment, Review, Tag, Task

SEEN = "looked at"  # what closes a skipped question about which nobody wrote


class Desk:
    """What lies open about some pairs, read at once, and a reviewer who decides them one by one."""

    def __init__(
        self,
        workspace: Workspace,
        session: Session,
        reviewer: Annotator,
        at: datetime,
        pairs: Collection[tuple[int, int | None]],
    ) -> None:
        self.session, self.reviewer, self.at = session, reviewer, at
        rows = {row for row, _ in pairs}
        self.stands = standing(workspace, session, [(row, tag) for row, tag in pairs if tag is not None])
        self.reviews = {(one.image_row, one.tag_id): one for one in _on(session, Review, rows)}
        self.talk = _by_pair(_on(session, Comment, rows, Comment.resolved_at.is_(None)))
        self.tasks = _by_pair(_on(session, Task, rows, Task.done_at.is_(None)))
        self.before: dict[str, list[Any]] = {"reviews": [], "comments": [], "closed": [], "asked": [], "written": []}
        """What undo needs: reviews as they stood, comments and questions closed, questions and comments made."""

    def judge(self, one: Judgement) -> bool:
        """Write one verdict and close what was open about its pair; whether the label changes."""
        assert one.tag_id is not None  # checked before
        pair = one.row, one.tag_id
        state = state_of(one, self.stands[pair])
        review = self.reviews.get(pair)
        if review is None:
            self.before["reviews"].append([*pair, None])
            review = self.reviews[pair] = Review(image_row=one.row, tag_id=one.tag_id)
            self.session.add(review)
        else:
            stood = [review.reviewer_id, int(review.state), review.verdict.value, review.at.isoformat()]
            self.before["reviews"].append([*pair, stood])
        review.reviewer_id, review.state, review.verdict, review.at = (
            self.reviewer.id,
            state,
            Verdict(one.what),
            self.at,
        )
        if one.comment:
            self._write(one)
        self._close_talk(pair)
        for task in self.tasks.pop(pair, []):
            task.done_at = self.at
            self.before["closed"].append(task.id)
        return state != self.stands[pair].state

    def send_back(self, one: Judgement) -> None:
        """Ask the people who labelled the pair again, each in their own Label queue, with the comment as reason."""
        assert one.tag_id is not None  # checked before
        if not one.comment:
            raise BadInputError(f"image {one.row} goes back without a reason; write what is to be looked at")
        voters = {vote.person for votes in votes_on(self.session, [(one.row, one.tag_id)]).values() for vote in votes}
        asked = set(one.people) or voters
        if not asked:
            raise BadInputError(
                f"nobody labelled image {one.row}: there is nobody to send it back to; decide it yourself"
            )
        query = select(Annotator.name, Annotator.id).where(Annotator.name.in_(asked))
        known = dict(self.session.execute(query).all())
        if asked - known.keys():
            raise MissingError(f"nobody is called {', '.join(sorted(asked - known.keys()))} here")
        reason = f"{self.reviewer.name} asks about {self.session.get_one(Tag, one.tag_id).name}: {one.comment}"
        for name in sorted(asked):
            task = Task(
                kind=TaskKind.REVIEW, image_row=one.row, tag_id=one.tag_id, for_id=known[name], position=0,
                reason=reason,
            )  # fmt: skip
            self.session.add(task)
            self.session.flush()
            self.before["asked"].append(task.id)
        self._write(one)

    def resolve(self, one: Judgement) -> None:
        """End the talk; where there was only a skipped question, a line says that it was looked at."""
        was_open = self._close_talk((one.row, one.tag_id))
        if one.comment or not was_open:
            self._write(one, SEEN, resolved_at=self.at)

    def _write(self, one: Judgement, otherwise: str = "", resolved_at: datetime | None = None) -> None:
        text = one.comment or otherwise
        comment = comments.write(self.session, self.reviewer.id, one.row, one.tag_id, text, self.at)
        comment.resolved_at = resolved_at
        self.before["written"].append(comment.id)
        if resolved_at is None:
            self.talk.setdefault((one.row, one.tag_id), []).append(comment)

    def _close_talk(self, about: tuple[int, int | None]) -> bool:
        opened = self.talk.pop(about, [])
        for comment in opened:
            comment.resolved_at = self.at
            self.before["comments"].append(comment.id)
        return bool(opened)


def state_of(judgement: Judgement, stands: Stands) -> LabelState:
    """The label that a verdict leaves. Raises BadInputError where it has to be said and is not."""
    if judgement.state is not None:
        return judgement.state
    if judgement.what not in CHANGES:
        return stands.state
    turned = opposite(stands.state)
    if turned is None:
        raise BadInputError(
            f"nothing stands of image {judgement.row} that could be turned round; say present or absent"
        )
    return turned


def _on(session: Session, table: Any, rows: Collection[int], *conditions: ColumnElement[bool]) -> Iterator[Any]:
    for part in parts(rows):
        yield from session.scalars(select(table).where(table.image_row.in_(part), *conditions)).all()


def _by_pair(found: Iterator[Any]) -> dict[tuple[int, int | None], list[Any]]:
    grouped: dict[tuple[int, int | None], list[Any]] = {}
    for one in found:
        grouped.setdefault((one.image_row, one.tag_id), []).append(one)
    return grouped
