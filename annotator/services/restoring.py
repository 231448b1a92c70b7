"""A frozen snapshot back as a workspace of its own: images by reference, vocabulary, people, labels, rounds, splits."""

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import update

from annotator.errors import ConflictError, UsageError
from annotator.services.frozen import LARGE, SMALL, folder_of
from annotator.services.records import collected
from annotator.services.table_dump import insert_rows, read_rows
from annotator.terms import RoundStatus
from annotator.workspace import Project, Workspace
from db.models import JournalEntry, Model, Round, Tag


def restore(workspace: Workspace, name: str, into: Path) -> dict[str, Any]:
    """Make `into`, which does not exist yet, a workspace that says what snapshot `name` says; its hash is the same.

    Whole or not at all. Vectors, models' weights, tasks and sessions are not in a snapshot: embed and train anew.
    Rounds that were not settled come as rolled back.
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
    _copy_arrays(made, source)
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


def _copy_arrays(made: Workspace, source: Path) -> None:
    for file in (source / "rounds").iterdir():
        target = made.folder / "rounds" / file.name
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, target)
    if (source / made.truth_file.name).exists():
        shutil.copyfile(source / made.truth_file.name, made.truth_file)
