"""The labelled packs as arrays: vectors, labels, near-duplicate groups. Vectors are kept in the temporary folder."""

import csv
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from annotator.arrays import write_whole
from annotator.backbones import open_backbone
from annotator.backbones.base import Backbone, slug
from annotator.importers.near_duplicates import group_near_duplicates
from annotator.importers.opening import read_bytes
from annotator.importers.perceptual_hash import perceptual_hash
from annotator.importers.pictures import open_oriented
from annotator.importers.tables import read_labels
from annotator.scoring.zero_shot import prompt_ensemble
from annotator.services.embedding import encoder
from benchmarks.report import packs

MOBILENET = "onnx:{data}/models/mobilenet_v2_imagenet.json"
STANDIN = "open_clip:standin-mnv2@{data}/models/standin_openclip/standin-mnv2.pt"
CIFAR_IMAGES = 6_000
LEAST_POSITIVES = {"corel5k": 20}  # images that show a tag; elsewhere 3
BATCH = 32


@dataclass(frozen=True)
class Pack:
    """N images, C tags. The labels are taken as complete: corel5k's, of at most five tags an image, are not quite."""

    name: str
    X: NDArray[np.float16]  # (N, D) unit length
    labels: NDArray[np.int8]  # (N, C) 0 or 1
    tags: tuple[str, ...]
    groups: NDArray[np.int64]  # (N,) near-duplicate group
    texts: NDArray[np.float32] | None  # (C, D), None where the backbone knows no words

    def with_tags(self, at_least: int) -> "Pack":
        """Without the tags of fewer positive images."""
        kept = np.flatnonzero(self.labels.sum(0) >= at_least)
        texts = None if self.texts is None else self.texts[kept]
        return Pack(self.name, self.X, self.labels[:, kept], tuple(self.tags[tag] for tag in kept), self.groups, texts)


def folder_pack(name: str, backbone: str) -> Pack:
    """A pack of pictures beside a labels.csv."""
    folder = packs() / name
    rows = list(read_labels(folder / "labels.csv", []))
    return _embedded(name, backbone, [set(row.labels) for row in rows], lambda: (read_bytes(row.uri) for row in rows))


def cifar10(backbone: str) -> Pack:
    """The first images of the test part with their clean label."""
    folder = packs() / "cifar10_votes"
    with (folder / "test_votes.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))[:CIFAR_IMAGES]

    def contents() -> Iterator[bytes]:
        with zipfile.ZipFile(folder / "images.zip") as archive:
            for row in rows:
                yield archive.read(row["file"])

    return _embedded("cifar10_votes", backbone, [{row["label"]} for row in rows], contents)


def voc12(_backbone: str = "") -> Pack:
    """VOC 2012 by real CLIP RN50x64 scores: the vector of a photo is its scores for whole image, tile maximum and
    tile minimum, 60 numbers; its pictures are not at hand, nor near-duplicates."""
    with np.load(packs() / "features" / "voc12train_clip_rn50x64_scores.npz", allow_pickle=False) as stored:
        known = (stored["labels"] >= 0).all(1)
        parts = [4.6052 * np.log(stored[name][known].astype(np.float64)) for name in SCORES]
        labels, tags = stored["labels"][known].astype(np.int8), tuple(map(str, stored["classes"]))
    scores = np.concatenate([part - part.mean(1, keepdims=True) for part in parts], 1)
    scores = (scores - scores.mean(0)) / scores.std(0)
    X = (scores / np.linalg.norm(scores, axis=1, keepdims=True)).astype(np.float16)
    return Pack("voc12", X, labels, tags, np.arange(len(X)), None)


SCORES = ("global_softmax", "tile_max", "tile_min")
PACKS: dict[str, Callable[[str], Pack]] = {
    "coco256": lambda backbone: folder_pack("coco256", backbone),
    "grocery": lambda backbone: folder_pack("grocery", backbone),
    "corel5k": lambda backbone: folder_pack("corel5k", backbone),
    "cifar10_votes": cifar10,
    "voc12": voc12,
}


def load(name: str, backbone: str = MOBILENET) -> Pack:
    """A pack without the tags that too few of its images show."""
    return PACKS[name](backbone).with_tags(LEAST_POSITIVES.get(name, 3))


def split(pack: Pack, share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to learn from and held-out rows, about `share` of the images; near-duplicates stay together."""
    groups = np.unique(pack.groups)
    held = np.random.default_rng([seed, 7]).permutation(groups)[: round(share * len(groups))]
    is_held = np.isin(pack.groups, held)
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def _embedded(name: str, backbone: str, labels: list[set[str]], contents: Callable[[], Iterator[bytes]]) -> Pack:
    spec = backbone.format(data=packs())
    tags = tuple(sorted(set().union(*labels)))
    vectors, hashes, texts = _cached(name, spec, tags, len(labels), contents)
    truth = np.array([[tag in own for tag in tags] for own in labels], np.int8)
    return Pack(name, vectors, truth, tags, group_near_duplicates(hashes), texts if len(texts) else None)


def _cached(
    name: str, spec: str, tags: tuple[str, ...], count: int, contents: Callable[[], Iterator[bytes]]
) -> tuple[NDArray[np.float16], NDArray[Any], NDArray[np.float32]]:
    """Vectors, perceptual hashes and text vectors, from the temporary folder where an earlier run left them."""
    key = hashlib.sha256(repr((spec, tags, count)).encode()).hexdigest()[:8]
    file = Path(tempfile.gettempdir()) / "annotator-benchmarks" / f"{name}-{slug(spec.split('/')[-1])}-{key}.npz"
    if not file.exists():
        backbone = open_backbone(spec)
        vectors, hashes = _encode(backbone, name, count, contents())
        texts = prompt_ensemble(encoder(backbone), tags) if backbone.has_texts else np.empty((0, 0), np.float32)
        buffer = io.BytesIO()
        np.savez(buffer, vectors=vectors, hashes=hashes, texts=texts)
        write_whole(file, buffer.getvalue(), durable=False)
    with np.load(file, allow_pickle=False) as kept:
        return kept["vectors"], kept["hashes"], kept["texts"]


def _encode(
    backbone: Backbone, name: str, count: int, contents: Iterator[bytes]
) -> tuple[NDArray[np.float16], NDArray[Any]]:
    vectors, hashes, waiting = [], [], []
    for content in tqdm(contents, total=count, desc=f"embedding {name}", leave=False):
        picture = open_oriented(content, name=name, shorter_side=backbone.draft_size)
        hashes.append(perceptual_hash(picture))
        waiting.append(backbone.preprocess(picture))
        if len(waiting) == BATCH:
            vectors.append(backbone.encode_images(np.stack(waiting)))
            waiting = []
    if waiting:
        vectors.append(backbone.encode_images(np.stack(waiting)))
    return np.concatenate(vectors).astype(np.float16), np.array(hashes, np.int64)
