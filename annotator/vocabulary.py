"""Relations of a vocabulary: what an answer about one tag says of others.

Two kinds of clause, read both ways (iMet Collection 2019, arXiv 1906.00901, has such tags; the rules are ours):

    a implies b    a present => b present;  b absent => a absent     (a child implies its parent)
    a excludes b   a present => b absent;   b present => a absent

"a is the same as b" is two implications. With such clauses two labels contradict each other if and only if one of
them says the opposite of the other one, so nothing follows from a pair that does, and what follows from the others
never clashes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.terms import LabelState, RelationKind

NO_CAUSE = -1
AT_ONCE = 2_000_000  # labels looked at together: their places are two int64 each, 32 MB
Pairs = frozenset[tuple[int, int]]


class Implied(NamedTuple):
    """What follows for a tag, and the labelled tag it follows from."""

    state: LabelState
    because: int


class Clash(NamedTuple):
    """Two labels of one image that cannot both be right: `present` is labelled positive, `against` says otherwise:
    negative where `present` implies it, positive where they exclude each other."""

    row: int
    present: int
    against: int


class Impossible(NamedTuple):
    """A tag that can be on no image: it implies `a` and `b` (itself, where it is one of them), which exclude each
    other."""

    tag: int
    a: int
    b: int


@dataclass(frozen=True)
class Relations:
    """Relations between tags, by their ids. `tags` are the columns of label arrays, in order.

    Tags that are no column (archived ones) still pass on what follows through them.
    """

    tags: tuple[int, ...]
    implies: Pairs = frozenset()
    excludes: Pairs = frozenset()
    same_as: Pairs = frozenset()
    _above: dict[int, frozenset[int]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _below: dict[int, frozenset[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        tags: Iterable[int],
        parents: Mapping[int, int | None],
        relations: Iterable[tuple[RelationKind, int, int]],
    ) -> "Relations":
        """`parents`: the parent of each tag that has one; `relations`: (kind, a, b)."""
        pairs: dict[RelationKind, set[tuple[int, int]]] = {kind: set() for kind in RelationKind}
        pairs[RelationKind.IMPLIES] |= {(tag, parent) for tag, parent in parents.items() if parent is not None}
        for kind, a, b in relations:
            pairs[kind].add((a, b))
        return cls(
            tuple(tags),
            frozenset(pairs[RelationKind.IMPLIES]),
            frozenset(pairs[RelationKind.EXCLUDES]),
            frozenset(pairs[RelationKind.SAME_AS]),
        )

    def __bool__(self) -> bool:
        return bool(self.implies or self.excludes or self.same_as)

    def above(self, tag: int) -> frozenset[int]:
        """All that is present with `tag`: itself, its ancestors, what they imply or are the same as."""
        return _reached(tag, self._up, self._above)

    def below(self, tag: int) -> frozenset[int]:
        """All that is absent with `tag`: itself, its descendants, whatever implies it."""
        return _reached(tag, self._down, self._below)

    def ruled_out(self, tag: int) -> frozenset[int]:
        """All that is absent because `tag` is present. Holds the tag itself if it is impossible."""
        rivals = {rival for each in self.above(tag) for rival in self._rivals.get(each, ())}
        return frozenset().union(*(self.below(rival) for rival in rivals))

    def cycles(self) -> list[tuple[int, ...]]:
        """Tags that imply each other in a circle without being called the same, each circle in its order."""
        classes = _classes(self.same_as)
        edges = {(classes.get(a, a), classes.get(b, b)) for a, b in self.implies}
        graph = _neighbours((a, b) for a, b in edges if a != b)
        memo: dict[int, frozenset[int]] = {}
        found, seen = [], set[int]()
        for start in sorted(graph):
            if start in seen:
                continue
            ring = {
                other
                for other in _reached(start, graph, memo)
                if other in graph and start in _reached(other, graph, memo)
            }
            if len(ring) > 1:
                seen |= ring
                found.append(_circle(start, graph))
        return found

    def impossible(self) -> list[Impossible]:
        """Tags that imply two which exclude each other."""
        found: dict[int, Impossible] = {}
        for a, b in sorted(self.excludes):
            for tag in self.below(a) & self.below(b):
                found.setdefault(tag, Impossible(tag, a, b))
        return [found[tag] for tag in sorted(found)]

    def clashes(self, positive: Collection[int], negative: Collection[int]) -> list[tuple[int, int]]:
        """The pairs (tag labelled positive, tag against it) among one image's labels, by id."""
        said_yes, said_no = set(positive), set(negative)
        found = []
        for tag in sorted(said_yes):
            found += [(tag, other) for other in sorted(self.above(tag) & said_no)]
            found += [(tag, other) for other in sorted(self.ruled_out(tag) & said_yes) if other >= tag]
        return found

    def implied(self, positive: Collection[int], negative: Collection[int]) -> dict[int, Implied]:
        """What follows for the tags that are in neither of `positive` and `negative`, labels of one image.

        Nothing follows from a label that clashes with another. Where several say the same, the smallest id is named.
        """
        in_doubt = {tag for pair in self.clashes(positive, negative) for tag in pair}
        said = {*positive, *negative}
        found: dict[int, Implied] = {}
        for tag, present in sorted([*((tag, True) for tag in positive), *((tag, False) for tag in negative)]):
            if tag in in_doubt:
                continue
            for state, others in self._consequences(tag, present=present):
                for other in others - said:
                    found.setdefault(other, Implied(state, tag))
        return found

    def close(self, labels: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.int32], list[Clash]]:
        """The closure of whole images' labels.

        `labels` (N, C) int8 `LabelState`, columns as `tags`. Returns (N, C) int8 labels, in which unknown ones that
        follow from others are filled in and known ones never change; (N, C) int32 the column of the label each filled
        one follows from, NO_CAUSE elsewhere; and the clashes, by column. Nothing follows from a label that clashes.
        Where several say the same, the first column is named. Raises UsageError for another number of columns.
        """
        if labels.ndim != 2 or labels.shape[1] != len(self.tags):
            raise UsageError(f"labels of shape {labels.shape} for {len(self.tags)} tags; give one column a tag")
        # Tags first: whole rows of images are read and written at a time.
        given = np.ascontiguousarray(labels.T)
        closed, cause = given.copy(), np.full(given.shape, NO_CAUSE, np.int32)
        clashes = self._clashes_of(given)
        in_doubt = {column: set[int]() for clash in clashes for column in clash[1:]}
        for row, present, against in clashes:
            in_doubt[present].add(row)
            in_doubt[against].add(row)
        for column in self._related:
            for cause_state in (LabelState.POSITIVE, LabelState.NEGATIVE):
                rows = np.flatnonzero(given[column] == cause_state)
                if column in in_doubt:
                    rows = np.setdiff1d(rows, list(in_doubt[column]))
                if not len(rows):
                    continue
                for state, others in self._consequences(self.tags[column], present=bool(cause_state)):
                    _fill(closed, cause, self._columns(others), rows, state, column)
        return np.ascontiguousarray(closed.T), np.ascontiguousarray(cause.T), clashes

    def _clashes_of(self, given: NDArray[np.int8]) -> list[Clash]:
        """Of (C, N) labels, by image."""
        found = []
        for column in self._related:
            rows = np.flatnonzero(given[column] == LabelState.POSITIVE)
            if not len(rows):
                continue
            tag = self.tags[column]
            rivals = self._columns(self.ruled_out(tag))
            for others, state in (
                (self._columns(self.above(tag)), LabelState.NEGATIVE),
                (rivals[rivals >= column], LabelState.POSITIVE),
            ):
                found += [
                    Clash(row, column, other)
                    for places in _where(given, others, rows, state)
                    for other, row in zip(*(part.tolist() for part in places), strict=True)
                ]
        return sorted(found)

    def _consequences(self, tag: int, *, present: bool) -> list[tuple[LabelState, frozenset[int]]]:
        if not present:
            return [(LabelState.NEGATIVE, self.below(tag))]
        return [(LabelState.POSITIVE, self.above(tag)), (LabelState.NEGATIVE, self.ruled_out(tag))]

    def _columns(self, tags: Collection[int]) -> NDArray[np.int64]:
        return np.array(sorted(self._place[tag] for tag in tags if tag in self._place), np.int64)

    @cached_property
    def _place(self) -> dict[int, int]:
        return {tag: column for column, tag in enumerate(self.tags)}

    @cached_property
    def columns(self) -> frozenset[int]:
        """The tags that are columns, to look one up."""
        return frozenset(self.tags)

    @cached_property
    def related(self) -> frozenset[int]:
        """The tags that take part in a relation."""
        return frozenset(tag for pair in self.implies | self.excludes | self.same_as for tag in pair)

    @cached_property
    def _related(self) -> list[int]:
        return sorted(self._place[tag] for tag in self.related if tag in self._place)

    @cached_property
    def _up(self) -> dict[int, list[int]]:
        both_ways = self.same_as | {(b, a) for a, b in self.same_as}
        return _neighbours(self.implies | both_ways)

    @cached_property
    def _down(self) -> dict[int, list[int]]:
        return _neighbours((b, a) for a, others in self._up.items() for b in others)

    @cached_property
    def _rivals(self) -> dict[int, list[int]]:
        return _neighbours(self.excludes | {(b, a) for a, b in self.excludes})


