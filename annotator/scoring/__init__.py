"""Suggestion sources, as one readable dict. A new source is one file here, one line in `SCORERS` and its origin's name.

Every source takes a `ScoringInput` and gives (N, C) float32 scores, or None when it has nothing to say. What they say
together is `annotator.scoring.fusion`'s.
"""

from annotator.scoring.base import Float, Scorer, ScoringInput
from annotator.scoring.model import model_probabilities
from annotator.scoring.neighbours import neighbour_votes
from annotator.scoring.tiles import tile_scores
from annotator.scoring.zero_shot import zero_shot_scores
from annotator.terms import SuggestionOrigin

SCORERS: dict[SuggestionOrigin, Scorer] = {
    SuggestionOrigin.ZERO_SHOT: Scorer(zero_shot_scores, gives_probabilities=False),
    SuggestionOrigin.TILES: Scorer(tile_scores, gives_probabilities=False),
    SuggestionOrigin.NEIGHBOURS: Scorer(neighbour_votes, gives_probabilities=True),
    SuggestionOrigin.MODEL: Scorer(model_probabilities, gives_probabilities=True),
}

__all__ = ["SCORERS", "Float", "Scorer", "ScoringInput"]
