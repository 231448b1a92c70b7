"""Calibration error before and after, on every labelled pack: python -m benchmarks.calibration [--quick].

A head is trained on a third of the images, chosen at random, calibrated on a sixth and measured on the rest; near-
duplicates stay together, five seeds. ECE: over equal-mass bins of all known entries of all tags together, and the mean
over tags of each tag's own; Brier score beside it. "platt, own answers" is what one would read off the calibration
answers themselves; "platt, cross-fitted" what `cross_fitted` reads off them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.calibration import CALIBRATIONS, Calibration, cross_fitted, fit_calibration
from annotator.learning.fit import fit_head
from annotator.learning.metrics import calibration_error, pooled_calibration_error
from benchmarks.packs import PACKS, Pack, load, split
from benchmarks.report import options, show, write

SEEDS = 5


def figures(probabilities: NDArray[np.float32], labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """Pooled ECE, mean ECE of the tags, Brier score."""
    brier = float(((probabilities - labels) ** 2).mean())
    own = float(np.nanmean(calibration_error(probabilities, labels)))
    return np.array([pooled_calibration_error(probabilities, labels), own, brier])


def run(pack: Pack, seed: int) -> dict[str, NDArray[np.float64]]:
    rest, training = split(pack, 1 / 3, seed)
    groups = np.unique(pack.groups[rest])
    chosen = np.random.default_rng([seed, 8]).permutation(groups)[: len(groups) // 4]
    is_calibration = np.isin(pack.groups[rest], chosen)
    calibration, test = rest[is_calibration], rest[~is_calibration]
    head, _ = fit_head("text_anchored", pack.X[training], pack.labels[training])
    z, y = head.logits(pack.X[calibration]), pack.labels[calibration]
    test_z, test_y = head.logits(pack.X[test]), pack.labels[test]
    plain = Calibration(np.ones(y.shape[1]), np.zeros(y.shape[1]))
    found = {"none": figures(plain.apply(test_z), test_y)}
    found |= {name: figures(fit(z, y).apply(test_z), test_y) for name, fit in CALIBRATIONS.items()}
    found["platt, own answers"] = figures(fit_calibration(z, y).apply(z), y)
    found["platt, cross-fitted"] = figures(cross_fitted(fit_calibration, z, y, pack.groups[calibration]), y)
    return found


def main() -> None:
    chosen = options(__doc__ or "")
    names, seeds = (["coco256", "voc12"], 2) if chosen.quick else (list(PACKS), SEEDS)
    rows: list[dict[str, Any]] = []
    for name in names:
        pack = load(name)
        runs = [run(pack, seed) for seed in range(seeds)]
        for way in runs[0]:
            pooled, own, brier = np.mean([found[way] for found in runs], axis=0)
            rows.append({"pack": name, "calibration": way, "ECE": pooled, "ECE of a tag": own, "Brier": brier})
    show("Calibration error", [{**row, **{k: f"{row[k]:.4f}" for k in list(row)[2:]}} for row in rows])
    write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
