"""Finding wrong labels: python -m benchmarks.label_errors [--quick].

Errors are planted among a pack's known labels, as many of a hundred entries as said ("entries"), or of a hundred
positives, with as many negatives swapped in on the same tag, so that tags keep their frequency ("positives"). The
default head gives out-of-fold probabilities (5 folds, near-duplicates in one); everything below ranks with these same
probabilities. AUPRC / the share of errors among the first 100. Rows with half of the labels hidden: ours masks what is
unknown; cleanlab knows no unknown, so it sees hidden labels as absent, and is measured on the known entries alike.

self-confidence      ours (`annotator.learning.label_errors`); of fully known labels it equals cleanlab's default
likely first         ours, the labels of `likely_errors` before all others
contradicted first   ours, those of `contradicted` before all others
calibrated           self-confidence with calibrated probabilities
cleanlab, margin     cleanlab's "normalized_margin"; cleanlab, self: its "self_confidence"
flagged              precision / recall of the labels flagged: by `likely_errors`, by `contradicted`, and by
                     cleanlab's default filter
images               AUPRC of images with an error: by the moving average, by the lowest score, by cleanlab's default

Then the real label errors of cifar10_votes: the images of which five people on Mechanical Turk, shown cleanlab's
suspicion, did not confirm the given label (less than three of five).
"""

import csv
import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from annotator.learning.calibration import cross_fitted, fit_calibration
from annotator.learning.cross_fitting import out_of_fold
from annotator.learning.label_errors import contradicted, image_scores, likely_errors, self_confidence
from annotator.learning.metrics import average_precision
from benchmarks.packs import CIFAR_IMAGES, Pack, load
from benchmarks.report import options, packs, show, write

SHARES = (0.05, 0.10)
FIRST = 100
LEAST_POSITIVES = {"corel5k": 100}  # elsewhere 20
HAS_CLEANLAB = importlib.util.find_spec("cleanlab") is not None
Labels = NDArray[np.int8]
Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]


def plant(labels: Labels, share: float, how: str, rng: np.random.Generator) -> Mask:
    """(N, C) entries whose label is to be turned over."""
    if how == "entries":
        return np.asarray(rng.random(labels.shape) < share)
    flipped = np.zeros(labels.shape, np.bool_)
    for tag in range(labels.shape[1]):
        positives, negatives = (rng.permutation(np.flatnonzero(labels[:, tag] == state)) for state in (1, 0))
        count = int(rng.binomial(len(positives), share))
        flipped[positives[:count], tag] = flipped[negatives[:count], tag] = True
    return flipped


def ranking(suspicion: Scores, errors: Mask) -> tuple[float, float]:
    """AUPRC and precision at 100 of flat scores, the most suspicious first."""
    first = np.argsort(-suspicion, kind="stable")[:FIRST]
    auprc = average_precision(suspicion[:, None], errors[:, None].astype(np.int8))[0]
    return float(auprc), float(errors[first].mean())


def cleanlab_scores(labels: Labels, p: Scores, method: str) -> Scores:
    """(N, C) cleanlab's scores of each entry, unknown ones taken as absent."""
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    found = get_label_quality_scores_per_class(as_lists(labels), p, method=method)
    return np.asarray(found, np.float64)


def as_lists(labels: Labels) -> list[list[int]]:
    return [np.flatnonzero(row == 1).tolist() for row in labels]


def entry_figures(labels: Labels, p: Scores, calibrated: Scores, errors: Mask) -> dict[str, tuple[float, float]]:
    known = labels >= 0
    confidence, wrong = self_confidence(labels, p), contradicted(labels, p)
    suspicion = {
        "self-confidence": 1 - confidence,
        "likely first": likely_errors(labels, p) + 1 - confidence,
        "contradicted first": wrong + 1 - confidence,
        "calibrated": 1 - self_confidence(labels, calibrated),
    }
    if HAS_CLEANLAB:
        suspicion["cleanlab, self"] = 1 - cleanlab_scores(labels, p, "self_confidence")
        suspicion["cleanlab, margin"] = 1 - cleanlab_scores(labels, p, "normalized_margin")
    return {name: ranking(scores[known], errors[known]) for name, scores in suspicion.items()}


