import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator import search
from annotator.errors import BadInputError, UnknownNameError, UsageError
from annotator.search import Neighbours, build, load

KINDS = ["exact", "ivf"]


def unit(count: int, dim: int = 16, seed: int = 0, clusters: int = 30) -> np.ndarray:
    """Unit vectors in float16 with some structure, as pictures have it."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((clusters, dim))
    vectors = centres[rng.integers(clusters, size=count)] + 0.6 * rng.standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def brute_force(vectors: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    cosines = np.round(queries.astype(np.float32) @ vectors.astype(np.float32).T, 6)
    rows = np.array([np.lexsort((np.arange(len(vectors)), -line))[:k] for line in cosines])
    return np.take_along_axis(cosines, rows, axis=1), rows


def recall_of(index: Neighbours, vectors: np.ndarray, queries: np.ndarray) -> float:
    """recall@10 of rows that are in the index, themselves left out."""
    own = np.arange(len(queries))
    cosines = queries.astype(np.float32) @ vectors.astype(np.float32).T
    cosines[own, own] = -np.inf
    tenth = np.sort(cosines, axis=1)[:, -10]
    scores, _ = index.search(queries, 10, exclude=own)
    return float((scores >= tenth[:, None] - 1e-5).mean())


@pytest.mark.parametrize("queries", [1, 7, search.MATRIX_FROM + 20])
def test_exact_search_is_brute_force(queries: int) -> None:
    vectors, asked = unit(500), unit(queries, seed=1)
    scores, rows = build(vectors, kind="exact").search(asked, 10)
    expected, expected_rows = brute_force(vectors, asked, 10)
    np.testing.assert_allclose(scores, expected, atol=2e-6)
    assert (rows == expected_rows).mean() > 0.999  # but for cosines that agree to 6 decimals
    assert (scores.dtype, rows.dtype) == (np.float32, np.int64)


@given(st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_order_of_the_vectors_does_not_matter(seed: int) -> None:
    vectors, asked = unit(200), unit(5, seed=seed)
    order = np.random.default_rng(seed).permutation(200)
    scores, rows = build(vectors).search(asked, 10)
    moved_scores, moved = build(vectors[order]).search(asked, 10)
    np.testing.assert_allclose(moved_scores, scores, atol=2e-6)
    np.testing.assert_array_equal(np.sort(vectors[order[moved]], axis=1), np.sort(vectors[rows], axis=1))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_scores_come_by_row(kind: str) -> None:
    vectors = np.repeat(unit(40), 5, axis=0)
    _, rows = build(vectors, kind=kind).search(vectors[:10:5], 5)
    assert rows.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 2, 70])
def test_more_neighbours_than_rows_give_all_rows(kind: str, count: int) -> None:
    scores, rows = build(unit(count), kind=kind).search(unit(3, seed=1), 1000)
    assert rows.shape == scores.shape == (3, count)
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(count), (3, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_few_searched_cells_still_give_as_many_as_asked(kind: str) -> None:
    index = build(unit(5000), kind=kind)
    index.probes = min(index.probes, 1)
    _, rows = index.search(unit(4, seed=1), 3000)
    assert (rows >= 0).all()
    assert all(len(set(line)) == 3000 for line in rows.tolist())


@pytest.mark.parametrize("kind", [*KINDS, "auto"])
def test_an_empty_index_finds_nothing(kind: str) -> None:
    index = build(unit(0), kind=kind)
    scores, rows = index.search(unit(2), 5)
    assert scores.shape == rows.shape == (2, 0)
    assert index.graph(3)[0].shape == (0, 0)
    assert len(index) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_queries_and_no_neighbours_are_no_error(kind: str) -> None:
    index = build(unit(100), kind=kind)
    assert index.search(unit(0), 5)[1].shape == (0, 5)
    assert index.search(unit(3), 0)[1].shape == (3, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_excluded_rows_do_not_come_back(kind: str) -> None:
    vectors = unit(300)
    index = build(vectors, kind=kind)
    _, rows = index.search(vectors[:20], 10, exclude=np.arange(20))
    assert not (rows == np.arange(20)[:, None]).any()
    several = np.stack([np.arange(20), np.arange(100, 120), np.full(20, -1)], axis=1)
    _, rows = index.search(vectors[:20], 298, exclude=several)
    assert (rows >= 0).all()
    assert not (rows[:, :, None] == several[:, None, :]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_over_is_minus_one(kind: str) -> None:
    vectors = unit(3)
    scores, rows = build(vectors, kind=kind).search(vectors[:1], 3, exclude=np.array([1]))
    assert rows[0].tolist()[2] == -1
    assert scores[0, 2] == -np.inf


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_holds_each_rows_nearest_others(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "QUERIES", 64)
    vectors = unit(300)
    index = build(vectors, kind=kind)
    rows, scores = index.graph(4)
    again, expected = index.search(vectors, 4, exclude=np.arange(300))
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(scores, again, atol=2e-6)
    assert not (rows == np.arange(300)[:, None]).any()


def test_float32_and_memory_mapped_float16_give_the_same_index(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", unit(300))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    asked = unit(5, seed=1)
    for kind in KINDS:
        narrow = build(mapped, kind=kind).search(asked, 10)
        wide = build(np.asarray(mapped, np.float32), kind=kind).search(asked.astype(np.float32), 10)
        np.testing.assert_array_equal(narrow[0], wide[0])
        np.testing.assert_array_equal(narrow[1], wide[1])


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, asked = unit(1000), unit(200, seed=1)
    whole = {kind: build(vectors, kind=kind).search(asked, 10)[1] for kind in KINDS}
    for name, value in {"CHUNK": 97, "QUERIES": 50, "TILE": 13, "MATRIX_FROM": 1}.items():
        monkeypatch.setattr(search, name, value)
    for kind in KINDS:
        assert (build(vectors, kind=kind).search(asked, 10)[1] == whole[kind]).mean() > 0.999


def test_the_same_seed_gives_the_same_index() -> None:
    vectors, asked = unit(5000), unit(20, seed=1)
    one, other = (build(vectors, kind="ivf", seed=3) for _ in range(2))
    assert (one.probes, one.recall) == (other.probes, other.recall)
    np.testing.assert_array_equal(one.search(asked, 10)[1], other.search(asked, 10)[1])


def test_the_stated_recall_is_what_other_queries_find() -> None:
    vectors = unit(20_000, dim=32)
    index = build(vectors, kind="ivf")
    assert index.probes < index._index.nlist
    assert index.recall >= search.LEAST_RECALL
    assert abs(recall_of(index, vectors, vectors[:1000]) - index.recall) < 0.02


def test_hard_vectors_raise_the_number_of_searched_cells() -> None:
    """Vectors without any structure: neighbours lie in many cells."""
    hard = build(unit(8000, dim=64, clusters=1), kind="ivf")
    easy = build(unit(8000, dim=64, clusters=500), kind="ivf")
    assert hard.probes > easy.probes
    assert hard.recall >= search.LEAST_RECALL


def test_auto_takes_an_inverted_file_for_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert build(unit(1000)).kind == "exact"
    monkeypatch.setattr(search, "EXACT_UP_TO", 10)
    assert build(unit(1000)).kind == "ivf"


def test_an_index_describes_itself_in_one_line() -> None:
    vectors = unit(5000)
    assert build(vectors).describe() == "5,000 vectors of 16, compared one by one (exact)"
    index = build(vectors, kind="ivf")
    assert index.describe().startswith("5,000 vectors of 16 in 64 cells")
    assert f"measured recall@10 {index.recall:.3f}" in index.describe()


@pytest.mark.parametrize("kind", KINDS)
def test_added_rows_are_found_behind_the_others(kind: str) -> None:
    vectors = unit(3000)
    index = build(vectors[:2000], kind=kind)
    index.add(vectors[2000:])
    assert len(index) == 3000
    _, rows = index.search(vectors[2500:2510], 1)
    assert rows[:, 0].tolist() == list(range(2500, 2510))
    assert recall_of(index, vectors, vectors[:500]) >= search.LEAST_RECALL - 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_index_finds_the_same(kind: str, tmp_path: Path) -> None:
    vectors, asked = unit(3000), unit(20, seed=1)
    built = build(vectors, kind=kind)
    built.save(tmp_path / "index" / "a.faiss")
    loaded = load(tmp_path / "index" / "a.faiss", vectors)
    assert loaded is not None
    assert (loaded.kind, loaded.probes, loaded.recall) == (built.kind, built.probes, built.recall)
    for one, other in zip(loaded.search(asked, 10), built.search(asked, 10), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_came_after_saving_are_added_at_loading(kind: str, tmp_path: Path) -> None:
    vectors = unit(3000)
    build(vectors[:2500], kind=kind).save(tmp_path / "a.faiss")
    loaded = load(tmp_path / "a.faiss", vectors)
    assert loaded is not None
    assert loaded.search(vectors[2900:2901], 1)[1][0, 0] == 2900
    loaded.save(tmp_path / "a.faiss")
    again = load(tmp_path / "a.faiss", vectors)
    assert again is not None
    assert len(again) == 3000


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_file_is_refused(kind: str, tmp_path: Path) -> None:
    vectors = unit(3000)
    build(vectors, kind=kind).save(tmp_path / "a.faiss")
    changed = vectors.copy()
    changed[-1] = changed[0]
    assert load(tmp_path / "a.faiss", changed) is None
    assert load(tmp_path / "a.faiss", vectors[:2999]) is None
    assert load(tmp_path / "a.faiss", unit(3000, dim=8)) is None
    assert load(tmp_path / "a.faiss", np.concatenate([vectors, vectors])) is None, "the cells are of half the rows"
    assert load(tmp_path / "b.faiss", vectors) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "empty", "of others"])
def test_a_damaged_file_is_refused(damage: str, tmp_path: Path) -> None:
    vectors, file = unit(3000), tmp_path / "a.faiss"
    build(vectors, kind="ivf").save(file)
    content = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 3] ^= 255
        file.write_bytes(content)
    elif damage == "gone":
        file.unlink()
    elif damage == "empty":
        file.write_bytes(b"")
    else:
        build(unit(3000, seed=5), kind="ivf").save(tmp_path / "b.faiss")
        (tmp_path / "b.faiss").replace(file)
    assert load(file, vectors) is None


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"format": 1}', '{"count": null}', "\x00\xff"])
def test_a_damaged_note_is_refused(note: str, tmp_path: Path) -> None:
    vectors, file = unit(300), tmp_path / "a.faiss"
    build(vectors, kind="ivf").save(file)
    (tmp_path / "a.faiss.json").write_text(note, encoding="latin-1")
    assert load(file, vectors) is None


def test_a_file_that_faiss_cannot_read_is_refused(tmp_path: Path) -> None:
    vectors, file = unit(300), tmp_path / "a.faiss"
    build(vectors, kind="ivf").save(file)
    file.write_bytes(b"no index at all")
    note = json.loads((tmp_path / "a.faiss.json").read_text())
    note["checksum"] = search._checksum(file)
    (tmp_path / "a.faiss.json").write_text(json.dumps(note))
    assert load(file, vectors) is None


def test_a_killed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, file = unit(3000), tmp_path / "a.faiss"
    build(vectors, kind="ivf").save(file)

    def killed(path: Path) -> str:
        raise KeyboardInterrupt(path)

    monkeypatch.setattr(search, "_checksum", killed)
    with pytest.raises(KeyboardInterrupt):
        build(vectors, kind="ivf", seed=9).save(file)
    monkeypatch.undo()
    assert load(file, vectors) is not None
    assert not list(tmp_path.glob(".*"))


def test_progress_is_told_and_may_end_the_work() -> None:
    told: list[int] = []
    build(unit(300), kind="ivf", progress=lambda done, total, what: told.append(done))
    assert told == [0, 300]

    class Enough(Exception):
        pass

    def stop(done: int, total: int, what: str) -> None:
        raise Enough

    with pytest.raises(Enough):
        build(unit(300), progress=stop)


def test_a_vector_that_is_no_number_is_named() -> None:
    vectors = unit(300)
    vectors[123, 4] = np.nan
    for kind in KINDS:
        with pytest.raises(BadInputError, match="row 123 holds a value that is no number"):
            build(vectors, kind=kind)


def test_bad_requests_say_what_would_do() -> None:
    index = build(unit(30))
    with pytest.raises(UnknownNameError, match=r"no kind of search index is called 'hnsw'.*known: auto, exact, ivf"):
        build(unit(30), kind="hnsw")
    with pytest.raises(UsageError, match=r"shape \(16,\).*\(rows, 16\)"):
        index.search(unit(1)[0], 3)
    with pytest.raises(UsageError, match=r"shape \(2, 8\).*\(rows, 16\)"):
        index.search(unit(2, dim=8), 3)
    with pytest.raises(UsageError, match="-1 neighbours"):
        index.search(unit(1), -1)
    with pytest.raises(UsageError, match=r"exclude of shape \(3,\) do not fit 2 queries"):
        index.search(unit(2), 3, exclude=np.arange(3))


@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_is_used_where_faiss_has_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the GPU half of FAISS: which calls are made, not what a GPU answers."""
    import faiss

    used: list[str] = []

    def on_gpu(resources: object, device: int, index: object) -> object:
        used.append("ivf")
        return faiss.clone_index(index)

    def flat(resources: object, dim: int, config: SimpleNamespace) -> object:
        assert config.useFloat16
        used.append("exact")
        return faiss.IndexFlatIP(dim)

    for name, fake in {
        "get_num_gpus": lambda: 1,
        "StandardGpuResources": SimpleNamespace,
        "GpuIndexFlatConfig": SimpleNamespace,
        "index_cpu_to_gpu": on_gpu,
        "GpuIndexFlatIP": flat,
    }.items():
        monkeypatch.setattr(faiss, name, fake, raising=False)
    vectors, asked = unit(3000), unit(5, seed=1)
    on_cpu = build(vectors, kind=kind).search(asked, 10)[1]
    assert used == []
    index = build(vectors, kind=kind, device="cuda")
    assert (index.search(asked, 10)[1] == on_cpu).mean() > 0.95
    index.add(unit(10, seed=2))
    assert index.search(unit(10, seed=2), 1)[1][:, 0].tolist() == list(range(3000, 3010))
    assert used == [kind, kind]
    assert index.search(asked, search.GPU_MOST + 1)[1].shape == (5, search.GPU_MOST + 1)
