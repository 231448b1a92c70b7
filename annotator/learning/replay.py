"""Replay: how fast a way of asking and learning would have got there, on labels that are already known.

A recipe (query strategy, head, loss) asks for the pool's images batch by batch, is told the truth, trains, and is
measured on images outside the pool. What it saved is read off against random choice with the same head and loss:
the share of answers it did not need to reach the mAP that random had at the end of its budget.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import Tiles
from annotator.errors import UnknownNameError, UsageError
from annotator.learning import metrics
from annotator.learning.fit import fit_head
from annotator.learning.heads import HEADS, WITH_TILES, Head
from annotator.learning.losses import LOSSES
from annotator.learning.queries import DEFAULT, QUERIES, Pool, with_control
from annotator.terms import LabelState

RESAMPLES = 2_000
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Material:
    """What is replayed: N images, C tags, of which the two sets of rows share no image and no near-duplicates.

    X (N, D) embeddings; labels (N, C) int8 truth, -1 unknown; pool rows may be asked, held_out rows measure;
    texts (C, D) or None; groups (N,) near-duplicate groups or None; tiles (N, P, D) or None.
    """

    X: NDArray[np.floating[Any]]
    labels: NDArray[np.int8]
    pool: NDArray[np.int64]
    held_out: NDArray[np.int64]
    texts: NDArray[np.floating[Any]] | None = None
    groups: NDArray[np.int64] | None = None
    tiles: Tiles | None = None

    def __post_init__(self) -> None:
        if len(np.intersect1d(self.pool, self.held_out)):
            raise UsageError("an image of the pool is held out too; an image asked about must not measure")
        if not len(self.pool) or not len(self.held_out):
            raise UsageError(f"{len(self.pool)} images to ask and {len(self.held_out)} to measure; a replay needs both")


@dataclass(frozen=True)
class Recipe:
    """Names of QUERIES, HEADS, LOSSES, and the share of picks drawn at random. Raises UnknownNameError for others."""

    strategy: str = DEFAULT
    head: str = "text_anchored"
    loss: str = "masked_bce"
    control: float = 0.0

    def __post_init__(self) -> None:
        for kind, name, family in (
            ("query strategy", self.strategy, QUERIES),
            ("head", self.head, HEADS),
            ("loss", self.loss, LOSSES),
        ):
            if name not in family:
                raise UnknownNameError(kind, name, family)

    def __str__(self) -> str:
        return f"{self.strategy} · {self.head} · {self.loss}"


@dataclass(frozen=True)
class Curve:
    """After each of S steps: images answered, held-out mAP and micro F1, seconds of choosing and of training."""

    answers: NDArray[np.int64]
    mAP: NDArray[np.float64]
    f1: NDArray[np.float64]
    choosing: NDArray[np.float64]
    training: NDArray[np.float64]


def replay(
    material: Material,
    recipe: Recipe,
    steps: Sequence[int],
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    device: str = "cpu",
) -> Curve:
    """Ask, train and measure until `steps` images in all are answered at each step (ascending).

    The same material, recipe and seed give the same curve, but for its seconds.
    """
    rng = np.random.default_rng([seed, 1])
    asked = np.full(material.labels.shape, LabelState.UNKNOWN, np.int8)
    left, head = material.pool, None
    done: list[tuple[int, float, float, float, float]] = []
    for turn, wanted in enumerate(_reachable(steps, len(left))):
        began = time.perf_counter()
        pool = _pool(material, recipe, asked, left, head)
        count = wanted - (done[-1][0] if done else 0)
        rows = with_control(QUERIES[recipe.strategy], pool, count, recipe.control, rng).picks.rows
        asked[rows], left = material.labels[rows], np.setdiff1d(left, rows)
        chosen = time.perf_counter()
        head = _trained(material, recipe, asked, device)
        trained = time.perf_counter()
        scores = head.probabilities(*_seen(material, recipe, material.held_out))
        truth = material.labels[material.held_out]
        figures = metrics.mean_average_precision(scores, truth), metrics.micro_f1(scores, truth)
        done.append((wanted, *figures, chosen - began, trained - chosen))
        progress(turn + 1, len(steps))
    columns = np.array(done, np.float64).reshape(-1, 5).T
    return Curve(columns[0].astype(np.int64), *columns[1:])


def _reachable(steps: Sequence[int], size: int) -> list[int]:
    if list(steps) != sorted(set(steps)) or not steps or steps[0] < 1:
        raise UsageError(f"steps {list(steps)}: give growing numbers of answered images, from 1 up")
    return [step for step in steps if step <= size]


def _seen(material: Material, recipe: Recipe, rows: NDArray[np.int64]) -> tuple[Any, Any]:
    """Vectors of some images, and their tiles for a head that looks at them."""
    tiles = material.tiles if recipe.head in WITH_TILES else None
    return material.X[rows], None if tiles is None else tiles[rows]


def _pool(
    material: Material, recipe: Recipe, asked: NDArray[np.int8], left: NDArray[np.int64], head: Head | None
) -> Pool:
    probabilities = variance = None
    if head is not None:
        # Only the pool is scored: no strategy looks at other rows.
        shape = material.labels.shape
        probabilities, variance = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        seen = _seen(material, recipe, material.pool)
        probabilities[material.pool] = head.probabilities(*seen)
        variance[material.pool] = head.variances(*seen)
    return Pool(left, asked, material.X, probabilities, variance, material.groups, tiles=material.tiles)


def _trained(material: Material, recipe: Recipe, asked: NDArray[np.int8], device: str) -> Head:
    rows = np.flatnonzero((asked != LabelState.UNKNOWN).any(1))
    X, tiles = _seen(material, recipe, rows)
    head, _ = fit_head(recipe.head, X, asked[rows], texts=material.texts, tiles=tiles, device=device, loss=recipe.loss)
    return head


@dataclass(frozen=True)
class Saving:
    """Share of random's answers that were not needed, its interval over seeds, and how it ends against random.

    Negative: the share of answers that random would have saved against it. target: random's best mAP; worse: how far
    the last mAP lies under it, relative to it.
    """

    saved: float
    low: float
    high: float
    target: float
    worse: float


def saving(curves: Sequence[Curve], random: Sequence[Curve], seed: int = 0) -> Saving:
    """What `curves` saved against `random`, seed by seed: the two lists are in the same order of seeds.

    The target is the best mAP of random's mean curve; mean curves over the seeds are read there, between two steps by
    a straight line along the best mAP so far. The interval is a bootstrap over pairs of seeds (Efron 1979), 90 %.
    """
    if len(curves) != len(random) or not len(curves):
        raise UsageError(f"{len(curves)} curves beside {len(random)} of random; give as many, seed by seed")
    ours, theirs = (np.stack([curve.mAP for curve in some]) for some in (curves, random))
    answers = random[0].answers
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(ours), (RESAMPLES, len(ours)))
    found = np.array([saved_share(answers, ours[draw].mean(0), theirs[draw].mean(0)) for draw in draws])
    tail = (1 - CONFIDENCE) / 2
    low, high = (float(value) for value in np.quantile(found, (tail, 1 - tail)))
    one, other = ours.mean(0), theirs.mean(0)
    worse = float(max(0.0, 1 - one[-1] / other[-1]))
    return Saving(saved_share(answers, one, other), low, high, float(other.max()), worse)


def saved_share(answers: NDArray[np.int64], ours: NDArray[np.float64], random: NDArray[np.float64]) -> float:
    """What one curve of mAP saved against another, (S,) each at the same `answers`; NaN where one is not finite."""
    if not (np.isfinite(ours).all() and np.isfinite(random).all()):
        return float("nan")
    ours, random = np.maximum.accumulate(ours), np.maximum.accumulate(random)
    if ours[-1] >= random[-1]:
        return 1 - answers_to_reach(answers, ours, random[-1]) / answers_to_reach(answers, random, random[-1])
    return answers_to_reach(answers, random, ours[-1]) / float(answers[-1]) - 1


def answers_to_reach(answers: NDArray[np.int64], best: NDArray[np.float64], target: float) -> float:
    """Answers at which a rising curve crosses `target`, which it does at its end at the latest."""
    at = int(np.searchsorted(best, target))
    if at == 0:
        return float(answers[0])
    share = (target - best[at - 1]) / (best[at] - best[at - 1])
    return float(answers[at - 1] + share * (answers[at] - answers[at - 1]))
