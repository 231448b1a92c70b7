"""What a GPU brings: python -m benchmarks.gpu [--quick] [--json FILE]. It needs a CUDA device.

Training and scoring: as in `benchmarks.learning_speed`, on the GPU and on the CPUs beside it; the share is of the rate
at which that device multiplies float32 matrices of the very shape, (N, D) x (D, C): training is such products and what
is between them. Embedding: `embed` from files, and the forward pass alone on pictures already decoded; images a second.
Tuning: seconds an epoch and the most memory. The towers are open_clip's ViT-B-32 and ViT-L-14 with random weights:
their speed is that of trained ones, their vectors say nothing.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.backbones import Backbone, open_backbone
from annotator.backbones.fine_tuning import Batch, Examples, Places, TuningSettings, tune
from annotator.learning.fit import fit_head
from annotator.learning.heads import Head
from annotator.learning.heads.base import Features
from annotator.learning.losses import LOSSES
from annotator.services.embedding import embed
from annotator.services.importing import import_pictures
from annotator.workspace import Workspace
from benchmarks.embedding import forward_only
from benchmarks.report import options, packs, show, write
from benchmarks.training import VECTORS, make_data

TAGS, WIDTH = 100, 512
TUNED_TAGS, BATCH = 80, 32
DEVICES = ("cpu", "cuda")


def main() -> None:
    import torch

    chosen = options(__doc__ or "")
    if not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA device; this benchmark is about one")
    print(f"{torch.cuda.get_device_name()}, {torch.get_num_threads()} CPU threads, torch {torch.__version__}")
    sizes = (1_000,) if chosen.quick else (1_000, 10_000, 100_000)
    trained = [row for size in sizes for row in training(size, 1 if chosen.quick else 3)]
    show(f"Training {TAGS} tags, {WIDTH} dimensions", trained)
    files = sorted((packs() / "corel5k" / "images").glob("*.jpg"))[: 120 if chosen.quick else 1200]
    embedded, tuned = [], []
    for name in ("ViT-B-32",) if chosen.quick else ("ViT-B-32", "ViT-L-14"):
        with tempfile.TemporaryDirectory() as folder:
            spec = random_tower(name, Path(folder))
            embedded.append(embedding(spec, name, files))
            tuned += [tuning(spec, name, way, 4 if chosen.quick else 16) for way in ("last_blocks", "lora")]
    show("Embedding", embedded)
    show(f"Tuning, batches of {BATCH}", tuned)
    write(chosen.json, {"training": trained, "embedding": embedded, "tuning": tuned})


def training(images: int, repeats: int) -> Iterator[dict[str, Any]]:
    """One row a device: the fit with its posterior, and scoring ten times the images."""
    data = make_data(np.load(packs() / VECTORS)["emb"], images, TAGS, np.random.default_rng(0))
    for device in DEVICES:
        peak = product_rate(images, device)
        fit_head("text_anchored", data.X, data.labels, device=device)  # the first one compiles and allocates
        seconds, (head, report) = median(
            partial(fit_head, "text_anchored", data.X, data.labels, device=device), repeats
        )
        done = 4 * images * WIDTH * TAGS * report.iterations  # logits forward, gradient back
        yield {
            "answered images": f"{images:,}",
            "device": device,
            "seconds": seconds,
            "steps": report.iterations,
            "TFLOP/s": done / seconds / 1e12,
            "share of the product's": done / seconds / peak,
            "difference from the CPU": difference(head, data.X, data.labels) if device == "cuda" else None,
        }


def difference(head: Head, X: Features, labels: NDArray[np.int8]) -> float:
    """The largest difference in probability from a head trained on the CPU."""
    other, _ = fit_head("text_anchored", X, labels)
    return float(np.abs(head.probabilities(X) - other.probabilities(X)).max())


def product_rate(images: int, device: str) -> float:
    """Operations a second of (N, D) x (D, C) in float32."""
    import torch

    X, W = torch.randn(images, WIDTH, device=device), torch.randn(WIDTH, TAGS, device=device)

    def product() -> None:
        for _ in range(20):
            X @ W
        _wait(device)

    product()
    seconds, _ = median(product, 3)
    return 20 * 2 * images * WIDTH * TAGS / seconds


def random_tower(name: str, folder: Path) -> str:
    import open_clip
    import torch

    torch.manual_seed(0)
    torch.save(open_clip.create_model(name).state_dict(), folder / "random.pt")
    return f"open_clip:{name}@{folder / 'random.pt'}"


def embedding(spec: str, name: str, files: list[Path]) -> dict[str, Any]:
    backbone = open_backbone(spec, "cuda")
    forward_only(backbone, files[:256])
    forward = forward_only(backbone, files)
    with tempfile.TemporaryDirectory() as place, Workspace.create(Path(place) / "w") as workspace:
        import_pictures(workspace, [str(file) for file in files])
        whole = embed(workspace, spec, backbone=backbone).images_per_second
    few = files[: max(16, len(files) // 16)]
    return {
        "tower": name,
        "images": len(files),
        "embed/s": whole,
        "forward only/s": forward,
        "embed / forward": whole / forward,
        "forward on the CPU/s": forward_only(open_backbone(spec, "cpu"), few),
    }


def tuning(spec: str, name: str, way: str, batches: int) -> dict[str, Any]:
    """Two epochs over random pictures: what is trained does not change how long it takes."""
    import torch

    backbone = open_backbone(spec, "cuda")
    shown = random_examples(backbone, batches * BATCH)
    weights = np.random.default_rng(0).normal(size=(TUNED_TAGS, backbone.dim)).astype(np.float32)
    settings = TuningSettings(way=way, epochs=3, batch=BATCH, patience=3)
    torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    held_out = Examples(shown.pictures, shown.labels[:BATCH])
    bias = np.zeros(TUNED_TAGS, np.float32)
    tune(backbone.model, weights, bias, shown, held_out, LOSSES["masked_bce"], settings, device="cuda")  # type: ignore[attr-defined]
    _wait("cuda")
    return {
        "tower": name,
        "way": way,
        "pictures": batches * BATCH,
        "seconds an epoch": (time.perf_counter() - began) / settings.epochs,
        "GB at most": torch.cuda.max_memory_allocated() / 1e9,
    }


def random_examples(backbone: Backbone, count: int) -> Examples:
    rng = np.random.default_rng(0)
    size = backbone.draft_size
    pixels = rng.normal(size=(count, 3, size, size)).astype(np.float32)

    def read(batches: Sequence[Places]) -> Iterator[Batch]:
        for places in batches:
            yield places, pixels[places]

    return Examples(read, rng.integers(0, 2, (count, TUNED_TAGS)).astype(np.int8))


def median(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    seconds, result = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
