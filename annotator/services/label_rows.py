"""Imported labels as rows: what already stands is compared, what is new is written in bulk, with its journal."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, MetaData, Table, exists, insert, select, update
from sqlalchemy.orm import Session

from annotator.services.label_store import Change, Pair, parts, write
from annotator.terms import LabelState, TaskKind
from db.models import Annotator, JournalEntry, Label, Review, Task

KEPT = 1000  # conflicts in words; all are counted
COLUMNS = ("image_row", "tag_id", "annotator_id", "state", "kind", "at")
STAGED = Table(
    "imported_label", MetaData(), *(Column(name, Label.__table__.c[name].type) for name in COLUMNS),
    prefixes=["TEMPORARY"],
)  # fmt: skip
"""New labels on their way into two tables: brought to the database once, copied there by itself."""
Key = tuple[int, int, int]
"""(image row, tag id, annotator id)"""


class Said(NamedTuple):
    """What the file says of a key, and when it was said (seconds since 1970)."""

    state: int
    at: int


class Entries(NamedTuple):
    """Labels as columns, (k,) each: image rows, tag ids, annotator ids, `LabelState`, seconds since 1970."""

    rows: NDArray[np.int64]
    tags: NDArray[np.int64]
    people: NDArray[np.int64]
    states: NDArray[np.int8]
    at: NDArray[np.int64]

    @classmethod
    def none(cls) -> "Entries":
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, empty.astype(np.int8), empty)

    def where(self, which: NDArray[Any]) -> "Entries":
        """Those of a mask, or at places in that order."""
        return Entries(*(column[which] for column in self))

    def with_more(self, others: "Entries") -> "Entries":
        both: Iterator[tuple[NDArray[Any], NDArray[Any]]] = zip(self, others, strict=True)
        return Entries(*(np.concatenate(columns) for columns in both))

    def each(self) -> Iterator[tuple[Key, Said]]:
        for row, tag, annotator, state, at in zip(*(column.tolist() for column in self), strict=True):
            yield (row, tag, annotator), Said(state, at)


class Conflict(NamedTuple):
    """A pair of which somebody in the workspace says otherwise. `who`: one of them, or "a review"."""

    row: int
    tag_id: int
    says: LabelState
    stands: LabelState
    who: str


@dataclass
class LabelRows:
    """Takes labels batch by batch inside one transaction. `writes` False only compares."""

    session: Session
    reviewer: int
    """who decides where a conflict is overwritten"""
    overwrite: bool
    writes: bool
    written: int = 0
    unchanged: int = 0
    overwritten: int = 0
    conflict_count: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    _names: dict[int, str] = field(default_factory=dict)
    _people: set[int] = field(default_factory=set)

    def take(self, labels: Entries, reviews: Entries) -> None:
        """Each key once; `reviews` are verdicts that were final where they come from, and are here."""
        rows = set(np.union1d(labels.rows, reviews.rows).tolist())
        own, others = self._standing(rows)
        reviewed = self._reviewed(rows)
        fresh = ~_on(labels, {*others, *reviewed})
        compared = np.flatnonzero(~fresh)
        changes = []
        for place, (key, said) in zip(compared.tolist(), labels.where(compared).each(), strict=True):
            stands = own.get(key)
            if stands == said.state:
                self.unchanged += 1
            elif conflict := _against(key, said.state, stands, others, reviewed):
                changes.append((key, said, stands, conflict))
            else:
                fresh[place] = True
        self.written += int(fresh.sum())
        self._settle(changes)
        self._review(dict(reviews.each()), reviewed)
        if self.writes and fresh.any():
            self._insert(labels.where(fresh))

    def finish(self, at: datetime) -> None:
        """End the open questions about single tags that were answered by what was written."""
        if not self._people:
            return
        answered = exists().where(
            Label.image_row == Task.image_row, Label.tag_id == Task.tag_id, Label.annotator_id.in_(self._people)
        )
        waiting = update(Task).where(Task.tag_id.is_not(None), Task.done_at.is_(None), answered)
        self.session.execute(waiting.values(done_at=at, annotator_id=self.reviewer))

    def _standing(self, rows: set[int]) -> tuple[dict[Key, int], dict[Pair, list[tuple[int, int]]]]:
        """(what each annotator says, by key; the same by pair: [(annotator, state)])."""
        own: dict[Key, int] = {}
        others: dict[Pair, list[tuple[int, int]]] = {}
        for part in parts(rows):
            query = select(Label.image_row, Label.tag_id, Label.annotator_id, Label.state)
            for row, tag, annotator, state in self.session.execute(query.where(Label.image_row.in_(part))):
                own[row, tag, annotator] = int(state)
                others.setdefault((row, tag), []).append((annotator, int(state)))
        return own, others

    def _reviewed(self, rows: set[int]) -> dict[Pair, int]:
        found: dict[Pair, int] = {}
        for part in parts(rows):
            query = select(Review.image_row, Review.tag_id, Review.state).where(Review.image_row.in_(part))
            found.update({(row, tag): int(state) for row, tag, state in self.session.execute(query)})
        return found

    def _settle(self, changes: list[tuple[Key, Said, int | None, tuple[int, int | None]]]) -> None:
        """Conflicts: listed, and where they are overwritten changed if it is the annotator's own word, else decided by
        a review, so that nobody's answer is touched."""
        for (row, tag, annotator), said, own, (stands, who) in changes:
            self._tell(row, tag, said.state, stands, who)
            if not (self.overwrite and self.writes):
                continue
            self.overwritten += 1
            at = datetime.fromtimestamp(said.at, UTC)
            if own is not None and who == annotator:
                write(self.session, annotator, [Change(row, tag, LabelState(said.state))], None, at)
            else:
                self._verdict(row, tag, self.reviewer, said)

    def _review(self, reviews: dict[Key, Said], reviewed: dict[Pair, int]) -> None:
        for (row, tag, reviewer), said in reviews.items():
            stands = reviewed.get((row, tag))
            if stands == said.state:
                self.unchanged += 1
                continue
            if stands is not None:
                self._tell(row, tag, said.state, stands, None)
                if not self.overwrite:
                    continue
                self.overwritten += 1
            self.written += stands is None
            if self.writes:
                self._verdict(row, tag, reviewer, said)

    def _verdict(self, row: int, tag: int, reviewer: int, said: Said) -> None:
        review = self.session.get(Review, (row, tag)) or Review(image_row=row, tag_id=tag)
        review.reviewer_id, review.state = reviewer, LabelState(said.state)
        review.at = datetime.fromtimestamp(said.at, UTC)
        self.session.add(review)
        self.session.flush()

    def _tell(self, row: int, tag: int, says: int, stands: int, who: int | None) -> None:
        self.conflict_count += 1
        if len(self.conflicts) < KEPT:
            name = "a review" if who is None else self._name(who)
            self.conflicts.append(Conflict(row, tag, LabelState(says), LabelState(stands), name))

    def _name(self, annotator: int) -> str:
        if annotator not in self._names:
            self._names[annotator] = self.session.scalar(select(Annotator.name).where(Annotator.id == annotator)) or ""
        return self._names[annotator]

    def _insert(self, entries: Entries) -> None:
        """By the driver itself: through the types of the models a row takes six times as long."""
        self._people |= set(np.unique(entries.people).tolist())
        connection = self.session.connection()
        STAGED.create(connection)
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        marks = ", ".join([mark] * len(COLUMNS))
        connection.exec_driver_sql(f"INSERT INTO {STAGED.name} VALUES ({marks})", _as_rows(entries, connection))
        for model in (Label, JournalEntry):
            connection.execute(insert(model).from_select(list(COLUMNS), select(STAGED)))
        STAGED.drop(connection)


