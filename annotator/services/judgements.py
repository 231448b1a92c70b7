"""What a reviewer decides of one pair, as the browser or a command hands it over."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from annotator.errors import BadInputError
from annotator.terms import LabelState, Verdict

MOST_LETTERS = 2000  # of a comment
CHANGES = frozenset({Verdict.WRONG, Verdict.FINER, Verdict.MAJOR})
"""Verdicts that turn the label round where the reviewer names no state."""


class Step(StrEnum):
    """What a reviewer can do beside a verdict."""

    SEND_BACK = "send back"
    """Ask people again; the comment says why."""
    RESOLVE = "resolve"
    """End the talk about it; no label changes."""


@dataclass(frozen=True)
class Judgement:
    """One decision on one pair. `tag_id` None: the whole picture, which can only be resolved.

    `state` None: what follows from the verdict, the label that stands or its opposite.
    """

    row: int
    tag_id: int | None
    what: Verdict | Step
    state: LabelState | None = None
    comment: str = ""
    people: tuple[str, ...] = ()
    """Whom to ask again; none: everybody who labelled the pair."""

    @classmethod
    def received(cls, item: Any) -> "Judgement":
        """A judgement from decoded JSON {image, tag, what, state, comment, people}. Raises BadInputError."""
        if not isinstance(item, dict):
            raise BadInputError(f"a verdict must be an object, not {item!r:.80}")
        row, tag, state, what = item.get("image"), item.get("tag"), item.get("state"), item.get("what")
        known = {str(one): one for one in (*Verdict, *Step)}
        if what not in known:
            raise BadInputError(f"a verdict must be one of {', '.join(known)}, not {what!r:.80}")
        if not isinstance(row, int) or not _is_number(row) or not (tag is None or _is_number(tag)):
            raise BadInputError(f"a verdict needs image and tag as whole numbers, not {row!r:.40} and {tag!r:.40}")
        if state is not None and state not in {int(one) for one in LabelState}:
            raise BadInputError(f"the state of a verdict must be 1, 0 or -1, not {state!r:.80}")
        people = item.get("people") or []
        if not isinstance(people, list) or not all(isinstance(one, str) for one in people):
            raise BadInputError(f"people must be a list of names, not {people!r:.80}")
        wanted = None if state is None else LabelState(state)
        return cls(row, tag, known[what], wanted, said(item.get("comment")), tuple(people))


def said(text: Any) -> str:
    """A comment as it is kept. Raises BadInputError for what is no text or too long."""
    if not isinstance(text, str | None) or len(text or "") > MOST_LETTERS:
        raise BadInputError(f"a comment must be text of at most {MOST_LETTERS} letters, not {text!r:.80}")
    return (text or "").strip()


def opposite(state: LabelState) -> LabelState | None:
    """Present of absent and the other way round; None of "cannot tell"."""
    return {LabelState.POSITIVE: LabelState.NEGATIVE, LabelState.NEGATIVE: LabelState.POSITIVE}.get(state)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31
