"""Labels of one tag become those of another, each step in the journal, and back."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, delete, exists, insert, literal, null, select, update
from sqlalchemy.orm import Session, aliased

from annotator.services.label_store import UNDO, Pair, parts, restore
from annotator.terms import LabelState
from db.models import JournalEntry, Label, VocabularyChange
from db.types import UtcDateTime

STRENGTH = {LabelState.NEGATIVE: 0, LabelState.UNKNOWN: 1, LabelState.POSITIVE: 2}
"""Of two answers of one person to tags that are now one, the stronger one counts: present where either was, absent
only where both were."""
PAIRS_AT_ONCE = 20_000
JOURNAL = [
    "image_row", "tag_id", "annotator_id", "state", "previous", "kind", "round_number", "because_id", "change_id", "at",
]  # fmt: skip


def move_labels(session: Session, source: int, target: int, change: VocabularyChange) -> dict[str, int]:
    """Everybody's labels on the tag `source` become labels on `target`: {"moved", "combined"}.

    As statements over all of them at once: a tag may have millions.
    """
    twin = aliased(Label)
    has_twin = exists().where(
        twin.tag_id == target, twin.image_row == Label.image_row, twin.annotator_id == Label.annotator_id
    )
    both = session.execute(
        select(Label.id, Label.state, Label.because_id, twin.id, twin.state, twin.because_id)
        .join(twin, (twin.image_row == Label.image_row) & (twin.annotator_id == Label.annotator_id))
        .where(Label.tag_id == source, twin.tag_id == target)
        .order_by(Label.id)
    ).all()
    _note(session, change, source, null(), Label.state, Label.tag_id == source)
    _note(session, change, target, Label.state, null(), Label.tag_id == source, ~has_twin)
    moving = update(Label).where(Label.tag_id == source, ~has_twin).values(tag_id=target)
    moved: Any = session.execute(moving.execution_options(synchronize_session=False))
    together: dict[tuple[LabelState, int | None], list[int]] = defaultdict(list)
    for _, one, one_because, kept, other, other_because in both:
        together[_combined((one, one_because), (other, other_because))].append(kept)
    for (state, because), labels in together.items():
        for part in parts(labels):
            those = Label.id.in_(part)
            now = literal(state, JournalEntry.state.type), literal(because, Integer)
            _note(session, change, target, now[0], Label.state, those, because=now[1])
            combining = update(Label).where(those).values(state=state, because_id=because)
            session.execute(combining.execution_options(synchronize_session=False))
    for part in parts({gone for gone, *_ in both}):
        session.execute(delete(Label).where(Label.id.in_(part)).execution_options(synchronize_session=False))
    return {"moved": moved.rowcount, "combined": len(both)}


def _combined(
    one: tuple[LabelState, int | None], other: tuple[LabelState, int | None]
) -> tuple[LabelState, int | None]:
    """Of two labels, each with the tag it follows from: what was said counts before what follows, then the stronger."""
    return max(one, other, key=lambda label: (label[1] is None, STRENGTH[label[0]]))


def _note(
    session: Session,
    change: VocabularyChange,
    tag_id: int,
    state: Any,
    previous: Any,
    *which: ColumnElement[bool],
    because: Any = Label.because_id,
) -> None:
    """Journal entries about `tag_id` for the labels `which`."""
    entries = select(
        Label.image_row, literal(tag_id, Integer), Label.annotator_id, state, previous, Label.kind, Label.round_number,
        because, literal(change.id, Integer), literal(change.at, UtcDateTime()),
    ).where(*which).order_by(Label.id)  # fmt: skip
    session.execute(insert(JournalEntry).from_select(JOURNAL, entries))


def take_back_labels(session: Session, undone: VocabularyChange, at: datetime, change_id: int) -> int:
    """Every label that `undone` touched becomes what stands without it; how many that changed."""
    session.flush()
    touched = select(JournalEntry.annotator_id, JournalEntry.image_row, JournalEntry.tag_id).where(
        JournalEntry.change_id == undone.id
    )
    pairs: dict[int, set[Pair]] = defaultdict(set)
    for annotator_id, row, tag in session.execute(touched):
        pairs[annotator_id].add((row, tag))
    return sum(
        restore(session, annotator_id, part, at, change_id=change_id)
        for annotator_id, those in pairs.items()
        for part in _in_parts(sorted(those))
    )


def _in_parts(pairs: list[Pair]) -> Iterator[list[Pair]]:
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        yield pairs[start : start + PAIRS_AT_ONCE]


def moved_since(session: Session, submission_id: int) -> VocabularyChange | None:
    """A change of the vocabulary that stands and moved labels of this answer after it was given."""
    answer, later = aliased(JournalEntry), aliased(JournalEntry)
    query = (
        select(VocabularyChange)
        .join(later, later.change_id == VocabularyChange.id)
        .join(
            answer,
            (answer.image_row == later.image_row)
            & (answer.tag_id == later.tag_id)
            & (answer.annotator_id == later.annotator_id),
        )
        .where(
            answer.submission_id == submission_id, answer.because_id.is_(None), later.id > answer.id,
            VocabularyChange.undone.is_(False), VocabularyChange.kind != UNDO,
        )
        .limit(1)
    )  # fmt: skip
    return session.scalar(query)
