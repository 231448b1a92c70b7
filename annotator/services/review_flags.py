"""Causes to review that were raised: talk, skips, answers to what was sent back, alarms, fallen skill, label errors."""

from functools import lru_cache

from sqlalchemy import and_, exists, func, or_, select

from annotator.services import certificates, label_error_file, skill
from annotator.services.review_causes import STATE
from annotator.services.review_look import MOST, Find, Look
from annotator.services.review_pairs import standing, votes_on
from annotator.services.round_sets import ACCEPT
from annotator.services.snapshots import take
from annotator.terms import LabelState, RoundStatus, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Comment, JournalEntry, Label, Review, Round, Skip, Task

FLAG_HOLDS = 0.5  # somebody took the trouble to write
SKIP_HOLDS = 0.25  # somebody would not answer
ANSWER_CHANGES = 0.25  # an answer to what was sent back that is not what the reviewer would say
ALARM_CHANGES = 0.25  # one answer of many that together contradict a proof
Flagged = dict[tuple[int, int | None], Find]


def flag(look: Look) -> list[Find]:
    """An open thread of comments, or a skipped question that nobody dealt with since."""
    found = _skips(look)
    query = (
        select(Comment.image_row, Comment.tag_id, Annotator.name, Comment.text)
        .join(Annotator, Annotator.id == Comment.annotator_id)
        .where(Comment.resolved_at.is_(None)).order_by(Comment.id.desc()).limit(MOST)
    )  # fmt: skip
    for row, tag, person, text in look.session.execute(query.where(*look.on(Comment.image_row, Comment.tag_id))):
        found[row, tag] = Find(row, tag, FLAG_HOLDS, f"{person}: {text}")
    return list(found.values())


def _skips(look: Look) -> Flagged:
    """Skipped questions without a later answer, verdict or closed thread about the same."""
    same_tag = [or_(Skip.tag_id.is_(None), column == Skip.tag_id) for column in (Label.tag_id, Review.tag_id)]
    thread = or_(Comment.tag_id == Skip.tag_id, and_(Comment.tag_id.is_(None), Skip.tag_id.is_(None)))
    dealt_with = (
        exists().where(Label.image_row == Skip.image_row, same_tag[0], Label.at > Skip.at),
        exists().where(Review.image_row == Skip.image_row, same_tag[1], Review.at > Skip.at),
        exists().where(Comment.image_row == Skip.image_row, thread, Comment.resolved_at > Skip.at),
    )
    query = (
        select(Skip.image_row, Skip.tag_id, Annotator.name, Skip.reason)
        .join(Annotator, Annotator.id == Skip.annotator_id)
        .where(*(~each for each in dealt_with)).order_by(Skip.id.desc()).limit(MOST)
    )  # fmt: skip
    found: Flagged = {}
    for row, tag, person, reason in look.session.execute(query.where(*look.on(Skip.image_row, Skip.tag_id))):
        found[row, tag] = Find(row, tag, SKIP_HOLDS, f"{person} skipped it: {reason}")
    return found


def sent_back(look: Look) -> list[Find]:
    """What a reviewer sent back: answered by now, or still waiting for the person."""
    decided = (Review.image_row == Task.image_row, Review.tag_id == Task.tag_id, Review.at >= Task.done_at)
    query = (
        select(Task.image_row, Task.tag_id, Annotator.name, Task.done_at, Task.reason)
        .join(Annotator, Annotator.id == Task.for_id)
        .where(Task.kind == TaskKind.REVIEW, Task.tag_id.is_not(None), ~exists().where(*decided))
        .order_by(Task.done_at.is_(None).desc(), Task.id).limit(MOST)
    )  # fmt: skip
    found: Flagged = {}
    for row, tag, person, done_at, reason in look.session.execute(query.where(*look.on(Task.image_row, Task.tag_id))):
        waits = done_at is None
        words = f"waits for {person}: {reason}" if waits else f"{person} answered: {reason}"
        if waits or (row, tag) not in found:
            found[row, tag] = Find(row, tag, ANSWER_CHANGES, words, waits)
    return list(found.values())


def alarm(look: Look) -> list[Find]:
    """Audit answers that contradict what a round settled, where all of them together break its proof."""
    closed, found = look.closed, dict[tuple[int, int], Find]()
    for number, tag, side in _alarms(look):
        against = LabelState.NEGATIVE if side == ACCEPT else LabelState.POSITIVE
        query = (
            select(Label.image_row, Label.tag_id, Annotator.name)
            .join(Annotator, Annotator.id == Label.annotator_id)
            .where(Label.kind == TaskKind.AUDIT, Label.round_number == number, Label.tag_id == tag)
            .where(Label.state == against).order_by(Label.image_row).limit(MOST)
        )  # fmt: skip
        for row, tag_id, person in look.session.execute(query.where(*look.on(Label.image_row, Label.tag_id))):
            if (row, tag_id) not in closed:
                settled = "present" if side == ACCEPT else "absent"
                words = f"round {number} settled it as {settled}, {person} said {STATE[against]}"
                found[row, tag_id] = Find(row, tag_id, ALARM_CHANGES, words)
    return list(found.values())


def fallen_skill(look: Look) -> list[Find]:
    """What a person answered since their skill fell below what is asked for, as far as nobody reviewed it."""
    alarms = skill.alarms(look.workspace)
    fallen = {alarm.annotator_id: alarm for alarm in alarms}
    found: Flagged = {}
    for row, tag_id, person_id in skill.suspects(look.workspace, alarms):
        alarm = fallen[person_id]
        if look.tag_id in (None, tag_id) and look.person_id in (None, person_id) and len(found) < MOST:
            words = f"{alarm.person} was right in {alarm.right} of {alarm.answers} known ones since then"
            found.setdefault((row, tag_id), Find(row, tag_id, 1 - alarm.right / alarm.answers, words))
    return list(found.values())


def label_error(look: Look) -> list[Find]:
    """What the last `annotator label-errors` suspects, out of fold, as long as the label is what it was then."""
    suspects = [
        one for one in label_error_file.suspects(look.workspace)
        if look.tag_id in (None, one.tag_id) and (one.row, one.tag_id) not in look.closed
    ]  # fmt: skip
    pairs = {(one.row, one.tag_id) for one in suspects}
    stands, votes = standing(look.workspace, look.session, pairs), votes_on(look.session, pairs)
    whose = None if look.person_id is None else look.session.get_one(Annotator, look.person_id).name
    found: Flagged = {}
    for one in suspects:
        pair = one.row, one.tag_id
        theirs = whose is None or any(vote.person == whose for vote in votes.get(pair, []))
        if theirs and stands[pair].state == one.state:
            found.setdefault(pair, Find(*pair, one.chance, one.words))
    return list(found.values())[:MOST]


def _alarms(look: Look) -> list[tuple[int, int, str]]:
    """(round, tag id, side) of the alarms that stand; none is looked for before a round is settled."""
    settled = select(Round.number).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)
    rounds = tuple(look.session.scalars(settled))
    if not rounds:
        return []
    newest = [look.session.scalar(select(func.max(column))) for column in (JournalEntry.id, Review.at)]
    return _alarms_at(look.workspace, (*rounds, *newest))


@lru_cache(maxsize=4)
def _alarms_at(workspace: Workspace, _newest: tuple[object, ...]) -> list[tuple[int, int, str]]:
    snapshot = take(workspace)  # reads all labels: kept until one changes
    ids = {tag.name: tag.id for tag in snapshot.tags}
    return [(each["round"], ids[each["tag"]], each["side"]) for each in certificates.alarms(workspace, snapshot)]
