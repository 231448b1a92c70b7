"""What was decided, known and talked about of one tag becomes said of another one, and back."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from annotator.services.label_moves import STRENGTH
from annotator.services.label_store import parts
from annotator.terms import LabelState, Verdict
from db.models import Comment, Gold, Review, Skip

Mark = TypeVar("Mark", Review, Gold)
TALK: dict[str, type[Comment | Skip]] = {"comments": Comment, "skips": Skip}
FIELDS: dict[type, tuple[str, ...]] = {
    Review: ("reviewer_id", "state", "verdict", "at"),
    Gold: ("annotator_id", "state", "instant", "at"),
}
"""Of what is said of a pair, beside the pair."""
READ: dict[str, Callable[[Any], Any]] = {"state": LabelState, "verdict": Verdict, "at": datetime.fromisoformat}


def move_marks(session: Session, table: type[Mark], source: int, target: int) -> dict[str, Any]:
    """Verdicts, or what is known, of `source` become those of `target`: {"before": both tags' on these images, "after":
    what is said of `target` there now}. Of two the stronger counts, whole."""
    moving = session.scalars(select(table).where(table.tag_id == source)).all()
    before, after = [], []
    for mark in moving:
        twin = session.get(table, (mark.image_row, target))
        before += [_written(one) for one in (mark, twin) if one is not None]
        session.delete(mark)
        if twin is None:
            twin = table(image_row=mark.image_row, tag_id=target)
            session.add(twin)
        if twin.state is None or STRENGTH[mark.state] > STRENGTH[twin.state]:
            _put(twin, _written(mark))
        after.append(_written(twin))
    session.flush()
    return {"before": before, "after": after}


def take_back_marks(session: Session, table: type[Mark], moved: dict[str, Any]) -> int:
    """Undo `move_marks`; what was said since stays."""
    before = {(one["image_row"], one["tag_id"]): one for one in moved["before"]}
    targets = {(one["image_row"], one["tag_id"]): one for one in moved["after"]}
    for key, one in targets.items():
        mark = session.get(table, key)
        if mark is None or not one.items() <= _written(mark).items():  # earlier versions wrote fewer fields
            before.pop(key, None)
        elif key not in before:
            session.delete(mark)
    for key, one in before.items():
        mark = session.get(table, key)
        if mark is None:
            mark = table(image_row=key[0], tag_id=key[1])
            session.add(mark)
        elif key not in targets:
            continue  # given since, on the tag that had gone
        _put(mark, one)
    session.flush()
    return len(targets)


def move_talk(session: Session, source: int, target: int) -> dict[str, list[int]]:
    """Comments and skips about `source` become those about `target`: the ids of both."""
    moved = {
        name: list(session.scalars(select(table.id).where(table.tag_id == source))) for name, table in TALK.items()
    }
    for table in TALK.values():
        _retag(session, table, target, table.tag_id == source)
    return moved


def take_back_talk(session: Session, source: int, moved: dict[str, list[int]]) -> None:
    """Undo `move_talk`."""
    for name, table in TALK.items():
        for part in parts(moved[name]):
            _retag(session, table, source, table.id.in_(part))


def _written(mark: Review | Gold) -> dict[str, Any]:
    """As JSON."""
    values = {name: getattr(mark, name) for name in FIELDS[type(mark)]}
    values |= {"at": mark.at.isoformat(), "state": int(mark.state)}
    return {"image_row": mark.image_row, "tag_id": mark.tag_id, **values}


def _put(mark: Review | Gold, written: dict[str, Any]) -> None:
    for name in FIELDS[type(mark)]:
        if name in written:  # changes of earlier versions do not name the verdict
            setattr(mark, name, READ.get(name, lambda value: value)(written[name]))


def _retag(session: Session, table: type[Comment | Skip], tag_id: int, *which: ColumnElement[bool]) -> None:
    moving = update(table).where(*which).values(tag_id=tag_id)
    session.execute(moving.execution_options(synchronize_session=False))
