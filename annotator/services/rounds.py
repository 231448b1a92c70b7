"""Rounds of the cascade: propose sets, audit them, settle what is proved, take a round back."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.arrays import write_array
from annotator.errors import ConflictError, MissingError
from annotator.learning import cascade
from annotator.learning.audits import Decision
from annotator.services import models, round_causes, round_questions, round_records, round_relations
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.services.round_plans import costs_of, new_set, planned
from annotator.services.round_sets import (
    ACCEPT,
    REJECT,
    SIDES,
    Accepted,
    SetAudit,
    at_least,
    audited,
    members,
    own_sets,
    pool_rows,
    sets_file,
)
from annotator.services.snapshots import decided_on, take, withdrawn
from annotator.services.tasks import SHOWN_TAGS, free_count
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus, Split
from annotator.workspace import Workspace
from db.models import Model, Round, Tag

WHOLE_IMAGES = 150  # random images that are audited so


@needs(Right.SETTLE)
def propose_or_show(workspace: Workspace, annotator: str) -> dict[str, Any]:
    """The open round's audits; a new round where none is open."""
    with workspace.reading() as session:
        is_open = open_round(session) is not None
    if not is_open:
        with suppress(ConflictError):  # somebody else opened one meanwhile
            propose(workspace, annotator)
    return progress(workspace)


@needs(Right.SETTLE)
def propose(
    workspace: Workspace,
    annotator: str,
    *,
    leave_out: Split | None = None,
    whole_images: int | None = None,
    only: Collection[str] | None = None,
) -> int:
    """Open a round on the images that nobody answered and no round settled; its number.

    Images of the split `leave_out` stay out of the pool. `whole_images` random images are asked about completely;
    by default where the vocabulary is small enough for one screen. `only`: names of the tags that take part; then no
    whole images are asked by default, and nothing of other tags is settled.
    """
    # One at a time: a second one must not write other sets under the number of the first.
    with FileLock(workspace.folder / "round.lock"):
        with workspace.reading() as session:
            if open_round(session) is not None:
                raise ConflictError("a round is open already; settle it first, or roll it back")
        number = _propose(workspace, annotator, leave_out, whole_images, only)
    progress(workspace)
    return number


