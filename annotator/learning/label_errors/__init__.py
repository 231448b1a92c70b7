"""Labels to look at again: those a model contradicts, tags that are missing, near-duplicates that differ."""

from annotator.learning.label_errors.confident_learning import (
    class_thresholds,
    contradicted,
    likely_errors,
    missing_tags,
)
from annotator.learning.label_errors.duplicates import Conflicts, conflicting_duplicates, split_leaks
from annotator.learning.label_errors.scores import Entries, image_scores, lowest, self_confidence

__all__ = [
    "Conflicts",
    "Entries",
    "class_thresholds",
    "conflicting_duplicates",
    "contradicted",
    "image_scores",
    "likely_errors",
    "lowest",
    "missing_tags",
    "self_confidence",
    "split_leaks",
]
