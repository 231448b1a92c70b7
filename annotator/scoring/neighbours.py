"""Votes of the nearest answered images (as in TagProp, Guillaumin et al., ICCV 2009): of each tag the labels known
there, weighted by softmax(cosine / T), without the image itself and its near-duplicates, whose labels would only
repeat what was said of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.scoring.base import Float, Rows, ScoringInput, chunks
from annotator.terms import LabelState

VOTERS = 20
TEMPERATURE = 0.05
PRIOR_VOTES = 1.0
MOST_CANDIDATES = 200  # looked at where few tags are known of each image, to find VOTERS that know the tag


@dataclass(frozen=True)
class Votes:
    """scores (N, C) float32: share of positive votes, shrunk to the tag's share of positives; NaN where nobody votes.

    support (N, C) float32: effective number of votes, (sum w)^2 / sum w^2 (Kish); 0 where nobody votes.
    """

    scores: Float
    support: Float


def votes(given: ScoringInput, *, voters: int = VOTERS, temperature: float = TEMPERATURE) -> Votes:
    """What the nearest answered images say of each image and tag.

    Unknown labels carry no weight. The voters on a tag are the nearest that know it, among at most MOST_CANDIDATES
    where few tags are known of each image. Neither an image's own labels nor those of its near-duplicates move its
    score.
    """
    if voters < 1 or temperature <= 0:
        raise UsageError(f"{voters} voters at temperature {temperature}: at least 1 voter and a temperature above 0")
    prior = _Prior(given)
    found = Votes(*(np.empty(given.labels.shape, np.float32) for _ in range(2)))
    for part, rows, similarities in _candidates(given, voters):
        rows = np.where(_related(given, part, rows), -1, rows)
        width = rows.shape[1] * given.labels.shape[1]
        for small in chunks(len(rows), width):
            own = slice(part.start + small.start, part.start + small.stop)
            weights = _weights(rows[small], similarities[small], temperature)
            share, support = _count(given.labels, rows[small], weights, voters)
            prior_votes = PRIOR_VOTES * prior.of(own)
            found.support[own] = support
            shrunk = (support * share + prior_votes) / (support + PRIOR_VOTES)
            found.scores[own] = np.where(support > 0, shrunk, np.nan)
    return found


def neighbour_votes(given: ScoringInput) -> Float | None:
    """`votes` as scores in [0, 1], NaN where nobody votes; None before the first answer."""
    if not len(given.answered):
        return None
    return votes(given).scores


def _candidates(given: ScoringInput, voters: int) -> Iterator[tuple[slice, Rows, Float]]:
    """(images, rows (n, K), cosines (n, K)) best first, of the neighbours given or of the answered images."""
    if given.neighbours is not None:
        rows, similarities = given.neighbours
        for part in chunks(len(rows), max(rows.shape[1], 1)):
            yield part, rows[part], similarities[part]
        return
    answered = given.answered
    known = (given.labels[answered] != LabelState.UNKNOWN).mean(axis=0)
    density = float(np.median(known[known > 0])) if known.any() else 1.0
    # half as many again, and ten: how many of the nearest know a tag varies
    needed = voters if density == 1 else math.ceil(1.5 * voters / density) + 10
    width = min(len(answered), max(voters, min(needed, MOST_CANDIDATES)))
    vectors = np.asarray(given.images[answered], np.float32)
    for part in chunks(len(given.images), max(len(answered), given.images.shape[1])):
        cosines = np.asarray(given.images[part], np.float32) @ vectors.T
        same = given.groups[part, None] == given.groups[None, answered]
        cosines[same] = -np.inf
        top = np.argpartition(cosines, -width, axis=1)[:, -width:] if width else np.empty((len(cosines), 0), np.int64)
        best = np.take_along_axis(cosines, top, axis=1)
        order = np.lexsort((top, -best), axis=-1)
        yield part, answered[np.take_along_axis(top, order, axis=1)], np.take_along_axis(best, order, axis=1)


def _related(given: ScoringInput, part: slice, rows: Rows) -> NDArray[np.bool_]:
    """Which candidates are the image itself, or in its near-duplicate group."""
    own = np.arange(part.start, part.stop)[:, None]
    related: NDArray[np.bool_] = (rows == own) | (given.groups[rows] == given.groups[own])
    return related


def _weights(rows: Rows, similarities: Float, temperature: float) -> Float:
    """exp(cosine / T) relative to the nearest; 0 for -1. Dividing by their sum, per tag, makes the softmax."""
    usable = np.where(rows >= 0, similarities, -np.inf)
    nearest = usable.max(axis=1, keepdims=True, initial=-np.inf)
    weights: Float = np.exp((usable - np.where(np.isfinite(nearest), nearest, 0)) / np.float32(temperature))
    return weights.astype(np.float32)


def _count(labels: NDArray[np.int8], rows: Rows, weights: Float, voters: int) -> tuple[Float, Float]:
    """(share of positives, effective votes) (n, C) among the first `voters` candidates that know the tag."""
    said = labels[rows]
    known = (said != LabelState.UNKNOWN) & (rows >= 0)[:, :, None]
    if rows.shape[1] > voters:
        known &= np.cumsum(known, axis=1, dtype=np.int32) <= voters
    voting = weights[:, :, None] * known
    total = voting.sum(axis=1)
    positive = np.where(said == LabelState.POSITIVE, voting, 0).sum(axis=1)
    squares = np.square(voting, out=voting).sum(axis=1)
    share = np.divide(positive, total, out=np.zeros_like(total), where=total > 0)
    support = np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)
    return share, support


class _Prior:
    """Share of positives of each tag among the known labels, without those of an image's own near-duplicate group."""

    def __init__(self, given: ScoringInput) -> None:
        answered = given.answered
        labels = given.labels[answered]
        positive = (labels == LabelState.POSITIVE).astype(np.float32)
        known = (labels != LabelState.UNKNOWN).astype(np.float32)
        self.groups, place = np.unique(given.groups[answered], return_inverse=True)
        self.own_groups = given.groups
        # one row more, of zeros, for images of whose group nothing is known
        self.positive = np.zeros((len(self.groups) + 1, labels.shape[1]), np.float32)
        self.known = np.zeros_like(self.positive)
        np.add.at(self.positive, place, positive)
        np.add.at(self.known, place, known)
        self.all_positive, self.all_known = self.positive.sum(axis=0), self.known.sum(axis=0)

    def of(self, part: slice) -> Float:
        """(n, C), with one more label of the mean share over all tags, so that 0 of 1 is not "never"."""
        own = self.own_groups[part]
        place = np.searchsorted(self.groups, own)
        there = place < len(self.groups)
        there[there] = self.groups[place[there]] == own[there]
        place = np.where(there, place, len(self.groups))
        positive = self.all_positive - self.positive[place]
        known = self.all_known - self.known[place]
        everywhere = positive.sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
        prior: Float = (positive + everywhere) / (known + 1)
        return prior.astype(np.float32)
