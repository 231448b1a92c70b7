"""Which labels a model contradicts as surely as it is right elsewhere, tag by tag, and which tags nobody gave.

Class thresholds: c1, the mean probability of the images labelled present; c0, the mean of 1 - p of those labelled
absent. A label is contradicted where the model is at least as sure of the other answer as it usually is of images that
have it, and not equally so of the given one. A weak model has low thresholds, a strong one high ones: nothing is tuned.
(Northcutt, Jiang & Chuang 2021, "Confident learning", arXiv 1911.00068)
"""

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.label_errors.scores import Entries, Figures, Labels, Probabilities, checked
from annotator.learning.votes.base import ratio


def class_thresholds(labels: Labels, probabilities: Probabilities) -> tuple[Figures, Figures]:
    """(C,) c1 and c0; NaN for a tag without a known positive, or negative."""
    p = checked(labels, probabilities)
    positive, negative = labels == 1, labels == 0
    of_positives = np.where(positive, p, 0).sum(0)
    of_negatives = np.where(negative, 1 - p, 0).sum(0)
    return ratio(of_positives, positive.sum(0), np.nan), ratio(of_negatives, negative.sum(0), np.nan)


def contradicted(labels: Labels, probabilities: Probabilities) -> NDArray[np.bool_]:
    """(N, C) labels that the model contradicts. Never an unknown one, nor of a tag with one known answer only.

    Where both answers reach their threshold the likelier one is the model's.
    """
    p = checked(labels, probabilities)
    says_present, says_absent = _confident(labels, p)
    return np.asarray(((labels == 1) & says_absent) | ((labels == 0) & says_present))


def likely_errors(labels: Labels, probabilities: Probabilities) -> NDArray[np.bool_]:
    """(N, C) as many labels as are estimated to be wrong: of each tag and answer those the model believes least.

    How many: the share contradicted among the labels that the model is sure of, either way, times the labels given.
    One that the model thinks likelier than its opposite is left alone. Which of the two flags better, and
    what comes of looking at them first, `benchmarks.label_errors` shows.
    """
    p = checked(labels, probabilities)
    says_present, says_absent = _confident(labels, p)
    flagged = np.zeros(labels.shape, np.bool_)
    for state, against, agreeing, doubt in ((1, says_absent, says_present, 1 - p), (0, says_present, says_absent, p)):
        given = labels == state
        wrong, right = (given & against).sum(0), np.maximum((given & agreeing).sum(0), 1)
        expected = np.rint(given.sum(0) * wrong / (wrong + right)).astype(np.int64)
        doubts = np.where(given, doubt, -1.0)
        falling = -np.sort(-doubts, axis=0)
        least = np.take_along_axis(falling, np.maximum(expected - 1, 0)[None], 0)
        flagged |= given & (expected > 0) & (doubts >= least) & (doubt > 0.5)
    return flagged


def _confident(labels: Labels, p: Figures) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(N, C) whether the model is as sure as its thresholds that a tag is present, absent; never both."""
    present, absent = class_thresholds(labels, p)
    says_present, says_absent = p >= present, 1 - p >= absent
    both = says_present & says_absent
    return says_present & ~(both & (p < 0.5)), says_absent & ~(both & (p >= 0.5))


def missing_tags(labels: Labels, probabilities: Probabilities, at_least: float | None = None) -> Entries:
    """Unknown entries that are likely present, the likeliest first: proposals to ask about, never errors.

    Likely is `at_least` in 0..1, by default what the model gives the tag's known positives on the mean, but no less
    than one half; a tag without a known positive has no such measure and is proposed only with `at_least`.
    """
    if at_least is not None and not 0 <= at_least <= 1:
        raise UsageError(f"a probability of at least {at_least}; it has to be between 0 and 1")
    present, _ = class_thresholds(labels, probabilities)
    needed = np.maximum(present, 0.5) if at_least is None else np.full(labels.shape[1], at_least)
    images, tags = np.nonzero((labels == -1) & (probabilities >= needed))
    p = probabilities[images, tags].astype(np.float64)
    order = np.argsort(-p, kind="stable")
    return Entries(images[order], tags[order], p[order])
