"""Neighbours: the stored vectors nearest to a query, by FAISS. Its files are a cache: losing one costs time, not data.

Vectors are unit length, so the inner product is the cosine. The index keeps them as float16, as the workspace does:
2 bytes a number, nothing lost. Small collections are compared one by one; larger ones are sorted into cells of which
only the nearest are searched (inverted file, Sivic and Zisserman, ICCV 2003), as many as a measured recall asks for.
"""

import hashlib
import json
import math
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.errors import BadInputError, UnknownNameError, UsageError
from annotator.progress import Progress, silent

KINDS = ("auto", "exact", "ivf")
EXACT_UP_TO = 250_000  # rows of 512 numbers: one query then takes about 20 ms, on one core
AIMED_RECALL, LEAST_RECALL = 0.98, 0.95
RECALL_AT = 10
HELD_OUT = 512  # queries: half choose the number of cells, half state the recall, to about 0.01
CHUNK = 65_536  # rows in float32 at once: 134 MB at 512 numbers
QUERIES = 4_096  # that share one decoding of a block
TILE = 512  # queries multiplied at once: (512, 65,536) similarities are 134 MB
MATRIX_FROM = 128  # queries from which decoding a block and multiplying matrices beats one scan for each query
ROWS_PER_CELL = 64  # of the sample the cells are learned from; FAISS asks for 39 at least
EVERY = 2**30  # FAISS searches no more cells than there are
SPARE = 8  # fetched beyond k, so that equal scores at the cut are cut by row and not by chance
GPU_MOST = 2_048  # FAISS' own limit of k and of cells searched on a GPU
GROWTH = 1.3  # a file may lack this share of the rows: they are added; beyond it the cells no longer fit
FORMAT = 1

Float = NDArray[np.float32]
Rows = NDArray[np.int64]
Vectors = NDArray[np.floating[Any]]


