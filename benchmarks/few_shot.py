"""Few answers per tag, with words: python -m benchmarks.few_shot [--quick].

The text-anchored head against zero-shot (normalised cosines, no answer) and against scikit-learn's probe (one logistic
regression a tag, no words) at 0, 1, 2, 5, 10, 50 and all answers: so many positive images are drawn for each tag, and
those images are answered completely. Vectors and words by the small stand-in model of the packs' folder, which is no
CLIP. A third of the images is held out; mAP, mean of three seeds. scikit-learn has its default penalty, which is too
strong for unit vectors; `linear_probe` is the same model with ours.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision
from annotator.scoring.zero_shot import normalise, scores
from benchmarks.packs import STANDIN, Pack, load, split
from benchmarks.report import options, show, write

NAMES = ("coco256", "corel5k", "grocery", "cifar10_votes")
SHOTS = (0, 1, 2, 5, 10, 50, 10_000)
SEEDS = 3
Rows = NDArray[np.int64]


def draw(labels: NDArray[np.int8], shots: int, rng: np.random.Generator) -> Rows:
    """Rows of `shots` positives of each tag (all where there are fewer), tag by tag."""
    chosen = [rng.permutation(np.flatnonzero(column == 1))[:shots] for column in labels.T]
    return np.unique(np.concatenate(chosen))


def probe(X: NDArray[Any], labels: NDArray[np.int8], test: NDArray[Any]) -> NDArray[np.float64]:
    """scikit-learn's own defaults on the stored unit vectors; a tag of one kind only gets a constant."""
    columns = []
    for y in labels.T:
        if y.min() == y.max():
            columns.append(np.zeros(len(test)))
        else:
            columns.append(LogisticRegression(max_iter=1000).fit(X, y).decision_function(test))
    return np.stack(columns, 1)


def run(pack: Pack, shots: int, seed: int) -> dict[str, float]:
    training, held_out = split(pack, 1 / 3, seed)
    rows = training[draw(pack.labels[training], shots, np.random.default_rng([seed, 11]))]
    X, y = pack.X[rows].astype(np.float32), pack.labels[rows]
    if not len(rows):  # the images are there all the same, only unanswered
        X = pack.X[training].astype(np.float32)
        y = np.full((len(X), y.shape[1]), -1, np.int8)
    test = pack.X[held_out].astype(np.float32)
    assert pack.texts is not None
    said = {"zero-shot": normalise(scores(test, pack.texts))}
    said["text_anchored"] = fit_head("text_anchored", X, y, texts=pack.texts)[0].logits(test)
    if len(rows):
        said["linear_probe"] = fit_head("linear_probe", X, y)[0].logits(test)
        said["scikit-learn"] = probe(X, y, test)
    figures = {name: mean_average_precision(z, pack.labels[held_out]) for name, z in said.items()}
    return {"answered images": len(rows), **figures}


def main() -> None:
    chosen = options(__doc__ or "")
    names, seeds, shots = (NAMES[:1], 1, SHOTS) if chosen.quick else (NAMES, SEEDS, SHOTS)
    rows: list[dict[str, Any]] = []
    for name in names:
        pack = load(name, STANDIN)
        for count in shots:
            runs = [run(pack, count, seed) for seed in range(seeds)]
            row: dict[str, Any] = {"pack": name, "answers a tag": count if count < SHOTS[-1] else "all"}
            for key in ("answered images", "zero-shot", "text_anchored", "linear_probe", "scikit-learn"):
                known = [found[key] for found in runs if key in found]
                row[key] = float(np.mean(known)) if known else None
            row["answered images"] = round(row["answered images"])
            rows.append(row)
        write(chosen.json, {"rows": rows})
    show("mAP on held-out images", rows)


if __name__ == "__main__":
    main()
