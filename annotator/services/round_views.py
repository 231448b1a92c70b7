"""What the Rounds page draws: the funnel over rounds, a tag's scores with its thresholds, its bounds over the draws."""

from typing import Any

import numpy as np
from sqlalchemy import select

from annotator.errors import MissingError
from annotator.learning.bounds import interval_path
from annotator.services import models, round_records
from annotator.services.round_sets import ACCEPT, audited, own_sets, prior_of
from annotator.services.snapshots import decided_on, withdrawn
from annotator.services.votes import live_tags
from annotator.terms import LabelState, Origin, RoundStatus
from annotator.workspace import Workspace
from db.models import Round, Tag

BINS = 40
MOST_POINTS = 400  # of a curve


def tags(workspace: Workspace) -> dict[int, str]:
    """The tags that the model in use knows and that are not archived: id to name; none before the first training."""
    model = models.in_use(workspace)
    with workspace.reading() as session:
        return {tag.id: tag.name for tag in live_tags(session) if model is not None and tag.id in model.tag_ids}


def funnel(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a round that was not taken back: (image, tag) pairs open when it began, audited in it, settled by it."""
    with workspace.reading() as session:
        standing = select(Round).where(Round.status != RoundStatus.ROLLED_BACK).order_by(Round.number)
        gone = withdrawn(session)
        rows = []
        for round_ in session.scalars(standing):
            settled = {LabelState.POSITIVE: 0, LabelState.NEGATIVE: 0}
            if round_.status == RoundStatus.SETTLED:
                labels = np.load(workspace.round_file(round_.number), mmap_mode="r", allow_pickle=False)
                kept = [place for place, tag in enumerate(round_.tag_ids) if (round_.number, tag) not in gone]
                settled = {state: int((labels[:, kept] == state).sum()) for state in settled}
            rows.append(
                {
                    "round": round_.number,
                    "open": _open_pairs(workspace, round_.number),
                    "audited": sum(set_.draws for set_ in round_.sets),
                    "present": settled[LabelState.POSITIVE],
                    "absent": settled[LabelState.NEGATIVE],
                }
            )
        return rows


def _open_pairs(workspace: Workspace, number: int) -> int | None:
    """None for a round of an earlier version, which did not keep it."""
    try:
        return int(round_records.read_open(workspace, number)[1].sum())
    except MissingError:
        return None


def histogram(workspace: Workspace, tag_id: int, number: int | None) -> dict[str, Any]:
    """Open images by the model's score of a tag, {"scores": bin middles, "images": counts}, and "thresholds" of the
    tag's sets in round `number`: {side: score}."""
    model = models.required(workspace)
    with workspace.reading() as session:
        snapshot = decided_on(workspace, session, session.get_one(Tag, tag_id))
    p = models.predictions(workspace, model)
    open_ = snapshot.origins[: len(p), 0] == Origin.NOBODY
    counts, edges = np.histogram(np.asarray(p[: len(open_), model.tag_ids.index(tag_id)])[open_], BINS, (0, 1))
    thresholds = {}
    if number is not None:
        with workspace.reading() as session:
            sets = own_sets(session.get_one(Round, number))
            thresholds = {set_.side: set_.threshold for set_ in sets if set_.tag_id == tag_id}
    return {"scores": ((edges[:-1] + edges[1:]) / 2).tolist(), "images": counts.tolist(), "thresholds": thresholds}


def bounds(workspace: Workspace, tag_id: int, number: int) -> list[dict[str, Any]]:
    """One row a draw and side: {"side", "draws", "low", "high"}: the proven share of images that show the tag."""
    rows = []
    with workspace.transaction() as session:
        snapshot = decided_on(workspace, session, session.get_one(Tag, tag_id))
        pool = round_records.read_pool(workspace, number)
        for audit in audited(workspace, session, session.get_one(Round, number), snapshot, pool):
            if not audit.state.drawn:
                continue
            answers = snapshot.labels[audit.draws[: audit.state.drawn], 0]
            counted = answers == LabelState.POSITIVE if audit.set.side == ACCEPT else answers != LabelState.NEGATIVE
            path = interval_path(counted, audit.set.size, audit.set.alpha, prior_of(audit.set))
            shown = np.unique(np.linspace(0, len(answers) - 1, MOST_POINTS).astype(int))
            for draw in shown.tolist():
                low, high = (float(end[draw]) / audit.set.size for end in path)
                rows.append({"side": audit.set.side, "draws": draw + 1, "low": low, "high": high})
    return rows
