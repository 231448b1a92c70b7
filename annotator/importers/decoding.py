"""The bytes of one picture to upright 8-bit sRGB pixels, or the reason why not.

Nothing here trusts the file: sizes are judged by the header before any pixel is decoded, and every error a decoder
is known to raise on hostile bytes becomes a `PictureError`.
"""

import importlib
import importlib.util
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache

from PIL import Image, UnidentifiedImageError

from annotator.importers.file_kinds import FORMATS, RAW_SUFFIXES, describe, suffix_of
from annotator.importers.integrity import find_damage
from annotator.importers.pixels import to_rgb, upright
from annotator.importers.refusals import Limits, refuse

# What Pillow's readers raise on broken bytes: they index, unpack, divide and convert whatever they find there.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    BufferError,
    struct.error,
    zlib.error,
    Warning,  # where Python was told to raise them
)
_ORIENTATION = 274  # EXIF tag
_DNG_VERSION, _SUBFILE_TYPE = 50706, 254  # TIFF tags

Reduce = Callable[[int, int], tuple[int, int]]
"""(width, height) of the stored picture to the smallest size that would do; a JPEG may then be decoded smaller."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded picture: `image` is RGB and upright; `width` and `height` are those of the full picture, upright."""

    image: Image.Image
    format: str
    mode: str
    width: int
    height: int
    orientation: int
    frames: int
    notes: tuple[str, ...]


def decode(data: bytes, name: str, limits: Limits, reduce: Reduce | None = None) -> Decoded:
    """Decode the first frame of `data`; `name` is what messages call it.

    Raises PictureError with a reason of `REFUSALS`.
    """
    if not data:
        raise refuse("empty file", name, "has no bytes")
    damage = find_damage(data)
    if damage:
        raise refuse(damage[0], name, damage[1])
    try:
        with _open(data, name, limits) as image:
            return _decode(image, name, reduce)
    except (Image.DecompressionBombError, MemoryError) as error:
        raise refuse("too large", name, str(error) or "does not fit into memory") from error
    except DECODER_ERRORS as error:
        reason = "truncated" if _speaks_of_an_early_end(error) else "damaged"
        raise refuse(reason, name, f"cannot be decoded ({_brief(error)})") from error


@contextmanager
def _open(data: bytes, name: str, limits: Limits) -> Iterator[Image.Image]:
    """The picture with its header read and judged, no pixel decoded."""
    try:
        image = _read_header(data)
    except UnidentifiedImageError:
        reason, what = describe(data)
        raise refuse(reason, name, what) from None
    except (SyntaxError, struct.error) as error:
        raise refuse("damaged", name, f"its header cannot be read ({_brief(error)})") from error
    with image:
        width, height = image.size
        if width * height > limits.pixels or max(width, height) > limits.side:
            at_most = f"at most {limits.pixels:,} pixels and {limits.side:,} a side are read"
            raise refuse("too large", name, f"has {width:,} x {height:,} pixels, {at_most}")
        if image.format == "TIFF" and _is_camera_raw(image, name):
            raise refuse("unsupported format", name, "is a camera raw file")
        yield image


class _Process:
    """What belongs to the process: the lock is made anew in a forked child, where its holder does not exist."""

    lock = threading.Lock()

    @classmethod
    def begin_anew(cls) -> None:
        cls.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.begin_anew)


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings (corrupt EXIF, odd chunks). They and Pillow's limit are the process's: one thread at a time."""
    with _Process.lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read_header(data: bytes) -> Image.Image:
    with _quiet():
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # ours is judged next, from the same header
        try:
            return Image.open(io.BytesIO(data), formats=_formats())
        finally:
            Image.MAX_IMAGE_PIXELS = limit


@cache
def _formats() -> list[str]:
    """What is read here; HEIC too where the optional pillow-heif is installed."""
    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:
        importlib.import_module("pillow_heif").register_heif_opener()
    return [name for name in [*FORMATS, "HEIF"] if name in Image.OPEN]


def _is_camera_raw(image: Image.Image, name: str) -> bool:
    tags = getattr(image, "tag_v2", {})
    preview_first = bool(tags.get(_SUBFILE_TYPE, 0)) and image.size[0] <= 512
    return _DNG_VERSION in tags or suffix_of(name) in RAW_SUFFIXES or preview_first


def _decode(image: Image.Image, name: str, reduce: Reduce | None) -> Decoded:
    mode, format_ = image.mode, "JPEG" if image.format == "MPO" else str(image.format)
    size, frames = image.size, _frames(image)
    orientation, exif_note = _orientation(image) if format_ == "TIFF" else (1, "")
    if reduce and format_ == "JPEG":
        image.draft(None, reduce(*size))
    with _quiet() if format_ == "TIFF" else nullcontext():  # TIFF reads its EXIF block again while loading
        image.load()
    left, note = _orientation(image)  # TIFF: Pillow has turned it while loading, nothing is left to do
    orientation = orientation if format_ == "TIFF" else left
    rgb, broken_profile = to_rgb(image)
    rgb = upright(rgb, left)
    rgb.info = {}
    full = rgb.size if format_ in ("TIFF", "ICO") else (size[::-1] if left >= 5 else size)
    notes = (
        exif_note or note,
        f"{frames} frames, the first is used" if frames > 1 else "",
        "its colour profile is broken and was ignored" if broken_profile else "",
        "its last rows are plain grey; the file may have been cut" if _ends_grey(rgb, format_, left) else "",
    )
    return Decoded(rgb, format_, mode, *full, orientation, frames, tuple(filter(None, notes)))


def _orientation(image: Image.Image) -> tuple[int, str]:
    """(EXIF orientation 1 to 8, note); 1 where there is none or it cannot be read."""
    with _quiet():
        try:
            value = image.getexif().get(_ORIENTATION, 1)
        except DECODER_ERRORS:
            return 1, "its EXIF block is broken and was ignored"
    return (value, "") if isinstance(value, int) and 1 <= value <= 8 else (1, f"its EXIF orientation {value!r} is none")


def _frames(image: Image.Image) -> int:
    if image.format in ("MPO", "ICO"):  # further pictures of an MPO are depth and gain maps, of an icon other sizes
        return 1
    try:
        with _quiet():
            return int(getattr(image, "n_frames", 1))
    except DECODER_ERRORS:  # a later frame is broken; the first is what counts
        return 2


def _ends_grey(rgb: Image.Image, format_: str, orientation: int) -> bool:
    """Is the last row of a JPEG the grey that decoders fill in where the data ended early?"""
    if format_ != "JPEG" or orientation != 1 or rgb.height < 16:
        return False
    return rgb.crop((0, rgb.height - 8, *rgb.size)).getextrema() == ((128, 128),) * 3


def _speaks_of_an_early_end(error: BaseException) -> bool:
    return isinstance(error, EOFError) or any(word in str(error).lower() for word in ("truncated", "not enough"))


def _brief(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:200]
