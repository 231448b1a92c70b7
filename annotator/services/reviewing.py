"""The reviewers' queue: everything that gives cause to look at a label again, what is worth most a second first.

The worth of an (image, tag) pair is the probability that the reviewer changes its label, times what such a change
weighs, divided by the seconds it takes:

    worth = (1 - product over its causes of (1 - chance)) x the largest weight of its causes / seconds of its tag

Each cause says its chance (`review_causes`, `review_flags`); the causes count as independent of each other. A flag
weighs more, because a person waits for the answer, and an alarm, because one answer holds up a whole settled set.
Seconds are those of the verdicts measured so far, by tag, shrunk to the mean of all tags. What was sent back is worth
nothing until it is answered.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotator.errors import MissingError, UnknownNameError
from annotator.services import review_causes, review_flags, review_screens
from annotator.services.pace import capped_seconds
from annotator.services.review_look import Find, Look
from annotator.services.review_pairs import described
from annotator.services.review_screens import ReviewPair
from annotator.services.rights import Right, needs
from annotator.terms import WorkMode
from annotator.workspace import Workspace
from db.models import Annotator, Submission, Tag

CAUSES: dict[str, Callable[[Look], list[Find]]] = {
    "disagreement": review_causes.disagreement,
    "low_confidence": review_causes.low_confidence,
    "model_against_person": review_causes.model_against_person,
    "contradiction": review_causes.contradiction,
    "label_error": review_flags.label_error,
    "failed_gold": review_causes.failed_gold,
    "fallen_skill": review_flags.fallen_skill,
    "flag": review_flags.flag,
    "sent_back": review_flags.sent_back,
    "alarm": review_flags.alarm,
}
WEIGHTS = {"flag": 2.0, "alarm": 3.0}
USUAL_SECONDS = 6.0  # of a verdict, before any was measured
BORROWED = 20  # verdicts' worth of the mean of all tags, against chance in a tag's first verdicts
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Filter:
    """What of the queue is looked at: one cause, one tag, one person's labels; None is all."""

    cause: str | None = None
    tag_id: int | None = None
    person: str | None = None


@dataclass(frozen=True)
class Item:
    """One pair of the queue. `tag_id` None: the whole picture."""

    row: int
    tag_id: int | None
    causes: tuple[tuple[str, str], ...]
    """(cause, in words)"""
    chance: float
    worth: float
    """Expected weight of changed labels a second."""


@needs(Right.REVIEW, logged=False)
def queue(
    workspace: Workspace,
    filter: Filter = Filter(),
    count: int = 24,
    start: int = 0,
    have: Collection[ReviewPair] = (),
    held: Collection[ReviewPair] = (),
) -> dict[str, Any]:
    """`count` items of the queue from place `start` on, with what a reviewer sees beside each; `total` in all.

    `by_cause` counts how many items have each cause; a cause counts `review_look.MOST` pairs at most. `have`: (image,
    tag) pairs that are left out, because the reviewer has or had them; `held`: those of them that are on the screen.
    What other reviewers were handed in the last `review_screens.HELD_SECONDS` is left out as well.
    """
    left = {(item.row, item.tag_id): item for item in items(workspace, filter)}
    for pair in have:
        left.pop(pair, None)
    most = max(0, min(count, MOST_AT_ONCE))
    pairs, away = review_screens.hand_out(workspace, workspace.actor, list(left), held, start, most)
    ranked = [item for pair, item in left.items() if pair not in away]
    page = [left[pair] for pair in pairs]
    with workspace.reading() as session:
        shown = described(workspace, session, [(item.row, item.tag_id) for item in page])
    return {
        "items": [
            {
                **facts,
                "causes": [{"cause": cause, "words": words} for cause, words in item.causes],
                "chance": round(item.chance, 4), "worth": round(item.worth, 5),
            }
            for item, facts in zip(page, shown, strict=True)
        ],
        "total": len(ranked),
        "by_cause": _by_cause(ranked),
    }  # fmt: skip


def items(workspace: Workspace, filter: Filter = Filter()) -> list[Item]:
    """The whole queue, what is worth most a second first. Raises UnknownNameError for a cause that does not exist."""
    if filter.cause is not None and filter.cause not in CAUSES:
        raise UnknownNameError("cause", filter.cause, CAUSES)
    with workspace.reading() as session:
        look = Look(workspace, session, filter.tag_id, _person(session, filter.person))
        waiting = {(find.row, find.tag_id) for find in review_flags.sent_back(look) if find.waits}
        finds: dict[tuple[int, int | None], list[tuple[str, Find]]] = {}
        for cause, finder in CAUSES.items():
            if filter.cause in (None, cause):
                for find in finder(look):
                    finds.setdefault((find.row, find.tag_id), []).append((cause, find))
        seconds = _seconds(session)
        live = {None, *session.scalars(select(Tag.id).where(Tag.archived.is_(False)))}
    ranked = [
        _item(found, seconds.get(pair[1], seconds[None]), pair in waiting)
        for pair, found in finds.items()
        if pair[1] in live
    ]
    return sorted(ranked, key=lambda item: (-item.worth, item.row, item.tag_id or 0))


@needs(Right.REVIEW, logged=False)
def overview(workspace: Workspace) -> dict[str, Any]:
    """What waits for reviewers: `by_cause`, the `tags` {id, name, count} with most first, and all `people`."""
    ranked = items(workspace)
    by_tag = Counter(item.tag_id for item in ranked if item.tag_id is not None)
    with workspace.reading() as session:
        names = {tag.id: tag.name for tag in session.scalars(select(Tag).where(Tag.archived.is_(False)))}
        people = list(session.scalars(select(Annotator.name).order_by(Annotator.name)))
    return {
        "total": len(ranked),
        "by_cause": _by_cause(ranked),
        "tags": [{"id": tag, "name": names[tag], "count": count} for tag, count in by_tag.most_common()],
        "people": people,
    }


def _by_cause(ranked: Sequence[Item]) -> dict[str, int]:
    return dict(Counter(cause for item in ranked for cause, _ in item.causes))


def _item(found: list[tuple[str, Find]], seconds: float, waits: bool) -> Item:
    stays, weight = 1.0, 1.0
    for cause, find in found:
        stays *= 1 - find.chance
        weight = max(weight, WEIGHTS.get(cause, 1.0))
    first = found[0][1]
    words = tuple((cause, find.words) for cause, find in found)
    worth = 0.0 if waits else (1 - stays) * weight / seconds
    return Item(first.row, first.tag_id, words, 1 - stays, worth)


def _seconds(session: Session) -> dict[int | None, float]:
    """Seconds of a verdict by tag; under None those of a tag without any verdict yet."""
    measured = (Submission.mode == WorkMode.REVIEW, Submission.seconds.is_not(None), Submission.undone.is_(False))
    query = select(Submission.tag_id, func.count(Submission.id), func.sum(capped_seconds())).where(*measured)
    by_tag = [tuple(row) for row in session.execute(query.group_by(Submission.tag_id))]
    verdicts, total = sum(count for _, count, _ in by_tag), sum(seconds for _, _, seconds in by_tag)
    mean = (total + BORROWED * USUAL_SECONDS) / (verdicts + BORROWED)
    return {tag: (spent + BORROWED * mean) / (count + BORROWED) for tag, count, spent in by_tag} | {None: mean}


def _person(session: Session, name: str | None) -> int | None:
    if name is None:
        return None
    found = session.scalar(select(Annotator.id).where(Annotator.name == name))
    if found is None:
        raise MissingError(f"nobody is called {name!r} here; the Review page lists who labels")
    return found
