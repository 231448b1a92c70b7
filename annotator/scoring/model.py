"""The model in use as a suggestion source."""

import numpy as np

from annotator.scoring.base import Float, ScoringInput


def model_probabilities(given: ScoringInput) -> Float | None:
    """The calibrated probabilities of the model in use, as they are; None before the first training."""
    if given.probabilities is None:
        return None
    return np.asarray(given.probabilities, np.float32)
