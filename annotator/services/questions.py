"""What a person is asked next, with everything the screen shows beside it."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from filelock import FileLock
from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from annotator.services import picking, rounds, suggesting, tasks
from annotator.services.image_facts import decided, is_gold, is_large, names_of, splits_of
from annotator.services.label_store import parts
from annotator.services.overlap import votes_for
from annotator.services.people import tidy
from annotator.services.rights import Right, needs
from annotator.services.tasks import SHOWN_TAGS
from annotator.terms import LabelState, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Image, Label, Tag, Task

VERIFY_AHEAD = 100  # questions about a tag that are made at once
MOST_LOOKED_THROUGH = (
    40  # lists of 500 images: where nobody decided fewer than a page of them, the tag is as good as done
)


@needs(Right.LABEL, own="annotator")
def claim(
    workspace: Workspace, annotator: str, tag_id: int | None, count: int, have: Collection[int] = ()
) -> dict[str, Any]:
    """Up to `count` further questions for the annotator: whole images, or images of one tag.

    When too few are waiting, new ones are picked first. Each question carries the suggested tags, best first.
    `have` are the questions on the person's screen: they are leased anew, and `lost` names those that others hold or
    answered meanwhile. `closed` is "quota" where the day's quota ends the questions, else None.
    """
    count = max(0, min(count, tasks.MOST_AT_ONCE))
    lost = tasks.renew(workspace, annotator, have)
    claimed = tasks.claim(workspace, annotator, tag_id, count, have)
    quota = None if len(claimed) == count else _used_up(workspace, annotator)
    if len(claimed) < count and quota is None and _add(workspace, annotator, tag_id, count):
        claimed = tasks.claim(workspace, annotator, tag_id, count, have)
    return {
        "questions": described(workspace, annotator, claimed), "lost": sorted(lost),
        "closed": None if quota is None else "quota", "quota": quota,
    }  # fmt: skip


def _used_up(workspace: Workspace, annotator: str) -> int | None:
    """The person's quota of the day where no further question can be given under it."""
    with workspace.reading() as session:
        person = session.scalar(select(Annotator).where(Annotator.name == tidy(annotator)))
        if person is None or tasks.left_today(session, person) != 0:
            return None
        return person.daily_quota


def described(workspace: Workspace, annotator: str, asked: Sequence[Task]) -> list[dict[str, Any]]:
    """Each task as the screen needs it."""
    rows = sorted({task.image_row for task in asked})
    board = suggesting.current(workspace)
    with workspace.reading() as session:
        sizes = {
            row: (width, height)
            for row, width, height in session.execute(
                select(Image.row, Image.width, Image.height).where(Image.row.in_(rows))
            )
        }
        names = names_of(session, rows)
        answered = _known(session, [task.image_row for task in asked if task.reason == picking.PARTLY_REASON])
        for row, said in _answered(session, annotator, rows).items():
            answered[row] = answered.get(row, {}) | said
        archived = set(session.scalars(select(Tag.id).where(Tag.archived.is_(True))))
        order = list(
            session.scalars(select(Tag.id).where(Tag.archived.is_(False)).order_by(Tag.id).limit(2 * SHOWN_TAGS))
        )
    return [
        {
            "task": task.id,
            "image": task.image_row,
            "kind": _shown_kind(task).value,
            "reason": task.reason,
            "expected": "absent" if tasks.Band.of(task.position) == tasks.Band.REJECT else "present",
            "width": sizes[task.image_row][0],
            "height": sizes[task.image_row][1],
            "name": names[task.image_row],
            "suggestions": _shown(board, task, order, archived),
            "answered": answered.get(task.image_row, {}),
        }
        for task in asked
    ]


def _shown_kind(task: Task) -> TaskKind:
    """Gold looks like the questions that it stands among."""
    if task.kind != TaskKind.GOLD:
        return task.kind
    audits = (tasks.Band.ACCEPT, tasks.Band.REJECT)
    return TaskKind.AUDIT if tasks.Band.of(task.position) in audits else TaskKind.PICK


def _labels(session: Session, rows: Sequence[int], *which: ColumnElement[bool]) -> Iterator[Row[int, int, LabelState]]:
    """(image, tag, state) of the labels on `rows`."""
    query = select(Label.image_row, Label.tag_id, Label.state).join(Annotator).where(*which)
    for part in parts(rows):
        yield from session.execute(query.where(Label.image_row.in_(part)))


