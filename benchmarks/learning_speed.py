"""How fast the head trains and scores and a batch is chosen: python -m benchmarks.learning_speed [--quick].

Training: 100 tags, 512 dimensions, 1,000, 10,000 and 100,000 answered images (data as in `benchmarks.training`), the
posterior included, beside scikit-learn's LogisticRegression on one thread, which is faster for it than two; at 100,000
images scikit-learn fits ten of the tags and its time is multiplied by ten. Scoring: 1,000,000 x 512 in float16 to 100
probabilities, as a share of the rate at which this machine multiplies float32 matrices of that shape. Choosing: 200 of
1,000,000 images by each query strategy, with 1,000 answered images, probabilities, and variances on demand.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from annotator.learning.fit import fit_head
from annotator.learning.heads import Head
from annotator.learning.queries import QUERIES, Computed, Pool
from benchmarks.report import options, packs, show, write
from benchmarks.training import RIDGE, VECTORS, make_data, median_seconds, timed

TAGS, WIDTH, PICKS = 100, 512, 200
TAGS_OF_THE_OTHER = 10  # from 100,000 images on


def training(images: int, repeats: int) -> tuple[dict[str, Any], Head, NDArray[np.float16]]:
    data = make_data(np.load(packs() / VECTORS)["emb"], images, TAGS, np.random.default_rng(0))
    seconds, (head, _) = median_seconds(lambda: fit_head("text_anchored", data.X, data.labels), repeats)
    factor = np.float32(WIDTH**0.5) / head.scale
    X = (data.X.astype(np.float32) - head.centre) * factor
    tags = TAGS if images < 100_000 else TAGS_OF_THE_OTHER
    model = LogisticRegression(C=1 / (RIDGE * WIDTH), max_iter=1000)
    with threadpool_limits(1):
        other, _ = timed(lambda: [model.fit(X, labels) for labels in data.labels[:, :tags].T])
    other *= TAGS / tags
    row = {
        "answered images": f"{images:,}",
        "seconds": seconds,
        "scikit-learn, s": other,
        "scikit-learn / ours": other / seconds,
    }
    return row, head, data.X


def scoring(head: Head, X: NDArray[np.float16], repeats: int) -> dict[str, Any]:
    seconds, _ = median_seconds(lambda: head.probabilities(X), repeats)
    wide, weights = X[:100_000].astype(np.float32), np.ascontiguousarray(head.weights.T)
    product, _ = median_seconds(lambda: wide @ weights, repeats)
    rate = 2 * len(wide) * WIDTH * TAGS / product
    ours = 2 * len(X) * WIDTH * TAGS / seconds
    return {"images": f"{len(X):,}", "seconds": seconds, "GFLOP/s": ours / 1e9, "share of the product's": ours / rate}


def choosing(head: Head, X: NDArray[np.float16]) -> list[dict[str, Any]]:
    labels = np.full((len(X), TAGS), -1, np.int8)
    labels[:1000] = head.probabilities(X[:1000]) > 0.5
    pool = Pool(
        np.arange(1000, len(X)), labels, X, head.probabilities(X), Computed(head.variances, X),
        np.arange(len(X)), tags=tuple(f"tag {tag}" for tag in range(TAGS)),
    )  # fmt: skip
    rows = []
    for name, strategy in QUERIES.items():
        seconds, picks = timed(lambda strategy=strategy: strategy(pool, PICKS, np.random.default_rng(0)))
        assert len(picks.rows) == PICKS
        rows.append({"strategy": name, "seconds": seconds})
    return rows


def main() -> None:
    chosen = options(__doc__ or "")
    sizes, pool_size, repeats = ((1_000,), 50_000, 1) if chosen.quick else ((1_000, 10_000, 100_000), 1_000_000, 3)
    trainings = []
    for size in sizes:
        row, head, X = training(size, repeats)
        trainings.append(row)
    show(f"Training {TAGS} tags, {WIDTH} dimensions", trainings)
    large = np.resize(X, (pool_size, WIDTH))
    scored = scoring(head, large, repeats)
    show("Scoring", [scored])
    chosen_rows = choosing(head, large)
    show(f"Choosing {PICKS} of {pool_size:,} images", chosen_rows)
    write(chosen.json, {"training": trainings, "scoring": scored, "choosing": chosen_rows})


if __name__ == "__main__":
    main()
