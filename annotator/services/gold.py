"""Gold: pairs of image and tag whose answer somebody declared known. Asked of people, they measure them.

The declared state is the accepted one (a review's goes before it), it trains and measures no model, and what people say
when they are asked counts as no vote on the pair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from annotator.errors import BadInputError, TableError, UsageError
from annotator.importers.addresses import local_uri
from annotator.importers.delimited import Table, open_text
from annotator.services.image_facts import is_gold, names_of
from annotator.services.label_files import STATES, find_image, find_tag
from annotator.services.label_store import parts
from annotator.services.people import annotator_called
from annotator.services.rights import Right, needs
from annotator.terms import LabelState, TaskKind
from annotator.workspace import Workspace
from db.models import Annotator, Gold, Image, Label, Review, Tag, Task

COLUMNS = {"image": ("image", "file"), "tag": ("tag",), "state": ("state",)}
MOST_BYTES, MOST_REFUSED = 10_000_000, 1000  # of a file: some 200,000 pairs; bad lines each look through the store
Known = tuple[int, int, LabelState]
"""image row, tag id, POSITIVE or NEGATIVE"""


@dataclass
class GoldReport:
    added: int = 0
    changed: int = 0
    refused: list[str] = field(default_factory=list)


@needs(Right.REVIEW)
def declare(workspace: Workspace, annotator: str, known: Sequence[Known], *, instant: bool = False) -> GoldReport:
    """Make pairs known. `instant`: who answers one otherwise is told at once.

    Raises UsageError for a state that tells nothing, BadInputError for a picture or tag that is not there.
    """
    with workspace.transaction() as session:
        return _declare(session, annotator, known, instant)


@needs(Right.REVIEW)
def declare_reviewed(
    workspace: Workspace, annotator: str, count: int, *, tag: str | None = None, instant: bool = False
) -> GoldReport:
    """Make up to `count` reviewed pairs known, drawn with the project's seed from those that are not."""
    if count < 1:
        raise UsageError(f"{count} reviewed pairs; ask for at least 1")
    with workspace.transaction() as session:
        query = select(Review.image_row, Review.tag_id, Review.state).join(Tag).where(
            Review.state != LabelState.UNKNOWN, Tag.archived.is_(False), ~is_gold(Review)
        ).order_by(Review.image_row, Review.tag_id)  # fmt: skip
        if tag is not None:
            query = query.where(Review.tag_id == find_tag(session, tag).id)
        found = [(row, tag_id, state) for row, tag_id, state in session.execute(query)]
        rng = np.random.default_rng([workspace.project.seed, len(found)])
        drawn = sorted(rng.permutation(len(found))[:count].tolist())
        return _declare(session, annotator, [found[place] for place in drawn], instant)


@needs(Right.REVIEW)
def declare_from_file(workspace: Workspace, annotator: str, file: Path, *, instant: bool = False) -> GoldReport:
    """A CSV with image,tag,state (positive or negative); bad lines are listed, the others become known.

    Raises BadInputError for a file of more than `MOST_BYTES` or `MOST_REFUSED` bad lines; then nothing becomes known.
    """
    if file.is_file() and file.stat().st_size > MOST_BYTES:
        size = file.stat().st_size
        raise BadInputError(f"{file.name} has {size:,} bytes, at most {MOST_BYTES:,} are read; give it in parts")
    known, errors = _read(workspace, file)
    with workspace.transaction() as session:
        report = _declare(session, annotator, known, instant)
    report.refused = [str(error) for error in errors]
    return report


@needs(Right.REVIEW)
def remove(workspace: Workspace, pairs: Iterable[tuple[int, int]]) -> int:
    """Pairs that are known no longer; how many were. Answers that people gave on them still count as no vote."""
    removed = 0
    with workspace.transaction() as session:
        for row, tag_id in pairs:
            gold = session.get(Gold, (row, tag_id))
            if gold is not None:
                session.delete(gold)
                removed += 1
    return removed


