"""A frozen snapshot back as a workspace of its own: images by reference, vocabulary, people, labels, rounds, splits."""

import io
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from annotator.arrays import write_array, write_whole
from annotator.errors import ConflictError, UsageError
from annotator.exporters.parquet_reading import read_parquet
from annotator.services.frozen import LARGE, SMALL, folder_of
from annotator.services.records import collected
from annotator.services.table_dump import insert_rows, read_rows
from annotator.terms import LabelState, Origin, RoundStatus
from annotator.workspace import Project, Workspace
from db.models import Image, JournalEntry, Model, Round, Tag


def restore(workspace: Workspace, name: str, into: Path) -> dict[str, Any]:
    """Make `into`, which does not exist yet, a workspace that says what snapshot `name` says; its hash is the same.

    Whole or not at all. Vectors, models' weights, tasks and sessions are not in a snapshot: embed and train anew.
    Of a round's labels those stand that nothing outranked. Rounds that were not settled come as rolled back.
    """
    source, target = folder_of(workspace, name), into.expanduser().absolute()
    if target.exists():
        raise UsageError(f"{target} exists; name a folder that does not")
    header = json.loads((source / "header.json").read_text())
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = workspace.settings.model_copy(update={"database": None})
    try:
        with Workspace.create(temporary, settings) as made:
            _fill(made, source, header)
            with collected(made) as found:
                restored = found.records.header.snapshot
            if restored != header["snapshot"]:
                raise ConflictError(f"snapshot {name!r} came back as {restored[:16]}: its files were changed; not made")
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"workspace": str(target), "snapshot": header["snapshot"], **header["rows"]}


def _fill(made: Workspace, source: Path, header: dict[str, Any]) -> None:
    with made.transaction() as session:
        parents = {tag["id"]: tag["parent_id"] for tag in header["tags"]}
        insert_rows(session, Tag, ({**tag, "parent_id": None} for tag in header["tags"]))
        for tag, parent in parents.items():
            if parent is not None:
                session.execute(update(Tag).where(Tag.id == tag).values(parent_id=parent))
        for name in ("relations", "annotators"):
            insert_rows(session, SMALL[name], header[name])
        insert_rows(session, LARGE["images"], read_rows(source / "images.jsonl.gz"))
        insert_rows(session, LARGE["files"], read_rows(source / "files.jsonl.gz"))
        insert_rows(session, Model, ({**model, "in_use": False} for model in header["models"]))
        insert_rows(session, Round, map(_ended, header["rounds"]))
        insert_rows(session, SMALL["round_sets"], header["round_sets"])
        insert_rows(session, LARGE["votes"], read_rows(source / "votes.jsonl.gz"))
        insert_rows(session, JournalEntry, _journal(source))
        insert_rows(session, LARGE["reviews"], read_rows(source / "reviews.jsonl.gz"))
        images = session.scalar(select(func.count(Image.row))) or 0
        _arrays(made, session, source, header, images)
    project = Project(**header["project"])
    made.change_project(**project.model_dump())


def _ended(told: dict[str, Any]) -> dict[str, Any]:
    """A round as it can stand without its model's scores: settled, or rolled back."""
    settled = told["status"] == RoundStatus.SETTLED
    return {**told, "status": RoundStatus.SETTLED if settled else RoundStatus.ROLLED_BACK}


def _journal(source: Path) -> Iterator[dict[str, Any]]:
    """The journal begins anew with the labels as they stood."""
    for number, vote in enumerate(read_rows(source / "votes.jsonl.gz"), 1):
        yield {**vote, "id": number, "previous": None, "submission_id": None}


def _arrays(made: Workspace, session: Session, source: Path, header: dict[str, Any], images: int) -> None:
    """What rounds and the truth say, as far as it is in the labels."""
    settled = {f"round {one['number']}": one for one in header["rounds"] if one["status"] == RoundStatus.SETTLED}
    ids = [tag["id"] for tag in header["tags"] if not tag["archived"]]
    said: dict[str, NDArray[np.int8]] = {
        name: np.full((images, len(one["tag_ids"])), LabelState.UNKNOWN, np.int8) for name, one in settled.items()
    }
    truth, at = np.full((images, len(ids)), LabelState.UNKNOWN, np.int8), 0
    column = {name: {tag: place for place, tag in enumerate(one["tag_ids"])} for name, one in settled.items()}
    for row, record in enumerate(read_parquet(source / "labels.parquet").read()):
        for label in record.labels:
            if label.origin == Origin.ROUND:
                said[label.by][row, column[label.by][ids[label.tag]]] = label.state
            elif label.origin == Origin.TRUTH:
                truth[row, label.tag], at = label.state, label.at
    for name, array in said.items():
        write_array(made.round_file(settled[name]["number"]), array)
    if at:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, labels=truth, tag_ids=np.array(ids), at=np.array(at))
        write_whole(made.truth_file, buffer.getvalue())
