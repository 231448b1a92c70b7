"""What certified labels cost people, on every pack: python -m benchmarks.guarantee_cost [--quick].

Each tag is brought to (precision 0.95, recall 0.95) at 95 % confidence by `annotator.learning.settling`: 300 random
images answered completely (a fifth of small packs), then rounds until nothing is open. Answers are (image, tag) pairs;
by hand costs one each. Seconds: 1.2 for an answer in the open band, 0.3 and 0.15 for each draw of an accept and a
reject audit (pages that are looked over, exceptions marked): assumed, `planning.Costs`. Beside it: the first model kept
(no retraining), LSUN's rule and a cut at 0.5, with the share of tags whose final labels miss the promise.

Then the same on pools of 50,000 and 1,000,000, drawn with replacement from the packs' cross-fitted probabilities and
labels (tags of 50 positives and more; the first sample's answers train nothing here). By group of tags (average
precision of the scores): the factor against by hand, and the overhead over an oracle's thresholds on the same scores.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.calibration import cross_fitted, fit_calibration
from annotator.learning.fit import fit_head
from annotator.learning.metrics import average_precision
from annotator.learning.settling import Outcome, Rule, Terms, oracle_band, settle_all
from annotator.services.cascading import scorer
from benchmarks.packs import PACKS, Pack, load
from benchmarks.report import options, show, write

PROMISE = 0.95
FOLDS = 5
POOLS = (50_000, 1_000_000)
LEAST = 50  # positives a tag has for the grown pools
GROUPS = ((0.97, 1.01), (0.9, 0.97), (0.0, 0.9))
GUARANTEE = "guarantee"
RULES = (
    (GUARANTEE, Rule.GUARANTEE, True),
    ("guarantee, first model kept", Rule.GUARANTEE, False),
    ("LSUN's rule", Rule.LSUN, True),
    ("cut at 0.5", Rule.CUT, True),
)
MOST_TAGS = {50_000: 40, 1_000_000: 6}  # of each group and pool


def run_pack(pack: Pack, scores: NDArray[np.float32]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each rule, and for the guarantee a row for each group of tags."""
    first = min(300, len(pack.X) // 5)
    size = {"pack": pack.name, "images": len(pack.X)}
    rows, groups = [], []
    for name, rule, retrain in RULES:
        score = scorer("text_anchored", pack.X, pack.texts)
        found = settle_all(pack.labels, score, rule, Terms(first=first, retrain=retrain))
        everything = np.ones(len(pack.tags), bool)
        rows.append({**size, "tags": len(pack.tags), "rule": name, **figures(found, len(pack.X), everything)})
        if name == GUARANTEE:
            quality = average_precision(scores, pack.labels)
            for low, high in GROUPS:
                own = (quality >= low) & (quality < high)
                if own.any():
                    groups.append(
                        {**size, "AP": f"{low} and up", "tags": int(own.sum()), **figures(found, len(pack.X), own)}
                    )
    return rows, groups


def figures(found: Outcome, images: int, tags: NDArray[np.bool_]) -> dict[str, float]:
    by_hand = images * int(tags.sum())
    answers = float(found.answers[tags].sum())
    return {
        "answers": answers,
        "by hand / answers": by_hand / answers,
        "by hand / seconds": by_hand * Terms().costs.band / float(found.seconds[tags].sum()),
        "audit draws": float((found.accept_draws + found.reject_draws)[tags].sum()),
        "settled share": float(found.settled[tags].sum() / by_hand),
        "precision": float(found.precision[tags].mean()),
        "recall": float(found.recall[tags].mean()),
        "tags that miss": float(((found.precision < PROMISE) | (found.recall < PROMISE))[tags].mean()),
    }


def cross_scores(pack: Pack) -> NDArray[np.float32]:
    """(N, C) calibrated probabilities of each image by heads that did not see it nor its near-duplicates."""
    groups = np.unique(pack.groups, return_inverse=True)[1] % FOLDS
    logits = np.empty(pack.labels.shape, np.float32)
    for fold in range(FOLDS):
        out = groups == fold
        head, _ = fit_head("text_anchored", pack.X[~out], pack.labels[~out], texts=pack.texts)
        logits[out] = head.logits(pack.X[out])
    return cross_fitted(fit_calibration, logits, pack.labels, pack.groups)


def grown(pack: Pack, scores: NDArray[np.float32], size: int) -> list[dict[str, Any]]:
    """One row a tag, of the pool grown to `size`."""
    quality = average_precision(scores, pack.labels)
    rows = []
    for low, high in GROUPS:
        tags = np.flatnonzero((quality >= low) & (quality < high) & (pack.labels.sum(0) >= LEAST))[: MOST_TAGS[size]]
        for tag in tags.tolist():
            drawn = np.random.default_rng([0, tag]).integers(0, len(scores), size)
            p, truth = scores[drawn, tag][:, None], pack.labels[drawn, tag][:, None]
            # Copies of one image would share their score: a hair of noise parts them as new images would be parted.
            p = np.clip(p * np.exp(0.02 * np.random.default_rng([0, tag, 1]).standard_normal(p.shape)), 0, 1)
            found = settle_all(truth, lambda asked, held, p=p: p, Rule.GUARANTEE, Terms(retrain=False))
            oracle = oracle_band(truth[:, 0], p[:, 0], PROMISE, PROMISE)
            rows.append(
                {
                    "pool": size, "pack": pack.name, "tag": pack.tags[tag], "AP": float(quality[tag]),
                    "group": f"{low} and up",
                    "positives": int(truth.sum()), "answers": int(found.answers[0]), "seconds": float(found.seconds[0]),
                    "oracle": oracle + Terms().first, "factor": size / int(found.answers[0]),
                    "factor, seconds": size * Terms().costs.band / float(found.seconds[0]),
                    "overhead": int(found.answers[0]) / (oracle + Terms().first),
                    "overhead, seconds": float(found.seconds[0]) / (Terms().costs.band * (oracle + Terms().first)),
                    "kept": bool(found.precision[0] >= PROMISE and found.recall[0] >= PROMISE),
                }
            )  # fmt: skip
    return rows


def grouped(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = []
    for pool in sorted({row["pool"] for row in rows}):
        for low, _ in GROUPS:
            own = [row for row in rows if row["pool"] == pool and row["group"] == f"{low} and up"]
            if own:
                medians = {
                    key: float(np.median([row[key] for row in own]))
                    for key in ("answers", "oracle", "factor", "factor, seconds", "overhead", "overhead, seconds")
                }
                table.append(
                    {
                        "pool": f"{pool:,}",
                        "AP": f"{low} and up",
                        "tags": len(own),
                        **medians,
                        "kept": sum(row["kept"] for row in own),
                    }
                )
    return table


def main() -> None:
    chosen = options(__doc__ or "")
    names, pools = (["voc12"], POOLS[:1]) if chosen.quick else (list(PACKS), POOLS)
    rows: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = []
    tags: list[dict[str, Any]] = []
    for name in names:
        pack = load(name)
        scores = cross_scores(pack)
        for pool in pools:
            tags += grown(pack, scores, pool)
        found = run_pack(pack, scores)
        rows, groups = rows + found[0], groups + found[1]
        write(chosen.json, {"packs": rows, "groups": groups, "grown": tags, "grown_groups": grouped(tags)})
    show("Everything certified at (0.95, 0.95), against everything by hand", rows)
    show("The guarantee by the tags' average precision", groups)
    show("Pools grown from the packs' scores, medians over tags", grouped(tags))


if __name__ == "__main__":
    main()
