"""Vectors of all images by one backbone: decoding threads feed the device, the disk gets whole shards."""

import hashlib
import io
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from os import cpu_count

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image as Picture
from sqlalchemy import func, select

from annotator.arrays import ShardedArray, write_whole
from annotator.backbones import Backbone, open_backbone
from annotator.backbones.base import PictureEncoder
from annotator.errors import MissingError, PictureError
from annotator.importers.opening import read_bytes
from annotator.importers.pictures import open_oriented
from annotator.progress import Progress, silent
from annotator.scoring.zero_shot import PROMPT_TEMPLATES, Encode, prompt_ensemble
from annotator.services.rights import Right, needs
from annotator.snapshot import SnapshotTag
from annotator.workspace import Workspace
from db.models import Image, ImageFile, Tag

FLUSH_SECONDS = 10.0  # the most work a killed run has to do again
FAILED = "failed.json"  # rows without a vector, tried again by the next run
AHEAD = 3  # batches being decoded while one is computed


@dataclass
class EmbedReport:
    backbone: str
    images: int = 0
    new: int = 0
    seconds: float = 0.0
    unreadable: list[str] = field(default_factory=list)

    @property
    def images_per_second(self) -> float:
        return self.new / self.seconds if self.seconds else 0.0


@needs(Right.TRAIN)
def embed(
    workspace: Workspace, spec: str | None = None, progress: Progress = silent, backbone: Backbone | None = None
) -> EmbedReport:
    """Compute the missing vectors, as `complete` says, and make this backbone the project's."""
    spec = spec or workspace.project.backbone
    backbone = backbone or open_backbone(spec, workspace.settings.device)
    folder = workspace.embeddings_folder(backbone.name)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "writer.lock"):
        store = ShardedArray.create(folder, backbone.dim, backbone=backbone.name, spec=spec)
        report = EmbedReport(backbone.name)
        complete(workspace, backbone, store, report, lambda done, total: progress(done, total, "embedding"))
    workspace.change_project(backbone=spec)
    note = {"name": backbone.name, "spec": spec, "texts": backbone.has_texts}
    write_whole(workspace.folder / "embeddings" / "current.json", json.dumps(note).encode())
    return report


def complete(
    workspace: Workspace,
    encoder: PictureEncoder,
    store: ShardedArray,
    report: EmbedReport,
    progress: Callable[[int, int], None],
) -> None:
    """Compute the rows that `store` lacks, and tell `report`.

    Batches start at multiples of the batch size, so that a resumed run computes the very batches of an undisturbed
    one. An image whose file is gone or broken gets a row of zeros, is listed, and is tried again by the next run.
    """
    uris = first_files(workspace)
    report.images, report.new = len(uris), len(uris) - len(store)
    began = time.monotonic()
    failed = _retried(encoder, store, uris)
    for done in _fill(workspace, encoder, store, uris, failed):
        progress(done, len(uris))
    report.unreadable = [uris[row] for row in failed]
    report.seconds = time.monotonic() - began


def current_backbone(workspace: Workspace) -> str | None:
    """The full name of the backbone embedded last; None before the first `embed`."""
    file = workspace.folder / "embeddings" / "current.json"
    return json.loads(file.read_text())["name"] if file.exists() else None


def current_spec(workspace: Workspace) -> str | None:
    """How a person named the backbone embedded last; None before the first `embed`."""
    file = workspace.folder / "embeddings" / "current.json"
    return json.loads(file.read_text())["spec"] if file.exists() else None


def has_texts(workspace: Workspace) -> bool:
    """Whether the backbone embedded last has a text tower."""
    file = workspace.folder / "embeddings" / "current.json"
    return bool(json.loads(file.read_text())["texts"]) if file.exists() else False


