"""Extra material: more to learn from than the answers. A new source is one file here and one line in `EXTRA`.

Every source is a function ``Given -> Extra``; `annotator.learning.fit.fit_with` trains on answers and extra together.
People's answers keep their weight of 1; all extra entries of a tag together weigh at most half as much.
"""

from annotator.learning.extra.base import WEIGHT, Extra, Given, Source
from annotator.learning.extra.distillation import distillation
from annotator.learning.extra.label_propagation import label_propagation
from annotator.learning.extra.pseudo_labels import pseudo_labels
from annotator.learning.extra.unions import unions

EXTRA: dict[str, Source] = {
    "pseudo_labels": pseudo_labels,
    "label_propagation": label_propagation,
    "unions": unions,
    "distillation": distillation,
}

__all__ = ["EXTRA", "WEIGHT", "Extra", "Given", "Source"]
