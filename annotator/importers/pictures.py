"""One picture file in; its identity, size, perceptual hash and thumbnails out, or why it is refused.

Pure functions of bytes or a path, made to run in a pool of processes.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from annotator.importers.addresses import show
from annotator.importers.decoding import Decoded, Reduce, decode
from annotator.importers.files import check_byte_size, read_file
from annotator.importers.perceptual_hash import perceptual_hash
from annotator.importers.refusals import DEFAULT_LIMITS, Limits

THUMBNAIL_SIZES = (320, 1280)
_HASHED = 320  # without thumbnails: as much as the perceptual hash needs
_QUALITY = 82  # about 15 KB at 320 pixels, 150 KB at 1280


@dataclass(frozen=True, slots=True)
class Picture:
    """What an import keeps of one picture. `width`, `height` and the thumbnails are upright (EXIF applied)."""

    uri: str
    sha256: str
    byte_size: int
    format: str
    """Pillow's name: JPEG, PNG, WEBP, GIF, TIFF, …"""
    mode: str
    """Pillow's name of the stored pixels: RGB, L, CMYK, I;16, …"""
    width: int
    height: int
    orientation: int
    """The EXIF orientation (1 to 8) that was applied."""
    frames: int
    perceptual_hash: int
    """Signed 64 bits; see `annotator.importers.perceptual_hash`."""
    thumbnails: dict[int, bytes]
    """Longest side asked for, to the JPEG; a smaller picture keeps its size."""
    notes: tuple[str, ...]
    """What a person may want to know: several frames, a broken profile or EXIF block."""


def read_picture(
    source: bytes | Path,
    *,
    uri: str,
    limits: Limits = DEFAULT_LIMITS,
    thumbnail_sizes: Sequence[int] = THUMBNAIL_SIZES,
) -> Picture:
    """Read one picture, whatever its file is called, into what the store, the near-duplicate search and screens need.

    Raises PictureError with a reason of `REFUSALS`; no other error, whatever the bytes are.
    """
    name = show(uri)
    data = source if isinstance(source, bytes) else read_file(source, limits)
    check_byte_size(len(data), name, limits)
    largest_size = max(thumbnail_sizes, default=_HASHED)
    decoded = decode(data, name, limits, lambda width, height: fit(width, height, largest_size))
    thumbnails, largest = _thumbnails(decoded, sorted(thumbnail_sizes, reverse=True))
    return Picture(
        uri=uri,
        sha256=hashlib.sha256(data).hexdigest(),
        byte_size=len(data),
        format=decoded.format,
        mode=decoded.mode,
        width=decoded.width,
        height=decoded.height,
        orientation=decoded.orientation,
        frames=decoded.frames,
        perceptual_hash=perceptual_hash(largest),
        thumbnails=thumbnails,
        notes=decoded.notes,
    )


def open_oriented(
    source: bytes | Path, *, name: str = "the picture", shorter_side: int | None = None, limits: Limits = DEFAULT_LIMITS
) -> Image.Image:
    """The upright RGB picture, with the same colours as the thumbnails, for embedding and for serving in full.

    With `shorter_side` a JPEG may come back smaller (by 2, 4 or 8, which decodes faster), but its shorter side is
    then still at least that many pixels. Raises PictureError.
    """
    data = source if isinstance(source, bytes) else read_file(source, limits)
    check_byte_size(len(data), name, limits)
    return decode(data, show(name), limits, _keep_shorter_side(shorter_side) if shorter_side else None).image


def fit(width: int, height: int, longest: int) -> tuple[int, int]:
    """The size with the same shape whose longest side is `longest`; never larger than given, never below 1."""
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _keep_shorter_side(shorter: int) -> Reduce:
    def reduce(width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, shorter / min(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    return reduce


def _thumbnails(decoded: Decoded, sizes: Sequence[int]) -> tuple[dict[int, bytes], Image.Image]:
    """JPEGs by size, each made from the next larger one, and the largest as pixels."""
    image, thumbnails, largest = decoded.image, dict[int, bytes](), None
    encoded: tuple[tuple[int, int], bytes] | None = None
    for size in sizes:
        target = fit(decoded.width, decoded.height, size)
        if image.size != target:
            image = image.resize(target, Image.Resampling.BICUBIC, reducing_gap=3.0)
        if encoded is None or encoded[0] != target:
            encoded = target, _jpeg(image)
        thumbnails[size] = encoded[1]
        largest = image if largest is None else largest
    return thumbnails, image if largest is None else largest


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()
