"""Changes of the vocabulary: looked at beforehand, made in one transaction, undone the last one first."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, defer

from annotator.errors import ConflictError, MissingError, UnknownNameError
from annotator.learning.audits import Decision
from annotator.services.label_moves import take_back_labels
from annotator.services.label_store import UNDO, parts
from annotator.services.mark_moves import take_back_marks, take_back_talk
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.services.snapshots import WITHDRAWN
from annotator.services.vocabulary_editing import GROUPS, Editor
from annotator.services.vocabulary_operations import OPERATIONS
from annotator.terms import RelationKind, TaskKind
from annotator.workspace import Workspace
from db.models import (
    Annotator,
    Gold,
    Label,
    Model,
    ProjectSetting,
    Relation,
    Review,
    RoundSet,
    Tag,
    Task,
    VocabularyChange,
)

Report = dict[str, Any]
NEWEST = 50


@needs(Right.VOCABULARY, own="person", logged=False)
def preview(workspace: Workspace, person: str, kind: str, **arguments: Any) -> Report:
    """What `make` would do, exactly: it is done and rolled back. Nothing is kept."""
    with workspace.transaction() as session:
        report = _make(workspace, session, person, kind, arguments)
        session.rollback()
    return report


@needs(Right.VOCABULARY, own="person")
def make(workspace: Workspace, person: str, kind: str, **arguments: Any) -> Report:
    """Make one change, a name of OPERATIONS, as `person`: all of it or nothing.

    The report says in words what was done, and counts: labels (on the tags that changed), combined (a person's two
    answers that became one), reviews, rounds of which settled labels were taken back and how many, questions dropped,
    moved and asked, tags, relations.
    Raises UnknownNameError for an unknown operation or tag, UsageError and ConflictError for what cannot be.
    """
    with workspace.transaction() as session:
        return _make(workspace, session, person, kind, arguments)


def _make(workspace: Workspace, session: Session, person: str, kind: str, arguments: dict[str, Any]) -> Report:
    if kind not in OPERATIONS:
        raise UnknownNameError("change of the vocabulary", kind, OPERATIONS)
    change = _new_change(session, person, kind)
    editor = Editor(workspace, session, change)
    what = OPERATIONS[kind](editor, **arguments)
    editor.finish()
    change.payload = {**editor.payload, "what": what}
    if any("archived" in fields for fields in editor.payload["tags"].values()) and session.scalar(
        select(Model.id).limit(1)
    ):
        editor.report["notes"].append("the model knows the vocabulary as it was; train again: annotator train")
    return {"number": change.id, "kind": kind, "what": what, **editor.report}


def history(workspace: Workspace, newest: int = NEWEST) -> list[Report]:
    """The newest changes, the last one first."""
    query = (
        select(VocabularyChange, Annotator.name, VocabularyChange.payload["what"].as_string())
        .options(defer(VocabularyChange.payload))  # what undoing a large one takes is large
        .join(Annotator, Annotator.id == VocabularyChange.annotator_id)
        .order_by(VocabularyChange.id.desc()).limit(newest)
    )  # fmt: skip
    with workspace.reading() as session:
        return [
            {
                "number": change.id, "at": change.at.isoformat(timespec="seconds"), "by": name, "kind": change.kind,
                "what": what, "undone": change.undone,
            }
            for change, name, what in session.execute(query)
        ]  # fmt: skip


@needs(Right.VOCABULARY, own="person")
def undo(workspace: Workspace, person: str, steps: int = 1) -> list[Report]:
    """Undo the last `steps` changes that stand, the last one first; all of them or none.

    What people answered since stays. Raises MissingError where fewer stand.
    """
    with workspace.transaction() as session:
        return [_undo(session, person) for _ in range(steps)]


@needs(Right.VOCABULARY, own="person", logged=False)
def preview_undo(workspace: Workspace, person: str, steps: int = 1) -> list[Report]:
    """What `undo` would do, exactly."""
    with workspace.transaction() as session:
        reports = [_undo(session, person) for _ in range(steps)]
        session.rollback()
    return reports


def _undo(session: Session, person: str) -> Report:
    last = session.scalar(
        select(VocabularyChange)
        .where(VocabularyChange.undone.is_(False), VocabularyChange.kind != UNDO)
        .order_by(VocabularyChange.id.desc())
        .limit(1)
    )
    if last is None:
        raise MissingError("there is no change of the vocabulary to undo")
    by = _new_change(session, person, UNDO)
    by.payload = {"what": f"undo: {last.payload['what']}", "of": last.id}
    last.undone = True
    session.flush()
    payload = last.payload
    labels = take_back_labels(session, last, by.at, by.id)
    reviews = take_back_marks(session, Review, payload["reviews"]) if payload["reviews"] else 0
    if payload.get("gold"):  # changes of earlier versions moved verdicts only
        take_back_marks(session, Gold, payload["gold"])
    if payload.get("talk"):
        take_back_talk(session, *payload["talk"])
    _restore_relations(session, payload["relations"])
    _restore_tags(session, payload["tags"])
    _restore_groups(session, payload["groups"])
    for number, tag_id, side in payload["withdrawn"]:
        set_ = session.get_one(RoundSet, (number, tag_id, side))
        if set_.decision == WITHDRAWN:
            set_.decision = Decision.SETTLE
    questions = _restore_questions(session, payload)
    session.flush()
    return {
        "number": by.id, "kind": UNDO, "what": by.payload["what"], "labels": labels, "reviews": reviews,
        "rounds": sorted({number for number, *_ in payload["withdrawn"]}), "questions": questions,
    }  # fmt: skip


def _restore_relations(session: Session, steps: list[list[Any]]) -> None:
    for sign, name, a, b in reversed(steps):
        found = session.get(Relation, (RelationKind(name), a, b))
        if sign == "+" and found is not None:
            session.delete(found)
        elif sign == "-" and found is None:
            session.add(Relation(kind=RelationKind(name), a_id=a, b_id=b))
        session.flush()


def _restore_tags(session: Session, tags: dict[str, dict[str, list[Any]]]) -> None:
    """Each field as it was, where it is still as the change left it."""
    for number, fields in tags.items():
        tag = session.get_one(Tag, int(number))
        for field, (before, after) in fields.items():
            if getattr(tag, field) != after:
                continue
            if field == "key" and session.scalar(select(Tag.id).where(Tag.key == before, Tag.id != tag.id)) is not None:
                raise ConflictError(f"{tag.name!r} cannot have its name back: another tag is called {before!r} now")
            setattr(tag, field, before)
    session.flush()


def _restore_groups(session: Session, groups: list[Any] | None) -> None:
    setting = session.get(ProjectSetting, GROUPS)
    if groups is not None and setting is not None and setting.value["value"] == groups[1]:
        setting.value = {"value": groups[0]}


def _restore_questions(session: Session, payload: dict[str, Any]) -> int:
    """Questions that were moved or asked and wait still go back or away; those that were dropped wait again, where
    nobody answered them meanwhile. How many changed."""
    changed = 0
    moved = dict(payload["moved"])
    for part in parts(moved):
        for task in session.scalars(select(Task).where(Task.id.in_(part), Task.done_at.is_(None))):
            task.tag_id = moved[task.id]
            changed += 1
    for part in parts(payload["asked"]):
        gone = delete(Task).where(Task.id.in_(part), Task.done_at.is_(None)).returning(Task.id)
        changed += len(session.scalars(gone).all())
    for dropped in payload["dropped"]:
        row, tag_id = dropped["image_row"], dropped["tag_id"]
        twin = select(Task.id).where(Task.image_row == row, Task.tag_id == tag_id, Task.done_at.is_(None)).limit(1)
        said = select(Label.id).where(Label.image_row == row, Label.tag_id == tag_id).limit(1)
        if session.scalar(twin) is None and session.scalar(said) is None:
            session.add(Task(**{**dropped, "kind": TaskKind(dropped["kind"])}))
            changed += 1
    return changed


def _new_change(session: Session, person: str, kind: str) -> VocabularyChange:
    change = VocabularyChange(
        at=datetime.now(UTC), annotator_id=annotator_called(session, person).id, kind=kind, payload={}, undone=False
    )
    session.add(change)
    session.flush()
    return change
