"""Implied sets as data: what may be settled through relations when a round ends, what was, and the file of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.learning import implied
from annotator.learning.audits import Decision
from annotator.learning.implied import Part
from annotator.services.round_records import read_arrays, write_arrays
from annotator.services.round_sets import implied_file, is_accept
from annotator.workspace import Workspace
from db.models import RoundSet

Key = tuple[int, str]
"""(tag id, side)"""
PEOPLE = -1  # in the place of a cause's tag: what people's answers say


class Cause(NamedTuple):
    """A set of the same round that says something of a tag; `wrong`: see `implied.Part`."""

    tag_id: int
    side: str
    wrong: int


class Beside(NamedTuple):
    """Where a tag stands without its implied sets: see `implied.precision_stands` and `recall_stands`."""

    surplus: float = 0.0
    found: float = 0.0
    missed: float = 0.0


NOTHING = Beside()


@dataclass(frozen=True)
class Claims:
    """All that may be settled of one tag on one side: rows that people's answers say, and the causes."""

    people: NDArray[np.int64]
    causes: tuple[Cause, ...] = ()
    beside: Beside = NOTHING


@dataclass(frozen=True)
class ImpliedSet:
    """What is settled of one tag on one side: `rows`, and for each the place of its cause in `causes`."""

    rows: NDArray[np.int64]
    parts: NDArray[np.int16]
    causes: tuple[Cause, ...]

    def counts(self) -> list[Part]:
        each = np.bincount(self.parts, minlength=len(self.causes)).tolist()
        return [Part(rows, cause.wrong) for rows, cause in zip(each, self.causes, strict=True)]


def new_set(number: int, tag_id: int, side: str, alpha: float, causes: Sequence[Key]) -> RoundSet:
    """An implied set before anything is settled; the causes, (tag id, side), share `alpha` equally."""
    noted = [{"tag": tag, "side": of, "alpha": alpha / len(causes), "rows": 0, "wrong": 0} for tag, of in causes]
    return RoundSet(
        round_number=number, tag_id=tag_id, side=side, threshold=0.0, size=0, alpha=alpha, draws=0, positives=0, low=0,
        high=0, decision=Decision.GO_ON, plan={"causes": noted},
    )  # fmt: skip


def note(set_: RoundSet, found: ImpliedSet) -> None:
    """Write the bounds of an implied set into its row, and what of it each cause gave."""
    parts = found.counts()
    given = {cause[:2]: part for cause, part in zip(found.causes, parts, strict=True)}
    causes = []
    for noted in set_.plan["causes"]:
        part = given.get((noted["tag"], noted["side"]), Part(0, 0))
        causes.append({**noted, "rows": part.rows, "wrong": part.wrong})
    set_.plan = {**set_.plan, "causes": causes, "people": parts[0].rows}
    set_.size = sum(part.rows for part in parts)
    set_.low, set_.high = (implied.least_right(parts), set_.size) if is_accept(set_) else (0, implied.most_wrong(parts))


def write(workspace: Workspace, number: int, given: Mapping[Key, Claims], settled: Mapping[Key, ImpliedSet]) -> None:
    """Keep what a round ended with; nothing where nothing could be implied."""
    arrays: dict[str, Any] = {}
    for (tag_id, side), one in given.items():
        name = f"{tag_id}.{side}"
        arrays[f"{name}.people"], arrays[f"{name}.beside"] = one.people, np.array(one.beside)
        arrays |= _columns(f"{name}.claimed", one.causes)
        found = settled.get((tag_id, side))
        if found is not None:
            arrays[f"{name}.rows"], arrays[f"{name}.parts"] = found.rows, found.parts
            arrays |= _columns(f"{name}.settled", found.causes)
    if arrays:
        write_arrays(implied_file(workspace, number), **arrays)


def read(workspace: Workspace, number: int) -> tuple[dict[Key, Claims], dict[Key, ImpliedSet]]:
    """What `write` kept of a round."""
    file = implied_file(workspace, number)
    stored = read_arrays(file, number) if file.exists() else {}
    given, settled = {}, {}
    for name in sorted(name.removesuffix(".people") for name in stored if name.endswith(".people")):
        tag_id, side = name.split(".")
        beside = Beside(*stored[f"{name}.beside"].tolist())
        given[int(tag_id), side] = Claims(stored[f"{name}.people"], _causes(stored, f"{name}.claimed"), beside)
        if f"{name}.rows" in stored:
            causes = _causes(stored, f"{name}.settled")
            settled[int(tag_id), side] = ImpliedSet(stored[f"{name}.rows"], stored[f"{name}.parts"], causes)
    return given, settled


def _columns(name: str, causes: Sequence[Cause]) -> dict[str, NDArray[Any]]:
    return {
        f"{name}.tags": np.array([cause.tag_id for cause in causes], np.int64),
        f"{name}.sides": np.array([cause.side for cause in causes], np.str_),
        f"{name}.wrong": np.array([cause.wrong for cause in causes], np.int64),
    }


def _causes(stored: Mapping[str, NDArray[Any]], name: str) -> tuple[Cause, ...]:
    parts = (stored[f"{name}.{part}"].tolist() for part in ("tags", "sides", "wrong"))
    return tuple(Cause(*cause) for cause in zip(*parts, strict=True))