def _propose(
    workspace: Workspace,
    annotator: str,
    leave_out: Split | None,
    whole_images: int | None,
    only: Collection[str] | None,
) -> int:
    found = planned(workspace, leave_out, only)
    snapshot, project = found.snapshot, workspace.project
    tag_ids = [tag.id for tag in snapshot.tags]
    with workspace.reading() as session:
        number = (session.scalar(select(func.max(Round.number))) or 0) + 1
    seed = int(np.random.SeedSequence([project.seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    who = found.members()
    write_array(sets_file(workspace, number), who)
    round_records.write_open(workspace, number, found.pool, found.open)
    with workspace.transaction() as session:
        sha256 = [snapshot.sha256[row] for row in found.pool.tolist()]
        round_ = Round(
            number=number, status=RoundStatus.PROPOSED, seed=seed, pool_hash=cascade.pool_hash(found.pool, sha256),
            pool_size=len(found.pool), model_id=found.model.id, tag_ids=tag_ids,
            annotator_id=annotator_called(session, annotator).id, at=datetime.now(UTC),
            targets={
                "precision": project.precision, "recall": project.recall, "confidence": project.confidence,
                "leave_out": leave_out, "tags": None if only is None else _ids(found.snapshot, only),
                "votes": project.audit_votes, "costs": asdict(costs_of(project)),
                "standing": {name: part.tolist() for name, part in vars(found.standing).items()},
            },
        )  # fmt: skip
        session.add(round_)
        session.flush()
        alphas = {ACCEPT: found.standing.accept_alpha, REJECT: found.standing.reject_alpha}
        for column, tag_id in enumerate(tag_ids):
            for side in (ACCEPT, REJECT):
                size = int((who[:, column] == SIDES[side]).sum())
                if size:
                    session.add(new_set(number, tag_id, side, size, float(alphas[side][column]), found, column))
        session.flush()
        session.add_all(round_causes.new_sets(session, number, found, who, round_.targets))
        session.flush()
        few_tags = only is None and len(tag_ids) <= SHOWN_TAGS
        whole = whole_images if whole_images is not None else WHOLE_IMAGES * few_tags
        round_questions.ask_whole(session, round_, found.pool, found.open, whole)
    return number


def _ids(snapshot: Snapshot, names: Collection[str]) -> list[int]:
    return [tag.id for tag in snapshot.tags if tag.name in names]


@needs(Right.SETTLE, logged=False)
def progress(workspace: Workspace) -> dict[str, Any]:
    """Count the open round's answers, ask for the next draws, and say how far each proof is."""
    snapshot = take(workspace)
    with workspace.transaction() as session:
        round_ = required_open(session)
        found, outside = _asked(workspace, session, round_, snapshot, pool_rows(workspace, snapshot, round_))
        names = {tag.id: tag.name for tag in snapshot.tags}
        return {
            "number": round_.number,
            "sets": [_described(audit, names, round_.targets) for audit in found],
            "outside": {names[tag_id]: count for tag_id, count in outside.items()},
        }


def _asked(
    workspace: Workspace, session: Session, round_: Round, snapshot: Accepted, pool: NDArray[np.int64]
) -> tuple[list[SetAudit], dict[int, int]]:
    """The audits of the tags that `snapshot` holds, with their next questions asked; and how many images outside their
    sets are open, by tag."""
    found = audited(workspace, session, round_, snapshot, pool)
    for audit in found:
        if audit.state.decision != Decision.GO_ON or audit.waits:
            round_questions.drop(session, round_.number, audit.set)
        else:
            round_questions.ask_draws(session, round_, audit)
    return found, _ask_outside(workspace, session, round_, snapshot, pool)


def _ask_outside(
    workspace: Workspace, session: Session, round_: Round, snapshot: Accepted, pool: NDArray[np.int64]
) -> dict[int, int]:
    """Ask about the images that neither set of a tag holds, the most doubtful first; how many are open, by tag.

    Only of tags that have a set: of the others everything is open, and the queue's picks are worth more.
    """
    who = members(workspace, round_.number)
    with_set = {set_.tag_id for set_ in own_sets(round_)}
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    model = session.get_one(Model, round_.model_id)
    probabilities = models.predictions(workspace, model)
    found = {}
    for column, tag_id in enumerate(round_.tag_ids):
        if tag_id in with_set and tag_id in live:
            left = snapshot.origins[pool, live[tag_id]] == Origin.NOBODY
            rows = pool[left & (who[pool, column] == LabelState.UNKNOWN)]
            doubt = np.abs(np.asarray(probabilities[rows, column], np.float32) - 0.5)
            # What other tags' sets may say when the round ends is asked last.
            likely = round_causes.likely_said(workspace, round_, tag_id)[rows]
            first = rows[np.lexsort((rows, doubt, likely))][: round_questions.AHEAD]
            round_questions.ask_outside(session, round_.number, tag_id, first.tolist())
            found[tag_id] = len(rows)
    return found


def ask_further(workspace: Workspace, tag_id: int) -> bool:
    """Ask for the next draws of a tag's sets where its audit goes on; whether questions about it wait now."""
    with workspace.transaction() as session:
        round_, tag = open_round(session, to_change=True), session.get(Tag, tag_id)
        if round_ is None or tag is None or all(set_.tag_id != tag_id for set_ in own_sets(round_)):
            return False
        pool = round_records.read_pool(workspace, round_.number)
        _asked(workspace, session, round_, decided_on(workspace, session, tag), pool)
        session.flush()
        return free_count(session, tag_id) > 0


@needs(Right.SETTLE)
def settle(workspace: Workspace) -> dict[str, Any]:
    """End the open round: settle the sets whose audit proved enough; the others stay open for a later one."""
    snapshot = take(workspace)
    with workspace.transaction() as session:
        round_ = required_open(session)
        pool = pool_rows(workspace, snapshot, round_)
        found = audited(workspace, session, round_, snapshot, pool)
        free = _free(workspace, round_, snapshot)
        said = _by_columns(round_, snapshot, round_relations.said_by_people(session, snapshot), len(free))
        free &= ~round_relations.contradicted(_settled_labels(workspace, round_, found, free), said)
        own = _settled_labels(workspace, round_, found, free)
        left = round_relations.left_open(round_, free, own, pool)
        given = round_relations.claims(workspace, session, round_, snapshot, found, left, said)
        implied = round_relations.assemble(given, own, left, round_.tag_ids, round_.targets)
        labels = round_relations.paint(own, implied, round_.tag_ids)
        # The files before the row: a settled round always has its labels.
        round_records.write_answers(workspace, round_.number, snapshot, found, free)
        round_relations.store(workspace, session, round_, given, implied)
        write_array(workspace.round_file(round_.number), labels)
        round_.status, round_.settled_at = RoundStatus.SETTLED, datetime.now(UTC)
        round_questions.drop(session, round_.number)
        return {
            "number": round_.number,
            "settled_sets": sum(audit.state.decision == Decision.SETTLE for audit in found),
            "sets": len(found),
            "implied": sum(len(one.rows) for one in implied.values()),
            "settled_positive": int((labels == LabelState.POSITIVE).sum()),
            "settled_negative": int((labels == LabelState.NEGATIVE).sum()),
        }


@needs(Right.SETTLE)
def roll_back(workspace: Workspace, number: int) -> dict[str, Any]:
    """Take back what round `number` settled, and nothing else: people's answers stay, audits included."""
    with FileLock(workspace.folder / "round.lock"), workspace.transaction() as session:
        preview = _leaving(workspace, session, number)
        round_ = session.get_one(Round, number)
        round_.status, round_.rolled_back_at = RoundStatus.ROLLED_BACK, datetime.now(UTC)
        round_questions.drop(session, number)
    return {"number": number, "taken_back": preview["taken_back"]}


def what_leaves(workspace: Workspace, number: int) -> dict[str, Any]:
    """What a rollback of round `number` would take back: labels in all, and by tag (present, absent).

    Raises MissingError for a round that is not there (any more), ConflictError while later rounds build on it.
    """
    with workspace.reading() as session:
        return _leaving(workspace, session, number)


def _leaving(workspace: Workspace, session: Session, number: int) -> dict[str, Any]:
    round_ = session.get(Round, number)
    if round_ is None or round_.status == RoundStatus.ROLLED_BACK:
        known = session.scalars(select(Round.number).where(Round.status != RoundStatus.ROLLED_BACK)).all()
        raise MissingError(f"there is no round {number} to roll back; rounds: {', '.join(map(str, known)) or 'none'}")
    later = session.scalars(
        select(Round.number).where(Round.number > number, Round.status != RoundStatus.ROLLED_BACK)
    ).all()
    if later:
        # What a later round proved about recall counts what this one found.
        names = ", ".join(map(str, sorted(later, reverse=True)))
        raise ConflictError(f"round {number} is what later rounds build on; roll these back first: {names}")
    tags: list[dict[str, Any]] = []
    if round_.status == RoundStatus.SETTLED:
        labels = np.load(workspace.round_file(number), mmap_mode="r", allow_pickle=False)
        names_of, gone = models.tag_names(session), withdrawn(session)
        for column, tag_id in enumerate(round_.tag_ids):
            if (number, tag_id) in gone:
                continue
            states = np.asarray(labels[:, column])
            present, absent = (int((states == state).sum()) for state in (LabelState.POSITIVE, LabelState.NEGATIVE))
            if present or absent:
                tags.append({"tag": names_of[tag_id], "present": present, "absent": absent})
    return {"number": number, "taken_back": sum(tag["present"] + tag["absent"] for tag in tags), "tags": tags}


def history(workspace: Workspace) -> list[dict[str, Any]]:
    """All rounds, the first one first."""
    with workspace.reading() as session:
        return [
            {
                "number": round_.number,
                "status": round_.status.value,
                "pool": round_.pool_size,
                "model": round_.model_id,
                "sets": len(own_sets(round_)),
                "proved": sum(set_.decision == Decision.SETTLE for set_ in own_sets(round_)),
                "audited": sum(set_.draws for set_ in round_.sets),
                "started": round_.at.isoformat(timespec="seconds"),
            }
            for round_ in session.scalars(select(Round).order_by(Round.number))
        ]


def _free(workspace: Workspace, round_: Round, snapshot: Snapshot) -> NDArray[np.bool_]:
    """(N, C) where no person answered and nothing was settled, by the columns of the round; archived tags are not."""
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    size = len(members(workspace, round_.number))
    free = np.zeros((size, len(round_.tag_ids)), bool)
    for column, tag_id in enumerate(round_.tag_ids):
        if tag_id in live:
            free[:, column] = snapshot.origins[:size, live[tag_id]] == Origin.NOBODY
    return free


def _by_columns(round_: Round, snapshot: Snapshot, said: NDArray[np.int8], size: int) -> NDArray[np.int8]:
    """(size, C) `said` by the columns of the round; unknown for tags that were archived since."""
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    found = np.full((size, len(round_.tag_ids)), LabelState.UNKNOWN, np.int8)
    for column, tag_id in enumerate(round_.tag_ids):
        if tag_id in live:
            found[:, column] = said[:size, live[tag_id]]
    return found


def _settled_labels(
    workspace: Workspace, round_: Round, found: list[SetAudit], free: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """(N, C) int8 of what the round settles; what people answered meanwhile is left to them."""
    settled = {(audit.set.tag_id, audit.set.side) for audit in found if audit.state.decision == Decision.SETTLE}
    return labels_of(members(workspace, round_.number), round_.tag_ids, settled, free)


def labels_of(
    who: NDArray[np.int8], tag_ids: list[int], settled: set[tuple[int, str]], free: NDArray[np.bool_]
) -> NDArray[np.int8]:
    """(N, C) int8: the free members of the settled (tag id, side) sets have their state, all else is unknown."""
    labels = np.full(who.shape, LabelState.UNKNOWN, np.int8)
    for column, tag_id in enumerate(tag_ids):
        for side, state in SIDES.items():
            if (tag_id, side) in settled:
                labels[free[:, column] & (who[:, column] == state), column] = state
    return labels


def open_round(session: Session, *, to_change: bool = False) -> Round | None:
    """`to_change`: nobody else changes or ends it before this transaction is over."""
    query = select(Round).where(Round.status == RoundStatus.PROPOSED)
    return session.scalar(query.with_for_update() if to_change else query)


def required_open(session: Session) -> Round:
    round_ = open_round(session, to_change=True)
    if round_ is None:
        raise MissingError("no round is open; propose one with: annotator round")
    return round_


def _described(audit: SetAudit, names: dict[int, str], targets: dict[str, Any]) -> dict[str, Any]:
    set_, state = audit.set, audit.state
    accepts = set_.side == ACCEPT
    return {
        "tag": names[set_.tag_id],
        "proposed": "present" if accepts else "absent",
        "images": state.size,
        "audited": state.drawn,
        "found present": state.positives,
        "proven": at_least(_proven(audit, targets["precision"])),
        "of": targets["precision" if accepts else "recall"],
        "forecast": set_.plan.get("draws"),
        "decision": "waits for the rest" if audit.waits else state.decision.value,
    }


def _proven(audit: SetAudit, precision: float) -> float:
    """What is proven so far of the tag's precision (accept set) or recall (reject set), were the set settled now."""
    state, beside = audit.state, audit.beside
    if audit.set.side == ACCEPT:
        # As many positives from people as the surplus is worth.
        people = beside.surplus / (1 - precision)
        labelled = people + state.size - (state.drawn - state.positives)
        return min(1.0, max(0.0, (people + state.low) / labelled)) if labelled > 0 else 1.0
    found, lost = beside.found + state.positives, beside.missed + state.high - state.positives
    return found / (found + lost) if found + lost > 0 else 1.0
