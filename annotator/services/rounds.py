"""Rounds of the cascade: propose sets, audit them, settle what is proved, take a round back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from annotator.arrays import write_array
from annotator.errors import ConflictError, MissingError
from annotator.learning import audits, cascade
from annotator.learning.audits import AcceptGoal, AuditState, Decision, RejectGoal
from annotator.services import models
from annotator.services.people import annotator_called
from annotator.services.snapshots import take
from annotator.services.tasks import SHOWN_TAGS, Band, free_count
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus, Split, TaskKind
from annotator.workspace import Workspace
from db.models import Label, Round, RoundSet, Task

ACCEPT, REJECT = "accept", "reject"
AHEAD = 120  # draws of each set that wait as questions; more follow while its audit goes on
WHOLE_IMAGES = 150  # random images that are audited so


@dataclass(frozen=True)
class _Audit:
    """One set with what its answers prove so far."""

    set: RoundSet
    state: AuditState
    waiting: NDArray[np.int64]
    """Its draws nobody answered yet, in order."""


def propose_or_show(workspace: Workspace, annotator: str) -> dict[str, Any]:
    """The open round's audits; a new round where none is open."""
    with workspace.reading() as session:
        is_open = _open_round(session) is not None
    if not is_open:
        propose(workspace, annotator)
    return progress(workspace)


def propose(
    workspace: Workspace, annotator: str, *, leave_out: Split | None = None, whole_images: int | None = None
) -> int:
    """Open a round on the images that nobody answered and no round settled; its number.

    Images of the split `leave_out` stay out of the pool. `whole_images` random images are asked about completely;
    by default where the vocabulary is small enough for one screen.
    """
    # One at a time: a second one must not write other sets under the number of the first.
    with FileLock(workspace.folder / "round.lock"):
        with workspace.reading() as session:
            if _open_round(session) is not None:
                raise ConflictError("a round is open already; settle it first, or roll it back")
        number = _propose(workspace, annotator, leave_out, whole_images)
    progress(workspace)
    return number


