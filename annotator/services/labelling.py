"""Answers into the store: each written once, with its history, and taken back on request."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute, Session

from annotator.errors import AnnotatorError, BadInputError
from annotator.services import verdicts
from annotator.services.answers import MOST_CLIENT, Answer, Receipt
from annotator.services.gold_questions import corrections
from annotator.services.implying import imply
from annotator.services.judgements import Judgement
from annotator.services.label_moves import STRENGTH, moved_since
from annotator.services.label_store import Change, Pair, alike, is_held, parts, standing, take_back, write
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs, rights_of
from annotator.services.snapshots import merged_into
from annotator.terms import LabelState, TaskKind, WorkMode
from annotator.workspace import Project, Workspace
from db.models import Annotator, Image, Label, LabellingSession, Submission, Tag, Task

ATTEMPTS = 4


@needs(Right.LABEL, own="annotator")
def record(workspace: Workspace, annotator: str, client: str, answers: Sequence[Answer]) -> Receipt:
    """Write `answers` of one client once, in the order of their numbers, and acknowledge them.

    An answer that names an unknown image, tag or task is acknowledged too, with its problem: sending it again
    would not make it better, and the ones behind it must not wait.
    """
    if not client or len(client) > MOST_CLIENT:
        raise BadInputError(f"client id {client[:80]!r}: give 1 to {MOST_CLIENT} characters")
    ordered = sorted(answers, key=lambda answer: answer.seq)
    for attempt in range(ATTEMPTS):
        try:
            with workspace.transaction() as session:
                return _record(workspace, session, annotator, client, ordered)
        except IntegrityError:
            # A store with several writers: the same answer, label or name was written between our look and our write.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _record(workspace: Workspace, session: Session, annotator: str, client: str, answers: Sequence[Answer]) -> Receipt:
    project, person = workspace.project, annotator_called(session, annotator)
    first = answers[0].seq if answers else 1
    mine = Submission.client == client
    seen = set(session.scalars(select(Submission.seq).where(mine, Submission.seq >= first)))
    receipt = Receipt(0)
    for answer in answers:
        if answer.seq in seen:
            continue
        seen.add(answer.seq)
        submission = _submission(session, person.id, client, answer)
        if answer.verdict is not None and not answer.problem:
            submission.problem = _judge(workspace, session, submission, person, answer.verdict)
        else:
            submission.problem = _apply(session, submission, answer, project, receipt)
        if submission.problem:
            submission.pictures = submission.labels = 0
            receipt.problems.append({"seq": answer.seq, "message": submission.problem})
    before = session.scalar(select(func.count(Submission.id)).where(mine, Submission.seq < first)) or 0
    if before < first - 1:
        first, seen = 1, set(session.scalars(select(Submission.seq).where(mine)))
    receipt.acked = _without_hole(first, seen)
    receipt.received = [answer.seq for answer in answers]
    return receipt


def _submission(session: Session, annotator_id: int, client: str, answer: Answer) -> Submission:
    """The answer as it came, with how it was given; a session or tag that is not there is left out."""
    labelling_session = session.get(LabellingSession, answer.session) if answer.session else None
    at = datetime.now(UTC)
    if labelling_session is not None and labelling_session.annotator_id == annotator_id:
        labelling_session.seen_at = at
    else:
        labelling_session = None
    submission = Submission(
        client=client, seq=answer.seq, annotator_id=annotator_id, seconds=answer.seconds, at=at,
        session_id=labelling_session.id if labelling_session else None, mode=answer.mode,
        tag_id=answer.tag if answer.tag and session.get(Tag, answer.tag) else None,
        pictures=len({row for row, _, _ in answer.labels}), labels=len(answer.labels), undone=False,
    )  # fmt: skip
    session.add(submission)
    session.flush()
    return submission


def _judge(
    workspace: Workspace, session: Session, submission: Submission, reviewer: Annotator, verdict: Judgement
) -> str | None:
    """Carry out a reviewer's decision; the problem in words where that cannot be."""
    if Right.REVIEW not in rights_of(session, reviewer.name):
        return f"{reviewer.name} may not {Right.REVIEW.value}"
    try:
        with session.begin_nested():
            verdicts.apply(workspace, session, reviewer, [verdict], submission.at, submission.id)
    except AnnotatorError as error:
        return str(error)
    submission.mode, submission.pictures, submission.tag_id = WorkMode.REVIEW, 1, verdict.tag_id
    return None


