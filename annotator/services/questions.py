"""What a person is asked next, with everything the screen shows beside it."""

from typing import Any

from sqlalchemy import select

from annotator.services import picking, rounds, suggesting, tasks
from annotator.services.people import annotator_called
from annotator.services.snapshots import live_tags, take
from annotator.services.tasks import SHOWN_TAGS
from annotator.terms import Origin, Split
from annotator.workspace import Workspace
from db.models import Image, Label, Task


def claim(workspace: Workspace, annotator: str, tag_id: int | None, count: int) -> dict[str, Any]:
    """Up to `count` questions for the annotator: whole images, or images of one tag.

    When too few are waiting, new ones are picked first. Each question carries the suggested tags, best first.
    """
    count = max(0, min(count, tasks.MOST_AT_ONCE))
    claimed = tasks.claim(workspace, annotator, tag_id, count)
    if len(claimed) < count and _add(workspace, tag_id, count):
        claimed = tasks.claim(workspace, annotator, tag_id, count)
    return {"questions": described(workspace, annotator, claimed)}


def described(workspace: Workspace, annotator: str, claimed: list[Task]) -> list[dict[str, Any]]:
    """Each task as the screen needs it."""
    rows = [task.image_row for task in claimed]
    board = suggesting.current(workspace)
    with workspace.transaction() as session:
        person = annotator_called(session, annotator)
        images = {image.row: image for image in session.scalars(select(Image).where(Image.row.in_(rows)))}
        names = {image.row: image.files[0].uri.rsplit("/", 1)[-1] for image in images.values()}
        mine = session.scalars(select(Label).where(Label.image_row.in_(rows), Label.annotator_id == person.id))
        answered: dict[int, dict[int, int]] = {}
        for label in mine:
            answered.setdefault(label.image_row, {})[label.tag_id] = int(label.state)
        order = [tag.id for tag in live_tags(session)]
    return [
        {
            "task": task.id,
            "image": task.image_row,
            "kind": task.kind.value,
            "reason": task.reason,
            "expected": "absent" if tasks.Band.of(task.position) == tasks.Band.REJECT else "present",
            "width": images[task.image_row].width,
            "height": images[task.image_row].height,
            "name": names[task.image_row],
            "suggestions": _shown(board, task, order),
            "answered": answered.get(task.image_row, {}),
        }
        for task in claimed
    ]


def _shown(board: suggesting.Board | None, task: Task, order: list[int]) -> list[dict[str, Any]]:
    """The tags asked about: the one in question, or the best suggestions (all tags of a small vocabulary)."""
    if board is None:
        tags = [task.tag_id] if task.tag_id is not None else order[:SHOWN_TAGS]
        return [{"tag": tag, "score": None, "origin": None} for tag in tags]
    ranked = board.ranked(task.image_row)
    if task.tag_id is not None:
        ranked = [suggestion for suggestion in ranked if suggestion.tag_id == task.tag_id]
    known = {suggestion.tag_id for suggestion in ranked}
    shown = [
        {"tag": item.tag_id, "score": round(item.score, 4), "origin": item.origin.value} for item in ranked[:SHOWN_TAGS]
    ]
    new = [tag for tag in order if tag not in known] if task.tag_id is None else []
    return shown + [{"tag": tag, "score": None, "origin": None} for tag in new[: SHOWN_TAGS - len(shown)]]


def _add(workspace: Workspace, tag_id: int | None, count: int) -> bool:
    """Pick new questions; whether there are any."""
    if tag_id is None:
        return picking.refill(workspace) > 0
    if rounds.ask_further(workspace, tag_id):
        return True
    board = suggesting.current(workspace)
    if board is None:
        return False
    # Only training images nobody decided: best guesses among held-out ones would bias what they measure.
    snapshot = take(workspace)
    place = next(place for place, tag in enumerate(snapshot.tags) if tag.id == tag_id)
    undecided = (snapshot.origins[:, place] == Origin.NOBODY) & snapshot.in_split(Split.TRAIN)
    rows = board.best_images(tag_id, count, undecided)
    with workspace.transaction() as session:
        tasks.add_verify_picks(session, tag_id, rows, "likely to show it")
        return tasks.free_count(session, tag_id) > 0
