"""Relations in rounds: what the settled sets of tags, and people's answers, say of other tags. See `learning.implied`.

An implied set of a round holds, for one tag and one side (`round_sets.PRESENT`, `ABSENT`), the rows that people's
answers on other tags say something of, and those that settled sets of the same round do. Its causes and what they may
spend of the tag's budget are fixed when the round is proposed; a relation that is made later takes part from the next
round on, one that is removed takes part no more. The bounds follow the audits of the causes, also after the round.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from annotator.learning import implied
from annotator.learning.audits import Decision
from annotator.services import round_claims
from annotator.services.round_claims import PEOPLE, Beside, Cause, Claims, ImpliedSet, Key, new_set, note
from annotator.services.round_sets import (
    ABSENT,
    ACCEPT,
    IMPLIED,
    PRESENT,
    REJECT,
    SIDES,
    Accepted,
    Positives,
    SetAudit,
    by_people,
    missed,
    prior_of,
    settled_sets,
)
from annotator.services.vocabulary import relations_of
from annotator.terms import LabelState
from annotator.vocabulary import Relations
from annotator.workspace import Workspace
from db.models import Round, RoundSet

ROWS_AT_ONCE = 100_000
BoolArray = NDArray[np.bool_]
Labels = NDArray[np.int8]


def consequences(relations: Relations, tag_id: int, side: str) -> dict[int, str]:
    """What the settled set of a tag says of others: tag id to the side of its implied set."""
    if side == REJECT:
        return dict.fromkeys(relations.below(tag_id) - {tag_id}, ABSENT)
    against = relations.ruled_out(tag_id)
    if tag_id in against:
        return {}  # a tag that can be on no image says nothing
    return {**dict.fromkeys(relations.above(tag_id) - {tag_id}, PRESENT), **dict.fromkeys(against, ABSENT)}


def said_by_people(session: Session, snapshot: Accepted) -> Labels:
    """(N, C) int8: what follows from people's answers for tags they did not answer, unknown elsewhere. Nothing follows
    from answers that contradict each other."""
    relations = relations_of(session, [tag.id for tag in snapshot.tags])
    found = np.full(snapshot.labels.shape, LabelState.UNKNOWN, np.int8)
    if not relations:
        return found
    for start in range(0, len(found), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = _said(relations, snapshot.labels[part], by_people(snapshot)[part])
    return found


def _said(relations: Relations, labels: Labels, people: BoolArray) -> Labels:
    closed, _, _ = relations.close(np.where(people, labels, LabelState.UNKNOWN).astype(np.int8))
    return np.where(people, LabelState.UNKNOWN, closed).astype(np.int8)


def contradicted(settled: Labels, said: Labels) -> BoolArray:
    """(N, C) where a round would settle the opposite of what people's answers say; both LabelState.

    Such rows are not settled. The bounds of their set stand: of an accepted set only images that do not show the tag
    are left out, so that a smaller share of the rest is wrong; of a rejected set only images that show it, and they go
    on counting as missed.
    """
    return np.asarray((settled != LabelState.UNKNOWN) & (said != LabelState.UNKNOWN) & (settled != said))


def left_open(round_: Round, free: BoolArray, own: Labels, pool: NDArray[np.int64]) -> BoolArray:
    """(N, C) what a round's own sets leave open of its pool, for the tags that take part; `free`: neither people nor
    other rounds decided."""
    left = free & (own == LabelState.UNKNOWN)
    part = round_.targets.get("tags")
    if part is not None:
        left &= np.isin(round_.tag_ids, part)
    in_pool = np.zeros(len(free), bool)
    in_pool[pool] = True
    return np.asarray(left & in_pool[:, None])


def claims(
    workspace: Workspace,
    session: Session,
    round_: Round,
    snapshot: Accepted,
    found: Sequence[SetAudit],
    left: BoolArray,
    said: Labels,
) -> dict[Key, Claims]:
    """All that may be implied when a round ends. `found`: the audits of its sets; `left` (N, C) what its own sets leave
    open and `said` (N, C) what people's answers say, both by the columns of the round."""
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    relations = relations_of(session, live)
    audits = {(audit.set.tag_id, audit.set.side): audit for audit in found}
    proved = [*settled_sets(session), *(audit.set for audit in found if audit.state.decision == Decision.SETTLE)]
    counted = Positives(workspace, session, snapshot)
    named: dict[Key, list[Cause]] = {}
    for set_ in round_.sets:
        if set_.side in IMPLIED and set_.tag_id in live:
            named[set_.tag_id, set_.side] = _proved_causes(set_, audits, snapshot, relations)
    result = {}
    for column, tag_id in enumerate(round_.tag_ids):
        for side, state in IMPLIED.items():
            people = np.flatnonzero(left[:, column] & (said[:, column] == state))
            causes = tuple(named.get((tag_id, side), ()))
            if len(people) or causes:
                beside = _beside(counted, live[tag_id], proved, round_.targets) if causes else Beside()
                result[tag_id, side] = Claims(people, causes, beside)
    return result


