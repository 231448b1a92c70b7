"""What the tag tree does on grocery, whose tags are of three levels: python -m benchmarks.tag_tree [--quick].

1,000 answered images (all labels), the default head, its probabilities with and without the layer that lifts a parent
to its likeliest child: mAP of the tags that have children, and the share of (image, child) pairs that contradict the
tree (child taken, parent not, at 0.5). A third of the images is held out; mean of five splits.
"""

import csv
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision
from annotator.learning.tag_tree import NO_PARENT, parent_places, raise_parents
from benchmarks.packs import Pack, load, split
from benchmarks.report import options, packs, show, write

ANSWERED = (100, 300, 1_000)
SEEDS = 5


def parents_of(pack: Pack) -> NDArray[np.int64]:
    """Fine tag to middle to coarse, by the pack's taxonomy."""
    with (packs() / "grocery" / "taxonomy.csv").open(newline="") as lines:
        above: dict[str, str] = {}
        for row in csv.DictReader(lines):
            above[row["tag"]] = row["parent"]
            above[row["parent"]] = row["root"]
    parents = [above.get(tag) if above.get(tag) != tag else None for tag in pack.tags]
    return parent_places(pack.tags, parents)


def run(pack: Pack, parents: NDArray[np.int64], answered: int, seed: int) -> dict[str, float]:
    training, held_out = split(pack, 1 / 3, seed)
    rows = np.random.default_rng([seed, 13]).permutation(training)[:answered]
    head, _ = fit_head("text_anchored", pack.X[rows], pack.labels[rows])
    plain = head.probabilities(pack.X[held_out])
    lifted = plain.copy()
    raise_parents(lifted, parents)
    above = np.unique(parents[parents != NO_PARENT])
    truth = pack.labels[held_out][:, above]
    return {
        "parents' mAP, plain": mean_average_precision(plain[:, above], truth),
        "lifted": mean_average_precision(lifted[:, above], truth),
        "contradictions, plain": contradictions(plain, parents),
        "lifted ": contradictions(lifted, parents),
    }


def contradictions(p: NDArray[np.float32], parents: NDArray[np.int64]) -> float:
    children = np.flatnonzero(parents != NO_PARENT)
    taken = p[:, children] > 0.5
    return float((taken & (p[:, parents[children]] <= 0.5)).sum() / max(1, taken.sum()))


def main() -> None:
    chosen = options(__doc__ or "")
    pack = load("grocery")
    parents = parents_of(pack)
    rows: list[dict[str, Any]] = []
    for answered in ANSWERED:
        runs = [run(pack, parents, answered, seed) for seed in range(1 if chosen.quick else SEEDS)]
        rows.append({"answered": answered, **{key: float(np.mean([one[key] for one in runs])) for key in runs[0]}})
    show(f"grocery, {len(pack.tags)} tags, {int((parents != NO_PARENT).sum())} of them with a parent", rows)
    write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
