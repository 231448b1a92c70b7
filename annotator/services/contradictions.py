"""Labels that contradict each other through the relations of the vocabulary, for reviewers to decide."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.learning.audits import Decision
from annotator.services.image_facts import names_of
from annotator.services.round_sets import SIDES, by_people, members, own_sets
from annotator.services.snapshots import take
from annotator.services.vocabulary import relations_of
from annotator.snapshot import Snapshot
from annotator.terms import LabelState, Origin, RoundStatus
from annotator.vocabulary import NO_CAUSE, Relations
from annotator.workspace import Workspace
from db.models import Round

MOST = 500  # rows of the list
WORDS = {LabelState.POSITIVE: "present", LabelState.NEGATIVE: "absent"}


def listed(workspace: Workspace, most: int = MOST) -> list[dict[str, Any]]:
    """One row for each pair of labels of an image that cannot both be right, up to `most`, by image.

    {"row", "image", "tag", "said", "by", "against", "against said", "against by"}: two labels that stand, of people or
    rounds; or one that a round left open, because what a person said of another tag is against it.
    """
    snapshot = take(workspace)
    with workspace.reading() as session:
        relations = relations_of(session, [tag.id for tag in snapshot.tags])
        if not relations:
            return []
        found = _standing(snapshot, relations) + _left_open(workspace, session, snapshot, relations)
        found = sorted(found, key=lambda one: (one["row"], one["tag"], one["against"]))[:most]
        names = names_of(session, [one["row"] for one in found])
    return [{"row": one["row"], "image": names[one["row"]], **one} for one in found]


def _standing(snapshot: Snapshot, relations: Relations) -> list[dict[str, Any]]:
    """Pairs of labels that both stand."""
    _, _, clashes = relations.close(snapshot.labels)
    return [
        {"row": row, **_told(snapshot, row, present), **_against(snapshot, row, against)}
        for row, present, against in clashes
    ]


def _left_open(
    workspace: Workspace, session: Session, snapshot: Snapshot, relations: Relations
) -> list[dict[str, Any]]:
    """Members of settled sets that their round left open, against what people still say."""
    live = {tag.id: place for place, tag in enumerate(snapshot.tags)}
    people = by_people(snapshot)
    found = []
    for round_ in session.scalars(select(Round).where(Round.status == RoundStatus.SETTLED).order_by(Round.number)):
        who = members(workspace, round_.number)
        labels = np.load(workspace.round_file(round_.number), mmap_mode="r", allow_pickle=False)
        for set_ in own_sets(round_):
            if set_.decision != Decision.SETTLE or set_.tag_id not in live:
                continue
            column, place, state = round_.tag_ids.index(set_.tag_id), live[set_.tag_id], SIDES[set_.side]
            open_ = snapshot.origins[: len(who), place] == Origin.NOBODY
            rows = np.flatnonzero(open_ & (who[:, column] == state) & (labels[:, column] == LabelState.UNKNOWN))
            given = np.where(people[rows], snapshot.labels[rows], LabelState.UNKNOWN).astype(np.int8)
            for at, cause in _opposite(relations, given, place, state):
                row = int(rows[at])
                told = {
                    "tag": snapshot.tags[place].name,
                    "said": WORDS[state],
                    "by": f"round {round_.number}, left open",
                }
                found.append({"row": row, **told, **_against(snapshot, row, cause)})
    return found


def _opposite(relations: Relations, given: NDArray[np.int8], place: int, state: LabelState) -> list[tuple[int, int]]:
    """(place among the rows, column of the label) where (M, C) labels say the opposite of `state`."""
    closed, causes, _ = relations.close(given)
    opposite = (closed[:, place] == 1 - state) & (causes[:, place] != NO_CAUSE)
    return [(int(at), int(causes[at, place])) for at in np.flatnonzero(opposite)]


def _told(snapshot: Snapshot, row: int, column: int) -> dict[str, str]:
    state, decider = LabelState(snapshot.labels[row, column]), snapshot.deciders[row, column]
    return {"tag": snapshot.tags[column].name, "said": WORDS[state], "by": snapshot.decider_names[decider]}


def _against(snapshot: Snapshot, row: int, column: int) -> dict[str, str]:
    tag, said, by = _told(snapshot, row, column).values()
    return {"against": tag, "against said": said, "against by": by}
