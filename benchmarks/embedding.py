"""Embedding throughput over forward-only throughput: decoding, storing and the index must never be the bottleneck.

The model gets one core of work; decoding runs on the others. Forward-only is the same model on the same pictures,
already decoded and in memory.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from annotator.backbones import open_backbone
from annotator.importers.pictures import open_oriented
from annotator.services.embedding import embed
from annotator.services.importing import import_pictures
from annotator.workspace import Workspace
from benchmarks.report import options, packs, show, write


def forward_only(backbone: Any, files: list[Path]) -> float:
    arrays = [backbone.preprocess(open_oriented(file, shorter_side=backbone.draft_size)) for file in files]
    batches = [
        np.stack(arrays[start : start + backbone.batch_size]) for start in range(0, len(arrays), backbone.batch_size)
    ]
    began = time.perf_counter()
    for batch in batches:
        backbone.encode_images(batch)
    return len(files) / (time.perf_counter() - began)


def main() -> None:
    import torch

    chosen = options(__doc__ or "")
    torch.set_num_threads(1)
    data = packs()
    files = sorted((data / "corel5k" / "images").glob("*.jpg"))[: 120 if chosen.quick else 1200]
    specs = [
        f"onnx:{data}/models/mobilenet_v2_imagenet.json",
        f"open_clip:standin-mnv2@{data}/models/standin_openclip/standin-mnv2.pt",
    ]
    rows = []
    for spec in specs:
        backbone = open_backbone(spec, "auto")
        whole, forward = [], []
        for _ in range(1 if chosen.quick else 2):
            with tempfile.TemporaryDirectory() as place, Workspace.create(Path(place) / "w") as workspace:
                import_pictures(workspace, [str(file) for file in files])
                report = embed(workspace, spec, backbone=backbone)
                whole.append(report.images_per_second)
            forward.append(forward_only(backbone, files))
        ratio = statistics.median(one / other for one, other in zip(whole, forward, strict=True))
        rows.append(
            {
                "backbone": backbone.name,
                "embed/s": statistics.median(whole),
                "forward only/s": statistics.median(forward),
                "ratio": ratio,
            }
        )
    show(f"Embedding of {len(files)} photos", rows)
    write(chosen.json, {"pictures": len(files), "backbones": rows})


if __name__ == "__main__":
    main()
