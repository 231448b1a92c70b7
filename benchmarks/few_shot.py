"""Few answers per tag, with words: python -m benchmarks.few_shot [--quick].

The text-anchored head against zero-shot (normalised cosines, no answer) and against scikit-learn's probe (one logistic
regression a tag, no words) at 0, 1, 2, 5, 10, 50 and all answers: so many positive images are drawn for each tag, and
those images are answered completely. Vectors and words by the small stand-in model of the packs' folder, which is no
CLIP. A third of the images is held out; mAP, mean of three seeds. scikit-learn has its default penalty, which is too
strong for unit vectors; `linear_probe` is the same model with ours.

A second table, at 1, 5 and 50 answers: the other heads, and the default head with extra material, in points of mAP
above or below the default head with the same answers. What is not answered of the pool is their unlabelled images; the
teacher of `distillation` is a linear probe on MobileNet vectors with the same answers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from annotator.learning.extra import EXTRA
from annotator.learning.fit import fit_head, fit_with
from annotator.learning.heads import HEADS
from annotator.learning.metrics import mean_average_precision
from annotator.scoring.zero_shot import normalise, scores
from benchmarks.packs import MOBILENET, STANDIN, Pack, load, split
from benchmarks.report import options, show, write

NAMES = ("coco256", "corel5k", "grocery", "cifar10_votes")
SHOTS = (0, 1, 2, 5, 10, 50, 10_000)
SHOTS_BESIDE = (1, 5, 50)
SEEDS = 3
COLUMNS = ("answered images", "zero-shot", "text_anchored", "linear_probe", "scikit-learn")
WORDLESS = "linear_probe"
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


@dataclass(frozen=True)
class Turn:
    """One split and draw of a pack: what may be learned from, and what measures."""

    X: NDArray[np.float32]
    labels: NDArray[np.int8]
    waiting: NDArray[np.float32]
    test: NDArray[np.float32]
    truth: NDArray[np.int8]
    texts: NDArray[np.float32]
    teacher: NDArray[np.float32]
    answered: int

    def mAP(self, scores: NDArray[Any]) -> float:
        return mean_average_precision(scores, self.truth)


def draw_turn(pack: Pack, large: Pack, shots: int, seed: int) -> Turn:
    training, held_out = split(pack, 1 / 3, seed)
    rows = training[draw(pack.labels[training], shots, np.random.default_rng([seed, 11]))]
    waiting = np.setdiff1d(training, rows)
    labels = pack.labels[rows]
    teacher = np.zeros((len(waiting), labels.shape[1]), np.float32)
    if len(rows):
        teacher = fit_head("linear_probe", large.X[rows], labels)[0].probabilities(large.X[waiting])
    else:  # the images are there all the same, only unanswered
        rows, labels = training, np.full((len(training), labels.shape[1]), -1, np.int8)
    X = pack.X.astype(np.float32)
    assert pack.texts is not None
    return Turn(
        X[rows], labels, X[waiting], X[held_out], pack.labels[held_out], pack.texts, teacher,
        0 if labels.max(initial=-1) < 0 else len(rows),
    )  # fmt: skip


def run(turn: Turn) -> dict[str, float]:
    said = {"zero-shot": normalise(scores(turn.test, turn.texts))}
    said["text_anchored"] = fit_head("text_anchored", turn.X, turn.labels, texts=turn.texts)[0].logits(turn.test)
    if turn.answered:
        said["linear_probe"] = fit_head("linear_probe", turn.X, turn.labels)[0].logits(turn.test)
        said["scikit-learn"] = probe(turn.X, turn.labels, turn.test)
    return {"answered images": turn.answered, **{name: turn.mAP(z) for name, z in said.items()}}


def beside(turn: Turn) -> dict[str, float]:
    """Points of mAP that each other head, and each extra material, brings against the default head."""
    words = {"texts": turn.texts}
    heads = {
        name: fit_head(name, turn.X, turn.labels, unlabelled=turn.waiting, **words)[0]
        for name in HEADS
        if name != WORDLESS
    }
    for source in EXTRA:
        material = (turn.X, turn.labels, turn.waiting, turn.teacher)
        heads[source] = fit_with("text_anchored", source, *material, **words)[0]
    figures = {name: 100 * turn.mAP(head.logits(turn.test)) for name, head in heads.items()}
    default = figures.pop("text_anchored")
    return {name: value - default for name, value in figures.items()}


def mean(runs: list[dict[str, float]], key: str) -> float | None:
    known = [found[key] for found in runs if key in found]
    return float(np.mean(known)) if known else None


def main() -> None:
    chosen = options(__doc__ or "")
    names, seeds, shots = (NAMES[:1], 1, SHOTS) if chosen.quick else (NAMES, SEEDS, SHOTS)
    rows: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for name in names:
        pack, large = load(name, STANDIN), load(name, MOBILENET)
        for count in shots:
            turns = [draw_turn(pack, large, count, seed) for seed in range(seeds)]
            runs = [run(turn) for turn in turns]
            case = {"pack": name, "answers a tag": count if count < SHOTS[-1] else "all"}
            rows.append({**case, **{key: mean(runs, key) for key in COLUMNS}})
            rows[-1]["answered images"] = round(rows[-1]["answered images"])
            if count in SHOTS_BESIDE:
                gains = [beside(turn) for turn in turns]
                others.append({**case, **{key: mean(gains, key) for key in gains[0]}})
        write(chosen.json, {"rows": rows, "beside": others})
    show("mAP on held-out images", rows)
    signed = [{key: f"{v:+.1f}" if isinstance(v, float) else v for key, v in row.items()} for row in others]
    show("points of mAP above text_anchored with the same answers", signed)


if __name__ == "__main__":
    main()
