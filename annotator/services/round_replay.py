"""Recompute a round from what the store keeps, bit for bit: its sets, its draws, its decisions and its labels."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from annotator.errors import MissingError
from annotator.learning import cascade
from annotator.learning.audits import Decision
from annotator.learning.planning import Costs, Standing, plan
from annotator.services import models, round_claims, round_records, round_relations
from annotator.services.round_claims import ImpliedSet, Key
from annotator.services.round_plans import member_states
from annotator.services.round_records import Record
from annotator.services.round_sets import SIDES, audit_of, members, own_sets
from annotator.services.rounds import labels_of
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Model, Round


def replay(workspace: Workspace, number: int) -> dict[str, Any]:
    """What of round `number` comes out the same: {"sets", "thresholds", "draws", "decisions", "labels"} to bool.

    From the seed, the model's stored predictions, what was open, where the tags stood, and the answers to the draws;
    decisions and labels of settled rounds only. Raises MissingError for an unknown round or one of an earlier version.
    """
    with workspace.reading() as session:
        round_ = session.get(Round, number)
        if round_ is None:
            raise MissingError(f"there is no round {number} to replay")
        same = _proposal(workspace, session, round_)
        if round_.settled_at is not None:
            same |= _decisions(workspace, session, round_)
    return {"number": number, "same": all(same.values()), **same}


def _proposal(workspace: Workspace, session: Session, round_: Round) -> dict[str, bool]:
    pool, open_ = round_records.read_open(workspace, round_.number)
    targets = round_.targets
    stands = Standing(**{name: np.array(values, np.float64) for name, values in targets["standing"].items()})
    probabilities = np.asarray(models.predictions(workspace, session.get_one(Model, round_.model_id)), np.float32)
    found = plan(
        probabilities[pool], open_, stands, precision=targets["precision"], recall=targets["recall"],
        costs=Costs(**targets["costs"]),
    )  # fmt: skip
    who = np.full((len(probabilities), open_.shape[1]), LabelState.UNKNOWN, np.int8)
    who[pool] = member_states(probabilities[pool], open_, found.proposal)
    column = {tag_id: place for place, tag_id in enumerate(round_.tag_ids)}
    ends = {"accept": found.proposal.accept_above, "reject": found.proposal.reject_below}
    return {
        "sets": bool(np.array_equal(who, members(workspace, round_.number))),
        "thresholds": all(set_.threshold == ends[set_.side][column[set_.tag_id]] for set_ in own_sets(round_)),
    }


def _decisions(workspace: Workspace, session: Session, round_: Round) -> dict[str, bool]:
    """From the answers that were kept when the round was settled."""
    who = members(workspace, round_.number)
    pool, _ = round_records.read_open(workspace, round_.number)
    order = cascade.draw_order(round_.seed, pool)
    column = {tag_id: place for place, tag_id in enumerate(round_.tag_ids)}
    kept, free = round_records.read_answers(workspace, round_.number)
    draws_same = decisions_same = True
    settled: set[tuple[int, str]] = set()
    for set_ in own_sets(round_):
        record = kept.get((set_.tag_id, set_.side))
        if record is None:
            continue  # its tag was archived before the round was settled
        draws = order[who[order, column[set_.tag_id]] == SIDES[set_.side]]
        draws_same &= bool(np.array_equal(draws[: len(record.draws)], record.draws))
        state, _ = audit_of(set_, record.answers, round_.targets, record.beside)
        decisions_same &= state.decision == record.decision
        if state.decision == Decision.SETTLE:
            settled.add((set_.tag_id, set_.side))
    stored = np.load(workspace.round_file(round_.number), mmap_mode="r", allow_pickle=False)
    own = labels_of(np.asarray(who), round_.tag_ids, settled, free)
    implied, bounds_same = _implied(workspace, round_, kept, own, round_relations.left_open(round_, free, own, pool))
    again = round_relations.paint(own, implied, round_.tag_ids)
    return {
        "draws": draws_same,
        "decisions": decisions_same and bounds_same,
        "labels": bool(np.array_equal(again, stored)),
    }


def _implied(
    workspace: Workspace, round_: Round, kept: dict[Key, Record], own: NDArray[np.int8], left: NDArray[np.bool_]
) -> tuple[dict[Key, ImpliedSet], bool]:
    """The implied sets, from the bounds of their causes; and whether these and the sets are what was stored."""
    given, stored = round_claims.read(workspace, round_.number)
    sets = {(set_.tag_id, set_.side): set_ for set_ in round_.sets}
    again = {}
    for key, one in given.items():
        noted = sets[key].plan["causes"] if one.causes else []
        alphas = {(cause["tag"], cause["side"]): cause["alpha"] for cause in noted}
        wrong = [
            round_relations.wrong_by(sets[cause[:2]], kept[cause[:2]].answers, alphas[cause[:2]])
            for cause in one.causes
        ]
        causes = tuple(cause._replace(wrong=bound) for cause, bound in zip(one.causes, wrong, strict=True))
        again[key] = replace(one, causes=causes)
    found = round_relations.assemble(again, own, left, round_.tag_ids, round_.targets)
    same = all(again[key].causes == given[key].causes for key in given) and found.keys() == stored.keys()
    return found, same and all(np.array_equal(found[key].rows, stored[key].rows) for key in stored)
