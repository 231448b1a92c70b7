"""Why tags are suggested for a picture: which source says what, and the labelled pictures nearest to it."""

from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from annotator.services import embedding, imported_arrays, models, searching, suggesting, tiles
from annotator.services.image_facts import is_gold
from annotator.services.label_store import parts
from annotator.services.votes import live_tags
from annotator.snapshot import SnapshotTag
from annotator.terms import LabelState, SuggestionOrigin
from annotator.workspace import Workspace
from db.models import Label, Tag

SHOWN = 5  # tags of each source
NEIGHBOURS = 8
LOOKED_AT = 200  # nearest images among which labelled ones are looked for


def why(workspace: Workspace, row: int) -> dict[str, Any]:
    """{"sources": [{"origin", "tags": [{"tag", "score"}]}], "neighbours": [{"image", "score", "tags"}]}.

    Sources as far as they are there: the fused score that is shown, the model's probabilities, zero-shot cosines of the
    whole picture and of its best tile, imported scores, and the labelled neighbours' similarities. Scores of different
    sources are on different scales.
    """
    board = suggesting.current(workspace)
    sources = []
    if board is not None:
        ranked = [{"tag": item.tag, "score": round(item.score, 3)} for item in board.ranked(row, SHOWN)]
        sources.append({"origin": SuggestionOrigin.FUSED.value, "tags": ranked})
    said = (_model(workspace, row), *_zero_shot(workspace, row), _imported(workspace, row))
    sources += [source for source in said if source is not None]
    return {"sources": sources, "neighbours": _neighbours(workspace, row)}


def _model(workspace: Workspace, row: int) -> dict[str, Any] | None:
    model = models.in_use(workspace)
    if model is None:
        return None
    stored = models.predictions(workspace, model)
    if row >= len(stored):
        return None
    with workspace.reading() as session:
        names = _names(session, model.tag_ids)
    scores = np.asarray(stored[row], np.float32)
    return _source(SuggestionOrigin.MODEL, scores, [names.get(tag, f"#{tag}") for tag in model.tag_ids])


def _zero_shot(workspace: Workspace, row: int) -> list[dict[str, Any]]:
    """Of the whole picture and, where it has any, of its tiles."""
    if not embedding.has_texts(workspace):
        return []
    with workspace.reading() as session:
        tags = [SnapshotTag(tag.id, tag.name, tag.definition, tuple(tag.synonyms)) for tag in live_tags(session)]
    texts = embedding.text_vectors(workspace, tags)
    vector = searching.vector(workspace, row)
    if texts is None or vector is None:
        return []
    names = [tag.name for tag in tags]
    found = [_source(SuggestionOrigin.ZERO_SHOT, texts @ vector, names)]
    stored = tiles.stored(workspace, str(embedding.current_backbone(workspace)), row + 1)
    if stored is not None:
        each = np.asarray(stored[row : row + 1][0], np.float32) @ texts.T
        found.append(_source(SuggestionOrigin.TILES, each.max(axis=0), names))
    return found


def _imported(workspace: Workspace, row: int) -> dict[str, Any] | None:
    """What files that were imported say, with the name of who or what said it."""
    said = imported_arrays.of_image(workspace, row)[:SHOWN]
    if not said:
        return None
    with workspace.reading() as session:
        names = _names(session, [tag for tag, _, _ in said])
    ranked = [{"tag": names[tag], "score": round(score, 3)} for tag, score, _ in said if tag in names]
    return {"origin": SuggestionOrigin.IMPORTED.value, "tags": ranked}


def _source(origin: SuggestionOrigin, scores: Any, names: list[str]) -> dict[str, Any]:
    order = np.argsort(-scores, kind="stable")[:SHOWN]
    return {
        "origin": origin.value,
        "tags": [{"tag": names[place], "score": round(float(scores[place]), 3)} for place in order.tolist()],
    }


def _neighbours(workspace: Workspace, row: int) -> list[dict[str, Any]]:
    """The nearest pictures that somebody labelled, with the tags they were said to show."""
    near = [(other, score) for other, score in searching.near(workspace, row, LOOKED_AT) if other != row]
    with workspace.reading() as session:
        tags: dict[int, list[str]] = {}
        for part in parts([other for other, _ in near]):
            query = select(Label.image_row, Tag.name, Label.state).join(Tag, Tag.id == Label.tag_id)
            query = query.where(Label.image_row.in_(part), ~is_gold())  # who is asked about it must not find it here
            for other, name, state in session.execute(query.distinct().order_by(Tag.name)):
                shown = tags.setdefault(other, [])
                if state == LabelState.POSITIVE and name not in shown:
                    shown.append(name)
    labelled = [(other, score) for other, score in near if other in tags][:NEIGHBOURS]
    return [{"image": other, "score": round(score, 3), "tags": tags[other]} for other, score in labelled]


def _names(session: Session, tag_ids: list[int]) -> dict[int, str]:
    return dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(tag_ids))).all())
