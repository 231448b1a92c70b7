"""What every backbone offers: pictures to unit vectors, and words into the same space where it knows words."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image


class PictureEncoder(Protocol):
    """Pictures to rows of numbers. `preprocess` runs in decoding threads, the rest in one thread."""

    dim: int
    batch_size: int
    draft_size: int
    """The shorter side in pixels a JPEG may be reduced to while it is decoded, without harm to the vectors."""

    def preprocess(self, image: Image) -> NDArray[Any]:
        """One upright RGB picture to an array of fixed shape and dtype."""
        ...

    def encode_images(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """(B, ...) stacked results of `preprocess` to (B, dim)."""
        ...


class Backbone(PictureEncoder, Protocol):
    """A frozen image (and maybe text) encoder. `encode_images` gives unit vectors."""

    name: str
    """Identity with version: other weights, other name. It becomes part of file names."""
    device: str
    has_texts: bool

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """(T, dim) unit vectors in the space of the pictures; None without a text tower."""
        ...


def slug(name: str) -> str:
    """`name` as a file name. Where a character had to go, a short hash keeps two names apart.

    >>> slug("descriptor@1")
    'descriptor@1'
    >>> slug("open_clip:ViT-B-32/openai")
    'open_clip_ViT-B-32_openai-a33b58'
    """
    safe = re.sub(r"[^A-Za-z0-9@._-]", "_", name)
    return safe if safe == name else f"{safe}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
