"""A whole cascade on a workspace whose truth is known: what every label would cost people, and what holds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import MissingError, UnknownNameError
from annotator.learning.calibration import fit_calibration
from annotator.learning.fit import fit_head
from annotator.learning.settling import Labels, Outcome, Rows, Rule, Score, Terms, settle_all
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.round_plans import costs_of
from annotator.services.scripted import Truth
from annotator.services.snapshots import take
from annotator.terms import LabelState
from annotator.workspace import Workspace

FIRST = 300  # images answered completely before anything is settled, at most a fifth of all


def cascade(workspace: Workspace, truth: Truth, rule: str) -> dict[str, Any]:
    """Run `rule` (a value of `settling.Rule`) on all images whose labels are known on every tag.

    {"images", "rounds", "answers", "by_hand", "hours", "hours_by_hand", "tags_that_miss", "tags": one row a tag}. The
    model is the project's head, trained anew between rounds on what was answered by then. Raises UnknownNameError for
    another rule, MissingError before `embed`.
    """
    if rule not in {known.value for known in Rule}:
        raise UnknownNameError("rule of a cascade", rule, [known.value for known in Rule])
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    vectors = workspace.embeddings(backbone).read()
    rows = np.flatnonzero((truth.labels[: len(vectors)] != LabelState.UNKNOWN).all(axis=1))
    labels = truth.labels[rows]
    project = workspace.project
    terms = Terms(
        precision=project.precision, recall=project.recall, alpha=1 - project.confidence,
        first=min(FIRST, len(rows) // 5), seed=project.seed, costs=costs_of(project),
    )  # fmt: skip
    tags = take(workspace).tags
    names = {tag.id: tag.name for tag in tags}
    found = settle_all(labels, scorer(project.head, vectors[rows], text_vectors(workspace, tags)), Rule(rule), terms)
    return _report(found, [names[tag] for tag in truth.tag_ids], len(rows), terms)


def scorer(head: str, X: NDArray[np.floating[Any]], texts: NDArray[np.floating[Any]] | None) -> Score:
    """The head called `head` on the answers, calibrated on those that only measure."""

    def score(asked: Labels, held: Rows) -> NDArray[np.floating[Any]]:
        learn = asked.copy()
        learn[held] = LabelState.UNKNOWN
        rows = np.flatnonzero((learn != LabelState.UNKNOWN).any(axis=1))
        trained, _ = fit_head(head, X[rows], learn[rows], texts=texts)
        return fit_calibration(trained.logits(X[held]), asked[held]).apply(trained.logits(X))

    return score


def _report(found: Outcome, names: list[str], images: int, terms: Terms) -> dict[str, Any]:
    rows = [
        {
            "tag": name,
            "answers": int(found.answers[tag]),
            "settled": int(found.settled[tag]),
            "precision": round(float(found.precision[tag]), 4),
            "recall": round(float(found.recall[tag]), 4),
            "kept": bool(found.precision[tag] >= terms.precision and found.recall[tag] >= terms.recall),
            "hours": round(float(found.seconds[tag]) / 3600, 3),
        }
        for tag, name in enumerate(names)
    ]
    by_hand = images * len(names)
    return {
        "images": images,
        "rounds": found.rounds,
        "answers": int(found.answers.sum()),
        "by_hand": by_hand,
        "hours": round(float(found.seconds.sum()) / 3600, 3),
        "hours_by_hand": round(by_hand * terms.costs.band / 3600, 3),
        "tags_that_miss": sum(not row["kept"] for row in rows),
        "tags": rows,
    }
