"""Labels that come with the pictures: as one more annotator's, or as the truth."""

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.arrays import write_whole
from annotator.errors import TableError
from annotator.importers.tables import LabelRow, match_rows, read_labels
from annotator.services import labelling, vocabulary
from annotator.services.rights import Right, needs
from annotator.services.snapshots import live_tags
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Image, ImageFile

IMPORTER = "import"


@dataclass
class LabelsReport:
    images: int = 0
    positive: int = 0
    new_tags: int = 0
    refused: list[str] = field(default_factory=list)


@needs(Right.IMPORT)
def import_labels(workspace: Workspace, file: Path, *, as_truth: bool = False) -> LabelsReport:
    """Labels of `file` (columns file, labels, maybe split) onto the images imported before.

    Without `as_truth` each listed tag becomes a positive label of the annotator "import", and nothing is said of the
    other tags. With it the list is complete: listed tags are present, all other tags of the vocabulary absent.
    A workspace without tags takes those of the file. Unknown files and tags are listed; the rest is written.
    """
    report = LabelsReport()
    errors: list[TableError] = []
    rows = list(read_labels(file, errors))
    with workspace.transaction() as session:
        if vocabulary.count(session) == 0:
            names = sorted({label for row in rows for label in row.labels})
            vocabulary.add_names(session, names)
            report.new_tags = len(names)
        place = dict(session.execute(select(ImageFile.uri, ImageFile.image_row)).all())
        tags = {tag.name: tag.id for tag in live_tags(session)}
        matched = list(match_rows(rows, file, errors, tags=tags, uris=set(place)))
        _give_splits(session, matched, place)
    report.images = len({place[row.uri] for row in matched})
    report.positive = sum(len(row.labels) for row in matched)
    report.refused = [str(error) for error in errors]
    if as_truth:
        _write_truth(workspace, matched, place, list(tags.values()), tags)
    else:
        labels = [(place[row.uri], tags[label], LabelState.POSITIVE) for row in matched for label in row.labels]
        with workspace.transaction() as session:
            labelling.write_labels(session, IMPORTER, labels)
    return report


def _give_splits(session: Session, rows: list[LabelRow], place: dict[str, int]) -> None:
    for row in rows:
        if row.split is not None:
            image = session.get(Image, place[row.uri])
            if image is not None:
                image.given_split = row.split.value


def _write_truth(
    workspace: Workspace, rows: list[LabelRow], place: dict[str, int], tag_ids: list[int], tags: dict[str, int]
) -> None:
    """(N, C) int8 beside the store: a complete truth is N x C entries, which as rows of a table would drown it."""
    with workspace.reading() as session:
        size = len(list(session.scalars(select(Image.row))))
    column = {tag_id: number for number, tag_id in enumerate(tag_ids)}
    labels = np.full((size, len(tag_ids)), LabelState.UNKNOWN, np.int8)
    if workspace.truth_file.exists():
        with np.load(workspace.truth_file, allow_pickle=False) as before:
            for source, tag_id in enumerate(before["tag_ids"].tolist()):
                if tag_id in column:
                    labels[: len(before["labels"]), column[tag_id]] = before["labels"][:, source]
    for row in rows:
        labels[place[row.uri]] = LabelState.NEGATIVE
    for row in rows:
        for label in row.labels:
            labels[place[row.uri], column[tags[label]]] = LabelState.POSITIVE
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, labels=labels, tag_ids=np.array(tag_ids), at=np.array(int(datetime.now(UTC).timestamp()))
    )
    write_whole(workspace.truth_file, buffer.getvalue())
