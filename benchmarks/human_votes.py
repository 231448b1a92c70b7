"""Votes against majority on real people's votes: python -m benchmarks.human_votes [--quick].

6,000 images of cifar10_votes with about 51 votes each. Of each training image a few votes are drawn; the default head
learns from their majority (a tie is unknown) or from their soft shares. Measured on a held-out third against the shares
of all votes there: log loss a tag in nats (calibration left out: the head's own probabilities), and mAP of the majority
of all votes. MobileNet vectors, mean of three seeds.
"""

import csv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.consensus import soft_votes
from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision
from benchmarks.packs import CIFAR_IMAGES, Pack, load, split
from benchmarks.report import options, packs, show, write

SEEDS = 3
DRAWN = (1, 2, 3, 5, 10)
Votes = NDArray[np.int64]


def all_votes(pack: Pack) -> Votes:
    """(N, C) yes votes; everybody named one class."""
    with (packs() / "cifar10_votes" / "test_votes.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:CIFAR_IMAGES]
    return np.array([[int(row[f"votes_{tag}"]) for tag in pack.tags] for row in rows], np.int64)


def log_loss(p: NDArray[np.floating[Any]], shares: NDArray[np.floating[Any]]) -> float:
    p = np.clip(p.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-(shares * np.log(p) + (1 - shares) * np.log(1 - p)).mean())


def run(pack: Pack, votes: Votes, drawn: int, seed: int) -> dict[str, float]:
    training, held_out = split(pack, 1 / 3, seed)
    rng = np.random.default_rng([seed, 17])
    yes = np.stack([rng.multivariate_hypergeometric(row, min(drawn, row.sum())) for row in votes[training]])
    cast = np.repeat(yes.sum(1, keepdims=True), yes.shape[1], 1)
    majority = np.where(2 * yes == cast, -1, 2 * yes > cast).astype(np.int8)
    X = pack.X[training]
    by_majority, _ = fit_head("text_anchored", X, majority)
    by_votes, _ = fit_head("text_anchored", X, majority, **soft_votes(yes, cast)._asdict())
    shares = votes[held_out] / votes[held_out].sum(1, keepdims=True)
    truth = (shares > 0.5).astype(np.int8)
    found = {}
    for name, head in (("majority", by_majority), ("votes", by_votes)):
        p = head.probabilities(pack.X[held_out])
        found |= {f"log loss, {name}": log_loss(p, shares), f"mAP, {name}": mean_average_precision(p, truth)}
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    pack = load("cifar10_votes")
    votes = all_votes(pack)
    rows: list[dict[str, Any]] = []
    for drawn in DRAWN[:2] if chosen.quick else DRAWN:
        runs = [run(pack, votes, drawn, seed) for seed in range(1 if chosen.quick else SEEDS)]
        rows.append({"votes an image": drawn, **{key: float(np.mean([one[key] for one in runs])) for key in runs[0]}})
    show(
        "Majority against votes",
        [{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows],
    )
    write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
