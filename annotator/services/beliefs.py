"""Several people's votes as what a model learns from: how far they believe it, instead of the word they come to."""

import numpy as np
from numpy.typing import NDArray

from annotator.learning.votes import Belief
from annotator.services.votes import Votes, concluded
from annotator.snapshot import Snapshot
from annotator.terms import Origin
from annotator.workspace import Project

SOFT_LOSS = "masked_bce"  # the other losses know only present and absent


def beliefs(
    project: Project,
    snapshot: Snapshot,
    found: Votes,
    left_out: NDArray[np.bool_],
    rows: NDArray[np.int64],
    labels: NDArray[np.int8],
) -> Belief | None:
    """(n, C) targets and weights for the images `rows` (ascending) with `labels` (n, C); None where no pair has two
    people's votes, so that the labels say it all.

    The beliefs of the policy in use take the place of labels that people gave, also where they are undecided;
    `left_out` (V,) votes whose pairs are not learned.
    """
    if project.loss != SOFT_LOSS or not len(rows):
        return None
    by_people = concluded(project, found)
    several = by_people.yes + by_people.no > 1
    place = np.minimum(np.searchsorted(rows, by_people.images), len(rows) - 1)
    width = labels.shape[1]
    pairs = by_people.images * width + by_people.tags
    out = np.isin(pairs, found.rows[left_out] * width + found.columns[left_out])
    human = snapshot.origins[by_people.images, by_people.tags] == Origin.HUMAN
    learned = several & human & ~out & (rows[place] == by_people.images)
    if not learned.any():
        return None
    targets, weights = np.maximum(labels, 0).astype(np.float32), (labels >= 0).astype(np.float32)
    where = place[learned], by_people.tags[learned]
    targets[where], weights[where] = by_people.belief[learned], 1
    return Belief(targets, weights)
