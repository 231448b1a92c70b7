"""Colour, gradient-orientation and texture statistics: no download, no text tower, fast on one core.

Five blocks, each of unit length, then weighed:

- moments: the low cosine-transform coefficients of small Lab patches, their absolute values and the patch's place; the
  matrix logarithm of their second moments over the picture (region covariances: Tuzel, Porikli and Meer, ECCV 2006;
  the logarithm: Arsigny et al., MRM 2006). Which colours go with which structures: the block that carries most;
- colours: a histogram of CIE Lab;
- gradients, coarse gradients: histograms of oriented gradients (Dalal and Triggs, CVPR 2005);
- texture: uniform local binary patterns (Ojala et al., PAMI 2002).

Coefficients enter by their signed root, so that a few strong edges do not outweigh all else, and histograms by their
root, so that their dot product is the Hellinger kernel (Arandjelović and Zisserman, CVPR 2012).
"""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NAME = "descriptor@1"  # raise the number whenever the vectors change: old and new ones must not be mixed
SIDE = 96
WEIGHTS = {"moments": 1.0, "colours": 0.35, "gradients": 0.35, "coarse gradients": 0.35, "texture": 0.4}

PATCH, STEP = 4, 2
ORDERS = (3, 2, 2)  # highest sum of the two frequencies kept, in L, a and b
FLOOR = 1e-3  # of the second moments: below it lies the noise of JPEG
PLACES = 0.3  # of a patch's coordinates beside its coefficients
MEANS = 0.6  # the patch means vary most from picture to picture; unscaled they would drown the structure
LAB_SPAN = np.array([100, 80, 80], np.float32)

LIGHTNESS_BINS, COLOUR_BINS = 4, 10
ORIENTATIONS, CELLS, COARSE_CELLS = 9, 6, 3
FLAT = 1e6  # the energy of nine cells of noise of two grey levels
TEXTURE_CELLS = 2

Batch = NDArray[np.float32]


class Descriptor:
    """The backbone `descriptor`. A picture's vector depends on nothing but the picture, to the last bit."""

    name = NAME
    device = "cpu"
    batch_size = 32  # larger ones leave the processor's cache
    draft_size = SIDE
    has_texts = False

    def __init__(self) -> None:
        self.dim = int(self.encode_images(np.zeros((1, SIDE, SIDE, 3), np.uint8)).shape[1])

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """(96, 96, 3) uint8, squashed: every picture has the same cells."""
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0))

    def encode_images(self, batch: NDArray[Any]) -> Batch:
        """(B, 96, 96, 3) uint8 to (B, dim) float32 unit vectors."""
        lab = _lab(batch)
        lightness = lab[..., 0] * np.float32(2.55)  # on the scale of grey levels
        gradients = _gradients(lightness)
        blocks = {
            "moments": _moments(lab),
            "colours": _colours(lab),
            "gradients": _locally_normalised(gradients),
            "coarse gradients": np.sqrt(_unit_sum(_pooled(gradients))),
            "texture": _texture(lightness),
        }
        parts = [_unit(blocks[name].reshape(len(batch), -1)) * np.float32(weight) for name, weight in WEIGHTS.items()]
        return _unit(np.concatenate(parts, axis=1))

    def encode_texts(self, texts: Sequence[str]) -> None:
        """There is no text tower."""
        return


def load(_argument: str, _device: str) -> Descriptor:
    return Descriptor()


# Moments of colour and structure -------------------------------------------------------------------------------------


def _basis() -> Batch:
    """(48, K): one column per kept coefficient of a (4, 4, 3) patch, by rising frequency, L before a before b.

    Natural pictures have amplitudes that fall like 1 / frequency (Field, JOSA A 1987): the factor levels them.
    """
    frequency, place = np.arange(PATCH)[:, None], np.arange(PATCH)
    cosine = np.cos(np.pi * (place + 0.5) * frequency / PATCH) * np.where(frequency, np.sqrt(2), 1) / PATCH
    columns = []
    for channel, order in enumerate(ORDERS):
        for down, across in product(range(PATCH), repeat=2):
            if down + across <= order:
                column = np.zeros((PATCH, PATCH, 3))
                column[..., channel] = np.outer(cosine[down], cosine[across]) * (np.hypot(down, across) or 0.5)
                columns.append(column.ravel())
    return np.array(columns, np.float32).T


def _places() -> Batch:
    """(P, 4): the constant and the coordinates of each patch."""
    count = (SIDE - PATCH) // STEP + 1
    line = np.linspace(-1, 1, count)
    down, across = np.meshgrid(line, line, indexing="ij")
    places = [np.ones_like(down), PLACES * down, PLACES * across, PLACES * down**2]
    return np.stack(places, axis=-1).reshape(count * count, -1).astype(np.float32)


