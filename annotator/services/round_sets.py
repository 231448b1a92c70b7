"""The sets of rounds: who is in them, what their draws prove, and where each tag stands by all of them together."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from annotator.errors import ConflictError
from annotator.learning import audits, cascade
from annotator.learning.audits import AcceptGoal, AuditState, Decision, RejectGoal
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, Mixture, Prior, set_prior
from annotator.learning.planning import Standing
from annotator.services.snapshots import Decided, by_majority
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Label, Round, RoundSet

Accepted = Snapshot | Decided
ACCEPT, REJECT = "accept", "reject"
SIDES = {ACCEPT: LabelState.POSITIVE, REJECT: LabelState.NEGATIVE}
PRESENT, ABSENT = "implied present", "implied absent"
"""Sides of implied sets: rows that the settled sets of other tags say something of (`round_relations`)."""
IMPLIED = {PRESENT: LabelState.POSITIVE, ABSENT: LabelState.NEGATIVE}
PAID_BY = {ACCEPT: ACCEPT, PRESENT: ACCEPT, REJECT: REJECT, ABSENT: REJECT}
"""The half of a tag's error budget that a set of each side spends."""
# What an implied set may spend was shared out before the first draw, so it is spent whatever came of it.
SPENT = (RoundSet.alpha > 0) & (
    (RoundSet.draws > 0) | (Round.status == RoundStatus.ROLLED_BACK) | RoundSet.side.in_(list(IMPLIED))
)
PEOPLE = (Origin.HUMAN, Origin.REVIEW, Origin.TRUTH, Origin.GOLD)


@dataclass(frozen=True)
class Beside:
    """What counts for a set besides its own draws: `surplus` for an accept set; for a reject set the positives `found`
    elsewhere, the bound of those `missed` in sets before, and those `hoped` for in the tag's undecided accept set and
    among the open images outside the sets."""

    surplus: float = 0.0
    found: float = 0.0
    missed: float = 0.0
    hoped: float = 0.0


@dataclass(frozen=True)
class SetAudit:
    """One set with what its answers prove so far."""

    set: RoundSet
    state: AuditState
    beside: Beside
    draws: NDArray[np.int64]
    """All members in the order of their draws; the first `state.drawn` are answered."""
    waits: bool
    """Enough was drawn for the proof, if the open images outside the sets bring the positives that are expected."""

    @property
    def waiting(self) -> NDArray[np.int64]:
        return self.draws[self.state.drawn :]


def members(workspace: Workspace, number: int) -> NDArray[np.int8]:
    """(N, C) int8, memory-mapped: 1 for members of a tag's accept set, 0 of its reject set, -1 elsewhere."""
    found: NDArray[np.int8] = np.load(sets_file(workspace, number), mmap_mode="r", allow_pickle=False)
    return found


def sets_file(workspace: Workspace, number: int) -> Any:
    return workspace.round_file(number).with_suffix(".sets.npy")


def implied_file(workspace: Workspace, number: int) -> Any:
    return workspace.round_file(number).with_suffix(".implied.npz")


def implied_rows(workspace: Workspace, set_: RoundSet) -> NDArray[np.int64]:
    """Rows of a settled implied set."""
    with np.load(implied_file(workspace, set_.round_number), allow_pickle=False) as stored:
        found: NDArray[np.int64] = stored[f"{set_.tag_id}.{set_.side}.rows"]
    return found


def is_accept(set_: RoundSet) -> bool:
    """Whether a set's images are settled as present."""
    return PAID_BY[set_.side] == ACCEPT


def own_sets(round_: Round) -> list[RoundSet]:
    """The sets that are audited by draws of their own."""
    return [set_ for set_ in round_.sets if set_.side in SIDES]


def by_people(snapshot: Accepted) -> NDArray[np.bool_]:
    """(N, C) whether people (or given truth) decided, "cannot tell" included."""
    return np.isin(snapshot.origins, PEOPLE)


def settled_sets(session: Session) -> list[RoundSet]:
    """The sets that settled rounds settled."""
    query = select(RoundSet).join(Round).where(
        Round.status == RoundStatus.SETTLED, RoundSet.decision == Decision.SETTLE
    ).order_by(RoundSet.round_number, RoundSet.tag_id, RoundSet.side)  # fmt: skip
    return list(session.scalars(query))


