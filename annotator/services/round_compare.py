"""Two rounds beside each other: what each proposed of a tag, how far its audit went, and what that proved."""

from typing import Any

from sqlalchemy.orm import Session

from annotator.errors import MissingError
from annotator.services import models
from annotator.services.round_sets import PAID_BY, SIDES
from annotator.terms import LabelState
from annotator.workspace import Workspace
from db.models import Round, RoundSet

WORDS = {LabelState.POSITIVE: "present", LabelState.NEGATIVE: "absent"}


def compare(workspace: Workspace, first: int, second: int) -> list[dict[str, Any]]:
    """One row for each tag and side that either round has a set of.

    {"tag", "set", then for each round, with its number: "threshold 1", "images 1", "audited 1", "found present 1",
    "positives 1" (the proven interval of positives in the set, as "low to high"), "decision 1"}; None where a round has
    no such set. Raises MissingError for a round that is not there.
    """
    with workspace.reading() as session:
        numbers = [first, second]
        sets = [_sets(session, number) for number in numbers]
        names = models.tag_names(session)
        rows = []
        for tag_id, side in sorted(set(sets[0]) | set(sets[1])):
            row: dict[str, Any] = {"tag": names[tag_id], "set": _in_words(side)}
            for number, own in zip(numbers, sets, strict=True):
                row |= {f"{name} {number}": value for name, value in _figures(own.get((tag_id, side))).items()}
            rows.append(row)
        return rows


def _sets(session: Session, number: int) -> dict[tuple[int, str], RoundSet]:
    round_ = session.get(Round, number)
    if round_ is None:
        raise MissingError(f"there is no round {number} to compare; see all rounds on the Rounds page")
    return {(set_.tag_id, set_.side): set_ for set_ in round_.sets}


def _in_words(side: str) -> str:
    word = WORDS[SIDES[PAID_BY[side]]]
    return word if side in SIDES else f"implied {word}"


def _figures(set_: RoundSet | None) -> dict[str, Any]:
    if set_ is None:
        return dict.fromkeys(("threshold", "images", "audited", "found present", "positives", "decision"))
    return {
        "threshold": round(set_.threshold, 4) if set_.side in SIDES else None,
        "images": set_.size,
        "audited": set_.draws,
        "found present": set_.positives,
        "positives": f"{set_.low:,} to {set_.high:,}",
        "decision": set_.decision,
    }