def flagged_figures(labels: Labels, p: Scores, errors: Mask) -> dict[str, tuple[float, float]]:
    """Precision and recall of what is flagged among the known labels."""
    known = labels >= 0
    flags = {"flagged, likely": likely_errors(labels, p), "flagged, contradicted": contradicted(labels, p)}
    if HAS_CLEANLAB:
        from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class

        flags["flagged, cleanlab"] = find_multilabel_issues_per_class(as_lists(labels), p, n_jobs=1)
    found = {}
    for name, flag in flags.items():
        hits = (flag & errors & known).sum()
        found[name] = (float(hits / max(1, (flag & known).sum())), float(hits / max(1, errors[known].sum())))
    return found


def image_figures(labels: Labels, p: Scores, errors: Mask) -> dict[str, tuple[float, float]]:
    confidence = self_confidence(labels, p)
    suspicion = {"images, average": 1 - image_scores(confidence), "images, lowest": 1 - image_scores(confidence, 1.0)}
    if HAS_CLEANLAB:
        from cleanlab.multilabel_classification.rank import get_label_quality_scores

        suspicion["images, cleanlab"] = 1 - np.asarray(get_label_quality_scores(as_lists(labels), p))
    known = (labels >= 0).any(1)
    return {name: ranking(scores[known], (errors & (labels >= 0)).any(1)[known]) for name, scores in suspicion.items()}


def run(pack: Pack, how: str, share: float, hidden: float) -> dict[str, tuple[float, float]]:
    rng = np.random.default_rng(0)
    errors = plant(pack.labels, share, how, rng)
    labels = np.where(errors, 1 - pack.labels, pack.labels).astype(np.int8)
    labels[rng.random(labels.shape) < hidden] = -1
    p = out_of_fold(pack.X, labels, pack.groups, np.random.default_rng(1)).astype(np.float64)
    calibrated = cross_fitted(fit_calibration, logit(np.clip(p, 1e-9, 1 - 1e-9)), labels, pack.groups).astype(
        np.float64
    )
    figures = entry_figures(labels, p, calibrated, errors)
    return {**figures, **flagged_figures(labels, p, errors), **image_figures(labels, p, errors)}


def real_errors(pack: Pack) -> dict[str, tuple[float, float]]:
    """The images of cifar10_votes of which people did not confirm the label."""
    with (packs() / "cifar10_votes" / "test_votes.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:CIFAR_IMAGES]
    errors = np.array([row["mturk_given"] != "" and int(row["mturk_given"]) < 3 for row in rows])
    own = np.array([[int(row[f"votes_{tag}"]) for tag in pack.tags] for row in rows])
    p = out_of_fold(pack.X, pack.labels, pack.groups, np.random.default_rng(1)).astype(np.float64)
    figures = image_figures(pack.labels, p, errors[:, None] & (pack.labels >= 0))
    given = (own * pack.labels).sum(1) / own.sum(1)
    return {
        "errors of images": (float(errors.sum()), float(len(errors))),
        **figures,
        "votes": ranking(1 - given, errors),
    }


def main() -> None:
    chosen = options(__doc__ or "")
    names = ["coco256"] if chosen.quick else ["grocery", "corel5k", "voc12", "cifar10_votes"]
    rows: list[dict[str, Any]] = []
    for name in names:
        pack = load(name).with_tags(LEAST_POSITIVES.get(name, 20))
        kinds = [(how, share, 0.0) for how in ("entries", "positives") for share in SHARES]
        for how, share, hidden in [*kinds, ("positives", 0.10, 0.5)]:
            figures = run(pack, how, share, hidden)
            shown = {key: f"{a:.3f} / {b:.2f}" for key, (a, b) in figures.items()}
            rows.append({"pack": name, "planted": f"{share:.0%} of {how}", "hidden": f"{hidden:.0%}", **shown})
            write(chosen.json, {"rows": rows})
    for part in (slice(3, -6), slice(-6, None)):
        keys = [*list(rows[0])[:3], *list(rows[0])[part]]
        show("Planted errors", [{key: row[key] for key in keys} for row in rows])
    real = {} if chosen.quick else real_errors(load("cifar10_votes"))
    if real:
        show("Real errors of cifar10_votes", [{key: f"{a:.3f} / {b:.2f}" for key, (a, b) in real.items()}])
    write(chosen.json, {"rows": rows, "real": real})


if __name__ == "__main__":
    main()
