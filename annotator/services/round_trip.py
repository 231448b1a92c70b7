"""`annotator round-trip`: an export, read back into a fresh workspace, and what is the same there."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from annotator.errors import UnknownNameError
from annotator.exporters import EXPORTERS
from annotator.importers.labels import LABEL_IMPORTERS, Problems, open_labels
from annotator.progress import Progress, silent
from annotator.services.exporting import export
from annotator.services.import_options import ImportOptions
from annotator.services.importing_records import import_records
from annotator.services.snapshots import parts
from annotator.settings import Settings
from annotator.snapshot import Snapshot
from annotator.terms import Origin
from annotator.workspace import Workspace
from db.models import Image, ImageFile, ProjectSetting, Tag

AT_ONCE = 5000
FILE, GIVEN = "the file", "given beforehand"


@dataclass
class RoundTrip:
    """What came back.

    snapshot_equal: images, tags, labels, origins and splits have the same hash. tags_from: the file where it holds the
    vocabulary in its order, else the fresh workspace was given it. labels: pairs that people or the truth decided, by
    what became of them: same (state), lost, changed, appeared; decided: of the same ones, how many still say who or
    what decided (origin), by whom and when. settled: pairs a machine had settled, which come back as suggestions.
    loses: what the format cannot say, in words; "" for a lossless one.
    """

    format: str
    snapshot_equal: bool = False
    tags_from: str = FILE
    labels: dict[str, int] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)
    settled: int = 0
    refused: int = 0
    loses: str = ""


def round_trip(workspace: Workspace, format: str, progress: Progress = silent) -> RoundTrip:
    """Export, import into a workspace of the same images in a temporary folder, compare. Raises UnknownNameError."""
    known = [name for name in EXPORTERS if name in LABEL_IMPORTERS]
    if format not in known:
        raise UnknownNameError("format that goes out and comes in", format, known)
    exporter = EXPORTERS[format]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{exporter.suffix}"
        exported = export(workspace, format, path, progress=progress)
        settings = Settings(database=None, device=workspace.settings.device)
        with Workspace.create(Path(folder) / "workspace", settings) as fresh:
            trip = RoundTrip(format, loses=exporter.loses)
            trip.tags_from = FILE if _names(workspace) == _names_in(path, format) else GIVEN
            _prepare(workspace, fresh, with_tags=trip.tags_from == GIVEN)
            report = import_records(fresh, path, ImportOptions(format, keep_people=True), progress)
            trip.refused = report.refused_count
            _compare(workspace, fresh, trip)
            trip.snapshot_equal = trip.tags_from == FILE and exported["snapshot"] == _hash(fresh)
    return trip


def _names(workspace: Workspace) -> list[str]:
    with workspace.reading() as session:
        return list(session.scalars(select(Tag.name).where(Tag.archived.is_(False)).order_by(Tag.id)))


def _names_in(path: Path, format: str) -> list[str]:
    return [tag.name for tag in open_labels(path, Problems(path), format).header.tags]


def _prepare(workspace: Workspace, fresh: Workspace, *, with_tags: bool) -> None:
    """The same images under the same addresses, without labels, given splits and, unless asked for, tags."""
    with workspace.reading() as source, fresh.transaction() as target:
        _copy(source, target, Image, {"given_split": None})
        _copy(source, target, ImageFile, {})
        _copy(source, target, ProjectSetting, {})
        if with_tags:
            for name in source.scalars(select(Tag.name).where(Tag.archived.is_(False)).order_by(Tag.id)):
                target.add(Tag(name=name, key=name.casefold(), synonyms=[], prompts=[]))
                target.flush()


def _copy(source: Session, target: Session, table: Any, changed: dict[str, Any]) -> None:
    columns = list(table.__table__.columns)
    rows = source.execute(select(*columns).execution_options(yield_per=AT_ONCE)).mappings()
    while part := [{**row, **changed} for row in islice(rows, AT_ONCE)]:
        target.execute(insert(table), part)


def _hash(workspace: Workspace) -> str:
    from annotator.services.records import collected

    with collected(workspace) as found:
        return found.records.header.snapshot


def _compare(workspace: Workspace, fresh: Workspace, trip: RoundTrip) -> None:
    labels, decided = Counter(dict.fromkeys(("same", "lost", "changed", "appeared"), 0)), Counter[str]()
    with workspace.reading() as one, fresh.reading() as other:
        for before, after in zip(parts(workspace, one), parts(fresh, other), strict=True):
            _count(before, after, trip, labels, decided)
    trip.labels, trip.decided = dict(labels), {name: decided[name] for name in ("origin", "by", "at")}


def _count(before: Snapshot, after: Snapshot, trip: RoundTrip, labels: Counter[str], decided: Counter[str]) -> None:
    columns = _columns(before, after)
    said = before.origins != Origin.NOBODY
    settled = before.origins == Origin.ROUND
    trip.settled += int(settled.sum())
    said &= ~settled
    states, origins, who, at = (_aligned(after, array, columns) for array in
                                (after.labels, after.origins, after.deciders, after.decided_at))  # fmt: skip
    there = origins != Origin.NOBODY
    same = said & there & (states == before.labels)
    labels["same"] += int(same.sum())
    labels["lost"] += int((said & ~there).sum())
    labels["changed"] += int((said & there & ~same).sum())
    labels["appeared"] += int((there & ~said & ~settled).sum())
    decided["origin"] += int((same & (origins == before.origins)).sum())
    decided["at"] += int((same & (at == before.decided_at)).sum())
    ours, theirs = np.array(before.decider_names, object), np.array(after.decider_names, object)
    decided["by"] += int((ours[before.deciders[same]] == theirs[who[same]]).sum())


def _columns(before: Snapshot, after: Snapshot) -> NDArray[np.int64]:
    """(C,) where each tag of `before` stands in `after`, -1 for nowhere."""
    places = {tag.name: place for place, tag in enumerate(after.tags)}
    return np.array([places.get(tag.name, -1) for tag in before.tags], np.int64)


def _aligned(after: Snapshot, array: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    """`array` of `after` in the columns of the other snapshot; 0, which is NOBODY, for a tag that is not there."""
    wide = np.concatenate([array, np.zeros((len(array), 1), array.dtype)], 1)
    return wide[:, columns]


def round_trips(workspace: Workspace, formats: list[str], progress: Progress = silent) -> Iterator[RoundTrip]:
    """One after the other; of no formats all that go out and come in."""
    for format in formats or [name for name in EXPORTERS if name in LABEL_IMPORTERS]:
        yield round_trip(workspace, format, progress)