def _answered(session: Session, annotator: str, rows: Sequence[int]) -> dict[int, dict[int, int]]:
    """What the annotator said on `rows` already: state by tag id."""
    found: dict[int, dict[int, int]] = {}
    for row, tag_id, state in _labels(session, rows, Annotator.name == annotator):
        found.setdefault(row, {})[tag_id] = int(state)
    return found


def _known(session: Session, rows: Sequence[int]) -> dict[int, dict[int, int]]:
    """What people said on `rows` without contradiction, gold apart: an answer to the rest must not deny it unseen."""
    said: dict[int, dict[int, set[int]]] = {}
    for row, tag_id, state in _labels(session, rows, ~is_gold(), Label.kind != TaskKind.GOLD):
        said.setdefault(row, {}).setdefault(tag_id, set()).add(int(state))
    return {
        row: {tag_id: states.pop() for tag_id, states in by_tag.items() if len(states) == 1}
        for row, by_tag in said.items()
    }


def _shown(board: suggesting.Board | None, task: Task, order: list[int], archived: set[int]) -> list[dict[str, Any]]:
    """The tags asked about: the one in question, or the best suggestions (all tags of a small vocabulary).

    Scores made before a tag was archived still hold it.
    """
    if task.tag_id is not None:
        suggestion = board.suggestion(task.image_row, task.tag_id) if board else None
        ranked = [suggestion] if suggestion else []
        order = [task.tag_id]
    else:
        likely = board.ranked(task.image_row, SHOWN_TAGS + len(archived)) if board else []
        ranked = [item for item in likely if item.tag_id not in archived][:SHOWN_TAGS]
    shown = [{"tag": item.tag_id, "score": round(item.score, 4), "origin": item.origin.value} for item in ranked]
    known = {item.tag_id for item in ranked}
    new = [tag for tag in order if tag not in known]
    return shown + [{"tag": tag, "score": None, "origin": None} for tag in new[: SHOWN_TAGS - len(shown)]]


def _add(workspace: Workspace, annotator: str, tag_id: int | None, count: int) -> bool:
    """Make new questions; whether there are any.

    One at a time: two requests that both find nothing waiting must not both ask about the same images.
    """
    with FileLock(workspace.folder / "questions.lock"):
        with workspace.reading() as session:
            if tasks.free_for(workspace, session, tidy(annotator), tag_id, count) >= count:
                return True  # somebody else's request made them meanwhile
        return _make(workspace, tag_id, count)


def _make(workspace: Workspace, tag_id: int | None, count: int) -> bool:
    with workspace.reading() as session:
        tag = session.get(Tag, tag_id) if tag_id is not None else None
    if tag is not None and tag.archived:
        return False
    if tag_id is None:
        with workspace.reading() as session:
            large = is_large(session, session.scalar(select(func.count(Tag.id))) or 0)
        return (picking.draw(workspace, count) if large else picking.refill(workspace)) > 0
    if rounds.ask_further(workspace, tag_id):
        return True
    board = suggesting.current(workspace)
    if board is None:
        return False
    with workspace.reading() as session:
        rows = _best_guesses(workspace, session, board, tag_id, max(count, VERIFY_AHEAD))
    with workspace.transaction() as session:
        votes = votes_for(session, workspace.project, rows, tag.name if tag else None)
        tasks.add_verify_picks(session, tag_id, rows, "likely to show it", votes)
        return tasks.free_count(session, tag_id) > 0


def _best_guesses(
    workspace: Workspace, session: Session, board: suggesting.Board, tag_id: int, count: int
) -> list[int]:
    """The likeliest images of a tag that nobody decided or is asked about.

    Only training images: best guesses among held-out ones would bias what they measure.
    """
    asked = set(session.scalars(select(Task.image_row).where(Task.tag_id == tag_id, Task.done_at.is_(None))))
    chosen: list[int] = []
    for candidates in islice(board.likely(tag_id), MOST_LOOKED_THROUGH):
        splits = splits_of(workspace, session, candidates)
        taken = asked | decided(workspace, session, tag_id, candidates)
        chosen += [row for row in candidates if row not in taken and splits.get(row) == Split.TRAIN]
        if len(chosen) >= count:
            break
    return chosen[:count]
