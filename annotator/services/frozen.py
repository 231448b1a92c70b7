"""Frozen snapshots: the labels at one moment under a name, with a data card, to be compared and restored.

workspace/snapshots/<name>/ holds labels.parquet (the accepted labels), header.json (vocabulary, people, rounds and
what the project agreed on), images, files, votes and reviews as packed JSON lines, what settled rounds and the truth
say as arrays, card.json and card.md. Pictures, vectors and models are not in it.
"""

import csv
import json
import re
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from annotator.arrays import write_whole
from annotator.errors import ConflictError, MissingError, UnknownNameError, UsageError
from annotator.exporters.base import STATE_KEYS
from annotator.exporters.parquet import parquet
from annotator.importers.labels import Strict, open_labels
from annotator.progress import Progress, silent
from annotator.records import Record, Records
from annotator.services import cards
from annotator.services.records import collected
from annotator.services.rights import Right, needs
from annotator.services.sinks import FolderSink
from annotator.services.table_dump import rows_of, write_rows
from annotator.terms import RoundStatus
from annotator.workspace import Workspace
from db.models import Annotator, Base, Image, ImageFile, Label, Model, Relation, Review, Round, RoundSet, Tag

FORMAT = 1
NOW = "now"
"""As a name to compare with: the store as it is."""
NEVER = "never asked"
NAME = re.compile(r"\w[\w .-]{0,99}")
SMALL: dict[str, type[Base]] = {
    "tags": Tag, "relations": Relation, "annotators": Annotator, "models": Model, "rounds": Round,
    "round_sets": RoundSet,
}  # fmt: skip
LARGE: dict[str, type[Base]] = {"images": Image, "files": ImageFile, "votes": Label, "reviews": Review}


@needs(Right.EXPORT)
def create(workspace: Workspace, name: str, note: str = "", progress: Progress = silent) -> dict[str, Any]:
    """Freeze the labels as they are now under `name`; the card. Raises UsageError for a name taken or unfit."""
    target = _fresh(workspace, name)
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_name(f".{name}.{uuid.uuid4().hex[:8]}.tmp")
    temporary.mkdir()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with workspace.reading() as session, collected(workspace, None, progress, session) as found:
            parquet(found.records, FolderSink(temporary))
            header = {"format": FORMAT, "name": name, "note": note, "at": at, **_header(workspace, session)}
            header["snapshot"] = found.records.header.snapshot
            header["rows"] = {
                file: write_rows(temporary / f"{file}.jsonl.gz", rows_of(session, model))
                for file, model in LARGE.items()
            }
            _keep_arrays(workspace, temporary, header["rounds"])
            about = {"name": name, "note": note, "at": at, **cards.card(workspace, session, found)}
        write_whole(temporary / "header.json", json.dumps(header, ensure_ascii=False, indent=1).encode())
        write_whole(temporary / "card.json", json.dumps(about, ensure_ascii=False, indent=1).encode())
        write_whole(temporary / "card.md", cards.as_markdown(name, about).encode())
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return about


def _header(workspace: Workspace, session: Session) -> dict[str, Any]:
    tables = {name: list(rows_of(session, model)) for name, model in SMALL.items()}
    return {"project": workspace.project.model_dump(mode="json"), **tables}


def _keep_arrays(workspace: Workspace, folder: Path, rounds: list[dict[str, Any]]) -> None:
    """Second names for files that are only ever replaced, never changed: they cost no room."""
    settled = [one["number"] for one in rounds if one["status"] == RoundStatus.SETTLED]
    kept = [file for number in settled for file in workspace.round_file(number).parent.glob(f"{number}.*")]
    (folder / "rounds").mkdir()
    for file in kept:
        _link(file, folder / "rounds" / file.name)
    if workspace.truth_file.exists():
        _link(workspace.truth_file, folder / workspace.truth_file.name)


def _link(file: Path, target: Path) -> None:
    try:
        target.hardlink_to(file)
    except OSError:  # a file system that has no second names
        shutil.copyfile(file, target)


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    """Every snapshot, the oldest first: name, at, images, tags, labels, snapshot, note."""
    found = [json.loads(file.read_text()) for file in _folder(workspace).glob("[!.]*/card.json")]
    return [
        {
            "name": about["name"],
            "at": about["at"],
            "images": about["images"],
            "tags": len(about["tags"]),
            "labels": sum(about["labels"].values()),
            "snapshot": about["snapshot"][:16],
            "note": about["note"],
        }
        for about in sorted(found, key=lambda about: (about["at"], about["name"]))
    ]


