"""Suggestion sources, as one readable dict. A new source is one file here, one line in `SCORERS` and its origin's name.

Every source takes a `ScoringInput` and gives (N, C) float32 scores, or None when it has nothing to say. What they say
together is `annotator.scoring.fusion`'s.
"""

from annotator.scoring.base import Float, Scorer, ScoringInput
from annotator.scoring.imported import imported_scores
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
    # A file of results lists what was found and leaves out the rest, so its own mean is no middle: it is levelled by
    # the log-odds a tag has before anything is known (2 %), and twice the spread of a z-score.
    SuggestionOrigin.IMPORTED: Scorer(imported_scores, gives_probabilities=True, level=(-4.0, 2.0)),
}

__all__ = ["SCORERS", "Float", "Scorer", "ScoringInput"]
