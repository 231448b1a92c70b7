"""Backbones by name. A new one is one file with a `load`, and one line in `BACKBONES`."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from annotator.backbones.base import Backbone, slug
from annotator.errors import DeviceError, UnknownNameError, UsageError

__all__ = ["BACKBONES", "Backbone", "BackboneFamily", "open_backbone", "resolve_device", "slug"]


@dataclass(frozen=True)
class BackboneFamily:
    """One kind of backbone: how a person names it, what it is, and where its `load(argument, device)` is."""

    syntax: str
    summary: str
    module: str

    def load(self, argument: str, device: str) -> Backbone:
        loader: Callable[[str, str], Backbone] = import_module(self.module).load
        return loader(argument, device)


BACKBONES: dict[str, BackboneFamily] = {
    "descriptor": BackboneFamily(
        "descriptor", "colour, gradients and texture; no download, no words, CPU", "annotator.backbones.descriptor"
    ),
    "onnx": BackboneFamily(
        "onnx:FILE.json", "any image-embedding ONNX file with a JSON beside it", "annotator.backbones.onnx"
    ),
    "open_clip": BackboneFamily(
        "open_clip:MODEL/PRETRAINED, open_clip:MODEL@CHECKPOINT_FILE, open_clip:hf-hub:ORG/NAME",
        "pictures and words in one space; weights are fetched once",
        "annotator.backbones.open_clip",
    ),
}


def open_backbone(spec: str, device: str = "auto") -> Backbone:
    """The backbone that `spec` names, ready on `device` ("auto", "cpu" or "cuda").

    Raises UnknownNameError for an unknown family, UsageError for a missing argument, MissingError where weights are
    not there, BadInputError for a file that cannot be used, DeviceError without the device asked for.
    """
    family, _, argument = spec.partition(":")
    if family not in BACKBONES:
        raise UnknownNameError("backbone", family, BACKBONES)
    if not argument and family != "descriptor":
        raise UsageError(f"backbone {spec!r} is not complete; write {BACKBONES[family].syntax}")
    return BACKBONES[family].load(argument, resolve_device(device))


def resolve_device(device: str) -> str:
    """ "cuda" or "cpu"; "auto" takes a GPU when torch sees one. Raises DeviceError when an asked one is missing."""
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise DeviceError(
            "device is 'cuda', but this torch sees no GPU; install a CUDA build of torch, or set ANNOTATOR_DEVICE=cpu"
        )
    return "cpu"
