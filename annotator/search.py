"""Neighbours: FAISS over unit vectors. Exact while that is quick, then an inverted file whose recall is measured.

An index is a cache: a lost or stale file costs the time to build it, not data.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

EXACT_UP_TO = 100_000  # vectors of 512: an exact query takes about 20 ms on two cores; beyond, an inverted file
RECALL = 0.97  # of the ten nearest; probes are added until a sample of queries reaches it
SAMPLE = 200  # queries the recall is measured on
CHUNK = 65_536  # rows turned to float32 at once: 134 MB at 512 numbers
TRAINING_PER_LIST = 40  # FAISS warns below 39
MOST_LISTS = 4096

Vectors = NDArray[np.floating[Any]]
Kind = Literal["exact", "ivf"]


@dataclass
class Neighbours:
    """A search index over the rows 0 … count - 1. `recall` is recall@10 against exact, measured when it was built."""

    index: Any
    kind: Kind
    recall: float
    fingerprint: str

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def describe(self) -> str:
        """One line for people."""
        how = "exact" if self.kind == "exact" else f"inverted file, recall@10 {self.recall:.3f} of exact"
        return f"{len(self):,} vectors, {how}"

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(Q, D) unit vectors to scores (Q, k) float32, cosines, best first, and rows (Q, k) int64.

        k is cut to the number of vectors; a place that found nothing holds the row -1.
        """
        if queries.ndim != 2 or queries.shape[1] != self.index.d:
            raise UsageError(f"queries have shape {queries.shape}; the index holds vectors of {self.index.d} numbers")
        k = max(0, min(k, len(self)))
        if not k or not len(queries):
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        scores, rows = self.index.search(np.ascontiguousarray(queries, np.float32), k)
        order = np.lexsort((rows, -scores), axis=-1)  # equal scores by row: the same answer every time
        return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)

    def save(self, path: Path) -> None:
        """Write the index and what it was built from beside it; whole or not at all."""
        faiss = _faiss()
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        index = faiss.index_gpu_to_cpu(self.index) if hasattr(self.index, "getDevice") else self.index
        faiss.write_index(index, str(temporary))
        note = {"kind": self.kind, "recall": self.recall, "fingerprint": self.fingerprint}
        note_file = path.with_suffix(".json")
        note_file.unlink(missing_ok=True)
        temporary.replace(path)
        note_file.write_text(json.dumps(note))


def build(vectors: Vectors, *, device: str = "cpu", kind: Kind | Literal["auto"] = "auto", seed: int = 0) -> Neighbours:
    """Index (N, D) unit vectors, float16 (memory-mapped) or wider, on the GPU when `device` is "cuda" and FAISS has one."""
    if vectors.ndim != 2:
        raise UsageError(f"vectors have shape {vectors.shape}; expected (images, numbers)")
    chosen: Kind = ("exact" if len(vectors) <= EXACT_UP_TO else "ivf") if kind == "auto" else kind
    index = _exact(vectors) if chosen == "exact" else _inverted(vectors, seed)
    recall = 1.0 if chosen == "exact" else _tune(index, vectors, seed)
    return Neighbours(_on(index, device), chosen, recall, fingerprint(vectors))


def load(path: Path, vectors: Vectors, device: str = "cpu") -> Neighbours | None:
    """The index saved at `path`, if it was built from these `vectors`; None when it is missing, damaged or stale."""
    try:
        note = json.loads(path.with_suffix(".json").read_text())
        if note["fingerprint"] != fingerprint(vectors):
            return None
        index = _faiss().read_index(str(path))
    except (OSError, ValueError, KeyError, RuntimeError):
        return None
    return Neighbours(_on(index, device), note["kind"], note["recall"], note["fingerprint"])


def fingerprint(vectors: Vectors) -> str:
    """Count, width and up to a thousand evenly spaced rows, hashed."""
    digest = sha256(repr((vectors.shape, vectors.dtype.name)).encode())
    if len(vectors):
        rows = np.unique(np.linspace(0, len(vectors) - 1, min(1000, len(vectors))).astype(np.int64))
        digest.update(np.ascontiguousarray(vectors[rows]).tobytes())
    return digest.hexdigest()


def _exact(vectors: Vectors) -> Any:
    index = _faiss().IndexFlatIP(vectors.shape[1])
    for part in _chunks(vectors):
        index.add(part)
    return index


def _inverted(vectors: Vectors, seed: int) -> Any:
    """Lists around k-means centres, vectors kept in half precision: half the memory, no loss that recall shows."""
    faiss = _faiss()
    count, width = vectors.shape
    lists = int(min(MOST_LISTS, max(1, 4 * count**0.5), max(1, count // TRAINING_PER_LIST)))
    quantizer = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, width, lists, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    index.own_fields = True
    quantizer.this.disown()
    index.cp.seed = seed + 1
    index.cp.niter = 10
    size = min(count, max(TRAINING_PER_LIST * lists, 1000))
    sample = np.sort(np.random.default_rng(seed).choice(count, size, replace=False))
    index.train(np.ascontiguousarray(vectors[sample], np.float32))
    for part in _chunks(vectors):
        index.add(part)
    return index


def _tune(index: Any, vectors: Vectors, seed: int) -> float:
    """Double the probes until the ten nearest are found; the recall reached."""
    rng = np.random.default_rng([seed, 1])
    queries = np.asarray(vectors[np.sort(rng.choice(len(vectors), min(SAMPLE, len(vectors)), replace=False))], np.float32)
    k = min(10, len(vectors))
    truth = _nearest(queries, vectors, k)
    probes = 1
    while True:
        index.nprobe = min(probes, index.nlist)
        found = index.search(queries, k)[1]
        recall = float(np.mean([len(set(one) & set(other)) / k for one, other in zip(found, truth, strict=True)]))
        if recall >= RECALL or probes >= index.nlist:
            return recall
        probes *= 2


def _nearest(queries: NDArray[np.float32], vectors: Vectors, k: int) -> NDArray[np.int64]:
    """Rows (Q, k) of the exact neighbours, without a second copy of all vectors."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.zeros((len(queries), k), np.int64)
    start = 0
    for part in _chunks(vectors):
        scores = np.concatenate([best, queries @ part.T], axis=1)
        numbers = np.concatenate([rows, np.broadcast_to(np.arange(start, start + len(part)), (len(queries), len(part)))], axis=1)
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        best, rows = np.take_along_axis(scores, top, 1), np.take_along_axis(numbers, top, 1)
        start += len(part)
    return rows


def _chunks(vectors: Vectors) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(vectors), CHUNK):
        yield np.ascontiguousarray(vectors[start : start + CHUNK], np.float32)


def _on(index: Any, device: str) -> Any:
    faiss = _faiss()
    if device == "cuda" and getattr(faiss, "get_num_gpus", lambda: 0)() > 0:
        return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
    return index


def _faiss() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the wrapper generator faiss is built with
        import faiss
    return faiss
