"""Heads: models on stored embeddings, as one readable dict. A new head is one file here and one line in `HEADS`.

Every head is a function ``Training -> (Head, FitReport)``; `annotator.learning.fit.fit_head` checks the arrays and
calls it. torch is imported by the function, not by this module: menus and `--help` only read the names.
"""

from annotator.learning.heads.base import FitReport, Head, HeadFit, HeadSettings, Progress, Training
from annotator.learning.heads.dual_prompt import fit_dual_prompt
from annotator.learning.heads.examples_words import fit_examples_words
from annotator.learning.heads.linear_probe import fit_linear_probe
from annotator.learning.heads.mixture import fit_mixture
from annotator.learning.heads.mlp import fit_mlp
from annotator.learning.heads.neighbours import fit_neighbours
from annotator.learning.heads.tag_graph import fit_tag_graph
from annotator.learning.heads.text_anchored import fit_text_anchored

HEADS: dict[str, HeadFit] = {
    "text_anchored": fit_text_anchored,
    "linear_probe": fit_linear_probe,
    "examples_words": fit_examples_words,
    "tag_graph": fit_tag_graph,
    "neighbours": fit_neighbours,
    "mixture": fit_mixture,
    "mlp": fit_mlp,
    "dual_prompt": fit_dual_prompt,
}

WITH_TILES = frozenset({"dual_prompt"})
"""Heads that look at tiles where they are handed any; for the others nobody needs to read them."""

__all__ = ["HEADS", "WITH_TILES", "FitReport", "Head", "HeadFit", "HeadSettings", "Progress", "Training"]
