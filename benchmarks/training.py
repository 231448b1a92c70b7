"""Training time and quality of the default head against scikit-learn: 100 tags, 10,000 labelled images, 512 dimensions.

    python -m benchmarks.training [--quick] [--json FILE]

The images are mixtures of real CLIP vectors (features/unsplash2001_clip_vitb16.npz in the real-data folder) with noise
of their own covariance; a tag is a random direction with logistic noise, cut at a prevalence of 1 to 30 %. Compared
with OneVsRestClassifier(LogisticRegression(max_iter=1000)) (lbfgs, n_jobs=None, float32), which gets the same images
and penalty in the form it likes best, centred and of unit variance, prepared outside its time. It runs twice: with as
many BLAS threads as we use (its default), and with one, which on small machines is faster for it. Ours starts from the
stored float16 vectors and includes the posterior. The second row leaves 30 % of the labels unknown: scikit-learn then
fits each tag on its known images.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from threadpoolctl import threadpool_limits

from annotator.learning.fit import fit_head
from annotator.learning.heads import HeadSettings
from annotator.learning.metrics import mean_average_precision
from benchmarks.report import options, packs, show, write

RIDGE = HeadSettings().ridge
VECTORS = "features/unsplash2001_clip_vitb16.npz"


@dataclass(frozen=True)
class Data:
    X: NDArray[np.float16]
    labels: NDArray[np.int8]
    test_X: NDArray[np.float16]
    test_labels: NDArray[np.int8]


@dataclass(frozen=True)
class Result:
    """Our seconds are medians; the ratios are our time over theirs; mAP in 0..1 on the test images."""

    ratio_to_sklearn: float
    ratio_to_sklearn_one_thread: float
    seconds: float
    seconds_sklearn: float
    seconds_sklearn_one_thread: float
    mAP: float
    mAP_sklearn: float
    device: str
    gpu_seconds: float | None


def make_data(real: NDArray[np.floating[Any]], images: int, tags: int, rng: np.random.Generator) -> Data:
    """Images and a fifth as many test images, in the shape of the real vectors (M, D)."""
    real = real.astype(np.float32)
    total = images + images // 5
    one, two = rng.integers(0, len(real), (2, total))
    share = rng.beta(2, 2, (total, 1)).astype(np.float32)
    X = share * real[one] + (1 - share) * real[two]
    for _ in range(4):  # noise with the covariance of the real vectors
        step = 0.25 * rng.normal(size=(total, 1)).astype(np.float32)
        X += step * (real[rng.integers(0, len(real), total)] - real.mean(0))
    X += 0.01 * rng.normal(size=X.shape).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    score = (X - X.mean(0)) @ rng.normal(size=(X.shape[1], tags)).astype(np.float32)
    score = score / score.std(0) + 0.3 * rng.logistic(size=score.shape)
    prevalence = np.exp(rng.uniform(np.log(0.01), np.log(0.3), tags))
    cut = np.array([np.quantile(score[:, tag], 1 - prevalence[tag]) for tag in range(tags)])
    labels = (score >= cut).astype(np.int8)
    half = X.astype(np.float16)
    return Data(half[:images], labels[:images], half[images:], labels[images:])


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def median_seconds(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """After one run that is not counted."""
    work()
    runs = [timed(work) for _ in range(repeats)]
    return statistics.median(seconds for seconds, _ in runs), runs[-1][1]


def sklearn_scores(X: NDArray[np.float32], labels: NDArray[np.int8], test_X: NDArray[np.float32]) -> NDArray[Any]:
    """Train one-vs-rest and score the test images (the scoring takes a few milliseconds)."""
    model = LogisticRegression(C=1 / (RIDGE * X.shape[1]), max_iter=1000)  # our features have unit variance in sum
    if (labels >= 0).all():
        scores: NDArray[Any] = OneVsRestClassifier(model, n_jobs=None).fit(X, labels).decision_function(test_X)
        return scores
    columns = []
    for y in labels.T:
        known = y >= 0
        columns.append(model.fit(X[known], y[known]).decision_function(test_X))
    return np.stack(columns, 1)


def compare(data: Data, repeats: int) -> Result:
    import torch

    seconds, (head, report) = median_seconds(lambda: fit_head("text_anchored", data.X, data.labels), repeats)
    if not report.converged.all():
        raise SystemExit(f"{int((~report.converged).sum())} tags did not converge; the comparison would not be fair")
    gpu_seconds = None
    if torch.cuda.is_available():
        gpu_seconds, _ = median_seconds(lambda: fit_head("text_anchored", data.X, data.labels, device="cuda"), repeats)
    factor = np.float32(data.X.shape[1] ** 0.5) / head.scale
    X, test_X = ((part.astype(np.float32) - head.centre) * factor for part in (data.X, data.test_X))
    seconds_sklearn, scores = timed(lambda: sklearn_scores(X, data.labels, test_X))
    with threadpool_limits(1):
        one_thread, _ = timed(lambda: sklearn_scores(X, data.labels, test_X))
    return Result(
        ratio_to_sklearn=seconds / seconds_sklearn,
        ratio_to_sklearn_one_thread=seconds / one_thread,
        seconds=seconds,
        seconds_sklearn=seconds_sklearn,
        seconds_sklearn_one_thread=one_thread,
        mAP=mean_average_precision(head.logits(data.test_X), data.test_labels),
        mAP_sklearn=mean_average_precision(scores, data.test_labels),
        device=f"cpu, {torch.get_num_threads()} threads",
        gpu_seconds=gpu_seconds,
    )


def hide(data: Data, share: float, rng: np.random.Generator) -> Data:
    labels = np.where(rng.random(data.labels.shape) < share, np.int8(-1), data.labels)
    return Data(data.X, labels, data.test_X, data.test_labels)


def row(name: str, found: Result) -> dict[str, Any]:
    return {
        "labels": name,
        "ours, s": found.seconds,
        "scikit-learn, s": found.seconds_sklearn,
        "ratio": f"1/{1 / found.ratio_to_sklearn:.0f}",
        "one thread, s": found.seconds_sklearn_one_thread,
        "its ratio": f"1/{1 / found.ratio_to_sklearn_one_thread:.0f}",
        "mAP ours": found.mAP,
        "mAP scikit-learn": found.mAP_sklearn,
        "GPU, s": found.gpu_seconds,
    }


def main() -> None:
    chosen = options(__doc__ or "")
    images, tags, repeats = (4_000, 20, 3) if chosen.quick else (10_000, 100, 5)
    rng = np.random.default_rng(0)
    data = make_data(np.load(packs() / VECTORS)["emb"], images, tags, rng)
    results = {"all known": compare(data, repeats), "30 % unknown": compare(hide(data, 0.3, rng), repeats)}
    known, unknown = results.values()
    title = f"{tags} tags, {images:,} labelled images, {data.X.shape[1]} dimensions; {known.device}"
    show(title, [row(name, found) for name, found in results.items()])
    write(chosen.json, {**asdict(known), "tags": tags, "images": images, "unknown_30": asdict(unknown)})


if __name__ == "__main__":
    main()
