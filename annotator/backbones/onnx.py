"""Any image-embedding ONNX file, described by a small JSON beside it; text vectors from a table file.

    {"name": "mobilenet", "file": "mobilenet.onnx", "input": "image", "layout": "NCHW", "size": 224,
     "resize": "squash-bicubic", "range": [0, 1], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
     "channels": "RGB", "embedding": "features", "dim": 1280, "texts": "words.npz"}

`resize`: squash-, crop- or letterbox- followed by bicubic or bilinear. `texts` (optional): an .npz with `names` (T,)
and `emb` (T, dim), and maybe `synonyms` and `synonym_of`.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from annotator.errors import BadInputError, MissingError, UnknownNameError

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
ARTICLES = ("a photo of a ", "a photo of an ", "a photo of ", "an ", "a ", "the ")


class Description(BaseModel):
    """The fields of the JSON that are read; others may stand beside them."""

    model_config = ConfigDict(extra="ignore")

    name: str
    file: str
    input: str
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    size: int = Field(gt=0, le=2048)
    resize: str = Field("squash-bicubic", pattern=r"^(squash|crop|letterbox)-(bicubic|bilinear)")
    channels: Literal["RGB", "BGR"] = "RGB"
    range: tuple[float, float] = (0, 1)
    mean: tuple[float, float, float] = (0, 0, 0)
    std: tuple[float, float, float] = (1, 1, 1)
    embedding: str
    dim: int = Field(gt=0)
    texts: str | None = None


class OnnxBackbone:
    """The backbone `onnx:FILE.json`."""

    def __init__(self, description: Description, folder: Path, device: str) -> None:
        model = folder / description.file
        if not model.is_file():
            raise MissingError(f"{model} is not there; put the ONNX file beside its JSON, or correct its field 'file'")
        content = model.read_bytes()
        self.description, self.folder, self.device = description, folder, device
        self.name = f"onnx:{description.name}@{hashlib.sha256(content).hexdigest()[:8]}"
        self.dim = description.dim
        self.draft_size = description.size
        self.has_texts = description.texts is not None
        self._session = _session(content, model, device)
        self._one_by_one = self._session.get_inputs()[0].shape[0] == 1
        self._check()
        self.batch_size = 64 if device == "cuda" else 8

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """(size, size, 3) uint8; scaling to the model's range is done for the whole batch."""
        how, _, filter_name = self.description.resize.partition("-")
        side, resample = self.description.size, FILTERS[filter_name.split(",")[0].strip()]
        image = image.convert("RGB")
        if how == "squash":
            image = image.resize((side, side), resample)
        elif how == "crop":
            image = ImageOps.fit(image, (side, side), resample)
        else:
            image = ImageOps.pad(image, (side, side), resample, color=(114, 114, 114), centering=(0, 0))
        array = np.asarray(image)
        return array[..., ::-1] if self.description.channels == "BGR" else array

    def encode_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """(B, size, size, 3) uint8 to (B, dim) float32 unit vectors."""
        low, high = self.description.range
        scale = np.array(self.description.std, np.float32) * np.float32(255 / (high - low))
        shift = (np.float32(low) - np.array(self.description.mean, np.float32)) / np.array(
            self.description.std, np.float32
        )
        feed = batch.astype(np.float32) / scale + shift
        if self.description.layout == "NCHW":
            feed = np.ascontiguousarray(feed.transpose(0, 3, 1, 2))
        parts = [feed[place : place + 1] for place in range(len(feed))] if self._one_by_one else [feed]
        run = [self._session.run([self.description.embedding], {self.description.input: part})[0] for part in parts]
        vectors = np.concatenate(run).reshape(len(batch), -1).astype(np.float32)
        return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """(T, dim) unit vectors from the table; None without one. Raises UnknownNameError for a phrase not in it."""
        if not self.has_texts:
            return None
        names, vectors = self._table
        return np.stack([vectors[_row_of(text, names)] for text in texts])

    @cached_property
    def _table(self) -> tuple[dict[str, int], NDArray[np.float32]]:
        file = self.folder / str(self.description.texts)
        if not file.is_file():
            raise MissingError(
                f"{file} is not there; put the text table beside the JSON, or take its field 'texts' out"
            )
        with np.load(file, allow_pickle=False) as table:
            vectors = table["emb"].astype(np.float32)
            names = {str(name).casefold(): row for row, name in enumerate(table["names"].tolist())}
            if "synonyms" in table:
                for synonym, name in zip(table["synonyms"].tolist(), table["synonym_of"].tolist(), strict=True):
                    names.setdefault(str(synonym).casefold(), names.get(str(name).casefold(), 0))
        if vectors.shape[1] != self.dim:
            raise BadInputError(f"{file} has vectors of {vectors.shape[1]} numbers, the pictures have {self.dim}")
        return names, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def _check(self) -> None:
        """That the names in the JSON are in the model, before an hour of embedding ends with it."""
        inputs = [tensor.name for tensor in self._session.get_inputs()]
        outputs = {tensor.name: tensor.shape for tensor in self._session.get_outputs()}
        if self.description.input not in inputs:
            raise UnknownNameError(f"input of {self.description.file}", self.description.input, inputs)
        if self.description.embedding not in outputs:
            raise UnknownNameError(f"output of {self.description.file}", self.description.embedding, outputs)
        got = self.encode_images(np.zeros((1, self.description.size, self.description.size, 3), np.uint8)).shape[1]
        if got != self.dim:
            raise BadInputError(
                f"{self.description.file}: 'dim' says {self.dim}, its output has {got}; correct the JSON"
            )


def load(argument: str, device: str) -> OnnxBackbone:
    """`argument` is the path of the JSON."""
    file = Path(argument).expanduser()
    if not file.is_file():
        raise MissingError(f"{file} is not there; name the JSON that describes the ONNX file: onnx:FILE.json")
    try:
        description = Description.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"{file}: field '{field}': {first['msg']} (it is {first.get('input')!r:.60})") from error
    except ValueError as error:
        raise BadInputError(f"{file} is not JSON: {error}") from error
    return OnnxBackbone(description, file.parent, device)


def _session(content: bytes, model: Path, device: str) -> Any:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # one setting for all that computes
    options.log_severity_level = 3
    available = onnxruntime.get_available_providers()
    providers = ["CPUExecutionProvider"]
    if device == "cuda" and "CUDAExecutionProvider" in available:
        providers = ["CUDAExecutionProvider", *providers]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # onnxruntime raises classes of its own that share no base but this
        raise BadInputError(
            f"{model} is no ONNX model that onnxruntime {onnxruntime.__version__} reads: {error}"
        ) from error


def _row_of(text: str, names: dict[str, int]) -> int:
    key = " ".join(text.split()).casefold()
    candidates = [key, *(key.removeprefix(article) for article in ARTICLES if key.startswith(article))]
    for candidate in candidates:
        if candidate in names:
            return names[candidate]
    raise UnknownNameError("phrase of the text table", text, names)
