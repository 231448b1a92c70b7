"""What works on this machine, and what to do about what does not."""

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from annotator.backbones import BACKBONES
from annotator.errors import AnnotatorError

LOW_DISK_BYTES = 5_000_000_000


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    state: str
    remedy: str = ""


def check(folder: Path) -> list[Finding]:
    """One finding per part: device, FAISS, weights, browser part, database, disk."""
    return [check() for check in (_torch, _faiss, _onnx, _weights, _streamlit)] + [_store(folder), _disk(folder)]


def backbone_table() -> list[dict[str, str]]:
    return [
        {"name": name, "how to name it": family.syntax, "what": family.summary} for name, family in BACKBONES.items()
    ]


def _torch() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("device", True, f"torch {torch.__version__}, {torch.cuda.get_device_name()}")
    state = f"torch {torch.__version__}, CPU with {torch.get_num_threads()} threads, no GPU"
    return Finding("device", True, state, "with an NVIDIA GPU: install a CUDA build of torch; all else stays the same")


def _faiss() -> Finding:
    import faiss

    gpus = faiss.get_num_gpus() if hasattr(faiss, "get_num_gpus") else 0
    state = f"faiss {faiss.__version__}, {gpus} GPUs"
    return Finding("search", True, state, "" if gpus else "for a GPU: pip install 'annotator[gpu]'")


def _onnx() -> Finding:
    import onnxruntime

    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding("onnx", True, f"onnxruntime {onnxruntime.__version__}: {providers}")


def _weights() -> Finding:
    """Which open_clip weights lie in the cache; none is no fault: the descriptor backbone needs none."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cached = sorted(path.name.removeprefix("models--") for path in Path(HF_HUB_CACHE).glob("models--*"))
    remedy = "fetch some: annotator embed --backbone open_clip:ViT-B-32/laion2b_s34b_b79k" if not cached else ""
    return Finding("weights", True, ", ".join(cached) or "none in the cache; `descriptor` needs none", remedy)


def _streamlit() -> Finding:
    try:
        return Finding("browser", True, f"streamlit {version('streamlit')}, uvicorn {version('uvicorn')}")
    except PackageNotFoundError as error:
        return Finding("browser", False, f"{error.name} is not installed", "pip install annotator")


def _store(folder: Path) -> Finding:
    from annotator.workspace import Workspace

    try:
        with Workspace.open(folder) as workspace:
            return Finding("workspace", True, f"{folder}: {workspace.engine.dialect.name}, schema up to date")
    except AnnotatorError as error:
        return Finding("workspace", False, str(error), f"annotator init -w {folder} --tags FILE")


def _disk(folder: Path) -> Finding:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    enough = free > LOW_DISK_BYTES
    remedy = "" if enough else "free some space, or put the workspace on another disk"
    return Finding("disk", enough, f"{free / 1e9:.1f} GB free at {existing}", remedy)
