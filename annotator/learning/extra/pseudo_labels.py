"""Pseudo-labels with a threshold per tag (class-aware pseudo-labelling; Xie et al. 2023, arXiv 2305.02795).

A tag's thresholds are the scores that leave, among the unlabelled images, as large a share of positives as among the
answered: the surer half of those above are taken as positive, the surer half of the others as negative.
"""

import numpy as np

from annotator.learning.extra.base import Extra, Given, weighed

SURE = 0.5  # share of each side that is taken


def pseudo_labels(given: Given) -> Extra:
    scores = given.head.logits(given.unlabelled)
    rank = (-scores).argsort(0, kind="stable").argsort(0, kind="stable")
    ups = given.share() * len(scores)
    positive, negative = rank < SURE * ups, rank >= ups + (1 - SURE) * (len(scores) - ups)
    return weighed(given, given.unlabelled, positive, (positive | negative).astype(np.float64))
