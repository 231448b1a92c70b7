"""What is proven of each tag's labels by now, and what it would take to prove the rest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select

from annotator.learning import audits
from annotator.learning.audits import AuditState, Certificate
from annotator.learning.planning import SMALLEST, Plan
from annotator.services.round_plans import Planned, planned
from annotator.services.round_sets import (
    ACCEPT,
    PEOPLE,
    REJECT,
    Positives,
    at_least,
    is_accept,
    settled_sets,
    spent,
    state_of,
)
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin
from annotator.workspace import Workspace
from db.models import Round, RoundSet

ROUNDING = 1e-9


@dataclass(frozen=True)
class _Proved:
    """What the settled sets of one tag and people's answers come to."""

    people: int
    accepted: list[AuditState]
    rejected: list[AuditState]

    def certify(self, open_: int = 0) -> Certificate:
        return audits.certify(self.people, self.accepted, self.rejected, open_)


def _proved(counted: Positives, place: int, sets: list[RoundSet]) -> _Proved:
    own = [one for one in sets if one.tag_id == counted.snapshot.tags[place].id]
    accepted, rejected = ([state_of(one) for one in own if is_accept(one) == side] for side in (True, False))
    people = counted.of_people(place, own) + sum(state.positives for state in accepted)
    return _Proved(people, accepted, rejected)


def certificates(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag: how many labels who decided, and bounds that hold together with the confidence beside them.

    precision: of all its positive labels, people's counting as right. recall: among the images that are decided;
    `recall with the open` counts every open image as a missed one, which is all that can be said of them.
    """
    snapshot = take(workspace)
    with workspace.reading() as session:
        sets, counted, used = settled_sets(session), Positives(workspace, session, snapshot), spent(session)
        return [
            _certificate(snapshot, place, _proved(counted, place, sets), used) for place in range(len(snapshot.tags))
        ]


def _certificate(snapshot: Snapshot, place: int, proved: _Proved, used: dict[tuple[int, str], float]) -> dict[str, Any]:
    origins, labels = snapshot.origins[:, place], snapshot.labels[:, place]
    by_round, is_open = origins == Origin.ROUND, int((origins == Origin.NOBODY).sum())
    decided = proved.certify()
    return {
        "tag": snapshot.tags[place].name,
        "by people": int(np.isin(origins, PEOPLE).sum()),
        "settled present": int((by_round & (labels == LabelState.POSITIVE)).sum()),
        "settled absent": int((by_round & (labels == LabelState.NEGATIVE)).sum()),
        "open": is_open,
        "precision": at_least(decided.precision),
        "recall": at_least(decided.recall),
        "recall with the open": at_least(proved.certify(is_open).recall),
        # Every attempt counts, failed ones too: only then do all bounds hold together.
        "confidence": at_least(1 - sum(used.get((snapshot.tags[place].id, side), 0.0) for side in (ACCEPT, REJECT))),
    }


def forecast(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag: what a round would propose now, what it would cost people, and what is cheaper."""
    found = planned(workspace)
    return [_forecast(found, place) for place in range(len(found.snapshot.tags))]


def _forecast(found: Planned, place: int) -> dict[str, Any]:
    plan: Plan = found.plan
    sizes = int(plan.proposal.accept_size[place]), int(plan.proposal.reject_size[place])
    return {
        "tag": found.snapshot.tags[place].name,
        "open": int(plan.open[place]),
        "present": sizes[0],
        "audit of present": int(plan.accept_draws[place]),
        "absent": sizes[1],
        "audit of absent": int(plan.reject_draws[place]),
        "outside": int(plan.band[place]),
        "minutes": round(float(plan.seconds[place]) / 60, 1),
        "minutes by hand": round(float(plan.by_hand[place]) / 60, 1),
        "advice": _advice(int(plan.open[place]), sizes, int(plan.band[place])),
    }


def _advice(open_: int, sizes: tuple[int, int], outside: int) -> str:
    if not open_:
        return "done"
    if not any(sizes):
        few = open_ < 2 * SMALLEST
        return "finish by hand" if few else "answer more, then train"
    return "audit" if outside <= max(SMALLEST, open_ // 20) else "answer outside, then audit"


def alarms(workspace: Workspace, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Settled sets of which what is known by now no longer proves what they were settled for: offer a rollback."""
    with workspace.reading() as session:
        sets, counted = settled_sets(session), Positives(workspace, session, snapshot)
        targets = {round_.number: round_.targets for round_ in session.scalars(select(Round))}
        place = {tag.id: number for number, tag in enumerate(snapshot.tags)}
        proved = {number: _proved(counted, number, sets).certify() for number in place.values()}
        return [
            {
                "round": set_.round_number, "tag": snapshot.tags[place[set_.tag_id]].name, "side": set_.side,
                "images": set_.size, "audited": set_.draws, "low": set_.low, "high": set_.high,
            }
            for set_ in sets
            if set_.tag_id in place
            if not _holds(is_accept(set_), proved[place[set_.tag_id]], targets[set_.round_number])
        ]  # fmt: skip


def _holds(accepts: bool, now: Certificate, targets: dict[str, Any]) -> bool:
    """Whether the tag's certificate still reaches what was asked for when a set of this side was settled."""
    reached, wanted = (now.precision, "precision") if accepts else (now.recall, "recall")
    return bool(reached >= targets[wanted] - ROUNDING)
