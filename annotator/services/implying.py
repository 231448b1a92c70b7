"""What follows from a person's labels by the relations of the vocabulary.

It is written as that person's labels too, each with the tag it follows from, and worked out anew at every answer and
undo.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.services.label_store import Change, Pair, Standing, parts, standing, withdraw, write
from annotator.services.vocabulary import relations_of
from annotator.terms import LabelState
from annotator.vocabulary import Relations
from annotator.workspace import Workspace
from db.models import Annotator, Label, Tag

MOST_ABSENT = 200  # on one image: an absent root of a tree of thousands would write them all at one answer


def imply(session: Session, annotator_id: int, rows: Collection[int], submission_id: int | None, at: datetime) -> int:
    """Bring what follows from the annotator's answers on `rows` up to date; how many labels that wrote.

    Nothing is written over an answer, nothing follows from answers that contradict each other, and where more than
    MOST_ABSENT tags would be absent only the present ones are written.
    """
    relations = relations_of(session)
    if not relations or not rows:
        return 0
    said: dict[int, dict[int, Standing]] = defaultdict(dict)
    followed: dict[int, dict[int, Standing]] = defaultdict(dict)
    for (row, tag), label in standing(session, annotator_id, rows).items():
        (said if label.because is None else followed)[row][tag] = label
    changes: list[Change] = []
    gone: dict[Pair, Standing] = {}
    for row in rows:
        wanted = _wanted(relations, row, said[row])
        before = followed[row]
        changes += [
            change
            for tag, change in wanted.items()
            if tag not in before or (before[tag].state, before[tag].because) != (change.state, change.because)
        ]
        gone |= {(row, tag): label for tag, label in before.items() if tag not in wanted}
    withdraw(session, annotator_id, gone, submission_id, at)
    write(session, annotator_id, changes, submission_id, at)
    return len(changes)


def _wanted(relations: Relations, row: int, said: dict[int, Standing]) -> dict[int, Change]:
    """By tag. A label serves what the answer it follows from serves: what was asked to measure trains nothing."""
    positive, negative = (
        [tag for tag, label in said.items() if label.state == state]
        for state in (LabelState.POSITIVE, LabelState.NEGATIVE)
    )
    implied = relations.implied(positive, negative)
    found = {tag: label for tag, label in implied.items() if tag in relations.columns and tag not in said}
    if sum(label.state == LabelState.NEGATIVE for label in found.values()) > MOST_ABSENT:
        found = {tag: label for tag, label in found.items() if label.state == LabelState.POSITIVE}
    return {
        tag: Change(
            row, tag, label.state, said[label.because].kind, said[label.because].round_number, True, label.because
        )
        for tag, label in found.items()
    }


def contradictions(workspace: Workspace, most: int = 1000) -> list[dict[str, Any]]:
    """Pairs of one person's answers on one image that a relation says cannot both be right, for a reviewer to decide.

    {image, annotator, present, present_tag, against, against_tag, state}: `present` (tag id) was labelled positive;
    `against` is labelled `state`: negative, though it is implied, or positive, though the two exclude each other.
    """
    found: list[dict[str, Any]] = []
    with workspace.reading() as session:
        relations = relations_of(session)
        names = dict(session.execute(select(Tag.id, Tag.name)).all())
        people = dict(session.execute(select(Annotator.id, Annotator.name)).all())
        labels: dict[tuple[int, int], dict[int, LabelState]] = defaultdict(dict)
        for part in parts(relations.related & relations.columns):
            query = select(Label.image_row, Label.annotator_id, Label.tag_id, Label.state)
            answered = Label.tag_id.in_(part) & Label.because_id.is_(None) & (Label.state != LabelState.UNKNOWN)
            for row, person, tag, state in session.execute(query.where(answered)):
                labels[row, person][tag] = state
    for (row, person), states in sorted(labels.items()):
        positive, negative = (
            [tag for tag, said in states.items() if said == state]
            for state in (LabelState.POSITIVE, LabelState.NEGATIVE)
        )
        for present, against in relations.clashes(positive, negative):
            found.append(
                {
                    "image": row, "annotator": people[person], "present": present, "present_tag": names[present],
                    "against": against, "against_tag": names[against], "state": states[against],
                }
            )  # fmt: skip
            if len(found) == most:
                return found
    return found
