"""How long a search takes, what it finds, and what it costs to be ready: python -m benchmarks.searching [--quick].

A million vectors of 512 numbers, grown from 2,001 real CLIP vectors (`features/unsplash2001_clip_vitb16.npz` in
ANNOTATOR_REAL_DATA). A grown vector is a random mix of a real one and one of its 5 nearest, to which noise with the
covariance of the real vectors is added; 2 to 55 % of its distance from the mean is noise, so near and far neighbours
both occur. Printed beside the real vectors: mean and spread of pairwise cosines, and the median cosine of the first
and the tenth neighbour, each in a sample of 2,001. Grown vectors lie more in clumps than a million real pictures
would; the number of cells searched is chosen by measured recall either way. Queries are grown too and not in the index.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.search import Neighbours, build, load
from annotator.settings import Settings

QUERIES = 200
K = 10
CHUNK = 65_536
NOISE = (0.02, 0.55)
NEAR = 5


def grow(real: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float16]:
    """(count, D) unit vectors shaped like the (n, D) `real` ones."""
    mean = real.mean(axis=0)
    away = real - mean
    values, directions = np.linalg.eigh(away.T @ away / len(away))
    root = (directions * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    near = np.argsort(-(real @ real.T), axis=1)[:, :NEAR]
    grown = np.empty((count, real.shape[1]), np.float16)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        first = rng.integers(len(real), size=size)
        second = near[first, rng.integers(NEAR, size=size)]
        share = rng.random((size, 1), np.float32)
        mixed = share * away[first] + (1 - share) * away[second]
        mixed *= np.linalg.norm(away[first], axis=1, keepdims=True) / np.linalg.norm(mixed, axis=1, keepdims=True)
        noise = rng.uniform(*NOISE, (size, 1)).astype(np.float32)
        random = rng.standard_normal((size, len(mean)), np.float32) @ root.T
        vectors = mean + np.sqrt(1 - noise) * mixed + np.sqrt(noise) * random
        grown[start : start + size] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return grown


def shape_of(vectors: NDArray[Any], rng: np.random.Generator) -> dict[str, float]:
    """Statistics of 2,001 of the vectors that say whether they are shaped like others."""
    some = vectors[np.sort(rng.choice(len(vectors), min(2001, len(vectors)), replace=False))].astype(np.float32)
    cosines = some @ some.T
    pairs = cosines[np.triu_indices(len(some), 1)]
    np.fill_diagonal(cosines, -1)
    ranked = np.sort(cosines, axis=1)
    return {
        "mean": float(pairs.mean()),
        "spread": float(pairs.std()),
        "first": float(np.median(ranked[:, -1])),
        "tenth": float(np.median(ranked[:, -10])),
    }


def truth_of(vectors: NDArray[np.float16], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """(Q,) the cosine of the tenth neighbour: what a found row has to reach."""
    best = np.full((len(queries), K), -1, np.float32)
    for start in range(0, len(vectors), CHUNK):
        cosines = queries @ vectors[start : start + CHUNK].astype(np.float32).T
        best = np.partition(np.hstack([best, cosines]), -K, axis=1)[:, -K:]
    tenth: NDArray[np.float32] = best.min(axis=1)
    return tenth


Search = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(Q, D) queries to (Q, 10) cosines."""


def measure(search: Search, queries: NDArray[np.float32], tenth: NDArray[np.float32], singles: int) -> dict[str, float]:
    """Median milliseconds of one query at a time, of one in a batch of all, and the recall."""
    search(queries[:1])
    times = []
    for place in range(singles):
        started = time.perf_counter()
        search(queries[place : place + 1])
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    found = search(queries)
    batch = time.perf_counter() - started
    return {
        "single_ms": 1000 * float(np.median(times)),
        "batch_ms": 1000 * batch / len(queries),
        "recall": float((found >= tenth[:, None] - 1e-4).mean()),
    }


def flat(vectors: NDArray[np.float16]) -> tuple[Search, float]:
    """Plain FAISS: (search, GB of the index)."""
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    for start in range(0, len(vectors), CHUNK):
        index.add(vectors[start : start + CHUNK].astype(np.float32))
    return lambda queries: index.search(queries, K)[0], 4e-9 * vectors.size


