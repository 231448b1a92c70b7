"""Query strategies: which images to ask about next. One strategy, one file; QUERIES lists them."""

from annotator.learning.queries.base import Picks, Pool, Strategy, top_k
from annotator.learning.queries.diversity import diversity
from annotator.learning.queries.margin import margin
from annotator.learning.queries.mixed import mixed
from annotator.learning.queries.random import at_random
from annotator.learning.queries.rare_margin import rare_margin

__all__ = ["QUERIES", "Picks", "Pool", "Strategy", "top_k"]

QUERIES: dict[str, Strategy] = {
    "mixed": mixed,
    "random": at_random,
    "diversity": diversity,
    "rare_margin": rare_margin,
    "margin": margin,
}