def text_vectors(workspace: Workspace, tags: Sequence[SnapshotTag]) -> NDArray[np.float32] | None:
    """(C, D) vector of each tag by the backbone embedded last; None when it has no text tower.

    A tag's own prompts count in place of the usual templates. Kept in a file by name, because a text tower is slow to
    open and tags rarely change.
    """
    file = workspace.folder / "embeddings" / "current.json"
    if not has_texts(workspace):
        return None
    note = json.loads(file.read_text())
    cache = workspace.embeddings_folder(note["name"]) / "tags.npz"
    synonyms = {tag.name: tag.synonyms for tag in tags}
    with workspace.reading() as session:
        own = dict(session.execute(select(Tag.id, Tag.prompts)).all())
    prompts = {tag.name: own[tag.id] for tag in tags if own.get(tag.id)}
    key = hashlib.sha256(json.dumps([synonyms, PROMPT_TEMPLATES, prompts]).encode()).hexdigest()
    if cache.exists():
        with np.load(cache, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return np.asarray(kept["vectors"], np.float32)
    backbone = cached_backbone(note["spec"], workspace.settings.device)
    vectors = prompt_ensemble(encoder(backbone), [tag.name for tag in tags], synonyms=synonyms, prompts=prompts)
    buffer = io.BytesIO()
    np.savez(buffer, vectors=vectors, key=np.array(key))
    write_whole(cache, buffer.getvalue())
    return vectors


def encoder(backbone: Backbone) -> Encode:
    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = backbone.encode_texts(texts)
        if vectors is None:
            raise MissingError(f"{backbone.name} has no text tower")
        return vectors

    return encode


@lru_cache(maxsize=2)
def cached_backbone(spec: str, device: str) -> Backbone:
    """A backbone kept open: loading one takes seconds, a search milliseconds."""
    return open_backbone(spec, device)


def first_files(workspace: Workspace) -> list[str]:
    """One readable place of each image, by row."""
    with workspace.reading() as session:
        first = select(func.min(ImageFile.id)).group_by(ImageFile.image_row)
        query = select(ImageFile.uri).join(Image).where(ImageFile.id.in_(first)).order_by(Image.row)
        return list(session.scalars(query))


def _retried(encoder: PictureEncoder, store: ShardedArray, uris: Sequence[str]) -> list[int]:
    """Try the rows again that an earlier run could not read; those that still cannot be read."""
    file = store.folder / FAILED
    rows = json.loads(file.read_text()) if file.exists() else []
    still = []
    for row in rows:
        if row >= len(store):
            continue  # a run was killed before it had stored this row: it is computed with the missing ones
        array = _prepared(encoder, uris[row])
        if array is None:
            still.append(row)
        else:
            store.put(row, encoder.encode_images(array[None])[0])
    return still


def _fill(
    workspace: Workspace, encoder: PictureEncoder, store: ShardedArray, uris: Sequence[str], failed: list[int]
) -> Iterator[int]:
    """Append the vectors of all rows that are not stored yet, and to `failed` the rows that could not be read.

    Yields how many rows are done.
    """
    file = store.folder / FAILED
    start = len(store) - len(store) % encoder.batch_size
    flushed = time.monotonic()
    for first, batch, unreadable in _decoded(workspace, encoder, uris, start):
        vectors = encoder.encode_images(batch)
        vectors[unreadable] = 0
        # The rows of a batch that was stored in part are computed with it and not stored twice.
        begun = max(0, len(store) - first)
        store.append(vectors[begun:])
        failed += [first + place for place in unreadable if place >= begun]
        if time.monotonic() - flushed > FLUSH_SECONDS:
            write_whole(file, json.dumps(failed).encode())
            store.flush()
            flushed = time.monotonic()
        yield first + len(batch)
    write_whole(file, json.dumps(failed).encode())
    store.flush()


def _decoded(
    workspace: Workspace, encoder: PictureEncoder, uris: Sequence[str], start: int
) -> Iterator[tuple[int, NDArray[np.generic], list[int]]]:
    """(first row, batch ready for the device, places that could not be read), decoded ahead."""
    firsts = range(start, len(uris), encoder.batch_size)
    chunks = (uris[first : first + encoder.batch_size] for first in firsts)
    for first, arrays in zip(firsts, prepared_ahead(workspace, encoder, chunks), strict=True):
        yield first, *_stacked(arrays, encoder)


def prepared_ahead(
    workspace: Workspace, encoder: PictureEncoder, chunks: Iterable[Sequence[str]]
) -> Iterator[list[NDArray[np.generic] | None]]:
    """The pictures of each chunk of files, ready for the device, None for one that cannot be read.

    A few chunks are decoded ahead in threads, which are enough: Pillow decodes and resizes outside the interpreter
    lock.
    """
    threads = workspace.settings.workers or cpu_count() or 1
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting: deque[list[Future[NDArray[np.generic] | None]]] = deque()
        coming = iter(chunks)
        try:
            while True:
                while len(waiting) <= AHEAD and (chunk := next(coming, None)) is not None:
                    waiting.append([pool.submit(_prepared, encoder, uri) for uri in chunk])
                if not waiting:
                    return
                yield [future.result() for future in waiting.popleft()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepared(encoder: PictureEncoder, uri: str) -> NDArray[np.generic] | None:
    """One picture ready for the device; None when it cannot be read (any more)."""
    try:
        return encoder.preprocess(open_oriented(read_bytes(uri), name=uri, shorter_side=encoder.draft_size))
    except PictureError:
        return None


def _stacked(
    arrays: list[NDArray[np.generic] | None], encoder: PictureEncoder
) -> tuple[NDArray[np.generic], list[int]]:
    failed = [place for place, array in enumerate(arrays) if array is None]
    good = next((array for array in arrays if array is not None), None)
    if good is None:
        good = encoder.preprocess(Picture.new("RGB", (32, 32)))
    blank = np.zeros_like(good)
    return np.stack([blank if array is None else array for array in arrays]), failed
