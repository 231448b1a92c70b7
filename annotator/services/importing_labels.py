"""Labels that come with the pictures: as one more annotator's, or as the truth."""

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import TableError
from annotator.importers.tables import LabelRow, match_rows, read_labels
from annotator.services import labelling, vocabulary
from annotator.services.rights import Right, needs
from annotator.services.truths import stored_truth, write_truth
from annotator.services.votes import live_tags
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
    """The listed tags of `rows` present, all other tags absent; what was true before of other images stays."""
    with workspace.reading() as session:
        size = len(list(session.scalars(select(Image.row))))
    column = {tag_id: number for number, tag_id in enumerate(tag_ids)}
    labels = stored_truth(workspace, size, tag_ids)
    for row in rows:
        labels[place[row.uri]] = LabelState.NEGATIVE
    for row in rows:
        for label in row.labels:
            labels[place[row.uri], column[tags[label]]] = LabelState.POSITIVE
    write_truth(workspace, labels, tag_ids)
