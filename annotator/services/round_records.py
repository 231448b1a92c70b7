"""What a round keeps of itself, so that it can be recomputed bit for bit: what was open, and the answers it used."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.errors import MissingError
from annotator.services.round_sets import Beside, SetAudit, members
from annotator.snapshot import Snapshot
from annotator.workspace import Workspace


def write_open(workspace: Workspace, number: int, pool: NDArray[np.int64], open_: NDArray[np.bool_]) -> None:
    """(M,) rows of the pool and (M, C) whether nobody had decided, one bit each."""
    write_arrays(
        _file(workspace, number, "open"), pool=pool, open=np.packbits(open_, axis=1), tags=np.array(open_.shape[1])
    )


def read_open(workspace: Workspace, number: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    stored = read_arrays(_file(workspace, number, "open"), number)
    return stored["pool"], np.unpackbits(stored["open"], axis=1, count=int(stored["tags"])).astype(bool)


def read_pool(workspace: Workspace, number: int) -> NDArray[np.int64]:
    """Rows of the pool; of a round of an earlier version all rows it knew."""
    try:
        return read_arrays(_file(workspace, number, "open"), number)["pool"]
    except MissingError:
        return np.arange(len(members(workspace, number)))


@dataclass(frozen=True)
class Record:
    """The draws of a set that were answered when its round was settled, the answers, and what was decided by them."""

    draws: NDArray[np.int64]
    answers: NDArray[np.int8]
    beside: Beside
    decision: str


def write_answers(
    workspace: Workspace, number: int, snapshot: Snapshot, audits: list[SetAudit], free: NDArray[np.bool_]
) -> None:
    """What the round was settled by; `free` (N, C): where no person had answered, by the columns of the round."""
    place = {tag.id: column for column, tag in enumerate(snapshot.tags)}
    arrays: dict[str, Any] = {"free": np.packbits(free, axis=1), "tags": np.array(free.shape[1])}
    for audit in audits:
        draws = audit.draws[: audit.state.drawn]
        name = f"{audit.set.tag_id}.{audit.set.side}"
        arrays[f"{name}.draws"], arrays[f"{name}.answers"] = draws, snapshot.labels[draws, place[audit.set.tag_id]]
        arrays[f"{name}.beside"] = np.array([*vars(audit.beside).values()])
        arrays[f"{name}.decision"] = np.array(audit.state.decision.value)
    write_arrays(_file(workspace, number, "answers"), **arrays)


def read_answers(workspace: Workspace, number: int) -> tuple[dict[tuple[int, str], Record], NDArray[np.bool_]]:
    """The record of each (tag id, side), and (N, C) where no person had answered."""
    stored = read_arrays(_file(workspace, number, "answers"), number)
    free = np.unpackbits(stored["free"], axis=1, count=int(stored["tags"])).astype(bool)
    records = {}
    for name in sorted(name.removesuffix(".draws") for name in stored if name.endswith(".draws")):
        tag_id, side = name.split(".")
        draws, answers, beside, decision = (
            stored[f"{name}.{part}"] for part in ("draws", "answers", "beside", "decision")
        )
        records[int(tag_id), side] = Record(draws, answers, Beside(*beside.tolist()), str(decision))
    return records, free


def _file(workspace: Workspace, number: int, what: str) -> Path:
    return workspace.round_file(number).with_suffix(f".{what}.npz")


def write_arrays(file: Path, **arrays: Any) -> None:
    """Whole or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(file, buffer.getvalue())


def read_arrays(file: Path, number: int) -> dict[str, NDArray[Any]]:
    """Raises MissingError where round `number` has no such file."""
    if not file.exists():
        raise MissingError(
            f"round {number} was made by an earlier version, which kept no {file.name}; it cannot be replayed"
        )
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)
