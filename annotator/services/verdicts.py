"""Reviewers' decisions into the store: each with what stood before, so that it can be taken back.

Every step is an entry of the log of acts (`reviewing`), with or without accounts: its details hold what was there
before it. A review is final: it decides the accepted label whatever people vote later.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, ConflictError, MissingError, UsageError
from annotator.services import reviewing
from annotator.services.judgements import CHANGES, Judgement, Step, opposite
from annotator.services.label_store import Pair, parts
from annotator.services.people import annotator_called
from annotator.services.review_desk import Desk
from annotator.services.review_pairs import standing
from annotator.services.reviewing import Filter
from annotator.services.rights import Right, needs
from annotator.terms import LabelState, Verdict
from annotator.workspace import Workspace
from db.models import Act, Annotator, Comment, Image, Review, Tag, Task

LOGGED = "reviewing"
MOST_IN_BULK = 5000


@needs(Right.REVIEW, own="reviewer", logged=False)
def decide(workspace: Workspace, reviewer: str, judgements: Sequence[Judgement]) -> dict[str, int]:
    """Write `judgements` as `reviewer`, all of them or none, as one step that `undo` takes back.

    Returns how many pairs were `decided` and how many labels `changed`. Raises BadInputError for a judgement that
    cannot be carried out, MissingError for an image or tag that is not there.
    """
    with workspace.transaction() as session:
        person = annotator_called(session, reviewer)
        return apply(workspace, session, person, judgements, datetime.now(UTC))


@needs(Right.REVIEW, own="reviewer", logged=False)
def undo(workspace: Workspace, reviewer: str) -> str:
    """Take back the reviewer's last step that stands, a single decision or one in bulk; what it was, in words."""
    with workspace.transaction() as session:
        stands = (Act.what == LOGGED, Act.person == reviewer, Act.details["undone"].as_boolean().is_(False))
        act = session.scalar(select(Act).where(*stands).order_by(Act.id.desc()).limit(1))
        if act is None:
            raise MissingError(f"{reviewer} has decided nothing that could be taken back")
        _take_back(session, act)
        return str(act.details["words"])


@needs(Right.REVIEW, logged=False)
def preview(
    workspace: Workspace, filter: Filter, what: Verdict, state: LabelState | None = None, most: int = MOST_IN_BULK
) -> dict[str, Any]:
    """What one verdict on everything that `filter` leaves would do: how many `pairs`, how many labels `changed`, of
    which `tags`, how many stay `open` because they have nothing to turn round, and a `digest` of all that."""
    _, report = _in_bulk(workspace, filter, what, state, most)
    return report


@needs(Right.REVIEW, own="reviewer", logged=False)
def decide_all(
    workspace: Workspace,
    reviewer: str,
    filter: Filter,
    what: Verdict,
    state: LabelState | None = None,
    *,
    most: int = MOST_IN_BULK,
    digest: str | None = None,
) -> dict[str, int]:
    """Give everything that `filter` leaves the verdict `what`, as one step that `undo` takes back.

    Raises ConflictError where `digest` is not that of what is there now: the preview showed something else.
    """
    judgements, report = _in_bulk(workspace, filter, what, state, most)
    if digest is not None and digest != report["digest"]:
        raise ConflictError("the queue has changed since the preview; look at what the verdict would change now")
    if not judgements:
        raise MissingError("nothing in the queue fits this filter and verdict")
    return decide(workspace, reviewer, judgements)


def apply(
    workspace: Workspace,
    session: Session,
    reviewer: Annotator,
    judgements: Sequence[Judgement],
    at: datetime,
    submission: int | None = None,
) -> dict[str, int]:
    """`decide` inside a transaction; `submission` is the item of the browser's outbox it came with."""
    _check(session, judgements)
    desk = Desk(workspace, session, reviewer, at, {(one.row, one.tag_id) for one in judgements})
    changed = 0
    for one in judgements:
        if isinstance(one.what, Verdict):
            changed += desk.judge(one)
        elif one.what == Step.SEND_BACK:
            desk.send_back(one)
        else:
            desk.resolve(one)
    counts = {"decided": len(judgements), "changed": changed}
    first = judgements[0]
    words = (
        f"{first.what.value} on image {first.row}" if len(judgements) == 1 else f"{len(judgements)} verdicts at once"
    )
    details = {**desk.before, **counts, "words": words, "submission": submission, "undone": False}
    session.add(Act(at=at, person=reviewer.name, what=LOGGED, details=details))
    session.flush()
    return counts


