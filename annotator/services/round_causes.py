"""Which sets of a proposed round may say something of other tags, and what each may spend of their error budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from annotator.learning import audits, implied
from annotator.learning.audits import Decision
from annotator.learning.implied import Part
from annotator.services.round_claims import Key, new_set
from annotator.services.round_plans import Planned
from annotator.services.round_relations import consequences
from annotator.services.round_sets import (
    ACCEPT,
    IMPLIED,
    PAID_BY,
    PRESENT,
    REJECT,
    SIDES,
    attempts,
    members,
    own_sets,
    spent,
)
from annotator.services.vocabulary import relations_of
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Round, RoundSet

BoolArray = NDArray[np.bool_]
Labels = NDArray[np.int8]
ROWS_AT_ONCE = 100_000


def new_sets(session: Session, number: int, found: Planned, who: Labels, targets: Mapping[str, Any]) -> list[RoundSet]:
    """The implied sets of a round that is proposed, empty: their causes and alphas; `who` as `round_sets.members`."""
    ids = [tag.id for tag in found.snapshot.tags]
    relations = relations_of(session, ids)
    if not relations:
        return []
    place = {tag_id: column for column, tag_id in enumerate(ids)}
    sizes = {ACCEPT: found.plan.proposal.accept_size, REJECT: found.plan.proposal.reject_size}
    causes: dict[Key, list[tuple[int, str]]] = {}
    for column, tag_id in enumerate(ids):
        for side in SIDES:
            if sizes[side][column]:
                for other, implied_side in consequences(relations, tag_id, side).items():
                    if other in place:
                        causes.setdefault((other, implied_side), []).append((column, side))
    if not causes:
        return []
    rows, tried, used = _overlaps(who[found.pool], found.open), attempts(session), spent(session)
    made = []
    for (tag_id, side), named in sorted(causes.items()):
        own = PAID_BY[side]
        alphas = {ACCEPT: found.standing.accept_alpha, REJECT: found.standing.reject_alpha}[own]
        own_alpha = float(alphas[place[tag_id]]) if sizes[own][place[tag_id]] else 0.0
        key = tag_id, own
        alpha = audits.next_alpha(
            1 - targets["confidence"], tried.get(key, 0) + (own_alpha > 0), used.get(key, 0.0) + own_alpha
        )
        kept = _worth(found, place[tag_id], side, named, rows, alpha, targets)
        if kept:
            made.append(new_set(number, tag_id, side, alpha, [(ids[column], cause) for column, cause in kept]))
    return made


def _worth(
    found: Planned,
    place: int,
    side: str,
    named: list[tuple[int, str]],
    rows: Mapping[str, NDArray[np.int64]],
    alpha: float,
    targets: Mapping[str, Any],
) -> list[tuple[int, str]]:
    """Those of the causes `named` (column, side) that should share `alpha`."""
    plan, standing = found.plan, found.standing
    size = {ACCEPT: plan.proposal.accept_size, REJECT: plan.proposal.reject_size}
    draws = {ACCEPT: plan.accept_draws, REJECT: plan.reject_draws}
    errors = {ACCEPT: size[ACCEPT] - plan.proposal.accept_positives, REJECT: plan.proposal.reject_positives}
    causes = implied.Causes(
        np.array([size[of][column] for column, of in named]),
        np.array([rows[of][column, place] for column, of in named]),
        np.array([draws[of][column] for column, of in named]),
        np.maximum(0.0, np.array([errors[of][column] for column, of in named], np.float64)),
    )

    def precise(kept: implied.Causes, parts: list[Part]) -> bool:
        surplus = float(standing.surplus[place]) + (1 - targets["precision"]) * kept.answered()
        return implied.precision_stands(surplus, parts, targets["precision"])

    def complete(kept: implied.Causes, parts: list[Part]) -> bool:
        sure = float(standing.found[place] + plan.expected[place] - errors[REJECT][place])
        lost = float(standing.missed[place])
        if size[REJECT][place]:
            lost += float(_own_missed(found, place))
        return implied.recall_stands(sure, lost, parts, targets["recall"])

    chosen = implied.choose(causes, alpha, precise if side == PRESENT else complete)
    return [named[at] for at in chosen.tolist()]


def _own_missed(found: Planned, place: int) -> int:
    """What the tag's own reject set is expected to miss at most, when it is settled."""
    proposal, own = found.plan.proposal, slice(place, place + 1)
    alpha = float(found.standing.reject_alpha[place])
    draws = np.clip(found.plan.reject_draws[own], 1, proposal.reject_size[own])
    return int(implied.forecast_wrong(proposal.reject_size[own], draws, proposal.reject_positives[own], alpha)[0])


def _overlaps(who: Labels, open_: BoolArray) -> dict[str, NDArray[np.int64]]:
    """(C, C) by side: images of a tag's set [i] that are open for another tag and in none of its sets [j]."""
    tags = who.shape[1]
    found = {side: np.zeros((tags, tags), np.int64) for side in SIDES}
    for start in range(0, len(who), ROWS_AT_ONCE):
        part = who[start : start + ROWS_AT_ONCE]
        left = (open_[start : start + ROWS_AT_ONCE] & (part == LabelState.UNKNOWN)).astype(np.float32)
        for side, state in SIDES.items():
            # Counts below 2^24 are exact in float32.
            found[side] += ((part == state).astype(np.float32).T @ left).astype(np.int64)
    return found


def likely_said(workspace: Workspace, round_: Round, tag_id: int) -> BoolArray:
    """(N,) rows that an open round may come to know of a tag without asking about it."""
    who = members(workspace, round_.number)
    failed = {(set_.tag_id, set_.side) for set_ in own_sets(round_) if set_.decision == Decision.FAIL}
    found = np.zeros(len(who), bool)
    for set_ in round_.sets:
        if set_.side in IMPLIED and set_.tag_id == tag_id:
            for noted in set_.plan["causes"]:
                if (noted["tag"], noted["side"]) not in failed:
                    found |= who[:, round_.tag_ids.index(noted["tag"])] == SIDES[noted["side"]]
    return found