def _propose(workspace: Workspace, annotator: str, leave_out: Split | None, whole_images: int | None) -> int:
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
    project = workspace.project
    tag_ids = [tag.id for tag in snapshot.tags]
    with workspace.reading() as session:
        before = _settled_sets(session)
        number = (session.scalar(select(func.max(Round.number))) or 0) + 1
        sure = np.array([_found(workspace, session, snapshot, place, before) for place in range(len(tag_ids))], float)
    proposal = cascade.propose(
        probabilities[pool],
        open_,
        sure,
        precision=project.precision,
        recall=project.recall,
        missed_before=np.array([_missed(before, tag_id) for tag_id in tag_ids], np.float64),
    )
    members = np.full((len(probabilities), len(tag_ids)), LabelState.UNKNOWN, np.int8)
    members[pool] = _members(probabilities[pool], open_, proposal)
    seed = int(np.random.SeedSequence([project.seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))
    write_array(_sets_file(workspace, number), members)
    with workspace.transaction() as session:
        sha256 = [snapshot.sha256[row] for row in pool.tolist()]
        round_ = Round(
            number=number, status=RoundStatus.PROPOSED, seed=seed, pool_hash=cascade.pool_hash(pool, sha256),
            pool_size=len(pool), model_id=model.id, tag_ids=tag_ids,
            annotator_id=annotator_called(session, annotator).id, at=datetime.now(UTC),
            targets={
                "precision": project.precision, "recall": project.recall, "confidence": project.confidence,
                "leave_out": leave_out,
            },
        )  # fmt: skip
        session.add(round_)
        session.flush()
        for column, tag_id in enumerate(tag_ids):
            session.add_all(_sets(session, round_, tag_id, column, members, proposal))
        session.flush()
        few_tags = len(tag_ids) <= SHOWN_TAGS
        _ask_whole(session, round_, pool, open_, whole_images if whole_images is not None else WHOLE_IMAGES * few_tags)
    return number


def progress(workspace: Workspace) -> dict[str, Any]:
    """Count the open round's answers, ask for the next draws, and say how far each proof is."""
    snapshot = take(workspace)
    with workspace.transaction() as session:
        round_ = _required_open(session)
        found = _audited(workspace, session, round_, snapshot)
        for audit in found:
            if audit.state.decision == Decision.GO_ON:
                _ask(session, round_, audit)
            else:
                _drop_questions(session, round_.number, audit.set)
        names = {tag.id: tag.name for tag in snapshot.tags}
        return {"number": round_.number, "sets": [_described(audit, names, round_.targets) for audit in found]}


def ask_further(workspace: Workspace, tag_id: int) -> bool:
    """Ask for the next draws of a tag's sets where its audit goes on; whether questions about it wait now."""
    with workspace.reading() as session:
        if _open_round(session) is None:
            return False
    progress(workspace)
    with workspace.reading() as session:
        return free_count(session, tag_id) > 0


def settle(workspace: Workspace) -> dict[str, Any]:
    """End the open round: settle the sets whose audit proved enough; the others stay open for a later one."""
    snapshot = take(workspace)
    with workspace.transaction() as session:
        round_ = _required_open(session)
        found = _audited(workspace, session, round_, snapshot)
        labels = _settled_labels(workspace, round_, snapshot, found)
        # The file before the row: a settled round always has its labels.
        write_array(workspace.round_file(round_.number), labels)
        round_.status, round_.settled_at = RoundStatus.SETTLED, datetime.now(UTC)
        _drop_questions(session, round_.number, None)
        return {
            "number": round_.number,
            "settled_sets": sum(audit.state.decision == Decision.SETTLE for audit in found),
            "sets": len(found),
            "settled_positive": int((labels == LabelState.POSITIVE).sum()),
            "settled_negative": int((labels == LabelState.NEGATIVE).sum()),
        }


def roll_back(workspace: Workspace, number: int) -> dict[str, Any]:
    """Take back what round `number` settled, and nothing else: people's answers stay, audits included."""
    with workspace.transaction() as session:
        round_ = session.get(Round, number)
        if round_ is None or round_.status == RoundStatus.ROLLED_BACK:
            known = session.scalars(select(Round.number).where(Round.status != RoundStatus.ROLLED_BACK)).all()
            raise MissingError(
                f"there is no round {number} to roll back; rounds: {', '.join(map(str, known)) or 'none'}"
            )
        later = session.scalars(
            select(Round.number).where(Round.number > number, Round.status != RoundStatus.ROLLED_BACK)
        ).all()
        if later:
            # What a later round proved about recall counts what this one found.
            names = ", ".join(map(str, sorted(later, reverse=True)))
            raise ConflictError(f"round {number} is what later rounds build on; roll these back first: {names}")
        taken_back = 0
        if round_.status == RoundStatus.SETTLED:
            array = np.load(workspace.round_file(number), mmap_mode="r", allow_pickle=False)
            taken_back = int((array != LabelState.UNKNOWN).sum())
        round_.status, round_.rolled_back_at = RoundStatus.ROLLED_BACK, datetime.now(UTC)
        _drop_questions(session, number, None)
        return {"number": number, "taken_back": taken_back}


def history(workspace: Workspace) -> list[dict[str, Any]]:
    """All rounds, the first one first."""
    with workspace.reading() as session:
        return [
            {
                "number": round_.number,
                "status": round_.status.value,
                "pool": round_.pool_size,
                "model": round_.model_id,
                "sets": len(round_.sets),
                "proved": sum(set_.decision == Decision.SETTLE for set_ in round_.sets),
                "audited": sum(set_.draws for set_ in round_.sets),
                "started": round_.at.isoformat(timespec="seconds"),
            }
            for round_ in session.scalars(select(Round).order_by(Round.number))
        ]


def _sets_file(workspace: Workspace, number: int) -> Any:
    """(N, C) int8: 1 for members of a tag's accept set, 0 for members of its reject set, -1 elsewhere."""
    return workspace.round_file(number).with_suffix(".sets.npy")


def _members(
    probabilities: NDArray[np.float32], open_: NDArray[np.bool_], proposal: cascade.Proposal
) -> NDArray[np.int8]:
    members = np.full(probabilities.shape, LabelState.UNKNOWN, np.int8)
    members[open_ & (probabilities >= proposal.accept_above)] = LabelState.POSITIVE
    members[open_ & (probabilities < proposal.reject_below)] = LabelState.NEGATIVE
    return members


def _sets(
    session: Session, round_: Round, tag_id: int, column: int, members: NDArray[np.int8], proposal: cascade.Proposal
) -> list[RoundSet]:
    """The sets of one tag that are not empty, each with its share of the error budget."""
    alpha = 1 - round_.targets["confidence"]
    sides = ((ACCEPT, LabelState.POSITIVE, proposal.accept_above), (REJECT, LabelState.NEGATIVE, proposal.reject_below))
    made = []
    for side, state, threshold in sides:
        size = int((members[:, column] == state).sum())
        if size:
            # A round that was taken back counts too: its answers may have been seen without being counted.
            spent = (RoundSet.draws > 0) | (Round.status == RoundStatus.ROLLED_BACK)
            attempts = select(func.count()).select_from(RoundSet).join(Round).where(
                RoundSet.tag_id == tag_id, RoundSet.side == side, spent
            )  # fmt: skip
            attempt = 1 + (session.scalar(attempts) or 0)
            made.append(
                RoundSet(
                    round_number=round_.number, tag_id=tag_id, side=side, threshold=float(threshold[column]), size=size,
                    alpha=audits.spend(alpha, attempt), draws=0, positives=0, low=0, high=size, decision=Decision.GO_ON,
                )
            )  # fmt: skip
    return made


def _audited(workspace: Workspace, session: Session, round_: Round, snapshot: Snapshot) -> list[_Audit]:
    """Every set of the round with what its answered draws prove; accepts first, because recall builds on them."""
    members = np.load(_sets_file(workspace, round_.number), mmap_mode="r", allow_pickle=False)
    by_people = np.isin(snapshot.origins, (Origin.HUMAN, Origin.REVIEW))
    order = cascade.draw_order(round_.seed, _pool_rows(snapshot, round_, len(members)))
    column = {tag_id: place for place, tag_id in enumerate(round_.tag_ids)}
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    before = _settled_sets(session)
    found: list[_Audit] = []
    for set_ in sorted(round_.sets, key=lambda set_: (set_.side, set_.tag_id)):
        if set_.tag_id not in live:
            continue  # the tag was archived meanwhile
        place = live[set_.tag_id]
        state = LabelState.POSITIVE if set_.side == ACCEPT else LabelState.NEGATIVE
        draws = order[members[order, column[set_.tag_id]] == state]
        asked = by_people[draws, place]
        answers = audits.answered_prefix(snapshot.labels[draws, place], asked)
        accepted_now = [audit.set for audit in found if audit.state.decision == Decision.SETTLE]
        proved = [*before, *accepted_now]
        sure = _found(workspace, session, snapshot, place, proved) if set_.side == REJECT else 0
        now = _state(set_, answers, round_.targets, sure, _missed(proved, set_.tag_id))
        set_.draws, set_.positives, set_.low, set_.high = now.drawn, now.positives, now.low, now.high
        set_.decision = now.decision
        found.append(_Audit(set_, now, draws[len(answers) :]))
    return found


def _state(set_: RoundSet, answers: NDArray[np.int8], targets: dict[str, Any], sure: int, missed: int) -> AuditState:
    if set_.side == ACCEPT:
        return audits.audit_accepted(answers, set_.size, AcceptGoal(targets["precision"]), alpha=set_.alpha)
    drawn_here = int((answers == LabelState.POSITIVE).sum())
    goal = RejectGoal(targets["recall"], sure - drawn_here, missed)
    return audits.audit_rejected(answers, set_.size, goal, alpha=set_.alpha)


def _pool_rows(snapshot: Snapshot, round_: Round, size: int) -> NDArray[np.int64]:
    """The pool as it was when the round was proposed; images added since are not in it."""
    in_pool = np.arange(len(snapshot)) < size
    if round_.targets.get("leave_out"):
        in_pool &= ~snapshot.in_split(Split(round_.targets["leave_out"]))
    pool = np.flatnonzero(in_pool)
    sha256 = [snapshot.sha256[row] for row in pool.tolist()]
    if cascade.pool_hash(pool, sha256) != round_.pool_hash:
        raise ConflictError(f"the pool of round {round_.number} has changed; roll the round back and propose a new one")
    return pool


def _settled_labels(workspace: Workspace, round_: Round, snapshot: Snapshot, found: list[_Audit]) -> NDArray[np.int8]:
    """(N, C) int8 of what the round settles; what people answered meanwhile is left to them."""
    members = np.load(_sets_file(workspace, round_.number), allow_pickle=False)
    settled = {(audit.set.tag_id, audit.set.side) for audit in found if audit.state.decision == Decision.SETTLE}
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    labels = np.full(members.shape, LabelState.UNKNOWN, np.int8)
    for column, tag_id in enumerate(round_.tag_ids):
        if tag_id not in live:
            continue
        free = snapshot.origins[: len(members), live[tag_id]] == Origin.NOBODY
        for side, state in ((ACCEPT, LabelState.POSITIVE), (REJECT, LabelState.NEGATIVE)):
            if (tag_id, side) in settled:
                labels[free & (members[:, column] == state), column] = state
    return labels


# Questions


def _ask_whole(session: Session, round_: Round, pool: NDArray[np.int64], open_: NDArray[np.bool_], count: int) -> None:
    """The first images of the round's order with an open tag: one answer serves the sets of all tags."""
    is_open = np.zeros(int(pool.max(initial=-1)) + 1, bool)
    is_open[pool] = open_.any(axis=1)
    order = cascade.draw_order(round_.seed, pool)
    for position, row in enumerate(order[is_open[order]][:count].tolist()):
        session.add(
            Task(
                kind=TaskKind.AUDIT, image_row=row, tag_id=None, round_number=round_.number,
                position=Band.ACCEPT.position(position), reason="drawn at random: it proves what the round may settle",
            )
        )  # fmt: skip


def _ask(session: Session, round_: Round, audit: _Audit) -> None:
    """The next draws of one set, as questions about its tag."""
    set_ = audit.set
    asked = set(
        session.scalars(
            select(Task.image_row).where(
                Task.round_number == round_.number, Task.tag_id == set_.tag_id, Task.done_at.is_(None)
            )
        )
    )
    draws = audit.waiting[:AHEAD].tolist()
    answered = select(Label.image_row).where(Label.tag_id == set_.tag_id, Label.image_row.in_(draws))
    asked |= set(session.scalars(answered))
    band = Band.ACCEPT if set_.side == ACCEPT else Band.REJECT
    proposed = "present" if set_.side == ACCEPT else "absent"
    for place, row in enumerate(draws):
        if row not in asked:
            session.add(
                Task(
                    kind=TaskKind.AUDIT, image_row=row, tag_id=set_.tag_id, round_number=round_.number,
                    position=band.position(set_.draws + place), reason=f"audit of what is proposed as {proposed}",
                )
            )  # fmt: skip
    session.flush()


def _drop_questions(session: Session, number: int, set_: RoundSet | None) -> None:
    """Take back the open questions of a round, or of one of its sets."""
    query = delete(Task).where(Task.round_number == number, Task.done_at.is_(None))
    if set_ is not None:
        band = Band.ACCEPT if set_.side == ACCEPT else Band.REJECT
        query = query.where(Task.tag_id == set_.tag_id, Task.position.between(band.position(0), band.position(-1)))
    session.execute(query)


# Small readings


def _open_round(session: Session) -> Round | None:
    return session.scalar(select(Round).where(Round.status == RoundStatus.PROPOSED))


def _required_open(session: Session) -> Round:
    round_ = _open_round(session)
    if round_ is None:
        raise MissingError("no round is open; propose one with: annotator round")
    return round_


def _settled_sets(session: Session) -> list[RoundSet]:
    """The sets that settled rounds settled."""
    query = select(RoundSet).join(Round).where(
        Round.status == RoundStatus.SETTLED, RoundSet.decision == Decision.SETTLE
    )  # fmt: skip
    return list(session.scalars(query))


def _missed(sets: Iterable[RoundSet], tag_id: int) -> int:
    """Upper bound of the positives among the rejected images of a tag that nobody drew."""
    return sum(set_.high - set_.positives for set_ in sets if set_.tag_id == tag_id and set_.side == REJECT)


def _found(workspace: Workspace, session: Session, snapshot: Snapshot, place: int, sets: Iterable[RoundSet]) -> int:
    """Positives of a tag that are sure: the lower bounds of its accepted sets, and people's positives outside them.

    A person's positive inside an accepted set is one of those its bound counts already.
    """
    tag_id = snapshot.tags[place].id
    outside = np.ones(len(snapshot), bool)
    bound = 0
    for set_ in sets:
        if set_.tag_id == tag_id and set_.side == ACCEPT:
            column = session.get_one(Round, set_.round_number).tag_ids.index(tag_id)
            members = np.load(_sets_file(workspace, set_.round_number), mmap_mode="r", allow_pickle=False)
            outside[: len(members)] &= members[:, column] != LabelState.POSITIVE
            bound += set_.low
    by_people = np.isin(snapshot.origins[:, place], (Origin.HUMAN, Origin.REVIEW, Origin.TRUTH))
    return bound + int((outside & by_people & (snapshot.labels[:, place] == LabelState.POSITIVE)).sum())


def _described(audit: _Audit, names: dict[int, str], targets: dict[str, Any]) -> dict[str, Any]:
    set_, state = audit.set, audit.state
    if set_.side == ACCEPT:
        certified = state.low / state.size
        aim = targets["precision"]
    else:
        certified = 1 - state.high / state.size
        aim = None
    return {
        "tag": names[set_.tag_id],
        "proposed": "present" if set_.side == ACCEPT else "absent",
        "images": state.size,
        "audited": state.drawn,
        "found present": state.positives,
        "certified": round(certified, 4),
        "aim": aim,
        "decision": state.decision.value,
    }
