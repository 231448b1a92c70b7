"""The labels as the journal alone tells them."""

from sqlalchemy import select

from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import JournalEntry, Label

Told = dict[tuple[int, int, int], tuple[LabelState, TaskKind, int | None, int | None]]


def replayed(workspace: Workspace) -> Told:
    """(image, tag, annotator) to (state, kind, round, the tag it follows from). Every entry must agree with
    what it says was there before."""
    labels: Told = {}
    with workspace.reading() as session:
        for entry in session.scalars(select(JournalEntry).order_by(JournalEntry.id)):
            key = entry.image_row, entry.tag_id, entry.annotator_id
            assert entry.previous == (labels[key][0] if key in labels else None)
            if entry.state is None:
                labels.pop(key)
            else:
                labels[key] = entry.state, entry.kind, entry.round_number, entry.because_id
    return labels


def stored(workspace: Workspace) -> Told:
    with workspace.reading() as session:
        return {
            (label.image_row, label.tag_id, label.annotator_id): (
                label.state,
                label.kind,
                label.round_number,
                label.because_id,
            )
            for label in session.scalars(select(Label))
        }