def _as_rows(entries: Entries, connection: Connection) -> list[tuple[Any, ...]]:
    """As the driver takes them, in the order of COLUMNS."""
    times, which = np.unique(entries.at, return_inverse=True)
    moments = [datetime.fromtimestamp(at, UTC) for at in times.tolist()]
    process = Label.__table__.c.at.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    stored = moments if process is None else [process(moment) for moment in moments]
    columns = (entries.rows.tolist(), entries.tags.tolist(), entries.people.tolist(), entries.states.tolist())
    return list(zip(*columns, repeat(TaskKind.PICK.value), map(stored.__getitem__, which.tolist()), strict=False))


def _on(entries: Entries, pairs: Collection[Pair]) -> NDArray[np.bool_]:
    """(k,) which are on one of `pairs`."""
    if not pairs:
        return np.zeros(len(entries.rows), bool)
    wanted = np.array(list(pairs), np.int64)
    return np.isin(entries.rows << 32 | entries.tags, wanted[:, 0] << 32 | wanted[:, 1])


def _against(
    key: Key,
    state: int,
    own: int | None,
    others: dict[Pair, list[tuple[int, int]]],
    reviewed: dict[Pair, int],
) -> tuple[int, int | None] | None:
    """(state, annotator or None for a review) of who says otherwise; None where nobody does.

    "Cannot tell" contradicts nobody but the same annotator's own earlier word.
    """
    row, tag, annotator = key
    if own is not None:
        return own, annotator
    review = reviewed.get((row, tag))
    if review is not None and review != state:
        return review, None
    for other, stands in others.get((row, tag), ()):
        if LabelState.UNKNOWN not in (state, stands) and stands != state:
            return stands, other
    return None


def strongest(found: Entries) -> Entries:
    """Of several words about one key present before absent before cannot tell, else the first: two tags of a file can
    be one here. In the order of images, tags and people."""
    latest = -np.arange(len(found.rows))
    ordered = found.where(np.lexsort((latest, found.states, found.people, found.tags, found.rows)))
    last = np.ones(len(found.rows), bool)
    last[:-1] = np.any([np.diff(key) != 0 for key in (ordered.rows, ordered.tags, ordered.people)], axis=0)
    return ordered.where(last)
