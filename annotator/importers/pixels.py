"""From any of Pillow's modes to upright 8-bit sRGB, the one form everything else works on."""

import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to what undoes it (CIPA DC-008, tag 274)."""

_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_PROFILES = {"RGB": b"RGB ", "CMYK": b"CMYK"}
_PROFILE_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """`image` turned as its EXIF `orientation` (1 to 8) asks; the same object where it asks nothing."""
    return image.transpose(_ORIENTATIONS[orientation]) if orientation in _ORIENTATIONS else image


def to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Any mode to 8-bit sRGB: 16-bit and float scaled, transparency over white, embedded colour profiles applied.

    Returns the picture and whether an embedded profile had to be ignored because it is broken.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(to_8_bit(np.asarray(image))).convert("RGB"), False
    if image.mode == "LAB":
        return _from_lab(image), False
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = _over_white(image)
    elif image.mode not in _PROFILES:
        image = image.convert("RGB")
    return _apply_profile(image, profile)


def to_8_bit(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """(H, W) numbers of any type to 0 … 255.

    Whole numbers: the full range of 16 bits, or of 12 bits where no value needs more (cameras, microscopes and X-ray
    detectors write 12 bits into 16, which would show black). Fractions: 0 … 1, else 0 … 255. Any other range is
    stretched from its smallest to its largest value. Not-a-number becomes 0.
    """
    numbers = values.astype(np.float32)  # its own copy: the steps below are done in place, pictures are large
    np.nan_to_num(numbers, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(numbers.min()), float(numbers.max())) if numbers.size else (0.0, 0.0)
    if low < 0 or high > 65_535:
        scale = 255 / (high - low)
    elif np.issubdtype(values.dtype, np.floating):
        low, scale = 0.0, (255.0 if high <= 1 else 1.0 if high <= 255 else 255 / 65_535)
    else:
        low, scale = 0.0, 255 / (4_095 if high <= 4_095 else 65_535)
    numbers -= low
    numbers *= scale
    return np.rint(numbers, out=numbers).astype(np.uint8)


def _over_white(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Pillow knows only this way out of premultiplied grey
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _from_lab(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return _transformed(image, transform)


def _apply_profile(image: Image.Image, profile: object) -> tuple[Image.Image, bool]:
    """`image` (RGB or CMYK) as sRGB by its embedded ICC profile."""
    if not isinstance(profile, bytes) or not profile:
        return image.convert("RGB"), False
    try:
        transform = _profile_transform(profile, image.mode)
        return (_transformed(image, transform) if transform else image.convert("RGB")), False
    except _PROFILE_ERRORS:
        return image.convert("RGB"), True


def _transformed(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    result = ImageCms.applyTransform(image, transform)
    assert result is not None, "only an in-place transform gives None"
    return result


@lru_cache(maxsize=16)  # a collection has a handful of profiles; building one costs as much as decoding a photo
def _profile_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from `profile` to sRGB; None where there is nothing to change or the profile is for another mode."""
    if profile[16:20] != _PROFILES[mode]:
        if profile[16:20] in (b"RGB ", b"CMYK", b"GRAY", b"Lab "):
            return None
        raise ValueError(f"a colour profile of the unknown space {profile[16:20]!r}")
    opened = ImageCms.getOpenProfile(io.BytesIO(profile))
    if "srgb" in ImageCms.getProfileDescription(opened).lower():
        return None
    # NOCACHE: a transform is shared by threads, its one-pixel memory must not be.
    return ImageCms.buildTransform(
        opened, ImageCms.createProfile("sRGB"), mode, "RGB", flags=ImageCms.Flags.NOCACHE | ImageCms.Flags.NONE
    )