def take_back(session: Session, submission: int) -> None:
    """Undo what came with one item of an outbox; a second time does nothing."""
    given = select(Act).where(Act.what == LOGGED, Act.details["submission"].as_integer() == submission)
    act = session.scalar(given.order_by(Act.id.desc()).limit(1))
    if act is not None and not act.details["undone"]:
        _take_back(session, act)


def _in_bulk(
    workspace: Workspace, filter: Filter, what: Verdict, state: LabelState | None, most: int
) -> tuple[list[Judgement], dict[str, Any]]:
    if not 0 < most <= MOST_IN_BULK:
        raise UsageError(f"{most} verdicts at once; give 1 to {MOST_IN_BULK}")
    found = [item for item in reviewing.items(workspace, filter) if item.tag_id is not None and item.worth > 0]
    pairs: list[Pair] = [(item.row, item.tag_id) for item in found if item.tag_id is not None]
    with workspace.reading() as session:
        stands = standing(workspace, session, pairs)
        names = {tag.id: tag.name for tag in session.scalars(select(Tag))}
    judgements, changed = list[Judgement](), Counter[str]()
    for row, tag in pairs:
        stood = stands[row, tag].state
        leaves = state if state is not None else opposite(stood) if what in CHANGES else stood
        if leaves is not None and len(judgements) < most:
            judgements.append(Judgement(row, tag, what, leaves))
            changed[names[tag]] += leaves != stood
    told = [(one.row, one.tag_id, one.what.value, int(one.state or 0)) for one in judgements]
    return judgements, {
        "pairs": len(judgements),
        "changed": sum(changed.values()),
        "tags": {name: count for name, count in sorted(changed.items()) if count},
        "open": len(pairs) - len(judgements),
        "digest": hashlib.sha256(repr(told).encode()).hexdigest()[:16],
    }


def _take_back(session: Session, act: Act) -> None:
    """Put back what stood before an act. A review that somebody wrote anew since stays."""
    details = act.details
    for row, tag, stood in details["reviews"]:
        _restore(session, session.get(Review, (row, tag)), stood, act.at)
    for part in parts(details["comments"]):
        for comment in session.scalars(select(Comment).where(Comment.id.in_(part))):
            comment.resolved_at = None
    for table, numbers in ((Comment, details["written"]), (Task, details["asked"])):
        for number in numbers:
            made = session.get(table, number)
            if made is not None:
                session.delete(made)
    for part in parts(details["closed"]):
        for task in session.scalars(select(Task).where(Task.id.in_(part), Task.done_at == act.at)):
            task.done_at = None
    act.details = {**details, "undone": True}


def _restore(session: Session, review: Review | None, stood: list[Any] | None, at: datetime) -> None:
    if review is None or review.at != at:
        return
    if stood is None:
        session.delete(review)
    else:
        review.reviewer_id, state, verdict, then = stood
        review.state, review.verdict, review.at = LabelState(state), Verdict(verdict), datetime.fromisoformat(then)


def _check(session: Session, judgements: Sequence[Judgement]) -> None:
    if not judgements:
        raise BadInputError("no pair was given to decide")
    whole = next((one for one in judgements if one.tag_id is None and one.what != Step.RESOLVE), None)
    if whole is not None:
        raise BadInputError(f"image {whole.row}: a verdict needs a tag; talk about a whole picture can be resolved")
    tags = {one.tag_id for one in judgements if one.tag_id is not None}
    for kind, column, wanted in (("image", Image.row, {one.row for one in judgements}), ("tag", Tag.id, tags)):
        there: set[int] = set()
        for part in parts(wanted):
            there.update(session.scalars(select(column).where(column.in_(part))))
        if wanted - there:
            raise MissingError(f"there is no {kind} {min(wanted - there)} in this workspace")
