"""Query strategies: which images to ask about next. One strategy, one file; QUERIES lists them.

What a replay says: corel5k, 81 tags with at least 50 images, MobileNetV2 vectors, one ridge-logistic head for all tags,
batches of 50 images tagged completely, mAP on images outside the pool after so many answered images.

    official split, 3 seeds           200    500    1000   2000      10 random splits   200    500    1000
    mixed                            0.424  0.500  0.540  0.575                        0.396  0.471  0.512
    diversity                        0.424  0.502  0.545  0.574                        0.396  0.464  0.505
    random                           0.421  0.494  0.524  0.565                        0.387  0.464  0.504
    margin                           0.312  0.392  0.454  0.536
    rare_margin                      0.316  0.384  0.434  0.555

One standard deviation over seeds is about 0.015 at 200 images and 0.006 later, so `mixed` is better than random by
little, and plain rankings are far worse. What helped: spreading the batch, by draws and not by taking the farthest
image (k-center: worse than random); waiting until about 200 images are answered before the model is asked; weighting
tags by 1 / sqrt(1 + positives). What did not: ranking by margins or by expected positives, also with rare tags
weighted; picking the best of each of k clusters; a fifth of the batch at random. Choosing by the TRUE labels so that
tags come out even gives 0.04, 0.02 and 0.01 above random at 200, 500 and 1000 images: more is not there to be won.
"""

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
