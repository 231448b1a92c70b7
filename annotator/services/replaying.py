"""Replay: which way of asking and learning would have needed fewest answers, on labels that are already there.

Runs are kept as files and not repeated, so a replay that was stopped goes on where it was.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from annotator.arrays import ShardedArray, write_whole
from annotator.errors import MissingError, UsageError
from annotator.learning.heads import WITH_TILES
from annotator.learning.queries import LOOKS_AT_TILES, QUERIES
from annotator.learning.replay import Curve, Material, Recipe, Saving, replay, saving
from annotator.progress import Progress, silent
from annotator.services import tiles, training
from annotator.services.embedding import current_backbone, text_vectors
from annotator.services.snapshots import take
from annotator.snapshot import Snapshot
from annotator.workspace import Workspace

FEWEST_IMAGES = 30  # of each kind: with fewer the figures are noise
STEPS = 10
POLL_SECONDS = 1.0
VERSION = 1  # to be raised when a strategy, head or loss changes what it does: kept runs are not taken from then on
RANDOM = "random"

Curves = dict[tuple[Recipe, int], Curve]
"""By recipe and seed."""


@dataclass(frozen=True)
class Outcome:
    """One recipe against random choice with the same head and loss, over all seeds; `saving` None for random itself."""

    recipe: Recipe
    answers: list[int]
    mAP: list[float]
    f1: list[float]
    choosing_seconds: float
    training_seconds: float
    saving: Saving | None

    def row(self) -> dict[str, Any]:
        """One line of a table."""
        saved = self.saving
        return {
            **asdict(self.recipe),
            "answers": self.answers[-1],
            "mAP": round(self.mAP[-1], 4),
            "saved": None if saved is None else round(saved.saved, 3),
            "saved_low": None if saved is None else round(saved.low, 3),
            "saved_high": None if saved is None else round(saved.high, 3),
            "choosing_seconds": round(self.choosing_seconds, 2),
            "training_seconds": round(self.training_seconds, 2),
        }


def answers_to_ask(workspace: Workspace) -> int:
    """How many answered images a replay can ask about again. Raises MissingError as `workspace_material` does."""
    return len(_data(workspace, take(workspace)).train_rows)


def workspace_material(workspace: Workspace, recipes: Sequence[Recipe] = ()) -> Material:
    """People's labels of a workspace: what may train may be asked, what measures models measures here too.

    With tiles where one of the `recipes` looks at them and all images have them.
    Raises MissingError while there are no embeddings or too few answers.
    """
    snapshot = take(workspace)
    data = _data(workspace, snapshot)
    # Only what takes part: the workspace may hold a million images more.
    rows = np.concatenate([data.train_rows, data.held_rows])
    places = np.arange(len(rows))
    return Material(
        _vectors(workspace).read()[rows],
        np.concatenate([data.train_labels, data.held_labels]),
        places[: len(data.train_rows)],
        places[len(data.train_rows) :],
        text_vectors(workspace, snapshot.tags),
        snapshot.groups[rows].astype(np.int64),
        _tiles(workspace, rows) if any(map(_looks_at_tiles, recipes)) else None,
    )


def _looks_at_tiles(recipe: Recipe) -> bool:
    return recipe.head in WITH_TILES or recipe.strategy in LOOKS_AT_TILES


def _tiles(workspace: Workspace, rows: NDArray[np.int64]) -> NDArray[np.floating[Any]] | None:
    stored = tiles.stored(workspace, str(current_backbone(workspace)), len(_vectors(workspace)))
    return None if stored is None else stored[rows]


def _data(workspace: Workspace, snapshot: Snapshot) -> training.TrainingSet:
    data = training.training_set(workspace, snapshot, len(_vectors(workspace)))
    if min(len(data.train_rows), len(data.held_rows)) < FEWEST_IMAGES:
        raise MissingError(
            f"{len(data.train_rows)} answered images to ask again and {len(data.held_rows)} held out; a replay needs "
            f"{FEWEST_IMAGES} of each: answer more in Label, or import labels"
        )
    return data


def _vectors(workspace: Workspace) -> ShardedArray:
    backbone = current_backbone(workspace)
    if backbone is None:
        raise MissingError(f"no embeddings yet; make them with: annotator embed -w {workspace.folder}")
    return workspace.embeddings(backbone)


def even_steps(budget: int, count: int = STEPS) -> tuple[int, ...]:
    """`count` growing numbers of answers up to `budget`."""
    return tuple(sorted({max(1, round(budget * (turn + 1) / count)) for turn in range(count)}))


def recipes_of(
    strategies: Sequence[str], heads: Sequence[str] = (), losses: Sequence[str] = (), control: float = 0.0
) -> list[Recipe]:
    """Every strategy with every head and loss (default: those of Recipe). Raises UsageError without a strategy."""
    if not strategies:
        raise UsageError(f"no query strategy to replay; name one or more of {', '.join(QUERIES)}")
    plain = Recipe()
    return [
        Recipe(strategy, head, loss, control)
        for strategy in strategies
        for head in heads or [plain.head]
        for loss in losses or [plain.loss]
    ]


def replay_workspace(
    workspace: Workspace,
    recipes: Sequence[Recipe],
    seeds: int = 3,
    budget: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Replay `recipes` on the workspace's own labels, up to `budget` answers (default: half of those there are).

    The report is kept as the latest one: {"seeds", "pool", "held_out", "table": rows, best first, "curves": {recipe:
    {"answers", "mAP", "f1"}}}.
    """
    material = workspace_material(workspace, recipes)
    steps = even_steps(min(budget or len(material.pool) // 2, len(material.pool)))
    found = outcomes(play([material] * seeds, recipes, steps, _folder(workspace), progress), seeds)
    report = {
        "seeds": seeds,
        "pool": len(material.pool),
        "held_out": len(material.held_out),
        "table": [outcome.row() for outcome in found],
        "curves": {
            str(outcome.recipe): {"answers": outcome.answers, "mAP": outcome.mAP, "f1": outcome.f1} for outcome in found
        },
    }
    write_whole(_latest_file(workspace), json.dumps(report, indent=1).encode())
    return report


def latest(workspace: Workspace) -> dict[str, Any] | None:
    """The report of the last replay of a workspace; None before the first."""
    try:
        found: dict[str, Any] = json.loads(_latest_file(workspace).read_text())
    except FileNotFoundError:
        return None
    return found


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / "replays"


def _latest_file(workspace: Workspace) -> Path:
    return _folder(workspace) / "latest.json"


def play(
    materials: Sequence[Material],
    recipes: Sequence[Recipe],
    steps: Sequence[int],
    folder: Path | None = None,
    progress: Progress = silent,
) -> Curves:
    """Replay every recipe on every material; the place of a material is its seed. Random choice is always among them.

    On all cores, one process each. What `folder` holds from an earlier run is taken from there.
    """
    wanted = [(recipe, seed) for recipe in with_random(recipes) for seed in range(len(materials))]
    files = _files(folder, materials, wanted, steps)
    curves: Curves = {run: _read(file) for run, file in files.items() if file is not None and file.exists()}
    left = [run for run in wanted if run not in curves]
    progress(len(curves), len(wanted), "replaying")
    for found in _in_processes(materials, left, steps):
        for run, curve in found.items():
            curves[run] = curve
            if (file := files[run]) is not None:
                write_whole(file, json.dumps({name: values.tolist() for name, values in vars(curve).items()}).encode())
        progress(len(curves), len(wanted), "replaying")
    return {run: curves[run] for run in wanted}


def with_random(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The recipes, each once, after the random choice that each is held against."""
    controls = [Recipe(RANDOM, recipe.head, recipe.loss) for recipe in recipes]
    return list(dict.fromkeys([*controls, *recipes]))


def outcomes(curves: Mapping[tuple[Recipe, int], Curve], seeds: int) -> list[Outcome]:
    """Means over the seeds, and what each recipe saved; best first."""
    found = [_outcome(curves, recipe, seeds) for recipe in dict.fromkeys(recipe for recipe, _ in curves)]
    return sorted(found, key=lambda outcome: -outcome.saving.saved if outcome.saving else 0.0)


def _outcome(curves: Mapping[tuple[Recipe, int], Curve], recipe: Recipe, seeds: int) -> Outcome:
    own = [curves[recipe, seed] for seed in range(seeds)]
    control = Recipe(RANDOM, recipe.head, recipe.loss)
    against = None if recipe == control else saving(own, [curves[control, seed] for seed in range(seeds)])
    return Outcome(
        recipe,
        own[0].answers.tolist(),
        np.mean([curve.mAP for curve in own], axis=0).tolist(),
        np.mean([curve.f1 for curve in own], axis=0).tolist(),
        float(np.mean([curve.choosing.sum() for curve in own])),
        float(np.mean([curve.training.sum() for curve in own])),
        against,
    )


_materials: list[Material] = []  # of a worker process: sent once, not with every run


def _begin(materials: list[Material]) -> None:
    """What a worker process does first: keep the arrays, and one thread, as there is a process for each core."""
    import faiss
    import torch

    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _materials[:] = materials
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    threadpool_limits(1)


def _end_with_parent(parent: int) -> None:
    """A killed parent cannot end its processes."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)


def _run(recipe: Recipe, seed: int, steps: Sequence[int]) -> Curve:
    return replay(_materials[seed], recipe, steps, seed)


def _in_processes(
    materials: Sequence[Material], runs: Sequence[tuple[Recipe, int]], steps: Sequence[int]
) -> Iterator[Curves]:
    """What has become ready, every POLL_SECONDS, which may be nothing: the caller can stop in between."""
    if not runs:
        return
    with _pool(list(materials), len(runs)) as pool:
        futures: dict[Future[Curve], tuple[Recipe, int]] = {
            pool.submit(_run, recipe, seed, steps): (recipe, seed) for recipe, seed in runs
        }
        left = set(futures)
        while left:
            ready, left = wait_for(left, POLL_SECONDS, FIRST_COMPLETED)
            yield {futures[future]: future.result() for future in ready}


@contextmanager
def _pool(materials: list[Material], runs: int) -> Iterator[ProcessPoolExecutor]:
    """Processes of their own; what has not begun is dropped when the caller stops early."""
    pool = ProcessPoolExecutor(min(os.cpu_count() or 1, runs), get_context("spawn"), _begin, (materials,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _files(
    folder: Path | None, materials: Sequence[Material], runs: Sequence[tuple[Recipe, int]], steps: Sequence[int]
) -> dict[tuple[Recipe, int], Path | None]:
    """The file of each run; other labels, vectors or steps have other files."""
    if folder is None:
        return dict.fromkeys(runs)
    known = {id(material): _fingerprint(material) for material in {id(one): one for one in materials}.values()}
    prints = [known[id(material)] for material in materials]
    keys = {run: repr((VERSION, asdict(run[0]), run[1], tuple(steps), prints[run[1]])) for run in runs}
    return {run: folder / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json" for run, key in keys.items()}


def _fingerprint(material: Material) -> str:
    digest = hashlib.sha256()
    arrays: list[NDArray[Any] | None] = [
        material.X, material.labels, material.pool, material.held_out, material.texts, material.groups,
    ]  # fmt: skip
    if material.tiles is not None:
        arrays.append(material.tiles[:])
    for array in arrays:
        digest.update(b"none" if array is None else repr((array.shape, str(array.dtype))).encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(file: Path) -> Curve:
    return Curve(**{name: np.asarray(values) for name, values in json.loads(file.read_text()).items()})
