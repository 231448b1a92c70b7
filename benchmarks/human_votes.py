"""Vote policies on real people's votes: python -m benchmarks.human_votes [--quick].

6,000 images of cifar10_votes with about 51 votes each. Of each training image a few votes are drawn; the default head
learns from what each policy (`annotator.learning.votes`) makes of them: its states ("majority", a tie is unknown) or
its beliefs (all others; "share" is soft_share without imaginary votes). Measured on a held-out third against the shares
of all votes there: log loss a tag in nats (calibration left out: the head's own probabilities), and mAP of the majority
of all votes. MobileNet vectors, mean of three seeds. "Consensus" rows have no head: log loss of the beliefs themselves
on the training images, cut to 0.001 to 0.999, against the shares of the votes that were not drawn.

Nobody knows who gave which of these votes, so the first drawn votes count as one person's, the second as another's: the
skill models learn the crowd's skill a tag, not people's.
"""

import csv
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision
from annotator.learning.votes import VOTES, Consensus, VoteTable
from annotator.learning.votes.soft_share import soft_share
from benchmarks.packs import CIFAR_IMAGES, Pack, load, split
from benchmarks.report import options, packs, show, write

SEEDS = 3
DRAWN = (1, 2, 3, 5, 10)
CUT = 1e-3
Votes = NDArray[np.int64]
POLICIES: dict[str, Callable[[VoteTable], Consensus]] = {
    "majority": VOTES["majority"],
    "share": partial(soft_share, imaginary=0.0),
    **{name: VOTES[name] for name in ("soft_share", "dawid_skene", "one_coin")},
}


def all_votes(pack: Pack) -> Votes:
    """(N, C) yes votes; everybody named one class."""
    with (packs() / "cifar10_votes" / "test_votes.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:CIFAR_IMAGES]
    return np.array([[int(row[f"votes_{tag}"]) for tag in pack.tags] for row in rows], np.int64)


def draw(votes: Votes, count: int, rng: np.random.Generator) -> VoteTable:
    """`count` of the votes of each image, without replacement; who names one class says no to the others."""
    named = [rng.permutation(np.repeat(np.arange(votes.shape[1]), row))[:count] for row in votes]
    image = np.repeat(np.arange(len(votes)), [len(row) for row in named])
    person = np.concatenate([np.arange(len(row)) for row in named])
    one_hot = np.concatenate(named)[:, None] == np.arange(votes.shape[1])
    images, people = (np.repeat(part, votes.shape[1]) for part in (image, person))
    return VoteTable(images, np.tile(np.arange(votes.shape[1]), len(image)), people, one_hot.ravel().astype(np.int8))


def shares(votes: Votes) -> NDArray[np.float64]:
    found: NDArray[np.float64] = votes / np.maximum(votes.sum(1, keepdims=True), 1)
    return found


def log_loss(p: NDArray[np.floating[Any]], share: NDArray[np.floating[Any]], cut: float = 1e-7) -> float:
    p = np.clip(p.astype(np.float64), cut, 1 - cut)
    return float(-(share * np.log(p) + (1 - share) * np.log(1 - p)).mean())


def run(pack: Pack, votes: Votes, drawn: int, seed: int) -> dict[str, dict[str, float]]:
    training, held_out = split(pack, 1 / 3, seed)
    cast = draw(votes[training], drawn, np.random.default_rng([seed, 17]))
    rest = votes[training].copy()
    np.subtract.at(rest, (cast.images, cast.tags), cast.states)
    truth = (shares(votes[held_out]) > 0.5).astype(np.int8)
    found = {}
    for name, policy in POLICIES.items():
        consensus = policy(cast)
        labels = consensus.labels(len(training), len(pack.tags))
        beliefs = consensus.targets(len(training), len(pack.tags))
        learned_from = {} if name == "majority" else beliefs._asdict()
        head, _ = fit_head("text_anchored", pack.X[training], labels, **learned_from)
        p = head.probabilities(pack.X[held_out])
        found[name] = {
            "log loss": log_loss(p, shares(votes[held_out])),
            "mAP": mean_average_precision(p, truth),
            "consensus": log_loss(beliefs.targets, shares(rest), CUT),
        }
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    pack = load("cifar10_votes")
    votes = all_votes(pack)
    rows: list[dict[str, Any]] = []
    for drawn in DRAWN[1:3] if chosen.quick else DRAWN:
        runs = [run(pack, votes, drawn, seed) for seed in range(1 if chosen.quick else SEEDS)]
        for figure in ("log loss", "mAP", "consensus"):
            means = {name: float(np.mean([one[name][figure] for one in runs])) for name in POLICIES}
            rows.append({"figure": figure, "votes an image": drawn, **means})
    rows.sort(key=lambda row: str(row["figure"]))
    show("Vote policies", [{k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows])
    write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
