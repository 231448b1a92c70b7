"""open_clip models: pictures and words in one space (Radford et al. 2021, arXiv 2103.00020)."""

import hashlib
import io
import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from annotator.errors import BadInputError, MissingError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

TEXTS_AT_ONCE = 256
PREPROCESSING = ".preprocess.json"  # beside a checkpoint: what open_clip's configurations have no place for
TUNED = "-tuned-"


class OpenClipBackbone:
    """The backbone `open_clip:…`. `model` and `transform` come from open_clip; its tokenizer is opened when needed."""

    has_texts = True

    def __init__(self, name: str, model_name: str, model: Any, transform: Any, device: str) -> None:
        self.name, self.device = name, device
        self.model_name = model_name
        *self._picture_steps, _, self._normalize = transform.transforms
        self.model = model.to(device).eval()
        size = model.visual.image_size
        self.draft_size = int(size if isinstance(size, int) else max(size))
        self.batch_size = 256 if device == "cuda" else 16
        self.dim = int(self.encode_images(np.zeros((1, self.draft_size, self.draft_size, 3), np.uint8)).shape[1])

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """(size, size, 3) uint8: the part of the model's own evaluation transform that Pillow does.

        The rest is `pixels`, on the device and a batch at once: torch in every decoding thread keeps them waiting for
        each other, and floats are four times the memory to move.
        """
        image = image.convert("RGB")
        for step in self._picture_steps:
            image = step(image)
        return np.array(image, np.uint8)  # a copy: torch warns of arrays it could not write to

    def pixels(self, batch: NDArray[np.uint8]) -> "Tensor":
        """(B, size, size, 3) uint8 to (B, 3, size, size) float32 on the device, scaled as by open_clip's transform."""
        import torch

        bytes_ = torch.from_numpy(np.ascontiguousarray(batch))
        if self.device == "cuda":
            bytes_ = bytes_.pin_memory().to(self.device, non_blocking=True)
        mean, std = (
            torch.as_tensor(value, dtype=torch.float32, device=self.device)[:, None, None]
            for value in (self._normalize.mean, self._normalize.std)
        )
        return bytes_.permute(0, 3, 1, 2).float().contiguous().div_(255).sub_(mean).div_(std)

    def encode_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """(B, size, size, 3) uint8 to (B, dim) float32 unit vectors."""
        return self.encode_pixels(self.pixels(batch))

    def encode_pixels(self, pixels: "Tensor") -> NDArray[np.float32]:
        """(B, 3, size, size) float32 to (B, dim) float32 unit vectors; half precision inside on a GPU."""
        import torch

        with torch.inference_mode(), torch.autocast(self.device, torch.float16, enabled=self.device == "cuda"):
            return _unit(self.model.encode_image(pixels.to(self.device)))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(T, dim) float32 unit vectors."""
        import torch

        parts = []
        with torch.inference_mode(), torch.autocast(self.device, torch.float16, enabled=self.device == "cuda"):
            for start in range(0, len(texts), TEXTS_AT_ONCE):
                tokens = self._tokenizer(list(texts[start : start + TEXTS_AT_ONCE])).to(self.device)
                parts.append(_unit(self.model.encode_text(tokens)))
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    @cached_property
    def _tokenizer(self) -> Any:
        import open_clip

        return open_clip.get_tokenizer(self.model_name)


def load(argument: str, device: str) -> OpenClipBackbone:
    """`argument`: MODEL/PRETRAINED, MODEL@CHECKPOINT_FILE or hf-hub:ORG/NAME."""
    if argument.startswith("hf-hub:"):
        return _create(f"open_clip:{argument}", argument, None, device)
    model_name, at, checkpoint = argument.partition("@")
    if at:
        file = Path(checkpoint).expanduser()
        if not file.is_file():
            raise MissingError(f"{file} is not there; name a checkpoint: open_clip:{model_name}@CHECKPOINT_FILE")
        _register(model_name, file.parent)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        return _create(f"open_clip:{model_name}@{digest}", model_name, str(file), device, _preprocessing(file))
    model_name, slash, pretrained = argument.partition("/")
    if not slash:
        raise UsageError(f"open_clip:{argument} names no weights; write open_clip:{argument}/PRETRAINED, for example "
                         f"open_clip:ViT-B-32/openai")  # fmt: skip
    _check_pair(model_name, pretrained)
    model_name = architecture(model_name, pretrained)
    return _create(f"open_clip:{model_name}/{pretrained}", model_name, pretrained, device)


def architecture(model_name: str, pretrained: str) -> str:
    """The model the weights were trained as: open_clip only warns where weights of a QuickGELU model, such as OpenAI's
    own, are put into one with another activation, whose vectors are then off."""
    import open_clip

    wants = open_clip.get_pretrained_cfg(model_name, pretrained).get("quick_gelu", False)
    has = open_clip.get_model_config(model_name).get("quick_gelu", False)
    quick = f"{model_name}-quickgelu"
    return quick if wants and not has and quick in open_clip.list_models() else model_name


def as_files(backbone: OpenClipBackbone) -> tuple[str, dict[str, bytes]]:
    """The model as it is now, as files that `load` opens again: (MODEL, {file name: content}).

    MODEL.pt is a state_dict that loads with weights_only, MODEL.json the configuration open_clip reads, and
    MODEL.preprocess.json how pictures are resized and scaled. MODEL is the original's name with a digest of the
    weights: open_clip knows no such model, so it takes the configuration beside the checkpoint.
    """
    import open_clip
    import torch

    buffer = io.BytesIO()
    torch.save({name: tensor.cpu() for name, tensor in backbone.model.state_dict().items()}, buffer)
    weights = buffer.getvalue()
    original = re.sub(r"[^A-Za-z0-9._-]", "-", backbone.model_name.removeprefix("hf-hub:")).split(TUNED)[0]
    name = f"{original}{TUNED}{hashlib.sha256(weights).hexdigest()[:8]}"
    described = {
        ".json": open_clip.get_model_config(backbone.model_name),
        PREPROCESSING: backbone.model.visual.preprocess_cfg,
    }
    texts = {f"{name}{suffix}": json.dumps(value, indent=1).encode() for suffix, value in described.items()}
    return name, {f"{name}.pt": weights, **texts}


def _preprocessing(checkpoint: Path) -> dict[str, Any]:
    """What the file beside a checkpoint says of its pictures, as open_clip's arguments; nothing where there is none."""
    file = checkpoint.with_suffix(PREPROCESSING)
    if not file.is_file():
        return {}
    try:
        told = json.loads(file.read_text())
        return {f"image_{name}": told[name] for name in ("mean", "std", "interpolation", "resize_mode")}
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{file} does not say mean, std, interpolation and resize_mode ({error!r})") from error