BASIS, PLACE = _basis(), _places()
# The mean diagonal of the logarithm over photographs of several collections; without it all vectors look alike.
# In this order: coefficients of L, a, b; their absolute values; the constant and the place.
TYPICAL = np.array([
    -3.1, -3.7, -3.8, -4.1, -3.6, -4.0, -4.1, -3.7, -4.1, -4.0, -4.7, -4.6, -4.8, -4.5, -4.9, -4.8,
    -4.6, -4.2, -4.5, -4.2, -4.6, -4.5, -4.6, -5.1, -5.1, -5.4, -5.0, -5.4, -5.5, -5.1, -5.5, -5.3,
    -5.6, -5.8, -5.9, -5.7, -6.0, -5.9, -5.3, -5.5, -5.7, -5.5, -5.8, -5.6, -1.5, -3.8, -3.6, -4.9,
])  # fmt: skip


def _moments(lab: Batch) -> Batch:
    """(B, S (S + 1) / 2) from the S = 2 K + 4 signals of all patches: the logarithm's upper triangle, centred."""
    scaled = lab / LAB_SPAN - np.array([0.5, 0, 0], np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (PATCH, PATCH), axis=(1, 2))[:, ::STEP, ::STEP]
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(len(lab), len(PLACE), -1)
    coefficients = patches @ BASIS  # (B, P, K)
    kept = coefficients.shape[-1]
    signals = np.empty((len(lab), len(PLACE), 2 * kept + PLACE.shape[1]), np.float32)
    roots = np.sqrt(np.abs(coefficients))
    signals[..., :kept] = np.copysign(roots, coefficients)
    signals[..., kept : 2 * kept] = roots
    signals[..., 2 * kept :] = PLACE
    moments = signals.transpose(0, 2, 1) @ signals / np.float32(len(PLACE))  # (B, S, S)
    values, vectors = np.linalg.eigh(moments.astype(np.float64))
    logarithm = (vectors * np.log(np.maximum(values, 0) + FLOOR)[:, None, :]) @ vectors.transpose(0, 2, 1)
    return _triangle(logarithm - np.diag(TYPICAL))


def _triangle(symmetric: NDArray[np.float64]) -> Batch:
    """(B, S, S) to (B, S (S + 1) / 2), with the Frobenius norm kept up to the weight of the means."""
    weights = np.ones(symmetric.shape[-1])
    weights[_mean_signals()] = MEANS
    row, column = np.triu_indices(len(weights))
    factors = weights[row] * weights[column] * np.where(row == column, 1, np.sqrt(2))
    # Indexing lays the batch out last; sums have to run in the same order whatever the batch.
    return np.ascontiguousarray(symmetric[:, row, column] * factors, np.float32)


def _mean_signals() -> NDArray[np.int64]:
    """Places of the patch means, signed and absolute, and of the constant among the signals."""
    counts = [sum(down + across <= order for down, across in product(range(PATCH), repeat=2)) for order in ORDERS]
    first = np.cumsum([0, *counts[:-1]])
    kept = sum(counts)
    return np.concatenate([first, kept + first, [2 * kept]])


# Colours -------------------------------------------------------------------------------------------------------------

# sRGB to linear light (IEC 61966-2-1) for the 256 levels there are, then to XYZ over the white D65.
_LEVELS = np.arange(256) / 255
LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
FROM_LINEAR = (_XYZ / np.array([[0.95047], [1.0], [1.08883]])).T.astype(np.float32)


