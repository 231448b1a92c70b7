"""Query strategies: which images to ask about next. One strategy, one file; QUERIES lists them.

What a replay says (`benchmarks.replay --all`, all figures in docs/benchmarks.md): share of random's answers that were
not needed for the same mAP at a tenth of the pool, five seeds; negative: what random would have saved.

                                       coco256  grocery  corel5k  cifar10   voc12
    facility_location, a tenth random     0 %     27 %     26 %     21 %     42 %
    facility_location                    -4 %     24 %     24 %     20 %     39 %
    typiclust                           -20 %     29 %     23 %     15 %     23 %
    optimal_design                        6 %     24 %     18 %     -2 %    -32 %
    mixed                               -19 %    -12 %     -2 %     -6 %     -1 %
    object_focused, whole images        -16 %    -44 %                      -48 %
    entropy                              -5 %    -22 %     -1 %    -23 %     -2 %
    margin                              -30 %    -49 %    -71 %    -22 %     -9 %

What helped: covering the collection, by look and by prediction together; probabilities averaged over the posterior
(without, less is saved); unit length after centring. What did not: rankings by doubt or by
expected positives, rare tags weighted or not; the true labels' balance would have been worth 0.04, 0.02 and 0.01 of
mAP on corel5k at 200, 500 and 1,000 images. The gain is made while answers are few: at a fifth of the pool it is 15 to
30 %, and coming late with random picks after a spread start was worse than random from the start (corel5k).
"""

from annotator.learning.queries.badge import badge
from annotator.learning.queries.balanced import balanced
from annotator.learning.queries.bald import bald
from annotator.learning.queries.bandit import BANDIT
from annotator.learning.queries.base import Computed, Picks, Pool, Strategy, top_k
from annotator.learning.queries.control import Controlled, with_control
from annotator.learning.queries.core_set import core_set
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.entropy import entropy
from annotator.learning.queries.expected_positives import expected_positives
from annotator.learning.queries.facility_location import facility_location
from annotator.learning.queries.galaxy import galaxy
from annotator.learning.queries.margin import margin
from annotator.learning.queries.mixed import mixed
from annotator.learning.queries.object_focused import object_focused
from annotator.learning.queries.optimal_design import optimal_design
from annotator.learning.queries.prob_cover import prob_cover
from annotator.learning.queries.random import at_random
from annotator.learning.queries.rare_margin import rare_margin
from annotator.learning.queries.typiclust import typiclust

__all__ = [
    "BANDIT",
    "CONTROL_SHARE",
    "DEFAULT",
    "LOOKS_AT_TILES",
    "QUERIES",
    "Computed",
    "Controlled",
    "Picks",
    "Pool",
    "Strategy",
    "top_k",
    "with_control",
]

DEFAULT = "facility_location"
CONTROL_SHARE = 0.1
"""Share of the picks that are drawn at random: enough to hold the strategy against, and it costs little."""

LOOKS_AT_TILES = frozenset({"object_focused"})
"""Strategies that look at tiles; for the others nobody needs to read them."""

QUERIES: dict[str, Strategy] = {
    "facility_location": facility_location,
    "mixed": mixed,
    "random": at_random,
    "diversity": diversity,
    "rare_margin": rare_margin,
    "margin": margin,
    "entropy": entropy,
    "bald": bald,
    "badge": badge,
    "galaxy": galaxy,
    "core_set": core_set,
    "typiclust": typiclust,
    "prob_cover": prob_cover,
    "optimal_design": optimal_design,
    "balanced": balanced,
    "expected_positives": expected_positives,
    "object_focused": object_focused,
}