def listed(workspace: Workspace) -> list[dict[str, Any]]:
    """Every known pair: {image, name, tag, state, told at once, by}."""
    with workspace.reading() as session:
        query = (
            select(Gold, Tag.name, Annotator.name).join(Tag, Tag.id == Gold.tag_id)
            .join(Annotator, Annotator.id == Gold.annotator_id).order_by(Tag.name, Gold.image_row)
        )  # fmt: skip
        found = session.execute(query).all()
        names = names_of(session, [gold.image_row for gold, _, _ in found])
    return [
        {
            "image": gold.image_row, "name": names[gold.image_row], "tag": tag, "tag_id": gold.tag_id,
            "state": gold.state.name.lower(), "told at once": gold.instant, "by": by,
        }
        for gold, tag, by in found
    ]  # fmt: skip


def own_answers(workspace: Workspace, annotator: str, tag_id: int, most: int = 200) -> list[dict[str, Any]]:
    """The person's newest answers on a tag that are not known yet: what they may choose from."""
    query = (
        select(Label.image_row, Label.state).join(Annotator)
        .where(
            Annotator.name == annotator, Label.tag_id == tag_id, Label.state != LabelState.UNKNOWN,
            Label.kind != TaskKind.GOLD, ~is_gold(),
        )
        .order_by(Label.at.desc(), Label.image_row).limit(most)
    )  # fmt: skip
    with workspace.reading() as session:
        found = session.execute(query).all()
        names = names_of(session, [row for row, _ in found])
    return [{"image": row, "name": names[row], "state": state.name.lower()} for row, state in found]


def _read(workspace: Workspace, file: Path) -> tuple[list[Known], list[TableError]]:
    """The pairs of a table and its bad lines; nobody who writes waits for it meanwhile."""
    errors: list[TableError] = []
    known: list[Known] = []
    uri = local_uri(file)
    with open_text(uri) as stream, workspace.reading() as session:
        table = Table(uri, stream, COLUMNS)
        for line, cells in table.records(errors):
            image, tag, state = (table.cell(cells, column).strip() for column in COLUMNS)
            try:
                if STATES.get(state, LabelState.UNKNOWN) == LabelState.UNKNOWN:
                    raise BadInputError(f"state {state!r:.80}; what is known is positive or negative")
                known.append((find_image(session, image), find_tag(session, tag).id, STATES[state]))
            except (UsageError, BadInputError) as error:
                errors.append(TableError(str(file), line, str(error)))
            if len(errors) > MOST_REFUSED:
                raise BadInputError(f"more than {MOST_REFUSED:,} lines cannot be used, the last: {errors[-1]}")
    return known, errors


def _declare(session: Session, annotator: str, known: Sequence[Known], instant: bool) -> GoldReport:
    if any(state == LabelState.UNKNOWN for _, _, state in known):
        raise UsageError("what is known is present or absent; 'cannot tell' measures nobody")
    _require(session, {row for row, _, _ in known}, {tag for _, tag, _ in known})
    person, now, report = annotator_called(session, annotator), datetime.now(UTC), GoldReport()
    for row, tag_id, state in known:
        gold = session.get(Gold, (row, tag_id))
        if gold is None:
            gold = Gold(image_row=row, tag_id=tag_id, annotator_id=person.id, at=now, state=state, instant=instant)
            session.add(gold)
            report.added += 1
        elif (gold.state, gold.instant) != (state, instant):
            gold.state, gold.instant, gold.annotator_id, gold.at = state, instant, person.id, now
            report.changed += 1
    for row, tag_id, _ in known:
        # What is known need not be asked for its own sake; an audit's order is not disturbed.
        waiting = delete(Task).where(
            Task.image_row == row, Task.tag_id == tag_id, Task.done_at.is_(None), Task.annotator_id.is_(None),
            Task.round_number.is_(None), Task.kind != TaskKind.GOLD,
        )  # fmt: skip
        session.execute(waiting)
    return report


def _require(session: Session, rows: set[int], tags: set[int]) -> None:
    there: set[int] = set()
    for part in parts(rows):
        there.update(session.scalars(select(Image.row).where(Image.row.in_(part))))
    live = set(session.scalars(select(Tag.id).where(Tag.archived.is_(False))))
    if rows - there or tags - live:
        raise BadInputError(f"no image {sorted(rows - there)[:5]} or no tag {sorted(tags - live)[:5]} in use here")
