"""Words and examples in one vector: w_t = l text_t + (1 - l) (mean of the tag's positives), l = 4 / (4 + positives).

Multi-modal classifiers of open-vocabulary detection (Kaul et al. 2023, arXiv 2306.05493). The mean text and the mean
image are taken off first: texts and images lie far apart (Liang et al. 2022, arXiv 2203.02053). Then one scale and a
bias per tag, fitted by `text_anchored` without freedom for anything else. No training to speak of: right from the first
accepted image; with more answers the text-anchored head is better (`benchmarks.few_shot`).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads.base import FitReport, Float, Head, Training
from annotator.learning.heads.text_anchored import fit_text_anchored

WORDS = 4.0  # positives that the text weighs as much as
STIFF = 1e4  # ridge under which nothing but gain and bias moves


def fit_examples_words(training: Training) -> tuple[Head, FitReport]:
    """As `annotator.learning.fit.fit_head`. Without words: the examples alone."""
    settings = replace(training.settings, ridge=STIFF)
    prototypes = _prototypes(training)
    return fit_text_anchored(replace(training, texts=prototypes, settings=settings, validation=None, warm=None))


def _prototypes(training: Training) -> Float:
    """(C, D) unit vectors; zeros for a tag of which nothing is known."""
    labels = training.beliefs
    known = (labels >= 0) * (1.0 if training.weights is None else training.weights)
    positive = np.maximum(labels, 0) * known
    answered = known.any(1)
    X = np.asarray(training.X, np.float64)
    centre = X[answered].mean(0) if answered.any() else np.zeros(X.shape[1])
    counts = positive.sum(0)[:, None]
    examples = _unit(positive.T @ X - counts * centre)
    if training.texts is None:
        return examples.astype(np.float32)
    if not positive.any():
        return np.asarray(training.texts, np.float32)
    worded = np.asarray(training.texts.any(1))
    texts = training.texts - (training.texts[worded].mean(0) if worded.sum() > 1 else 0)
    share = np.asarray(np.where(worded, WORDS / (WORDS + counts[:, 0]), 0))[:, None]
    return np.asarray(_unit(share * _unit(texts * worded[:, None]) + (1 - share) * examples), np.float32)


def _unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