def _proved_causes(
    set_: RoundSet, audits: Mapping[Key, SetAudit], snapshot: Accepted, relations: Relations
) -> list[Cause]:
    """The causes of an implied set that were settled, and whose relation still stands."""
    causes = []
    for noted in set_.plan["causes"]:
        key = noted["tag"], noted["side"]
        audit = audits.get(key)
        if audit is None or audit.state.decision != Decision.SETTLE:
            continue
        if consequences(relations, *key).get(set_.tag_id) == set_.side:
            causes.append(Cause(*key, wrong_of(audit, snapshot, noted["alpha"])))
    return causes


def wrong_of(audit: SetAudit, snapshot: Accepted, alpha: float) -> int:
    """Undrawn images of a set that may not be what it says, at level `alpha`."""
    place = next(place for place, tag in enumerate(snapshot.tags) if tag.id == audit.set.tag_id)
    answers = snapshot.labels[audit.draws[: audit.state.drawn], place]
    return wrong_by(audit.set, answers, alpha)


def wrong_by(set_: RoundSet, answers: Labels, alpha: float) -> int:
    """The same from the `answers` (n,) of the set's first draws."""
    bound = implied.wrong_in_accepted if set_.side == ACCEPT else implied.wrong_in_rejected
    return bound(answers, set_.size, alpha, prior_of(set_))


def _beside(counted: Positives, place: int, proved: Sequence[RoundSet], targets: Mapping[str, Any]) -> Beside:
    tag_id = counted.snapshot.tags[place].id
    own = [set_ for set_ in proved if set_.tag_id == tag_id]
    return Beside(
        counted.surplus(place, own, targets["precision"]), float(counted.found(place, own)), float(missed(own, tag_id))
    )


def assemble(
    given: Mapping[Key, Claims], own: Labels, left: BoolArray, tag_ids: Sequence[int], targets: Mapping[str, Any]
) -> dict[Key, ImpliedSet]:
    """The implied sets that are settled. `own` (N, C): what the round's own sets settle; `left` (N, C): what they leave
    open; both by `tag_ids`.

    Rows of which causes say both are left open. Where the tag's promise would not survive, only what people's answers
    say is settled.
    """
    column = {tag_id: place for place, tag_id in enumerate(tag_ids)}
    claimed = {key: _claimed(one, own, column) for key, one in given.items()}
    result: dict[Key, ImpliedSet] = {}
    for side in IMPLIED:  # present before absent: recall builds on what is found
        for key, one in given.items():
            if key[1] != side:
                continue
            other = claimed.get((key[0], ABSENT if side == PRESENT else PRESENT), [])
            against = np.logical_or.reduce(other) if other else np.zeros(len(own), bool)
            masks = [one_mask & left[:, column[key[0]]] for one_mask in claimed[key]]
            masks = implied.disjoint([masks[0], *(mask & ~against for mask in masks[1:])], np.zeros(len(own), bool))
            full = _set_of(masks, (Cause(PEOPLE, side, 0), *one.causes))
            if not _survives(key, full, one.beside, result.get((key[0], PRESENT)), targets):
                full = _set_of(masks[:1], full.causes[:1])
            if len(full.rows):
                result[key] = full
    return result


def _claimed(one: Claims, own: Labels, column: Mapping[int, int]) -> list[BoolArray]:
    """(N,) rows by people's answers, then by each cause."""
    people = np.zeros(len(own), bool)
    people[one.people] = True
    return [people, *(own[:, column[cause.tag_id]] == SIDES[cause.side] for cause in one.causes)]


