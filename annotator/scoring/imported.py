"""Scores that an import brought along, of another tool's model, as a suggestion source."""

import numpy as np

from annotator.scoring.base import Float, ScoringInput


def imported_scores(given: ScoringInput) -> Float | None:
    """The probabilities as the file gave them, NaN where it says nothing; None where there are none."""
    if given.imported is None:
        return None
    return np.asarray(given.imported, np.float32)