def numpy_search(vectors: NDArray[np.float16]) -> tuple[Search, float]:
    """One matrix product with a float32 copy, the ten best by argpartition."""
    wide = vectors.astype(np.float32)

    def search(queries: NDArray[np.float32]) -> NDArray[np.float32]:
        found = np.empty((len(queries), K), np.float32)
        for start in range(0, len(queries), 50):
            cosines = queries[start : start + 50] @ wide.T
            found[start : start + 50] = np.partition(cosines, -K, axis=1)[:, -K:]
        return found

    return search, 4e-9 * wide.size


def ours(vectors: NDArray[np.float16], kind: str) -> tuple[Neighbours, dict[str, float]]:
    """The index, and what it cost to build, write and load."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    index = build(vectors, kind=kind)
    costs = {"build_s": time.perf_counter() - started}
    # Linux counts kilobytes
    costs["peak_gb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e9
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors.faiss"
        index.save(file)
        costs["gb"] = file.stat().st_size / 1e9 if file.exists() else 2e-9 * vectors.size
        started = time.perf_counter()
        loaded = load(file, vectors)
        costs["load_s"] = time.perf_counter() - started
        if loaded is None:
            sys.exit("the index that was just written was refused")
    return index, costs


def run(count: int, singles: int) -> dict[str, Any]:
    """All rows of the table for `count` vectors."""
    file = Settings().real_data / "features" / "unsplash2001_clip_vitb16.npz"
    if not file.exists():
        sys.exit(f"{file} is not there; set ANNOTATOR_REAL_DATA to a folder that has it")
    with np.load(file) as stored:
        real = stored["emb"].astype(np.float32)
    real /= np.linalg.norm(real, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    vectors, queries = grow(real, count, rng), grow(real, QUERIES, rng).astype(np.float32)
    tenth = truth_of(vectors, queries)
    rows: dict[str, dict[str, float]] = {}
    index, costs = ours(vectors, "ivf")  # first, so that the peak of memory is its own
    rows["Neighbours, ivf"] = measure(lambda q: index.search(q, K)[0], queries, tenth, singles) | costs
    described = index.describe()
    exact, costs = ours(vectors, "exact")
    rows["Neighbours, exact"] = measure(lambda q: exact.search(q, K)[0], queries, tenth, singles // 4) | costs
    for name, make in (("FAISS IndexFlatIP", flat), ("numpy", numpy_search)):
        started = time.perf_counter()
        search, size = make(vectors)
        costs = {"build_s": time.perf_counter() - started, "gb": size}
        rows[name] = measure(search, queries, tenth, singles // 4) | costs
        del search
    return {
        "vectors": count,
        "dim": real.shape[1],
        "real": shape_of(real, rng),
        "grown": shape_of(vectors, rng),
        "index": described,
        "stated_recall": index.recall,
        "rows": rows,
    }


def show(result: dict[str, Any]) -> None:
    for name in ("real", "grown"):
        shape = result[name]
        print(
            f"{name:5}  pairwise cosine {shape['mean']:.3f} +- {shape['spread']:.3f}, "
            f"first neighbour {shape['first']:.3f}, tenth {shape['tenth']:.3f}"
        )
    print(result["index"])
    columns = {
        "single_ms": "one query, ms",
        "batch_ms": "in a batch, ms",
        "recall": "recall@10",
        "build_s": "build, s",
        "load_s": "load, s",
        "gb": "index, GB",
        "peak_gb": "peak more, GB",
    }
    print(f"{result['vectors']:,} x {result['dim']:<8}" + "".join(f"{title:>16}" for title in columns.values()))
    for name, row in result["rows"].items():
        print(f"{name:19}" + "".join(f"{row[key]:16.3f}" if key in row else f"{'':16}" for key in columns))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="50,000 vectors instead of a million")
    parser.add_argument("--count", type=int, help="another number of vectors")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    arguments = parser.parse_args()
    result = run(arguments.count or (50_000 if arguments.quick else 1_000_000), singles=100)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