def audited(
    workspace: Workspace, session: Session, round_: Round, snapshot: Accepted, pool: NDArray[np.int64]
) -> list[SetAudit]:
    """Every set of a round that has draws, with what they prove; accepts first, because recall builds on them.

    Sets of tags that `snapshot` does not hold are left out; `pool`: the round's rows.
    The counts and bounds of the sets follow, also of a settled round (they tighten); the decision is that of the open
    one. People's answers count by their majority, whatever the vote policy.
    """
    snapshot = by_majority(workspace.project, session, snapshot)
    who = members(workspace, round_.number)
    asked = _Asked(session, snapshot, votes_of(round_))
    order = cascade.draw_order(round_.seed, pool)
    column = {tag_id: place for place, tag_id in enumerate(round_.tag_ids)}
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    before = [set_ for set_ in settled_sets(session) if set_.round_number != round_.number]
    counted = Positives(workspace, session, snapshot)
    found: list[SetAudit] = []
    for set_ in sorted(own_sets(round_), key=lambda set_: (set_.side, set_.tag_id)):
        if set_.tag_id not in live:
            continue  # not asked for, or archived meanwhile
        place = live[set_.tag_id]
        draws = order[who[order, column[set_.tag_id]] == SIDES[set_.side]]
        answers = audits.answered_prefix(snapshot.labels[draws, place], asked.enough(draws, place))
        proved = [*before, *(one.set for one in found if one.set.decision == Decision.SETTLE)]
        own = [one for one in proved if one.tag_id == set_.tag_id]
        undecided = any(one.set.tag_id == set_.tag_id and one.state.decision == Decision.GO_ON for one in found)
        free = snapshot.origins[pool, place] == Origin.NOBODY
        outside = int((free & (who[pool, column[set_.tag_id]] == LabelState.UNKNOWN)).sum())
        hoped = _hoped(set_, undecided, outside)
        beside = _beside(set_, counted, place, own, round_.targets, answers, hoped)
        now, waits = audit_of(set_, answers, round_.targets, beside)
        set_.draws, set_.positives, set_.low, set_.high = now.drawn, now.positives, now.low, now.high
        if round_.status == RoundStatus.PROPOSED:
            set_.decision = now.decision
        found.append(SetAudit(set_, now, beside, draws, waits))
    return found


def votes_of(round_: Round) -> int:
    """How many people answer each picture that a round audits; one in rounds of earlier versions."""
    return int(round_.targets.get("votes", 1))


@dataclass(frozen=True)
class _Asked:
    """Which draws count as answered: those that `votes` people answered, each by themselves, or a reviewer decided, or
    whose truth was given. A draw that fewer answered waits, and all behind it: the order makes the sample uniform."""

    session: Session
    snapshot: Accepted
    votes: int

    def enough(self, rows: NDArray[np.int64], place: int) -> NDArray[np.bool_]:
        """(M,) for the images `rows` of the tag at `place`."""
        origins = self.snapshot.origins[rows, place]
        if self.votes == 1:
            return np.isin(origins, PEOPLE)
        answered = (
            select(Label.image_row)
            .where(Label.tag_id == self.snapshot.tags[place].id)
            .group_by(Label.image_row)
            .having(func.count() >= self.votes)
        )
        by_enough = np.isin(rows, list(self.session.scalars(answered)))
        return np.asarray(np.isin(origins, (Origin.REVIEW, Origin.TRUTH)) | ((origins == Origin.HUMAN) & by_enough))


def _beside(
    set_: RoundSet,
    counted: "Positives",
    place: int,
    before: Sequence[RoundSet],
    targets: dict[str, Any],
    answers: NDArray[np.int8],
    hoped: float,
) -> Beside:
    """`before`: the sets of the tag that were settled; `answers`: those of the draws of this one."""
    if set_.side == ACCEPT:
        return Beside(surplus=counted.surplus(place, before, targets["precision"], set_))
    found = counted.found(place, before) - int((answers == LabelState.POSITIVE).sum())
    return Beside(found=found, missed=missed(before, set_.tag_id), hoped=hoped)


def _hoped(set_: RoundSet, undecided: bool, outside: int) -> float:
    """Positives that the model expects in the tag's accept set, while it is `undecided`, and in the open images that
    are left `outside`."""
    share = outside / max(1, set_.plan.get("outside", 0))
    expected: float = set_.plan.get("expected_outside", 0.0) * min(1.0, share)
    if undecided:
        expected += set_.plan.get("expected_accept", 0.0)
    return expected


