"""Distillation: learn from the probabilities that a larger model gives to all images (Hinton et al. 2015, arXiv
1503.02531), so that a head on a small, fast backbone inherits what a large one knows."""

import numpy as np

from annotator.errors import UsageError
from annotator.learning.extra.base import Extra, Given, weighed


def distillation(given: Given) -> Extra:
    """Raises UsageError without a teacher."""
    if given.teacher is None:
        raise UsageError("distillation needs the probabilities of a teacher for the unlabelled images; give `teacher`")
    return weighed(given, given.unlabelled, given.teacher, np.ones(given.teacher.shape))
