"""Labels by name: from the command line and from files."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, TableError, UnknownNameError, UsageError
from annotator.importers.addresses import local_uri
from annotator.importers.delimited import Table, open_text
from annotator.services import labelling
from annotator.services.people import annotator_called
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Tag

STATES = {"positive": LabelState.POSITIVE, "negative": LabelState.NEGATIVE, "unknown": LabelState.UNKNOWN}
COLUMNS = {"image": ("image", "file"), "tag": ("tag",), "state": ("state",), "annotator": ("annotator",)}
LONGEST_PATH = 4096  # file systems take no longer one; SQLite refuses to look for more than 50,000 bytes


def label_by_name(workspace: Workspace, image: str, tag: str, state: str, annotator: str) -> dict[str, Any]:
    """`annotator label`: one label by names. An image is named by its row, its path or the start of its sha256."""
    if state not in STATES:
        raise UnknownNameError("state", state, STATES)
    with workspace.transaction() as session:
        row, tag_id = find_image(session, image), find_tag(session, tag).id
        changed = labelling.write_labels(session, annotator, [(row, tag_id, STATES[state])])
    return {"image": row, "tag": tag, "state": state, "changed": bool(changed)}


@dataclass
class FileReport:
    written: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)


def label_from_file(workspace: Workspace, file: Path, annotator: str) -> FileReport:
    """`annotator label --from`: a CSV with image,tag,state[,annotator]; bad lines are listed, the others written."""
    report = FileReport()
    errors: list[TableError] = []
    uri = local_uri(file)
    with open_text(uri) as stream, workspace.transaction() as session:
        table = Table(uri, stream, COLUMNS, optional=("annotator",))
        for line, cells in table.records(errors):
            image, tag, state = (table.cell(cells, column).strip() for column in ("image", "tag", "state"))
            try:
                if state not in STATES:
                    raise UnknownNameError("state", state, STATES)
                label = find_image(session, image), find_tag(session, tag).id, STATES[state]
                person = annotator_called(session, table.cell(cells, "annotator") or annotator).name
            except (UsageError, BadInputError) as error:
                errors.append(TableError(str(file), line, str(error)))
                continue
            changed = labelling.write_labels(session, person, [label])
            report.written += changed
            report.unchanged += 1 - changed
    report.refused = [str(error) for error in errors]
    return report


def pair_by_name(workspace: Workspace, image: str, tag: str | None) -> tuple[int, int | None]:
    """The row and tag id of an image and a tag by their names; no tag: the whole picture."""
    with workspace.reading() as session:
        return find_image(session, image), None if tag is None else find_tag(session, tag).id


def tag_by_name(workspace: Workspace, tag: str) -> int:
    with workspace.reading() as session:
        return find_tag(session, tag).id


def find_image(session: Session, name: str) -> int:
    """The row of the image called `name`: its row, its path (or the end of it), or the start of its sha256."""
    if not _is_text(name) or len(name) > LONGEST_PATH:
        raise BadInputError(f"image {name!r:.300} can be no path of an image; give a row or path")
    if name.isascii() and name.isdigit() and len(name) < 10 and session.get(Image, int(name)) is not None:
        return int(name)
    path = str(_at_home(Path(name)).absolute())
    exact = session.scalar(select(ImageFile.image_row).where(ImageFile.uri.in_([name, path])))
    if exact is not None:
        return exact
    query = select(ImageFile.image_row).where(ImageFile.uri.endswith("/" + name, autoescape=True)).distinct()
    found = list(session.scalars(query.limit(2)))
    if not found and len(name) >= 8:
        found = list(session.scalars(select(Image.row).where(Image.sha256.startswith(name, autoescape=True)).limit(2)))
    if len(found) == 1:
        return found[0]
    problem = "fits several images; give more of its path" if found else "is not in this workspace; give a row or path"
    raise BadInputError(f"image {name!r:.300} {problem}")


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~somebody whom this machine does not know
        return path


def _is_text(name: str) -> bool:
    """Whether a store can hold it: no zero byte, and nothing that was read of bytes that are not UTF-8."""
    return "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)


def find_tag(session: Session, name: str) -> Tag:
    """The tag called `name`, in any case, or with it as a synonym."""
    if not _is_text(name):
        raise BadInputError(f"tag {name!r:.300} is no text that a store could hold; correct it")
    key = " ".join(name.split()).casefold()
    tag = session.scalar(select(Tag).where(Tag.key == key, Tag.archived.is_(False)))
    if tag is not None:
        return tag
    tags = list(session.scalars(select(Tag).where(Tag.archived.is_(False))))
    for tag in tags:
        if key in (synonym.casefold() for synonym in tag.synonyms):
            return tag
    raise UnknownNameError("tag", name, [tag.name for tag in tags])