def audit_of(
    set_: RoundSet, answers: NDArray[np.int8], targets: dict[str, Any], beside: Beside
) -> tuple[AuditState, bool]:
    """What the drawn `answers` of a set prove, and whether it waits for the images outside the sets."""
    prior = prior_of(set_)
    if set_.side == ACCEPT:
        goal = AcceptGoal(targets["precision"], beside.surplus, corrected=True)
        return _sober(audits.audit_accepted(answers, set_.size, goal, alpha=set_.alpha, prior=prior)), False

    def judged(found: float) -> AuditState:
        goal = RejectGoal(targets["recall"], found, beside.missed)
        return _sober(audits.audit_rejected(answers, set_.size, goal, alpha=set_.alpha, prior=prior))

    now = judged(beside.found)
    if now.decision == Decision.SETTLE or not beside.hoped:
        return now, False
    later = judged(beside.found + beside.hoped)
    # What is still to be found outside the sets cannot prove anything yet; but neither is its lack a failure.
    if later.decision == Decision.FAIL:
        return later, False
    return _undecided(now), later.decision == Decision.SETTLE


def _sober(state: AuditState) -> AuditState:
    """Not settled where later draws contradict the moment that would have settled it."""
    return _undecided(state) if state.alarm else state


def _undecided(state: AuditState) -> AuditState:
    return AuditState(**{**vars(state), "decision": Decision.GO_ON, "decided_at": None, "alarm": False})


def prior_of(set_: RoundSet) -> Prior | Mixture:
    """The model's own, fixed when the set was proposed; sets of earlier versions have none."""
    default = ACCEPT_PRIOR if set_.side == ACCEPT else REJECT_PRIOR
    return set_prior(min(1.0, set_.plan["expected"] / set_.size), default) if "expected" in set_.plan else default


def pool_rows(workspace: Workspace, snapshot: Snapshot, round_: Round) -> NDArray[np.int64]:
    """The pool as it was when the round was proposed; images added since are not in it."""
    in_pool = np.arange(len(snapshot)) < len(members(workspace, round_.number))
    if round_.targets.get("leave_out"):
        in_pool &= ~snapshot.in_split(Split(round_.targets["leave_out"]))
    pool = np.flatnonzero(in_pool)
    sha256 = [snapshot.sha256[row] for row in pool.tolist()]
    if cascade.pool_hash(pool, sha256) != round_.pool_hash:
        raise ConflictError(f"the pool of round {round_.number} has changed; roll the round back and propose a new one")
    return pool


def at_least(bound: float) -> float:
    """A lower bound to four places, rounded down: what is shown is still proven."""
    return math.floor(bound * 1e4 + 1e-6) / 1e4


def missed(sets: Iterable[RoundSet], tag_id: int) -> int:
    """Upper bound of the positives among the rejected images of a tag that nobody drew."""
    return sum(set_.high - set_.positives for set_ in sets if set_.tag_id == tag_id and not is_accept(set_))


class AcceptedSets:
    """The accepted ones of some sets: which images are in none of them, tag by tag, for any stretch of the images."""

    def __init__(
        self, workspace: Workspace, session: Session, tag_ids: Sequence[int], sets: Iterable[RoundSet]
    ) -> None:
        self.workspace, self.tags = workspace, len(tag_ids)
        self._drawn: dict[int, list[tuple[int, int]]] = {}
        self._implied: list[tuple[int, NDArray[np.int32]]] = []
        place = {tag_id: number for number, tag_id in enumerate(tag_ids)}
        for set_ in sets:
            if set_.tag_id not in place or not is_accept(set_):
                continue
            if set_.side == PRESENT:
                self._implied.append((place[set_.tag_id], np.sort(implied_rows(workspace, set_)).astype(np.int32)))
            else:
                column = session.get_one(Round, set_.round_number).tag_ids.index(set_.tag_id)
                self._drawn.setdefault(set_.round_number, []).append((place[set_.tag_id], column))

    def outside(self, rows: range) -> NDArray[np.bool_]:
        """(len(rows), C) True where an image is in none of its tag's sets."""
        found = np.ones((len(rows), self.tags), bool)
        for number, columns in self._drawn.items():
            who = members(self.workspace, number)[rows.start : rows.stop]
            for place, column in columns:
                found[: len(who), place] &= who[:, column] != LabelState.POSITIVE
        for place, implied in self._implied:
            start, end = np.searchsorted(implied, (rows.start, rows.stop))
            found[implied[start:end] - rows.start, place] = False
        return found