def _register(model_name: str, folder: Path) -> None:
    """Make a model known whose configuration lies beside its checkpoint."""
    import open_clip

    if model_name in open_clip.list_models():
        return
    if not (folder / f"{model_name}.json").is_file():
        raise MissingError(
            f"open_clip knows no model {model_name!r} and {folder} has no {model_name}.json; put the model's "
            "configuration beside the checkpoint"
        )
    open_clip.add_model_config(folder)


def _check_pair(model_name: str, pretrained: str) -> None:
    import open_clip

    known = open_clip.list_pretrained_tags_by_model(model_name)
    if not known:
        raise UnknownNameError("open_clip model", model_name, {name for name, _ in open_clip.list_pretrained()})
    if pretrained not in known:
        raise UnknownNameError(f"pretrained weight of {model_name}", pretrained, known)


def _create(
    name: str, model_name: str, pretrained: str | None, device: str, preprocessing: dict[str, Any] | None = None
) -> OpenClipBackbone:
    import open_clip

    try:
        model, _, transform = open_clip.create_model_and_transforms(
            model_name, pretrained=pretrained, weights_only=True, **(preprocessing or {})
        )
    except (OSError, RuntimeError, ValueError, FileNotFoundError) as error:
        if pretrained is not None and Path(pretrained).is_file():
            raise BadInputError(f"{pretrained} does not fit the model {model_name}: {error}") from error
        wanted = f"{model_name!r}" + (f", pretrained={pretrained!r}" if pretrained else "")
        raise MissingError(
            f"the weights of {name} are not in the cache and could not be fetched ({error}); where there is a network: "
            f'python -c "import open_clip; open_clip.create_model_and_transforms({wanted})", then copy its cache folder'
        ) from error
    return OpenClipBackbone(name, model_name, model, transform, device)


def _unit(vectors: Any) -> NDArray[np.float32]:
    from torch.nn.functional import normalize

    return np.asarray(normalize(vectors.float(), dim=-1).cpu().numpy(), np.float32)