def _lab(batch: NDArray[Any]) -> Batch:
    """(B, H, W, 3) uint8 sRGB to CIE Lab, L 0 to 100, a and b about -100 to 100. A table makes it 3 times as fast as
    skimage.color.rgb2lab, with the same numbers."""
    xyz = LINEAR[batch] @ FROM_LINEAR
    compressed = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + np.float32(16 / 116))
    x, y, z = compressed[..., 0], compressed[..., 1], compressed[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _colours(lab: Batch) -> Batch:
    """The histogram of every fourth pixel: 4 steps of L, 10 of a and b up to 80, where photographs end."""
    sparse = lab[:, ::2, ::2]
    lightness = np.clip(sparse[..., 0] * (LIGHTNESS_BINS / 100), 0, LIGHTNESS_BINS - 1).astype(np.int64)
    chroma = np.clip((sparse[..., 1:] / 80 + 1) * (COLOUR_BINS / 2), 0, COLOUR_BINS - 1).astype(np.int64)
    bins = (lightness * COLOUR_BINS + chroma[..., 0]) * COLOUR_BINS + chroma[..., 1]
    return np.sqrt(_histograms(bins, LIGHTNESS_BINS * COLOUR_BINS**2))


# Gradients -----------------------------------------------------------------------------------------------------------


def _gradients(lightness: Batch) -> Batch:
    """(B, 96, 96) to (B, 6, 6, 9): gradient magnitude by cell and unsigned orientation, split between two bins."""
    across, down = np.zeros_like(lightness), np.zeros_like(lightness)
    across[:, :, 1:-1] = lightness[:, :, 2:] - lightness[:, :, :-2]
    down[:, 1:-1] = lightness[:, 2:] - lightness[:, :-2]
    magnitude = np.hypot(across, down)
    angle = np.arctan2(down, across) * np.float32(ORIENTATIONS / np.pi) + np.float32(ORIENTATIONS)  # 0 to 2 turns
    whole = angle.astype(np.int64)
    upper_part = magnitude * (angle - whole.astype(np.float32))
    cell = np.arange(SIDE) * CELLS // SIDE
    where = (cell[:, None] * CELLS + cell) * ORIENTATIONS
    bins = CELLS * CELLS * ORIENTATIONS
    total = _histograms(where + whole % ORIENTATIONS, bins, magnitude - upper_part)
    total += _histograms(where + (whole + 1) % ORIENTATIONS, bins, upper_part)
    return total.reshape(-1, CELLS, CELLS, ORIENTATIONS)


def _locally_normalised(cells: Batch) -> Batch:
    """Each cell by the energy of its surroundings: light and contrast change from place to place."""
    energy = np.pad((cells**2).sum(axis=-1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = np.zeros_like(cells[..., 0])
    for down, across in product(range(3), repeat=2):
        around += energy[:, down : down + CELLS, across : across + CELLS]
    return np.asarray(np.sqrt(cells / np.sqrt(around[..., None] + np.float32(FLAT))), np.float32)


def _pooled(cells: Batch) -> Batch:
    size = CELLS // COARSE_CELLS
    return np.asarray(cells.reshape(len(cells), COARSE_CELLS, size, COARSE_CELLS, size, -1).sum(axis=(2, 4)))


# Texture -------------------------------------------------------------------------------------------------------------


def _uniform_patterns() -> NDArray[np.int64]:
    """(256,) pattern to its bin: 58 patterns with at most two changes around the circle, all others share one."""
    codes = np.arange(256)
    bits = codes[:, None] >> np.arange(8) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    bins = np.full(256, uniform.sum(), np.int64)
    bins[uniform] = np.arange(uniform.sum())
    return bins


UNIFORM = _uniform_patterns()
AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def _texture(lightness: Batch) -> Batch:
    """Histograms of uniform local binary patterns (8 neighbours at distance 1) in 2 x 2 cells."""
    size = SIDE - 2
    floor = lightness[:, 1:-1, 1:-1] + 1  # one grey level of difference is noise of the sensor and of JPEG
    code = np.zeros(floor.shape, np.uint8)
    for bit, (down, across) in enumerate(AROUND):
        code |= (lightness[:, down : down + size, across : across + size] > floor).astype(np.uint8) << bit
    cell = np.arange(size) * TEXTURE_CELLS // size
    patterns = int(UNIFORM.max()) + 1
    where = (cell[:, None] * TEXTURE_CELLS + cell) * patterns
    counts = _histograms(where + UNIFORM[code], TEXTURE_CELLS**2 * patterns)
    return np.sqrt(_unit_sum(counts.reshape(len(lightness), TEXTURE_CELLS**2, patterns)))


# Shared --------------------------------------------------------------------------------------------------------------


def _histograms(bins: NDArray[np.int64], count: int, weights: Batch | None = None) -> Batch:
    """One histogram of `count` bins per picture, all pictures in one pass."""
    offset = np.arange(len(bins)).reshape(-1, *[1] * (bins.ndim - 1)) * count
    flat = (bins + offset).ravel()
    total = np.bincount(flat, None if weights is None else weights.ravel(), len(bins) * count)
    return total.reshape(len(bins), count).astype(np.float32)


def _unit_sum(array: Batch) -> Batch:
    return np.asarray(array / np.maximum(array.sum(axis=-1, keepdims=True), np.float32(1e-9)))


def _unit(array: Batch) -> Batch:
    return np.asarray(array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), np.float32(1e-9)))
