"""A scripted annotator who answers from a known truth, through the same services as a person."""

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from annotator.errors import TableError
from annotator.importers.tables import match_rows, read_labels
from annotator.services import labelling, tasks
from annotator.services.answers import Answer
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Split
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Task


@dataclass(frozen=True)
class Truth:
    """labels (N, C) int8, -1 for images the truth does not name; the columns are `tag_ids`; splits by row."""

    labels: NDArray[np.int8]
    tag_ids: tuple[int, ...]
    splits: dict[int, Split]


def read_truth(workspace: Workspace, file: Path) -> Truth:
    """The truth of `file` for the images and tags of the workspace; what it does not list is absent."""
    errors: list[TableError] = []
    rows = list(read_labels(file, errors))
    with workspace.reading() as session:
        place = dict(session.execute(select(ImageFile.uri, ImageFile.image_row)).all())
        tags = {tag.name: column for column, tag in enumerate(live_tags(session))}
        ids = tuple(tag.id for tag in live_tags(session))
        count = len(list(session.scalars(select(Image.row))))
    labels = np.full((count, len(tags)), LabelState.UNKNOWN, np.int8)
    splits = {}
    for row in match_rows(rows, file, errors, tags=tags, uris=set(place)):
        image = place[row.uri]
        labels[image] = LabelState.NEGATIVE
        labels[image, [tags[label] for label in row.labels]] = LabelState.POSITIVE
        if row.split is not None:
            splits[image] = row.split
    return Truth(labels, ids, splits)


def answer_from_truth(workspace: Workspace, truth: Truth, annotator: str, count: int) -> int:
    """Claim and answer up to `count` image questions on all tags; how many were answered."""
    answered = 0
    client = uuid.uuid4().hex
    while answered < count:
        claimed = tasks.claim(workspace, annotator, None, min(count - answered, tasks.MOST_AT_ONCE))
        if not claimed:
            break
        answers = [_whole(truth, task, answered + seq) for seq, task in enumerate(claimed, 1)]
        labelling.record(workspace, annotator, client, answers)
        answered += len(claimed)
    return answered


def answer_tag_from_truth(workspace: Workspace, truth: Truth, annotator: str, tag_id: int, count: int) -> int:
    """Claim and answer up to `count` questions about one tag; how many were answered."""
    claimed = tasks.claim(workspace, annotator, tag_id, count)
    if not claimed:
        return 0
    column = truth.tag_ids.index(tag_id)
    labels = tuple((task.image_row, tag_id, LabelState(truth.labels[task.image_row, column])) for task in claimed)
    answer = Answer(1, labels, tuple(task.id for task in claimed))
    labelling.record(workspace, annotator, uuid.uuid4().hex, [answer])
    return len(claimed)


def _whole(truth: Truth, task: Task, seq: int) -> Answer:
    states = truth.labels[task.image_row]
    labels = tuple(
        (task.image_row, tag_id, LabelState(state))
        for tag_id, state in zip(truth.tag_ids, states.tolist(), strict=True)
    )
    return Answer(seq, labels, (task.id,))


def answer_audits_from_truth(workspace: Workspace, truth: Truth, annotator: str, count: int) -> int:
    """Answer the open round's audits in their order: up to `count` whole images, then its pages tag by tag."""
    answered = answer_from_truth(workspace, truth, annotator, count)
    for tag_id in truth.tag_ids:
        while done := answer_tag_from_truth(workspace, truth, annotator, tag_id, tasks.MOST_AT_ONCE):
            answered += done
    return answered
