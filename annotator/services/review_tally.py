"""People's votes pair by pair, counted by the store once and then kept up with the journal: people label while others
review, and counting a million labels again takes seconds."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from annotator.services.label_store import parts
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import JournalEntry, Label

PAIR_KEY = 1 << 31  # tag ids fit below it: (image, tag) pairs become one sortable integer
MOST_ENTRIES = 50_000  # after more of them everything is counted anew
KEPT = 4  # workspaces
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """The votes on each labelled (image, tag) pair: (P,) rows, tag ids, how many said yes, how many no."""

    rows: Ints
    tags: Ints
    yes: Ints
    no: Ints

    @property
    def keys(self) -> Ints:
        return self.rows * PAIR_KEY + self.tags

    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        return self.rows.tolist(), self.tags.tolist(), self.yes.tolist(), self.no.tolist()

    def at(self, places: Any) -> "Tally":
        return Tally(self.rows[places], self.tags[places], self.yes[places], self.no[places])


@dataclass(frozen=True)
class _Kept:
    tally: Tally
    entry: int
    """The newest journal entry that is counted."""
    entries: int
    """How many entries are: a long transaction's can come in below the newest one."""
    label: int
    """The newest label that is counted."""


_lock = threading.Lock()
_kept: dict[Workspace, _Kept] = {}


def counted(workspace: Workspace) -> Tally:
    """The votes on all labelled pairs, ordered by image and tag."""
    with _lock, workspace.reading() as session:
        known = _kept.pop(workspace, None)
        found = _all(session) if known is None else _kept_up(session, known)
        while len(_kept) >= KEPT:
            del _kept[next(iter(_kept))]
        _kept[workspace] = found
    return found.tally


def labelled_by(workspace: Workspace, person_id: int) -> Ints:
    """The keys of the pairs that one person labelled."""
    with workspace.reading() as session:
        return _labelled_by(workspace, _newest(session), person_id)


@lru_cache(maxsize=KEPT)
def _labelled_by(workspace: Workspace, _newest: tuple[int, int, int], person_id: int) -> Ints:
    """Kept until a label changes."""
    query = select(Label.image_row, Label.tag_id).where(Label.annotator_id == person_id)
    with workspace.reading() as session:
        pairs = np.fromiter(chain.from_iterable(session.execute(query)), np.int64).reshape(-1, 2)
    return pairs[:, 0] * PAIR_KEY + pairs[:, 1]


def _newest(session: Session) -> tuple[int, int, int]:
    """The newest journal entry, how many there are, and the newest label."""
    entry, entries = session.execute(select(func.max(JournalEntry.id), func.count(JournalEntry.id))).one()
    return entry or 0, entries, session.scalar(select(func.max(Label.id))) or 0


def _votes() -> Select[int, int, Any, Any]:
    yes, no = (
        func.sum(case((Label.state == state, 1), else_=0)) for state in (LabelState.POSITIVE, LabelState.NEGATIVE)
    )
    return select(Label.image_row, Label.tag_id, yes, no).group_by(Label.image_row, Label.tag_id)


def _read(session: Session, queries: Sequence[Select[int, int, Any, Any]]) -> Tally:
    cells = chain.from_iterable(chain.from_iterable(session.execute(query) for query in queries))
    found = np.fromiter(cells, np.int64).reshape(-1, 4)
    order = np.argsort(found[:, 0] * PAIR_KEY + found[:, 1])
    return Tally(*np.ascontiguousarray(found[order].T))


def _all(session: Session) -> _Kept:
    newest = _newest(session)  # first: what comes in while the votes are counted is counted again next time
    return _Kept(_read(session, [_votes()]), *newest)


def _kept_up(session: Session, known: _Kept) -> _Kept:
    """What is known, with the pairs counted anew that the journal has named since."""
    entry, entries, label = _newest(session)
    if (entry, entries, label) == (known.entry, known.entries, known.label):
        return known
    since = (JournalEntry.id > known.entry, JournalEntry.id <= entry)
    added = session.scalar(select(func.count(JournalEntry.id)).where(*since)) or 0
    if not 0 < added == entries - known.entries <= MOST_ENTRIES:
        return _all(session)
    pairs = session.execute(select(JournalEntry.image_row, JournalEntry.tag_id).where(*since).distinct()).all()
    touched = np.array([row * PAIR_KEY + tag for row, tag in pairs], np.int64)
    anew = _read(session, [_votes().where(Label.image_row.in_(part)) for part in parts({row for row, _ in pairs})])
    anew = anew.at(np.isin(anew.keys, touched))
    old = known.tally.at(~np.isin(known.tally.keys, touched))
    columns = [np.concatenate([getattr(old, name), getattr(anew, name)]) for name in ("rows", "tags", "yes", "no")]
    merged = Tally(*columns)
    return _Kept(merged.at(np.argsort(merged.keys, kind="stable")), entry, entries, label)
