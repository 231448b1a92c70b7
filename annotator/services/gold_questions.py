"""Gold among the questions: pairs whose answer is known, each asked of a person once, and what they are told."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from annotator.services.answers import Answer
from annotator.services.label_store import alike
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Project
from db.models import Gold, ImageFile, Label, Skip, Submission, Tag, Task

BESIDE = (TaskKind.PICK, TaskKind.RANDOM, TaskKind.AUDIT)
"""Kinds that gold hides among. A calibration question shows no suggestions: gold with some would be told apart."""


def how_many(session: Session, project: Project, person_id: int, wanted: int) -> int:
    """How many of `wanted` questions are gold this time: drawn, so that nobody can count them out."""
    if not project.gold_share or wanted <= 0:
        return 0
    newest = [session.scalar(select(func.max(column))) or 0 for column in (Submission.id, Task.id)]
    return int(np.random.default_rng([project.seed, person_id, *newest]).binomial(wanted, project.gold_share))


def mixed(
    session: Session, project: Project, person_id: int, fresh: Sequence[Task], count: int, until: datetime
) -> list[Task]:
    """Up to `count` gold questions for the person, leased until `until`, with places and reasons of `fresh` ones."""
    beside = [task for task in fresh if task.kind in BESIDE]
    if not count or not beside:
        return []
    tag_id = beside[0].tag_id
    rows = list(session.scalars(_unseen(person_id, tag_id)))
    rng = np.random.default_rng([project.seed, person_id, beside[0].id])
    made = []
    for row in rng.choice(rows, min(count, len(rows)), replace=False).tolist() if rows else []:
        neighbour = beside[int(rng.integers(len(beside)))]
        made.append(
            Task(
                kind=TaskKind.GOLD, image_row=row, tag_id=tag_id, position=neighbour.position, reason=neighbour.reason,
                for_id=person_id, annotator_id=person_id, leased_until=until,
            )
        )  # fmt: skip
    session.add_all(made)
    session.flush()
    return made


def _unseen(person_id: int, tag_id: int | None) -> Select[int]:
    """Images with a known answer on the tag, or (None) on any, that the person neither declared, answered, was asked
    about nor skipped."""
    theirs = or_(Task.annotator_id == person_id, Task.for_id == person_id)
    said = [Label.image_row == Gold.image_row, Label.annotator_id == person_id]
    known = select(Gold.image_row).join(Tag).where(Tag.archived.is_(False), Gold.annotator_id != person_id)
    if tag_id is not None:
        known = known.where(Gold.tag_id == tag_id)
        said.append(Label.tag_id == tag_id)
    return known.where(
        ~exists().where(*said),
        ~exists().where(Task.image_row == Gold.image_row, alike(Task.tag_id, tag_id), theirs),
        ~exists().where(
            Skip.image_row == Gold.image_row, alike(Skip.tag_id, tag_id), Skip.annotator_id == person_id
        ),
    ).distinct().order_by(Gold.image_row)  # fmt: skip


def corrections(session: Session, tasks: Sequence[Task], answer: Answer) -> list[dict[str, object]]:
    """What the person is told at once of gold answered otherwise: {seq, message, image}, of each picture one."""
    asked = {task.image_row for task in tasks if task.kind == TaskKind.GOLD}
    if not asked:
        return []
    query = select(Gold, Tag.name).join(Tag).where(Gold.image_row.in_(asked), Gold.instant.is_(True))
    known = {(gold.image_row, gold.tag_id): (gold.state, name) for gold, name in session.execute(query)}
    wrong: dict[int, list[str]] = {}
    for row, tag, state in answer.labels:
        truth, name = known.get((row, tag), (state, ""))
        if truth != state:
            wrong.setdefault(row, []).append(f"{name} is {'present' if truth == LabelState.POSITIVE else 'absent'}")
    names = dict(session.execute(
        select(ImageFile.image_row, func.min(ImageFile.uri)).where(ImageFile.image_row.in_(wrong))
        .group_by(ImageFile.image_row)
    ).all())  # fmt: skip
    return [
        {"seq": answer.seq, "image": row, "message": f"{names[row].rsplit('/', 1)[-1]}: {', '.join(said)}"}
        for row, said in sorted(wrong.items())
    ]
