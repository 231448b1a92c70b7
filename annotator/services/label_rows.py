"""Imported labels as rows: what already stands is compared, what is new is written in bulk, with its journal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from annotator.services.label_store import Change, Pair, parts, write
from annotator.terms import LabelState, TaskKind
from db.models import Annotator, JournalEntry, Label, Review, Task

KEPT = 1000  # conflicts in words; all are counted
COLUMNS = ("image_row", "tag_id", "annotator_id", "state", "kind", "at")
Key = tuple[int, int, int]
"""(image row, tag id, annotator id)"""


class Said(NamedTuple):
    """What the file says of a key, and when it was said (seconds since 1970)."""

    state: int
    at: int


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

    def take(self, labels: dict[Key, Said], reviews: dict[Key, Said]) -> None:
        """`reviews` are verdicts that were final where they come from, and are here."""
        rows = {row for row, _, _ in (*labels, *reviews)}
        own, others = self._standing(rows)
        reviewed = self._reviewed(rows)
        fresh, changes = [], []
        for key, said in labels.items():
            stands = own.get(key)
            if stands == said.state:
                self.unchanged += 1
            elif conflict := _against(key, said.state, stands, others, reviewed):
                changes.append((key, said, stands, conflict))
            else:
                fresh.append((*key, said.state, TaskKind.PICK.value, said.at))
        self.written += len(fresh)
        self._settle(changes)
        self._review(reviews, reviewed)
        if self.writes and fresh:
            self._people |= {entry[2] for entry in fresh}
            self._insert(fresh)

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

    def _insert(self, entries: list[tuple[int, int, int, int, str, int]]) -> None:
        """By the driver itself: through the types of the models a row takes six times as long."""
        connection = self.session.connection()
        process = Label.__table__.c.at.type.bind_processor(connection.dialect)
        times = {entry[5] for entry in entries}
        stored: dict[int, Any] = {at: datetime.fromtimestamp(at, UTC) for at in times}
        if process is not None:
            stored = {at: process(time) for at, time in stored.items()}
        rows = [(row, tag, annotator, state, kind, stored[at]) for row, tag, annotator, state, kind, at in entries]
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        for table in (Label.__tablename__, JournalEntry.__tablename__):
            marks = ", ".join([mark] * len(COLUMNS))
            connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES ({marks})", rows)


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


def strongest(labels: Iterable[tuple[Key, Said]]) -> dict[Key, Said]:
    """Of several words about one key present before absent before cannot tell: two tags of a file can be one here."""
    found: dict[Key, Said] = {}
    for key, said in labels:
        before = found.get(key)
        if before is None or said.state > before.state:
            found[key] = said
    return found
