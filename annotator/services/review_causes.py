"""Causes to review a label that show in the labels themselves, beside the model or the vocabulary's relations."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import aliased

from annotator.services.review_look import MOST, Find, Look
from annotator.services.review_pairs import standing
from annotator.services.review_tally import Tally
from annotator.services.vocabulary import relations_of
from annotator.terms import LabelState
from db.models import Annotator, Gold, Label, Tag

UNDECIDED = 0.15  # a probability this near to one half says nothing
SURE = 0.9  # from here on the model contradicts
PERSON_ERRS = 0.05  # of a person's labels, before anything else is known of them
CONTRADICTS = 0.5  # one of two labels that cannot both be right is wrong
GOLD_HOLDS = 0.95
STATE = {LabelState.POSITIVE: "present", LabelState.NEGATIVE: "absent", LabelState.UNKNOWN: "cannot tell"}


def disagreement(look: Look) -> list[Find]:
    """People's votes differ. Chance: the minority's share by Laplace's rule of succession, one half in a tie."""
    tally = look.tally
    tally = tally.at((tally.yes > 0) & (tally.no > 0))
    chance = (np.minimum(tally.yes, tally.no) + 1) / (tally.yes + tally.no + 2)
    order = np.lexsort((tally.keys, -chance))[:MOST]
    return [
        Find(row, tag, share, f"{yes} said present, {no} absent")
        for row, tag, yes, no, share in zip(*tally.at(order).columns(), chance[order].tolist(), strict=True)
    ]


def low_confidence(look: Look) -> list[Find]:
    """The model in use is undecided about a label that people agree on."""
    doubted = _doubted(look, 0.5 - UNDECIDED, 0.5 + UNDECIDED)
    return [] if doubted is None else doubted.finds(np.arange(min(MOST, len(doubted.chance))))


def model_against_person(look: Look) -> list[Find]:
    """The model in use is sure of the opposite, on images that no model trains on (validation and test).

    On training images the model has seen the label, so its opinion there says nothing: those are looked at out of
    fold, by the cause `label_error`.
    """
    doubted = _doubted(look, SURE, 1.0)
    if doubted is None:
        return []
    places: list[int] = []
    for start, held_out in look.held_out(doubted.tally.rows):
        places += (start + np.flatnonzero(held_out)).tolist()
        if len(places) >= MOST:
            break
    return doubted.finds(np.array(places[:MOST], np.int64))


def contradiction(look: Look) -> list[Find]:
    """One person said of one image what the vocabulary's relations rule out; both labels are found."""
    relations = relations_of(look.session)
    if not relations:
        return []
    names = {tag.id: tag.name for tag in look.session.scalars(select(Tag).where(Tag.archived.is_(False)))}
    closed, found = look.closed, dict[tuple[int, int], Find]()
    for tag in sorted(relations.related & names.keys()):
        absent = (relations.above(tag) - {tag}) & names.keys()
        present = frozenset(other for other in relations.ruled_out(tag) if other >= tag) & names.keys()
        for row, other, state, person in _clashes(look, tag, absent, present):
            words = f"{person}: {names[tag]} present, {names[other]} {STATE[state]}"
            for each in (tag, other):
                if (row, each) not in closed and look.tag_id in (None, each):
                    found.setdefault((row, each), Find(row, each, CONTRADICTS, words))
        if len(found) >= MOST:
            break
    return list(found.values())[:MOST]


def failed_gold(look: Look) -> list[Find]:
    """A person's label is not the known answer. A chance of 0.95 where the known answer is no majority, else 0.05."""
    query = (
        select(Label.image_row, Label.tag_id, Label.state, Gold.state, Annotator.name)
        .join(Gold, and_(Gold.image_row == Label.image_row, Gold.tag_id == Label.tag_id))
        .join(Annotator, Annotator.id == Label.annotator_id)
        .where(Label.state != Gold.state, Label.state != LabelState.UNKNOWN)
        .order_by(Gold.image_row, Gold.tag_id, Label.annotator_id).limit(MOST)
    )  # fmt: skip
    wrong = look.session.execute(query.where(*look.on(Label.image_row, Label.tag_id))).all()
    stands = standing(look.workspace, look.session, {(row, tag) for row, tag, *_ in wrong})
    found: dict[tuple[int, int], Find] = {}
    for row, tag, said, known, person in wrong:
        if (row, tag) not in look.closed:
            agrees = stands[row, tag].state == known
            words = f"{person} said {STATE[said]}; known to be {STATE[known]}"
            found[row, tag] = Find(row, tag, 1 - GOLD_HOLDS if agrees else GOLD_HOLDS, words)
    return list(found.values())


def _clashes(
    look: Look, tag: int, absent: frozenset[int], present: frozenset[int]
) -> Iterator[tuple[int, int, LabelState, str]]:
    """(image, other tag, its state, person) where the person said that `tag` is present, beside what rules that out."""
    one, other = aliased(Label), aliased(Label)
    against = or_(
        and_(other.tag_id.in_(absent), other.state == LabelState.NEGATIVE),
        and_(other.tag_id.in_(present), other.state == LabelState.POSITIVE),
    )
    query = (
        select(one.image_row, other.tag_id, other.state, Annotator.name)
        .join(other, and_(other.image_row == one.image_row, other.annotator_id == one.annotator_id))
        .join(Annotator, Annotator.id == one.annotator_id)
        .where(one.tag_id == tag, one.state == LabelState.POSITIVE, against)
        .order_by(one.image_row, other.tag_id).limit(MOST)
    )  # fmt: skip
    if look.person_id is not None:
        query = query.where(one.annotator_id == look.person_id)
    if absent or present:
        yield from look.session.execute(query)


def wrong_given(against: Any) -> Any:
    """The probability that a label is wrong, where a model gives its opposite the probability `against`: of a person
    who errs once in twenty, by a model whose probabilities are right."""
    wrong, right = against * PERSON_ERRS, (1 - against) * (1 - PERSON_ERRS)
    return wrong / (wrong + right)


@dataclass(frozen=True)
class _Doubted:
    """Labels beside what the model says of them, the most doubtful first."""

    tally: Tally
    probability: NDArray[np.float32]
    chance: NDArray[np.float64]
    model: int

    def finds(self, places: NDArray[np.int64]) -> list[Find]:
        tally, columns = self.tally.at(places), (self.probability[places].tolist(), self.chance[places].tolist())
        return [
            Find(
                row, tag, chance, f"people said {'present' if yes > no else 'absent'}, model {self.model}: {score:.0%}"
            )
            for row, tag, yes, no, score, chance in zip(*tally.columns(), *columns, strict=True)
        ]


def _doubted(look: Look, least: float, most: float) -> _Doubted | None:
    """Labels of whose opposite the model's probability lies in least..most; None without a model."""
    believed = look.believed(look.tally)
    if believed is None:
        return None
    tally, probability, model = believed
    against = np.where(tally.yes > tally.no, 1 - probability, probability).astype(np.float64)
    there = np.flatnonzero((tally.yes != tally.no) & (against >= least) & (against <= most))
    chance = np.asarray(wrong_given(against[there]))
    order = np.lexsort((tally.keys[there], -chance))
    return _Doubted(tally.at(there[order]), probability[there[order]], chance[order], model.id)