class Positives:
    """Positives of each tag that are sure, of people and by bounds."""

    def __init__(self, workspace: Workspace, session: Session, snapshot: Accepted) -> None:
        self.workspace, self.session, self.snapshot = workspace, session, snapshot
        self._by_people = by_people(snapshot) & (snapshot.labels == LabelState.POSITIVE)

    def of_people(self, place: int, sets: Iterable[RoundSet]) -> int:
        """People's positives outside the accepted ones of `sets`: those inside are counted by their bounds already."""
        accepted = AcceptedSets(self.workspace, self.session, [self.snapshot.tags[place].id], sets)
        outside = accepted.outside(range(len(self.snapshot)))[:, 0]
        return int((outside & self._by_people[:, place]).sum())

    def found(self, place: int, sets: Sequence[RoundSet]) -> int:
        """With the lower bounds of the accepted sets among `sets`."""
        tag_id = self.snapshot.tags[place].id
        bounds = sum(set_.low for set_ in sets if set_.tag_id == tag_id and is_accept(set_))
        return self.of_people(place, sets) + bounds

    def surplus(self, place: int, sets: Sequence[RoundSet], precision: float, audited: RoundSet | None = None) -> float:
        """Positives to spare above `precision`. `audited`: the set that the surplus is for; the bound of its audit
        counts all its positives already, drawn or answered otherwise."""
        tag_id = self.snapshot.tags[place].id
        accepted = [set_ for set_ in sets if set_.tag_id == tag_id and is_accept(set_)]
        masking = [*sets, audited] if audited is not None else sets
        people = self.of_people(place, masking) + sum(set_.positives for set_ in accepted)
        return audits.surplus_of(people, [state_of(set_) for set_ in accepted], precision)


def state_of(set_: RoundSet) -> AuditState:
    """A set's newest audit, as it was stored."""
    return AuditState(
        size=set_.size, drawn=set_.draws, positives=set_.positives, unclear=0, low=set_.low, high=set_.high,
        decision=Decision(set_.decision), decided_at=None, alarm=False,
    )  # fmt: skip


def standing(workspace: Workspace, session: Session, snapshot: Snapshot, precision: float, alpha: float) -> Standing:
    """Where all tags stand before a new round."""
    sets, counted = settled_sets(session), Positives(workspace, session, snapshot)
    places = range(len(snapshot.tags))
    own = {tag.id: [set_ for set_ in sets if set_.tag_id == tag.id] for tag in snapshot.tags}
    ids = [tag.id for tag in snapshot.tags]
    tried, failed = attempts(session), attempts(session, RoundSet.decision == Decision.FAIL)
    used = spent(session)
    sides = [
        [audits.next_alpha(alpha, tried.get((tag_id, side), 0), used.get((tag_id, side), 0.0)) for tag_id in ids]
        for side in (ACCEPT, REJECT)
    ]
    return Standing(
        found=np.array([counted.found(place, own[ids[place]]) for place in places], np.float64),
        surplus=np.array([counted.surplus(place, own[ids[place]], precision) for place in places], np.float64),
        missed=np.array([missed(own[tag_id], tag_id) for tag_id in ids], np.float64),
        accept_alpha=np.array(sides[0]),
        reject_alpha=np.array(sides[1]),
        accept_fails=np.array([failed.get((tag_id, ACCEPT), 0) for tag_id in ids], np.float64),
        reject_fails=np.array([failed.get((tag_id, REJECT), 0) for tag_id in ids], np.float64),
    )


def attempts(session: Session, *conditions: ColumnElement[bool]) -> dict[tuple[int, str], int]:
    """Attempts that were spent, by tag and the side whose half paid, of those that meet the conditions.

    A round that was taken back counts too: its answers may have been seen without being counted.
    """
    return {key: len(alphas) for key, alphas in _spent_alphas(session, *conditions).items()}


def spent(session: Session) -> dict[tuple[int, str], float]:
    """The error budget that all attempts together spent, by tag and the side whose half paid."""
    return {key: sum(alphas) for key, alphas in _spent_alphas(session).items()}


def _spent_alphas(session: Session, *conditions: ColumnElement[bool]) -> dict[tuple[int, str], list[float]]:
    query = select(RoundSet.tag_id, RoundSet.side, RoundSet.alpha).join(Round).where(SPENT, *conditions)
    found: dict[tuple[int, str], list[float]] = {}
    for tag_id, side, alpha in session.execute(query.order_by(RoundSet.round_number, RoundSet.side)):
        found.setdefault((tag_id, PAID_BY[side]), []).append(alpha)
    return found
