"""Colour, gradient-orientation and texture statistics: no download, no text tower, fast on one core.

The blocks are the classic ones: colour layout and histogram in CIE Lab, histograms of oriented gradients (Dalal and
Triggs, CVPR 2005) and uniform local binary patterns (Ojala et al., PAMI 2002). Histograms are compared by the Hellinger
kernel: the square root of a unit-sum histogram has unit length (Arandjelović and Zisserman, CVPR 2012).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NAME = "descriptor@1"  # raise the number whenever the vectors change: old and new ones must not be mixed
SIDE = 96
ORIENTATIONS = 9
HOG_CELLS = 8
COLOUR_CELLS = 4
TEXTURE_CELLS = 2
WEIGHTS = {"layout": 1.0, "colours": 1.0, "gradients": 1.0, "coarse gradients": 1.0, "texture": 1.0}

Batch = NDArray[np.float32]


class Descriptor:
    """The backbone `descriptor`. A picture's vector depends on nothing but the picture."""

    name = NAME
    device = "cpu"
    batch_size = 64
    draft_size = SIDE
    has_texts = False

    def __init__(self) -> None:
        self.dim = int(self.encode_images(np.zeros((1, SIDE, SIDE, 3), np.uint8)).shape[1])

    def preprocess(self, image: Image.Image) -> NDArray[Any]:
        """(96, 96, 3) uint8, squashed: the layout is described in cells of the whole picture."""
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0))

    def encode_images(self, batch: NDArray[Any]) -> Batch:
        """(B, 96, 96, 3) uint8 to (B, dim) float32 unit vectors."""
        small = batch.reshape(len(batch), SIDE // 2, 2, SIDE // 2, 2, 3).mean(axis=(2, 4), dtype=np.float32) / 255
        grey = batch @ np.array([0.299, 0.587, 0.114], np.float32)
        gradients = _gradients(grey)
        blocks = {
            **_colours(small),
            "gradients": _locally_normalised(gradients),
            "coarse gradients": np.sqrt(_unit_sum(_pooled(gradients, 2))),
            "texture": _texture(grey),
        }
        parts = [_unit(blocks[name].reshape(len(batch), -1)) * weight for name, weight in WEIGHTS.items()]
        return _unit(np.concatenate(parts, axis=1))

    def encode_texts(self, texts: Sequence[str]) -> None:
        """There is no text tower."""
        return


def load(_argument: str, _device: str) -> Descriptor:
    return Descriptor()


def _colours(small: Batch) -> dict[str, Batch]:
    """Colour layout (mean and deviation of Lab in 4 x 4 cells) and a histogram of Lab colours."""
    from skimage.color import rgb2lab

    lab = rgb2lab(small).astype(np.float32) / np.array([100, 128, 128], np.float32)
    cells = lab.reshape(len(lab), COLOUR_CELLS, -1, COLOUR_CELLS, lab.shape[2] // COLOUR_CELLS, 3)
    layout = np.concatenate(
        [cells.mean(axis=(2, 4)) - np.array([0.5, 0, 0], np.float32), cells.std(axis=(2, 4))], axis=-1
    )
    lightness = np.clip((lab[..., 0] * 4).astype(np.int64), 0, 3)
    a, b = (np.clip(((lab[..., channel] * 2 + 1) * 4).astype(np.int64), 0, 7) for channel in (1, 2))
    colours = _histograms((lightness * 8 + a) * 8 + b, 4 * 8 * 8)
    return {"layout": layout, "colours": np.sqrt(_unit_sum(colours))}


def _gradients(grey: Batch) -> Batch:
    """(B, 96, 96) to (B, 8, 8, 9): gradient magnitude by cell and unsigned orientation, split between two bins."""
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    magnitude = np.hypot(across, down)
    place = (np.arctan2(down, across) / np.pi % 1.0) * ORIENTATIONS
    lower = place.astype(np.int64) % ORIENTATIONS
    share = place - np.floor(place)
    cell = np.arange(SIDE) * HOG_CELLS // SIDE
    where = (cell[:, None] * HOG_CELLS + cell) * ORIENTATIONS
    bins = HOG_CELLS * HOG_CELLS * ORIENTATIONS
    upper = (lower + 1) % ORIENTATIONS
    total = np.add(
        _histograms(where + lower, bins, magnitude * (1 - share)), _histograms(where + upper, bins, magnitude * share)
    )
    return total.reshape(-1, HOG_CELLS, HOG_CELLS, ORIENTATIONS)


def _locally_normalised(cells: Batch) -> Batch:
    """Each cell by the energy of its surroundings: light and contrast change from place to place."""
    energy = np.pad((cells**2).sum(axis=-1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = sum(energy[:, y : y + HOG_CELLS, x : x + HOG_CELLS] for y in range(3) for x in range(3))
    return np.asarray(np.sqrt(cells / np.sqrt(np.asarray(around)[..., None] + 1e3)))


def _pooled(cells: Batch, side: int) -> Batch:
    return np.asarray(cells.reshape(len(cells), side, HOG_CELLS // side, side, HOG_CELLS // side, -1).sum(axis=(2, 4)))


def _texture(grey: Batch) -> Batch:
    """Histograms of uniform local binary patterns (8 neighbours at distance 1) in 2 x 2 cells."""
    centre = grey[:, 1:-1, 1:-1]
    size = SIDE - 2
    code = np.zeros(centre.shape, np.uint8)
    around = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    for bit, (y, x) in enumerate(around):
        # One grey level of difference is noise of the sensor and of JPEG.
        code |= (grey[:, y : y + size, x : x + size] > centre + 1).astype(np.uint8) << bit
    cell = np.arange(size) * TEXTURE_CELLS // size
    patterns = int(UNIFORM.max()) + 1
    where = (cell[:, None] * TEXTURE_CELLS + cell) * patterns
    counts = _histograms(where + UNIFORM[code], TEXTURE_CELLS**2 * patterns)
    return np.sqrt(_unit_sum(counts.reshape(len(grey), TEXTURE_CELLS**2, patterns)))


def _uniform_patterns() -> NDArray[np.int64]:
    """(256,) pattern to its bin: 58 patterns with at most two changes around the circle, all others share one."""
    codes = np.arange(256)
    bits = codes[:, None] >> np.arange(8) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, uniform.sum(), np.int64)
    bins[uniform] = np.arange(uniform.sum())
    return bins


UNIFORM = _uniform_patterns()


def _histograms(bins: NDArray[np.int64], count: int, weights: NDArray[Any] | None = None) -> Batch:
    """One histogram of `count` bins per picture, all pictures in one pass."""
    offset = np.arange(len(bins)).reshape(-1, *[1] * (bins.ndim - 1)) * count
    flat = (bins + offset).ravel()
    total = np.bincount(flat, None if weights is None else weights.ravel(), len(bins) * count)
    return total.reshape(len(bins), count).astype(np.float32)


def _unit_sum(array: Batch) -> Batch:
    return np.asarray(array / np.maximum(array.sum(axis=-1, keepdims=True), 1e-9))


def _unit(array: Batch) -> Batch:
    return np.asarray(array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-9), np.float32)