def _fill(
    closed: NDArray[np.int8],
    cause: NDArray[np.int32],
    others: NDArray[np.int64],
    rows: NDArray[np.int64],
    state: LabelState,
    column: int,
) -> None:
    """Write `state` into the unknown ones of (C, N) `closed` at `others` x `rows`."""
    for where in _where(closed, others, rows, LabelState.UNKNOWN):
        closed[where], cause[where] = state, column


def _where(
    labels: NDArray[np.int8], columns: NDArray[np.int64], rows: NDArray[np.int64], state: LabelState
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The places of (C, N) `labels` at `columns` x `rows` that are `state`, some rows at a time."""
    step = max(1, AT_ONCE // max(1, len(columns)))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        places, at = np.nonzero(labels[np.ix_(columns, part)] == state)
        yield columns[places], part[at]


def _neighbours(pairs: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for a, b in sorted(pairs):
        found.setdefault(a, []).append(b)
    return found


def _reached(start: int, graph: dict[int, list[int]], memo: dict[int, frozenset[int]]) -> frozenset[int]:
    """All that `start` leads to, itself included; circles do no harm."""
    if start not in memo:
        seen, waiting = {start}, [start]
        while waiting:
            for other in graph.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        memo[start] = frozenset(seen)
    return memo[start]


def _circle(start: int, graph: dict[int, list[int]]) -> tuple[int, ...]:
    """A shortest way from `start` back to itself."""
    came_from: dict[int, int] = {}
    waiting = [start]
    for at in waiting:
        for other in graph.get(at, ()):
            if other == start:
                way = [at]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return tuple(reversed(way))
            if other not in came_from:
                came_from[other] = at
                waiting.append(other)
    raise AssertionError("unreachable: the tag lies on a circle")


def _classes(same_as: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The smallest id each tag is the same as."""
    both_ways = _neighbours({pair for a, b in same_as for pair in ((a, b), (b, a))})
    memo: dict[int, frozenset[int]] = {}
    return {tag: min(_reached(tag, both_ways, memo)) for tag in both_ways}