def shown(workspace: Workspace, name: str) -> dict[str, Any]:
    """The card of a snapshot."""
    about: dict[str, Any] = json.loads((folder_of(workspace, name) / "card.json").read_text())
    return about


@needs(Right.EXPORT)
def rename(workspace: Workspace, name: str, new: str) -> dict[str, Any]:
    """Give a snapshot another name. It keeps what it holds."""
    old, target = folder_of(workspace, name), _fresh(workspace, new)
    about = {**shown(workspace, name), "name": new}
    old.rename(target)
    write_whole(target / "card.json", json.dumps(about, ensure_ascii=False, indent=1).encode())
    write_whole(target / "card.md", cards.as_markdown(new, about).encode())
    return {"name": new, "before": name}


@needs(Right.EXPORT)
def delete(workspace: Workspace, name: str) -> dict[str, Any]:
    """Remove a snapshot."""
    folder = folder_of(workspace, name)
    doomed = folder.with_name(f".{name}.{uuid.uuid4().hex[:8]}.tmp")
    folder.rename(doomed)
    shutil.rmtree(doomed)
    return {"deleted": name}


def compare(workspace: Workspace, before: str, after: str = NOW, out: Path | None = None) -> dict[str, Any]:
    """What changed between two snapshots, or one and now: per tag how many pairs went from which state to which.

    With `out`, every changed pair as CSV: file, tag, before, after. Raises ConflictError where they are of different
    image collections.
    """
    changes: dict[str, Counter[str]] = {}
    images, lines = Counter[str](), 0
    with ExitStack() as stack:
        first, second = (stack.enter_context(_records(workspace, name)) for name in (before, after))
        writer = stack.enter_context(_lines(out))
        for one, other in zip_longest(first.read(), second.read()):
            images["in both" if one and other else "added" if other else "gone"] += 1
            for tag, was, is_ in _changes(one, other, first, second):
                changes.setdefault(tag, Counter())[f"{was} to {is_}"] += 1
                lines += 1
                writer.writerow([(one or other).file, tag, was, is_])
        same = first.header.snapshot == second.header.snapshot
    return {
        "before": before,
        "after": after,
        "same": same,
        "images": dict(images),
        "changed": lines,
        "tags": [{"tag": tag, "changes": dict(changes[tag])} for tag in sorted(changes)],
    }


def _changes(
    one: Record | None, other: Record | None, first: Records, second: Records
) -> Iterator[tuple[str, str, str]]:
    if one and other and one.sha256 != other.sha256:
        raise ConflictError(f"{one.file} and {other.file} stand in one place: these are snapshots of two collections")
    was, is_ = _states(one, first), _states(other, second)
    for tag in [*was, *(tag for tag in is_ if tag not in was)]:
        if was.get(tag) != is_.get(tag):
            yield tag, was.get(tag, NEVER), is_.get(tag, NEVER)


def _states(record: Record | None, records: Records) -> dict[str, str]:
    labels = record.labels if record else ()
    return {records.header.tags[label.tag].name: STATE_KEYS[label.state] for label in labels}


@contextmanager
def _records(workspace: Workspace, name: str) -> Iterator[Records]:
    if name == NOW:
        with collected(workspace) as found:
            yield found.records
    else:
        file = folder_of(workspace, name) / "labels.parquet"
        yield open_labels(file, Strict(file), "parquet")


class _Nowhere:
    def writerow(self, _cells: list[str]) -> None:
        """Nobody asked for the lines."""


@contextmanager
def _lines(out: Path | None) -> Iterator[Any]:
    if out is None:
        yield _Nowhere()
        return
    out = out.expanduser().absolute()
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "tag", "before", "after"])
            yield writer
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)


def folder_of(workspace: Workspace, name: str) -> Path:
    """The folder of the snapshot called `name`. Raises UnknownNameError, or MissingError where there is none at all."""
    known = [about["name"] for about in listed(workspace)]
    if name not in known:
        if not known:
            raise MissingError("there is no snapshot yet; make one with: annotator snapshot create NAME")
        raise UnknownNameError("snapshot", name, known)
    return _folder(workspace) / name


def _fresh(workspace: Workspace, name: str) -> Path:
    if not NAME.fullmatch(name) or name == NOW or name.endswith((" ", ".")):
        raise UsageError(
            f"snapshot name {name[:40]!r}: give at most 100 letters, digits, spaces, dots, - or _, a letter or digit "
            f"first, and not {NOW!r}"
        )
    folder = _folder(workspace) / name
    if folder.exists():
        raise UsageError(f"there is a snapshot {name!r} already; choose another name, or delete it first")
    return folder


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / "snapshots"
