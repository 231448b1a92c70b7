"""What a round would propose: the sets of every tag, from the model in use and from where the tags stand."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.errors import ConflictError, UnknownNameError
from annotator.learning import cascade
from annotator.learning.audits import Decision
from annotator.learning.planning import Costs, Plan, Standing, plan
from annotator.services import models
from annotator.services.round_sets import ACCEPT, standing
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, Split
from annotator.workspace import Project, Workspace
from db.models import Model, RoundSet


def planned(workspace: Workspace, leave_out: Split | None = None, only: Collection[str] | None = None) -> "Planned":
    """What a round would propose now; `only`: names of the tags that take part, by default all.

    Raises UnknownNameError for a tag that is not in use.
    """
    model = models.required(workspace)
    snapshot = take(workspace)
    if model.tag_ids != [tag.id for tag in snapshot.tags]:
        raise ConflictError(
            f"model {model.id} knows another vocabulary; train again: annotator train -w {workspace.folder}"
        )
    # The model's own, calibrated on held-out answers: sets cut by the fused scores were smaller where we tried it.
    probabilities = np.asarray(models.predictions(workspace, model), np.float32)
    in_pool = np.arange(len(snapshot)) < len(probabilities)
    if leave_out is not None:
        in_pool &= ~snapshot.in_split(leave_out)
    pool = np.flatnonzero(in_pool)
    open_ = (snapshot.origins[pool] == Origin.NOBODY) & (snapshot.labels[pool] == LabelState.UNKNOWN)
    if only is not None:
        open_[:, ~_named(snapshot, only)] = False
    project = workspace.project
    with workspace.reading() as session:
        stands = standing(workspace, session, snapshot, project.precision, 1 - project.confidence)
    found = plan(
        probabilities[pool], open_, stands, precision=project.precision, recall=project.recall, costs=costs_of(project)
    )
    return Planned(model, snapshot, probabilities, pool, open_, stands, found)


def _named(snapshot: Snapshot, names: Collection[str]) -> NDArray[np.bool_]:
    """(C,) which tags are named."""
    known = [tag.name for tag in snapshot.tags]
    for name in names:
        if name not in known:
            raise UnknownNameError("tag", name, known)
    return np.array([name in names for name in known], bool)


def costs_of(project: Project) -> Costs:
    """The seconds that plans count with; a draw of an audit costs those of all people who answer it."""
    votes = project.audit_votes
    return Costs(project.seconds_outside, votes * project.seconds_accept, votes * project.seconds_reject)


@dataclass(frozen=True)
class Planned:
    """A plan with all it was made from; `open` (M, C) is of the pool's rows, `probabilities` (N, C) of all."""

    model: Model
    snapshot: Snapshot
    probabilities: NDArray[np.float32]
    pool: NDArray[np.int64]
    open: NDArray[np.bool_]
    standing: Standing
    plan: Plan

    def members(self) -> NDArray[np.int8]:
        """(N, C) as `round_sets.members` stores them."""
        shape = len(self.probabilities), self.open.shape[1]
        found = np.full(shape, LabelState.UNKNOWN, np.int8)
        found[self.pool] = member_states(self.probabilities[self.pool], self.open, self.plan.proposal)
        return found


def member_states(
    probabilities: NDArray[np.float32], open_: NDArray[np.bool_], proposal: cascade.Proposal
) -> NDArray[np.int8]:
    """(M, C) which set each open image is in."""
    states = np.full(probabilities.shape, LabelState.UNKNOWN, np.int8)
    states[open_ & (probabilities >= proposal.accept_above)] = LabelState.POSITIVE
    states[open_ & (probabilities < proposal.reject_below)] = LabelState.NEGATIVE
    return states


def new_set(number: int, tag_id: int, side: str, size: int, alpha: float, found: Planned, column: int) -> RoundSet:
    """The set of one side of a tag, before its first draw."""
    proposal = found.plan.proposal
    accepts = side == ACCEPT
    expected = float((proposal.accept_positives if accepts else proposal.reject_positives)[column])
    noted = {
        "expected": expected,
        "draws": int((found.plan.accept_draws if accepts else found.plan.reject_draws)[column]),
    }
    if not accepts:
        accepted = float(proposal.accept_positives[column])
        noted |= {
            "expected_accept": accepted,
            "expected_outside": max(0.0, float(found.plan.expected[column]) - expected - accepted),
            "outside": int(found.plan.band[column]),
        }
    threshold = float((proposal.accept_above if accepts else proposal.reject_below)[column])
    return RoundSet(
        round_number=number, tag_id=tag_id, side=side, threshold=threshold, size=size, alpha=alpha, draws=0,
        positives=0, low=0, high=size, decision=Decision.GO_ON, plan=noted,
    )  # fmt: skip
