"""Linear probe: one regularised logistic regression a tag, words left out (CLIP, arXiv 2103.00020, section 3.2).

What `text_anchored` becomes with many answers, and what it is held against with few (`benchmarks.few_shot`).
"""

from dataclasses import replace

from annotator.learning.heads.base import FitReport, Head, Training
from annotator.learning.heads.text_anchored import fit_text_anchored


def fit_linear_probe(training: Training) -> tuple[Head, FitReport]:
    """Fit all tags in one batched solve. Shapes and errors as in `annotator.learning.fit.fit_head`."""
    return fit_text_anchored(replace(training, texts=None))
