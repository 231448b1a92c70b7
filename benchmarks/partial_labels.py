"""Learning from partial labels on every pack: python -m benchmarks.partial_labels [--quick].

A third of the images is held out; of the others' labels a share is kept at random (10 %, 50 %), or one positive an
image and nothing else. mAP in points (0 to 100) on the held-out images, mean of three seeds. Rows: the ways to read
unknown labels (`annotator.learning.partial`) with cross-entropy, and the other losses with unknown labels masked.
The default is `advised(labels)`: em_apl where only positives are known; else masked, with the distribution-balanced
loss where tags are of very unlike frequency.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.fit import fit_head, fit_partial
from annotator.learning.losses import LOSSES
from annotator.learning.metrics import mean_average_precision
from annotator.learning.partial import PARTIAL, advised
from benchmarks.packs import PACKS, Pack, load, split
from benchmarks.report import options, show, write

SEEDS = 3
KEPT = ("10 %", "50 %", "one positive")
Labels = NDArray[np.int8]


def keep(labels: Labels, kept: str, rng: np.random.Generator) -> Labels:
    """`labels` with -1 in place of what is hidden."""
    if kept != "one positive":
        share = float(kept.split()[0]) / 100
        return np.where(rng.random(labels.shape) < share, labels, np.int8(-1))
    luck = np.where(labels == 1, rng.random(labels.shape), -1)
    chosen = (luck == luck.max(1, keepdims=True)) & (labels == 1)
    return np.where(chosen, 1, -1).astype(np.int8)


def run(pack: Pack, kept: str, seed: int) -> tuple[str, dict[str, float]]:
    """The default's name, and the mAP of each way and loss."""
    training, held_out = split(pack, 1 / 3, seed)
    labels = keep(pack.labels[training], kept, np.random.default_rng([seed, 9]))
    heads = {way: fit_partial("text_anchored", way, pack.X[training], labels)[0] for way in PARTIAL}
    heads |= {
        f"masked, {loss}": fit_head("text_anchored", pack.X[training], labels, loss=loss)[0]
        for loss in LOSSES
        if loss != "masked_bce"
    }
    truth = pack.labels[held_out]
    figures = {name: 100 * mean_average_precision(head.logits(pack.X[held_out]), truth) for name, head in heads.items()}
    way, loss = advised(labels)
    return way if loss == "masked_bce" else f"{way}, {loss}", figures


def main() -> None:
    chosen = options(__doc__ or "")
    names, seeds = (["coco256", "voc12"], 1) if chosen.quick else (list(PACKS), SEEDS)
    rows: list[dict[str, Any]] = []
    for name in names:
        pack = load(name)
        for kept in KEPT:
            runs = [run(pack, kept, seed) for seed in range(seeds)]
            means = {way: float(np.mean([found[way] for _, found in runs])) for way in runs[0][1]}
            default = runs[0][0]
            behind = max(means.values()) - means[default]
            rows.append({"pack": name, "kept": kept, "default": default, "behind the best": behind, **means})
        write(chosen.json, {"rows": rows})
    show("mAP in points", [{key: f"{v:.1f}" if isinstance(v, float) else v for key, v in row.items()} for row in rows])


if __name__ == "__main__":
    main()
