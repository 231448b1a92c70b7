"""How far people agree, tag by tag, beyond what chance gives."""

from typing import Any

import numpy as np
from sqlalchemy import select

from annotator.learning.agreement import cohen_kappa, krippendorff_alpha
from annotator.services.votes import live_tags, votes
from annotator.workspace import Workspace
from db.models import Annotator

RESAMPLES = 400


def agreement(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag that two people answered on one image: Krippendorff's alpha with its 95 % bootstrap interval.

    {tag, alpha, alpha low, alpha high, images, answers, cannot tell}; None where chance explains everything. The same
    answers give the same interval: the resamples are drawn with the project's seed.
    """
    with workspace.reading() as session:
        tags = live_tags(session)
        table = votes(session, tags).table
    found = krippendorff_alpha(table, np.random.default_rng(workspace.project.seed), resamples=RESAMPLES)
    return [
        {
            "tag": tags[tag].name, "alpha": _number(found.alpha[place]), "alpha low": _number(found.low[place]),
            "alpha high": _number(found.high[place]), "images": int(found.images[place]),
            "answers": int(found.answers[place]), "cannot tell": int(found.cannot_tell[place]),
        }
        for place, tag in enumerate(found.tags.tolist()) if found.images[place]
    ]  # fmt: skip


def between_two(workspace: Workspace) -> list[dict[str, Any]]:
    """One row a tag and two people who answered it on one image: Cohen's kappa with its 95 % interval.

    {tag, first, second, kappa, kappa low, kappa high, same, images, cannot tell}; `same`: the share of equal answers.
    """
    with workspace.reading() as session:
        tags = live_tags(session)
        table = votes(session, tags).table
        names = dict(session.execute(select(Annotator.id, Annotator.name)).all())
    found = cohen_kappa(table)
    return [
        {
            "tag": tags[tag].name, "first": names[int(found.first[place])], "second": names[int(found.second[place])],
            "kappa": _number(found.kappa[place]), "kappa low": _number(found.low[place]),
            "kappa high": _number(found.high[place]), "same": _number(found.observed[place]),
            "images": int(found.images[place]), "cannot tell": int(found.cannot_tell[place]),
        }
        for place, tag in enumerate(found.tags.tolist()) if found.images[place]
    ]  # fmt: skip


def _number(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