@needs(Right.LABEL, own="annotator")
def set_labels(
    workspace: Workspace, annotator: str, labels: Iterable[tuple[int, int, LabelState]], kind: TaskKind = TaskKind.PICK
) -> int:
    """Set `labels` (image row, tag id, state) as `annotator`, and what follows; how many changed something."""
    with workspace.transaction() as session:
        return write_labels(session, annotator, labels, kind)


def write_labels(
    session: Session, annotator: str, labels: Iterable[tuple[int, int, LabelState]], kind: TaskKind = TaskKind.PICK
) -> int:
    """`set_labels` inside a transaction that is open already."""
    person = annotator_called(session, annotator)
    changes = [Change(row, tag_id, state, kind) for row, tag_id, state in labels]
    at = datetime.now(UTC)
    changed = write(session, person.id, changes, None, at)
    imply(session, person.id, {change.row for change in changes}, None, at)
    return changed


def answered_count(session: Session) -> int:
    """Images on which at least one person answered; answers to gold measure that person alone."""
    return session.scalar(select(func.count(Label.image_row.distinct())).where(Label.kind != TaskKind.GOLD)) or 0


def _apply(session: Session, submission: Submission, answer: Answer, project: Project, receipt: Receipt) -> str | None:
    """Write one answer; the problem in words when it names something that is not there."""
    if answer.problem:
        return answer.problem
    if answer.undo is not None:
        return _undo(session, submission, answer, timedelta(minutes=project.lease_minutes))
    tasks = list(session.scalars(select(Task).where(Task.id.in_(answer.tasks))))
    answer = _in_todays_words(session, answer)
    missing = _absent(session, Image.row, {row for row, _, _ in answer.labels})
    unknown = _absent(session, Tag.id, {tag for _, tag, _ in answer.labels})
    if missing or unknown:
        return f"no image {missing[:5]} or no tag {unknown[:5]} in this workspace; nothing was written"
    changes = _changes(answer, tasks)
    changes += _rivals(session, submission.annotator_id, answer, project.exactly_one)
    taken = [task for task in tasks if _is_somebody_elses(task, submission)]
    for task in tasks:
        _end(session, task, submission)
    write(session, submission.annotator_id, changes, submission.id, submission.at)
    imply(session, submission.annotator_id, {change.row for change in changes}, submission.id, submission.at)
    if taken:
        message = f"the lease had ended and somebody else got {len(taken)} of these questions; both answers are kept"
        receipt.notes.append({"seq": answer.seq, "message": message})
    receipt.notes += corrections(session, tasks, answer)
    return None


def _in_todays_words(session: Session, answer: Answer) -> Answer:
    """An answer about a tag that was merged while it was on the screen is one about what it was merged into."""
    now = merged_into(session)
    if not any(tag in now for _, tag, _ in answer.labels):
        return answer
    said: dict[Pair, LabelState] = {}
    for row, tag, state in answer.labels:
        pair = row, now.get(tag, tag)
        said[pair] = max(state, said.get(pair, state), key=STRENGTH.__getitem__)
    return replace(answer, labels=tuple((row, tag, state) for (row, tag), state in said.items()))