class Neighbours:
    """A search index over N unit vectors of D numbers. Made by `build` or `load`; safe to search from many threads."""

    def __init__(self, index: Any, *, kind: str, device: str, probes: int = 0, recall: float = 1.0) -> None:
        self._index, self.kind, self.device = index, kind, device
        self.probes = probes
        """Cells searched for one query; 0 for an exact index."""
        self.recall = recall
        """recall@10 against exact search, measured on held-out queries; 1 for an exact index."""
        self._measured_at = len(self)
        self._mapped_from: Path | None = None
        self._gpu = _on_gpu(index, kind, device)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def describe(self) -> str:
        """One line for people."""
        size = f"{len(self):,} vectors of {self.dim}"
        if self.kind == "exact":
            return f"{size}, compared one by one (exact)"
        return (
            f"{size} in {self._index.nlist:,} cells, {self.probes:,} searched per query; "
            f"measured recall@{RECALL_AT} {self.recall:.3f}"
        )

    def search(self, queries: Vectors, k: int, *, exclude: Rows | None = None) -> tuple[Float, Rows]:
        """The k nearest rows of each query, best first; equal scores by row.

        queries (Q, D); exclude (Q,) or (Q, E) rows not to return, -1 for none. Returns scores (Q, min(k, N)), cosines
        rounded to 6 decimals, and rows (Q, min(k, N)); where fewer are left the end is -1 with the score -inf.
        """
        barred = self._barred(queries, k, exclude)
        width = min(k, len(self))
        scores, rows = np.empty((len(queries), width), np.float32), np.empty((len(queries), width), np.int64)
        for start in range(0, len(queries) if width else 0, QUERIES):
            part = slice(start, start + QUERIES)
            asked = np.ascontiguousarray(queries[part], np.float32)
            scores[part], rows[part] = self._ranked(asked, width, barred[part], self.probes)
            short = np.flatnonzero((rows[part] < 0).any(axis=1)) + start
            if len(short) and self.kind == "ivf":  # the searched cells held too few: search all of them
                scores[short], rows[short] = self._ranked(asked[short - start], width, barred[short], EVERY)
        return scores, rows

    def graph(self, k: int, *, progress: Progress = silent) -> tuple[Rows, Float]:
        """The k nearest others of every row: rows (N, min(k, N - 1)) and scores, as `search` gives them."""
        width = min(k, max(len(self) - 1, 0))
        rows, scores = np.empty((len(self), width), np.int64), np.empty((len(self), width), np.float32)
        for start in range(0, len(self), QUERIES):
            own = np.arange(start, min(start + QUERIES, len(self)))
            scores[own], rows[own] = self.search(_decoded(self._index, own), width, exclude=own)
            progress(int(own[-1]) + 1, len(self), "finding neighbours")
        return rows, scores

    def add(self, vectors: Vectors, *, seed: int = 0) -> None:
        """Append (n, D) rows behind the others. An inverted file's recall is measured again every 5 % of growth."""
        _check(vectors, self.dim)
        if self._mapped_from is not None:
            self._index, self._mapped_from = _faiss().read_index(str(self._mapped_from)), None
        for _, block in _blocks(vectors, first=len(self)):
            self._index.add(block)
        if self.kind == "ivf" and len(self) > 1.05 * self._measured_at:
            sample = np.random.default_rng(seed).choice(len(self), min(len(self), HELD_OUT), replace=False)
            truth = _Truth(_decoded(self._index, sample), sample)
            for start in range(0, len(self), CHUNK):
                own = np.arange(start, min(start + CHUNK, len(self)))
                truth.compare(start, _decoded(self._index, own))
            self.probes, self.recall = _tune(self._index, truth)
            self._measured_at = len(self)
        self._gpu = _on_gpu(self._index, self.kind, self.device)

    def save(self, path: Path) -> None:
        """Write `path` and `path`.json. An exact index writes only the latter: the vectors are all it holds."""
        note = {"format": FORMAT, "kind": self.kind, "count": len(self), "dim": self.dim}
        note |= {"probes": self.probes, "recall": self.recall, "fingerprint": self._fingerprint()}
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.kind == "ivf":
            temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
            try:
                _faiss().write_index(self._index, str(temporary))
                note["checksum"] = _checksum(temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        write_whole(path.with_name(f"{path.name}.json"), json.dumps(note, indent=1).encode())

    def _ranked(self, asked: Float, width: int, barred: Rows, probes: int) -> tuple[Float, Rows]:
        scores, rows = self._nearest(asked, min(len(self), width + barred.shape[1] + SPARE), probes)
        if barred.shape[1]:
            rows[(rows[:, :, None] == barred[:, None, :]).any(axis=2)] = -1
        return _sorted(scores, rows, width)

    def _nearest(self, asked: Float, k: int, probes: int) -> tuple[Float, Rows]:
        index = self._gpu if self._gpu is not None and max(k, probes) <= GPU_MOST else self._index
        options = {"params": _faiss().SearchParametersIVF(nprobe=probes)} if self.kind == "ivf" else {}
        if self.kind == "exact" and index is self._index and len(asked) >= MATRIX_FROM:
            best = _Best(asked, k)
            for start in range(0, len(self), CHUNK):
                best.compare(start, _decoded(index, np.arange(start, min(start + CHUNK, len(self)))))
            return best.scores, best.rows
        with _threads_for(len(asked)):
            found: tuple[Float, Rows] = index.search(asked, k, **options)
        return found

    def _barred(self, queries: Vectors, k: int, exclude: Rows | None) -> Rows:
        _check(queries, self.dim)
        if k < 0:
            raise UsageError(f"{k} neighbours were asked for; ask for 0 or more")
        if exclude is None:
            return np.empty((len(queries), 0), np.int64)
        barred = np.asarray(exclude, np.int64)
        if barred.ndim not in (1, 2) or len(barred) != len(queries):
            raise UsageError(f"rows to exclude of shape {barred.shape} do not fit {len(queries)} queries")
        # -1 also marks "nothing found", which must not be matched by "nothing to exclude"
        return np.where(barred < 0, -2, barred).reshape(len(queries), -1)

    def _fingerprint(self) -> str:
        return _digest(len(self), _decoded(self._index, _sampled(len(self))))


def build(
    vectors: Vectors, *, device: str = "cpu", kind: str = "auto", seed: int = 0, progress: Progress = silent
) -> Neighbours:
    """An index over unit vectors (N, D), float16 or wider, memory-mapped or not; kept as float16.

    kind: "exact", "ivf" or "auto" (exact up to EXACT_UP_TO). An inverted file searches as many cells as recall@10 of
    0.98 on held-out queries needs, and keeps the recall that other held-out queries show. On the same machine the same
    `seed` gives the same index. device "cuda": searches run on the GPU where FAISS was built for one.
    HNSW (arXiv 1603.09320) takes ten times as long to build for the same recall, and is not offered.

    Raises BadInputError for a vector with a value that is no number, UnknownNameError for an unknown kind.
    """
    _check(vectors, None)
    if kind not in KINDS:
        raise UnknownNameError("kind of search index", kind, KINDS)
    if kind == "auto":
        kind = "exact" if vectors.size <= EXACT_UP_TO * 512 else "ivf"
    if kind == "ivf" and len(vectors):
        return _build_cells(vectors, device, np.random.default_rng(seed), progress)
    faiss = _faiss()
    index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    for start, block in _blocks(vectors):
        index.add(block)
        progress(start + len(block), len(vectors), "indexing")
    return Neighbours(index, kind="exact", device=device)


def load(path: Path, vectors: Vectors, *, device: str = "cpu") -> Neighbours | None:
    """The index that `save` wrote to `path` for (N, D) `vectors`, memory-mapped; None where there is none that fits.

    None too when the file is damaged or of other vectors, as far as a checksum and a sample of the rows tell. Rows that
    were appended since are added.
    """
    _check(vectors, None)
    try:
        note = json.loads(path.with_name(f"{path.name}.json").read_text())
        count, fingerprint = int(note["count"]), note["fingerprint"]
        fits = note["format"] == FORMAT and note["dim"] == vectors.shape[1] and count <= len(vectors) <= GROWTH * count
        if not fits or fingerprint != _digest(count, np.asarray(vectors[_sampled(count)])):
            return None
        if note["kind"] == "exact":
            return build(vectors, kind="exact", device=device)
        if note["checksum"] != _checksum(path):
            return None
        index = _faiss().read_index(str(path), _faiss().IO_FLAG_MMAP)
        kept = Neighbours(index, kind="ivf", device=device, probes=int(note["probes"]), recall=float(note["recall"]))
        kept._mapped_from = path
        if kept._fingerprint() != fingerprint:
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        # RuntimeError is what FAISS raises for a file it cannot read. Whatever it is, the caller builds anew.
        return None
    if len(vectors) > count:
        kept.add(vectors[count:])
    return kept


def _build_cells(vectors: Vectors, device: str, rng: np.random.Generator, progress: Progress) -> Neighbours:
    faiss = _faiss()
    count, dim = vectors.shape
    sample = rng.choice(count, min(count, HELD_OUT), replace=False)
    cells = max(1, min(2 ** round(math.log2(math.sqrt(count))), count // ROWS_PER_CELL))
    rest = np.setdiff1d(np.arange(count), sample) if count > len(sample) else sample
    learned_from = np.sort(rng.choice(rest, min(len(rest), cells * ROWS_PER_CELL), replace=False))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.cp.seed = int(rng.integers(2**31 - 1))
    index.cp.spherical = True
    index.cp.min_points_per_centroid = 1  # a tiny collection is no reason for a warning on the terminal
    progress(0, count, "learning cells")
    index.train(_rounded(vectors[learned_from], learned_from))
    truth = _Truth(_rounded(vectors[sample], sample), sample)
    for start, block in _blocks(vectors):
        index.add(block)
        truth.compare(start, block)
        progress(start + len(block), count, "indexing")
    index.make_direct_map()
    probes, recall = _tune(index, truth)
    return Neighbours(index, kind="ivf", device=device, probes=probes, recall=recall)


class _Best:
    """The k best rows of each query so far, while blocks of vectors pass by."""

    def __init__(self, queries: Float, k: int) -> None:
        self.queries, self.k = queries, k
        self.scores = np.full((len(queries), k), -np.inf, np.float32)
        self.rows = np.full((len(queries), k), -1, np.int64)

    def compare(self, first: int, block: Float) -> None:
        """`block` holds the rows from `first` on."""
        for start in range(0, len(self.queries), TILE):
            part = slice(start, start + TILE)
            scores = self.queries[part] @ block.T
            top = np.argpartition(scores, -min(self.k, len(block)), axis=1)[:, -self.k :]
            scores = np.hstack([self.scores[part], np.take_along_axis(scores, top, axis=1)])
            rows = np.hstack([self.rows[part], top + first])
            self.scores[part], self.rows[part] = _sorted(scores, rows, self.k)


class _Truth(_Best):
    """The exact neighbours of held-out rows, themselves excluded."""

    def __init__(self, queries: Float, own: Rows) -> None:
        super().__init__(queries, RECALL_AT + 1)
        self.own = own


def _tune(index: Any, truth: _Truth) -> tuple[int, float]:
    """(cells to search, recall@10): doubled until one half of the queries reaches the aim; the other half is stated."""
    chosen_by, stated_by = slice(0, None, 2), slice(1, None, 2)
    probes = 1
    while probes < index.nlist and _recall(index, truth, chosen_by, probes) < AIMED_RECALL:
        probes *= 2
    while probes < index.nlist and _recall(index, truth, stated_by, probes) < LEAST_RECALL:
        probes *= 2
    probes = min(probes, index.nlist)
    return probes, 1.0 if probes == index.nlist else _recall(index, truth, stated_by, probes)


def _recall(index: Any, truth: _Truth, part: slice, probes: int) -> float:
    """Share of the exact 10 nearest that are found; a row as near as the tenth counts (copies of one picture)."""
    own, queries = truth.own[part, None], truth.queries[part]
    if not len(queries):
        return 1.0
    exact = np.where(truth.rows[part] == own, -np.inf, truth.scores[part])
    exact, _ = _sorted(exact.astype(np.float32), truth.rows[part], RECALL_AT)
    params = _faiss().SearchParametersIVF(nprobe=probes)
    scores, rows = index.search(queries, RECALL_AT + 1, params=params)
    found, _ = _sorted(scores, np.where(rows == own, -1, rows), RECALL_AT)
    there = np.isfinite(exact)
    if not there.any():
        return 1.0
    last = np.where(there, exact, np.inf).min(axis=1, keepdims=True)  # the tenth, or the last of fewer
    hits = (found >= last - 1e-5).sum(axis=1)
    return float(np.minimum(hits, there.sum(axis=1)).sum() / there.sum())


def _sorted(scores: Float, rows: Rows, width: int) -> tuple[Float, Rows]:
    """The first `width` by score, then by row; row -1 comes last with the score -inf."""
    scores = np.round(np.where(rows < 0, -np.inf, scores), 6).astype(np.float32)
    order = np.lexsort((rows, -scores), axis=-1)[:, :width]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _blocks(vectors: Vectors, first: int = 0) -> Iterator[tuple[int, Float]]:
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, min(start + CHUNK, len(vectors)))
        yield start, _rounded(vectors[part], np.arange(first + part.start, first + part.stop))


def _rounded(vectors: Vectors, rows: Rows) -> Float:
    """What float16 keeps of the vectors, as float32; `rows` are their places, for the message."""
    block = np.ascontiguousarray(np.asarray(vectors, np.float16), np.float32)
    wrong = rows[~np.isfinite(block).all(axis=1)]
    if len(wrong):
        raise BadInputError(f"the vector of row {wrong[0]} holds a value that is no number; embed the image again")
    return block


def _decoded(index: Any, rows: Rows) -> Float:
    return np.asarray(index.reconstruct_batch(rows), np.float32) if len(rows) else np.empty((0, index.d), np.float32)


def _sampled(count: int) -> Rows:
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, 256)).astype(np.int64))


