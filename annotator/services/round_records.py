"""What a round keeps of itself, so that it can be recomputed bit for bit: what was open, and the answers it used."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.errors import MissingError
from annotator.services.round_sets import SetAudit
from annotator.snapshot import Snapshot
from annotator.workspace import Workspace


def write_open(workspace: Workspace, number: int, pool: NDArray[np.int64], open_: NDArray[np.bool_]) -> None:
    """(M,) rows of the pool and (M, C) whether nobody had decided, one bit each."""
    _write(_file(workspace, number, "open"), pool=pool, open=np.packbits(open_, axis=1), tags=np.array(open_.shape[1]))


def read_open(workspace: Workspace, number: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    stored = _read(_file(workspace, number, "open"), number)
    return stored["pool"], np.unpackbits(stored["open"], axis=1, count=int(stored["tags"])).astype(bool)


def write_answers(workspace: Workspace, number: int, snapshot: Snapshot, audits: list[SetAudit]) -> None:
    """The draws of each set and the answers among them, as they were when the round was settled."""
    place = {tag.id: column for column, tag in enumerate(snapshot.tags)}
    arrays = {}
    for audit in audits:
        draws = audit.draws[: audit.state.drawn]
        name = f"{audit.set.tag_id}.{audit.set.side}"
        arrays[f"{name}.draws"], arrays[f"{name}.answers"] = draws, snapshot.labels[draws, place[audit.set.tag_id]]
    _write(_file(workspace, number, "answers"), **arrays)


def read_answers(
    workspace: Workspace, number: int
) -> dict[tuple[int, str], tuple[NDArray[np.int64], NDArray[np.int8]]]:
    """(draws, answers) of each (tag id, side)."""
    stored = _read(_file(workspace, number, "answers"), number)
    names = {name.rsplit(".", 1)[0] for name in stored}
    return {
        (int(name.split(".")[0]), name.split(".")[1]): (stored[f"{name}.draws"], stored[f"{name}.answers"])
        for name in sorted(names)
    }


def _file(workspace: Workspace, number: int, what: str) -> Path:
    return workspace.round_file(number).with_suffix(f".{what}.npz")


def _write(file: Path, **arrays: Any) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_whole(file, buffer.getvalue())


def _read(file: Path, number: int) -> dict[str, NDArray[Any]]:
    if not file.exists():
        raise MissingError(
            f"round {number} was made by an earlier version, which kept no {file.name}; it cannot be replayed"
        )
    with np.load(file, allow_pickle=False) as stored:
        return dict(stored)