def _set_of(masks: Sequence[BoolArray], causes: tuple[Cause, ...]) -> ImpliedSet:
    places = np.full(len(masks[0]), -1, np.int16)
    for place, mask in enumerate(masks):
        places[mask] = place
    rows = np.flatnonzero(places >= 0)
    return ImpliedSet(rows, places[rows], causes)


def _survives(
    key: Key, found: ImpliedSet, beside: Beside, present: ImpliedSet | None, targets: Mapping[str, Any]
) -> bool:
    parts = found.counts()
    if not any(part.rows for part in parts[1:]):
        return True  # what people's answers say is never wrong
    if key[1] == PRESENT:
        return implied.precision_stands(beside.surplus, parts, targets["precision"])
    sure = beside.found + (implied.least_right(present.counts()) if present else 0)
    return implied.recall_stands(sure, beside.missed, parts, targets["recall"])


def store(
    workspace: Workspace,
    session: Session,
    round_: Round,
    given: Mapping[Key, Claims],
    settled: Mapping[Key, ImpliedSet],
) -> None:
    """Keep the implied sets of a round that ends: the file first, then the rows of the store."""
    round_claims.write(workspace, round_.number, given, settled)
    known = {(set_.tag_id, set_.side): set_ for set_ in round_.sets}
    for key, found in settled.items():
        set_ = known.get(key)
        if set_ is None:  # by people's answers alone: nothing to pay for
            set_ = new_set(round_.number, *key, alpha=0.0, causes=[])
            session.add(set_)
        set_.decision = Decision.SETTLE
        note(set_, found)


def paint(labels: Labels, settled: Mapping[Key, ImpliedSet], tag_ids: Sequence[int]) -> Labels:
    """(N, C) `labels` with the implied ones among them."""
    painted = labels.copy()
    for (tag_id, side), found in settled.items():
        painted[found.rows, tag_ids.index(tag_id)] = IMPLIED[side]
    return painted


def follow(
    workspace: Workspace, session: Session, round_: Round, snapshot: Accepted, found: Sequence[SetAudit]
) -> None:
    """Bring the bounds of a settled round's implied sets up to date with the audits of their causes (`found`).

    A cause whose tag is archived, or became another one, says what it said of the tag as it was.
    """
    audits = {(audit.set.tag_id, audit.set.side): audit for audit in found if audit.set.decision == Decision.SETTLE}
    _, settled = round_claims.read(workspace, round_.number)
    for set_ in round_.sets:
        if set_.side not in IMPLIED or set_.decision != Decision.SETTLE:
            continue
        stored = settled[set_.tag_id, set_.side]
        alphas = {(noted["tag"], noted["side"]): noted["alpha"] for noted in set_.plan["causes"]}
        causes = []
        for place, cause in enumerate(stored.causes):
            rows = stored.rows[stored.parts == place]
            if cause.tag_id == PEOPLE:
                cause = cause._replace(wrong=_taken_back(session, snapshot, set_, rows))
            elif (audit := audits.get(cause[:2])) is not None:
                wrong = wrong_of(audit, snapshot, alphas[cause[:2]]) + _corrected(audit, snapshot, rows)
                cause = cause._replace(wrong=wrong)
            causes.append(cause)
        note(set_, ImpliedSet(stored.rows, stored.parts, tuple(causes)))
    session.flush()


def _taken_back(session: Session, snapshot: Accepted, set_: RoundSet, rows: NDArray[np.int64]) -> int:
    """How many `rows` of an implied set follow from people's answers no more, nor were answered so."""
    place = next((place for place, tag in enumerate(snapshot.tags) if tag.id == set_.tag_id), None)
    if place is None or not len(rows):
        return 0
    relations = relations_of(session, [tag.id for tag in snapshot.tags])
    people = by_people(snapshot)[rows]
    said = _said(relations, snapshot.labels[rows], people)[:, place]
    now = np.where(people[:, place], snapshot.labels[rows, place], said)
    return int((now != IMPLIED[set_.side]).sum())


def _corrected(audit: SetAudit, snapshot: Accepted, rows: NDArray[np.int64]) -> int:
    """Of `rows`, undrawn when they were settled, those that were drawn since and are not what the cause says."""
    place = next(place for place, tag in enumerate(snapshot.tags) if tag.id == audit.set.tag_id)
    drawn = audit.draws[: audit.state.drawn]
    other = drawn[snapshot.labels[drawn, place] != SIDES[audit.set.side]]
    return int(np.isin(other, rows).sum())