def _digest(count: int, rows: Vectors) -> str:
    """A fingerprint of N vectors from their number and 256 of them, first and last included."""
    return hashlib.sha256(f"{count} {rows.shape[1]} ".encode() + rows.astype(np.float16).tobytes()).hexdigest()


def _checksum(path: Path) -> str:
    """sha256 over the size, the first and last MiB and 64 places between: all of a large file would take seconds."""
    size, mebi = path.stat().st_size, 1 << 20
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(mebi))
        for place in np.linspace(0, size, 66)[1:-1].astype(int).tolist():
            file.seek(place)
            digest.update(file.read(4096))
        file.seek(max(size - mebi, 0))
        digest.update(file.read(mebi))
    return digest.hexdigest()


def _check(vectors: Vectors, dim: int | None) -> None:
    if vectors.ndim != 2 or (dim is not None and vectors.shape[1] != dim):
        wanted = f"(rows, {dim})" if dim is not None else "(rows, numbers)"
        raise UsageError(f"vectors of shape {vectors.shape} cannot be searched; give an array of shape {wanted}")


def _on_gpu(index: Any, kind: str, device: str) -> Any:
    """A copy that searches on GPU 0, or None; the original goes on serving files, additions and what no GPU can."""
    faiss = _faiss()
    if not device.startswith("cuda") or faiss.get_num_gpus() == 0:
        return None
    resources = faiss.StandardGpuResources()
    if kind == "ivf":
        copy = faiss.index_cpu_to_gpu(resources, 0, index)
    else:
        settings = faiss.GpuIndexFlatConfig()
        settings.useFloat16 = True
        copy = faiss.GpuIndexFlatIP(resources, index.d, settings)
        for start in range(0, index.ntotal, CHUNK):
            copy.add(_decoded(index, np.arange(start, min(start + CHUNK, index.ntotal))))
    return copy


@contextmanager
def _threads_for(queries: int) -> Iterator[None]:
    """One thread for one query: others have nothing to do but to wait for, which doubles its time on a busy machine."""
    faiss = _faiss()
    before = faiss.omp_get_max_threads()  # of the calling thread
    faiss.omp_set_num_threads(min(queries, before))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _faiss() -> Any:
    """faiss, imported when first needed: it costs 0.2 s."""
    with warnings.catch_warnings():
        # the SWIG wrappers of some builds leave __module__ unset, of which Python 3.12 and later warn at import
        warnings.filterwarnings("ignore", "builtin type .* has no __module__ attribute", DeprecationWarning)
        import faiss
    return faiss
