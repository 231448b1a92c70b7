"""What is proven of each tag's labels by now, and what it would take to prove the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.learning import audits
from annotator.learning.audits import AuditState, Certificate
from annotator.learning.planning import SMALLEST, Plan
from annotator.services.round_plans import Planned, planned
from annotator.services.round_sets import (
    ACCEPT,
    PEOPLE,
    REJECT,
    AcceptedSets,
    Positives,
    at_least,
    is_accept,
    settled_sets,
    spent,
    state_of,
)
from annotator.services.snapshots import parts
from annotator.services.votes import live_tags
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


def _proved(people: int, own: Sequence[RoundSet]) -> _Proved:
    """`people`: positives of people outside the accepted ones of `own`, the tag's sets."""
    accepted, rejected = ([state_of(one) for one in own if is_accept(one) == side] for side in (True, False))
    return _Proved(people + sum(state.positives for state in accepted), accepted, rejected)


def certificates(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag: how many labels who decided, and bounds that hold together with the confidence beside them.

    precision: of all its positive labels, people's counting as right. recall: among the images that are decided;
    `recall with the open` counts every open image as a missed one, which is all that can be said of them.
    """
    with workspace.reading() as session:
        counted = Counted(workspace, session)
        for part in parts(workspace, session):
            counted.add(part.labels, part.origins)
        return counted.certificates()


class Counted:
    """What certificates are made of, counted part by part of the accepted labels in the order of their images."""

    def __init__(self, workspace: Workspace, session: Session) -> None:
        self.tags = [(tag.id, tag.name) for tag in live_tags(session)]
        self._sets, self._spent = settled_sets(session), spent(session)
        self._accepted = AcceptedSets(workspace, session, [tag_id for tag_id, _ in self.tags], self._sets)
        self._images = 0
        self._positives, self._people, self._present, self._absent, self._open = np.zeros((5, len(self.tags)), np.int64)

    def add(self, labels: NDArray[np.int8], origins: NDArray[np.uint8]) -> None:
        """(n, C) `LabelState` and `Origin` of the next n images."""
        people, by_round, positive = np.isin(origins, PEOPLE), origins == Origin.ROUND, labels == LabelState.POSITIVE
        outside = self._accepted.outside(range(self._images, self._images + len(labels)))
        self._images += len(labels)
        self._positives += (people & positive & outside).sum(axis=0)
        self._people += people.sum(axis=0)
        self._present += (by_round & positive).sum(axis=0)
        self._absent += (by_round & (labels == LabelState.NEGATIVE)).sum(axis=0)
        self._open += (origins == Origin.NOBODY).sum(axis=0)

    def people_outside(self, place: int) -> int:
        """People's positives of a tag outside its accepted sets, whose bounds count those inside already."""
        return int(self._positives[place])

    def certificates(self) -> list[dict[str, Any]]:
        """One row a tag, as the function of this name gives them."""
        return [self._certificate(place) for place in range(len(self.tags))]

    def _certificate(self, place: int) -> dict[str, Any]:
        tag_id, name = self.tags[place]
        proved = _proved(self.people_outside(place), [one for one in self._sets if one.tag_id == tag_id])
        decided = proved.certify()
        return {
            "tag": name,
            "by people": int(self._people[place]),
            "settled present": int(self._present[place]),
            "settled absent": int(self._absent[place]),
            "open": int(self._open[place]),
            "precision": at_least(decided.precision),
            "recall": at_least(decided.recall),
            "recall with the open": at_least(proved.certify(int(self._open[place])).recall),
            # Every attempt counts, failed ones too: only then do all bounds hold together.
            "confidence": at_least(1 - sum(self._spent.get((tag_id, side), 0.0) for side in (ACCEPT, REJECT))),
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
        own = {number: [one for one in sets if one.tag_id == tag.id] for number, tag in enumerate(snapshot.tags)}
        proved = {number: _proved(counted.of_people(number, own[number]), own[number]).certify() for number in own}
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