def _changes(answer: Answer, tasks: Sequence[Task]) -> list[Change]:
    """The answer's labels, each with the question it was given to."""
    given = {(task.image_row, task.tag_id): task for task in tasks}
    unasked = TaskKind.BULK if answer.mode == WorkMode.BULK else TaskKind.PICK
    changes = []
    for row, tag, state in answer.labels:
        task = given.get((row, tag)) or given.get((row, None))
        if task is None:
            changes.append(Change(row, tag, state, unasked))
        else:
            # What a reviewer asks again stays what it was asked for at first: it measures, or trains, as before.
            asked = task.kind != TaskKind.REVIEW
            changes.append(Change(row, tag, state, task.kind, task.round_number, asked=asked))
    return changes


def _rivals(session: Session, annotator_id: int, answer: Answer, groups: Sequence[Sequence[str]]) -> list[Change]:
    """What the person said was present and cannot be beside the tags that are now: exactly one of a group is."""
    present = [(row, tag) for row, tag, state in answer.labels if state == LabelState.POSITIVE]
    if not groups or not present:
        return []
    names = {name for group in groups for name in group}
    ids = dict(session.execute(select(Tag.name, Tag.id).where(Tag.name.in_(names))).all())
    others = {ids[name]: {ids[other] for other in group if other in ids} - {ids[name]}
              for group in groups for name in group if name in ids}  # fmt: skip
    said = standing(session, annotator_id, {row for row, tag in present if tag in others})
    answered = {(row, tag) for row, tag, _ in answer.labels}
    return [
        Change(row, other, LabelState.NEGATIVE)
        for row, tag in present
        for other in sorted(others.get(tag, ()))
        if (row, other) not in answered and (row, other) in said and said[row, other].state == LabelState.POSITIVE
    ]


def _undo(session: Session, submission: Submission, answer: Answer, lease: timedelta) -> str | None:
    """Take back the person's earlier answer, of this client or another one."""
    client = answer.undo_client or submission.client
    undone = session.scalar(select(Submission).where(Submission.client == client, Submission.seq == answer.undo))
    if undone is None or undone.annotator_id != submission.annotator_id:
        return f"there is no answer {answer.undo} of this client to take back"
    change = moved_since(session, undone.id)
    if change is not None:
        what = change.payload["what"]
        return f"the vocabulary changed after that answer ({what}); change the label itself, or undo the change first"
    if undone.mode == WorkMode.REVIEW:
        undone.undone = True
        verdicts.take_back(session, undone.id)
    elif not undone.undone:  # else another tab was first
        rows = take_back(session, undone, submission, lease)
        imply(session, submission.annotator_id, rows, submission.id, submission.at)
    return None


def _is_somebody_elses(task: Task, submission: Submission) -> bool:
    if task.annotator_id in (None, submission.annotator_id):
        return False
    return task.done_at is not None or is_held(task, submission.at)


def _end(session: Session, task: Task, submission: Submission) -> None:
    """The question is answered; one that somebody else got meanwhile stays theirs where a free one asks the same of
    several people, and that one is answered instead."""
    if _is_somebody_elses(task, submission):
        free = or_(Task.annotator_id.is_(None), Task.leased_until < submission.at)
        others = select(Task).where(
            Task.image_row == task.image_row, alike(Task.tag_id, task.tag_id), Task.done_at.is_(None),
            alike(Task.round_number, task.round_number), Task.for_id.is_(None), free,
        )  # fmt: skip
        task = session.scalar(others.order_by(Task.id).limit(1)) or task
    if task.done_at is None:
        task.done_at, task.annotator_id = submission.at, submission.annotator_id


def _absent(session: Session, column: InstrumentedAttribute[int], wanted: Collection[int]) -> list[int]:
    """Those of `wanted` that `column` does not hold."""
    found: set[int] = set()
    for part in parts(wanted):
        found.update(session.scalars(select(column).where(column.in_(part))))
    return sorted(set(wanted) - found)


def _without_hole(first: int, seen: set[int]) -> int:
    """The highest number up to which every number from `first` on was seen."""
    highest = first - 1
    while highest + 1 in seen:
        highest += 1
    return highest
