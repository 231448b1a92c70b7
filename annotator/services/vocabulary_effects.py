"""What changes of the vocabulary do to labels, verdicts, rounds and questions; each step notes how to undo it."""

from collections.abc import Iterable

import numpy as np
from sqlalchemy import func, select

from annotator.errors import ConflictError
from annotator.learning.audits import Decision
from annotator.services import label_moves, mark_moves
from annotator.services.label_store import parts
from annotator.services.round_sets import PAID_BY, SIDES
from annotator.services.snapshots import WITHDRAWN
from annotator.services.tasks import Band
from annotator.services.vocabulary_editing import Editor
from annotator.terms import RoundStatus, TaskKind
from db.models import Gold, Label, Review, Round, RoundSet, Tag, Task


def move_labels(editor: Editor, source: Tag, target: Tag) -> None:
    """Everybody's labels, verdicts, known answers and talk on `source` become those of `target`."""
    counts = label_moves.move_labels(editor.session, source.id, target.id, editor.change)
    editor.report["labels"] += counts["moved"] + counts["combined"]
    editor.report["combined"] += counts["combined"]
    move = mark_moves.move_marks
    moved = {
        "reviews": move(editor.session, Review, source.id, target.id),
        "gold": move(editor.session, Gold, source.id, target.id),
    }
    for name, marks in moved.items():
        editor.payload[name] = marks
        editor.report[name] += sum(one["tag_id"] == source.id for one in marks["before"])
    talk = mark_moves.move_talk(editor.session, source.id, target.id)
    editor.payload["talk"] = [source.id, talk]
    editor.report["comments"] += len(talk["comments"])


def count_labels(editor: Editor, tag: Tag) -> None:
    """Note how many labels and reviews are on a tag, without touching them."""
    for name, column in (("labels", Label.tag_id), ("reviews", Review.tag_id)):
        editor.report[name] += editor.session.scalar(select(func.count()).where(column == tag.id)) or 0


def refuse_open_round(editor: Editor, *tags: Tag) -> None:
    """Raise ConflictError where a round on `tags` is open: what its audits ask would change under them."""
    query = select(RoundSet.round_number).join(Round).where(
        Round.status == RoundStatus.PROPOSED, RoundSet.tag_id.in_([tag.id for tag in tags])
    )  # fmt: skip
    number = editor.session.scalar(query.limit(1))
    if number is not None:
        names = " or ".join(repr(tag.name) for tag in tags)
        raise ConflictError(f"round {number} is open and audits {names}; settle it first, or roll it back")


def withdraw(editor: Editor, tag: Tag) -> None:
    """Take back what settled rounds settled of a tag: what was proved is about another tag from now on."""
    query = select(RoundSet).join(Round).where(
        Round.status == RoundStatus.SETTLED, RoundSet.tag_id == tag.id, RoundSet.decision == Decision.SETTLE
    ).order_by(RoundSet.round_number, RoundSet.side)  # fmt: skip
    counted: set[tuple[int, str]] = set()
    for set_ in editor.session.scalars(query).all():
        editor.payload["withdrawn"].append([set_.round_number, set_.tag_id, set_.side])
        set_.decision = WITHDRAWN
        if set_.round_number not in editor.report["rounds"]:
            editor.report["rounds"].append(set_.round_number)
        side = (set_.round_number, PAID_BY[set_.side])
        if side not in counted:  # an implied set's labels stand in one column with those of the tag's own set
            counted.add(side)
            editor.report["settled"] += _settled(editor, set_)
    editor.session.flush()


def _settled(editor: Editor, set_: RoundSet) -> int:
    column = editor.session.get_one(Round, set_.round_number).tag_ids.index(set_.tag_id)
    labels = np.load(editor.workspace.round_file(set_.round_number), mmap_mode="r", allow_pickle=False)
    return int((np.asarray(labels[:, column]) == SIDES[PAID_BY[set_.side]]).sum())


def drop_questions(editor: Editor, tag: Tag, *, only_of_rounds: bool = False) -> None:
    """Take back the open questions about a tag."""
    query = select(Task).where(Task.tag_id == tag.id, Task.done_at.is_(None)).order_by(Task.id)
    if only_of_rounds:
        query = query.where(Task.round_number.is_not(None))
    for task in editor.session.scalars(query).all():
        _drop(editor, task)
    editor.session.flush()


def move_questions(editor: Editor, source: Tag, target: Tag) -> None:
    """The open questions about `source` ask about `target`, but not twice about one image, nor what is answered."""
    waiting = select(Task).where(Task.tag_id == source.id, Task.done_at.is_(None)).order_by(Task.id)
    tasks = editor.session.scalars(waiting).all()
    known = _asked_or_answered(editor, target, [task.image_row for task in tasks])
    for task in tasks:
        if task.image_row in known:
            _drop(editor, task)
            continue
        known.add(task.image_row)
        task.tag_id = target.id
        editor.payload["moved"].append([task.id, source.id])
        editor.report["questions moved"] += 1
    editor.session.flush()


def ask(editor: Editor, tag: Tag, rows: Iterable[int], reason: str) -> None:
    """Questions about a tag on `rows`, in this order; not what is asked or answered already."""
    rows = list(rows)
    known = _asked_or_answered(editor, tag, rows)
    fresh = [
        Task(kind=TaskKind.PICK, image_row=row, tag_id=tag.id, position=Band.PICK.position(place), reason=reason)
        for place, row in enumerate(rows)
        if row not in known
    ]
    editor.session.add_all(fresh)
    editor.session.flush()
    editor.payload["asked"] += [task.id for task in fresh]
    editor.report["questions asked"] += len(fresh)


def _asked_or_answered(editor: Editor, tag: Tag, rows: list[int]) -> set[int]:
    known: set[int] = set()
    for part in parts(set(rows)):
        asked = select(Task.image_row).where(Task.tag_id == tag.id, Task.done_at.is_(None), Task.image_row.in_(part))
        answered = select(Label.image_row).where(
            Label.tag_id == tag.id, Label.image_row.in_(part), Label.kind != TaskKind.GOLD
        )
        known.update(editor.session.scalars(asked))
        known.update(editor.session.scalars(answered))
    return known


def _drop(editor: Editor, task: Task) -> None:
    editor.payload["dropped"].append(
        {
            "kind": task.kind.value, "image_row": task.image_row, "tag_id": task.tag_id,
            "round_number": task.round_number, "position": task.position, "reason": task.reason,
        }
    )  # fmt: skip
    editor.report["questions dropped"] += 1
    editor.session.delete(task)
