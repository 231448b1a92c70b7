"""Small pictures of every kind as bytes, and the same bytes cut, twisted or wrapped."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

SIZE = (64, 48)


def photo(seed: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with texture, another one for each seed."""
    rng = np.random.default_rng(zlib.crc32(seed.encode()))
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format_: str = "JPEG", **options: object) -> bytes:
    """`image` as a file of that format."""
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk with its right check sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG written by hand: any depth, any declared size, chunks `more` before the picture data."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + body + png_chunk(b"IEND", b"")


def png_16_bit_rgb(seed: str) -> bytes:
    """Three channels of 16 bits, which Pillow reads but does not write."""
    pixels = (np.asarray(photo(seed)).astype(">u2") * 257).reshape(SIZE[1], -1)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return png(*SIZE, 16, 2, rows)


def png_bomb() -> bytes:
    """A header that promises 3.6 billion pixels."""
    return png(60_000, 60_000, 8, 2, b"\0")


def png_text_bomb(seed: str) -> bytes:
    """A compressed comment of 70 MiB in a few KiB."""
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(70 << 20), 9))
    rows = b"".join(b"\0" + row.tobytes() for row in np.asarray(photo(seed)))
    return png(*SIZE, 8, 2, rows, text)


def grey_16(seed: str, top: int = 65_535) -> Image.Image:
    """16-bit grey whose values reach `top`."""
    grey = np.asarray(photo(seed).convert("L")).astype(np.float64)
    grey = (grey - grey.min()) / (grey.max() - grey.min())
    return Image.fromarray((grey * top).astype(np.uint16))


def grey_float(seed: str) -> Image.Image:
    """32-bit floating point, 0 … 1."""
    return Image.fromarray(np.asarray(photo(seed).convert("L")).astype(np.float32) / 255)


def with_alpha(seed: str) -> Image.Image:
    """Colour with a transparent left half."""
    image = photo(seed).convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, SIZE[0] // 2, SIZE[1]))
    return image


def frames(seed: str, format_: str) -> bytes:
    """Three frames, the first of them `photo(seed)`."""
    more = [photo(f"{seed} {number}") for number in (1, 2)]
    return encoded(photo(seed), format_, save_all=True, append_images=more)


def oriented(seed: str, orientation: int, format_: str = "JPEG") -> bytes:
    """A picture whose EXIF block says how to turn it."""
    exif = Image.Exif()
    exif[274] = orientation
    return encoded(photo(seed), format_, exif=exif)


def jpeg_with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    """`jpeg` with one more segment right after its start."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def cmyk_not_inverted(seed: str) -> bytes:
    """A CMYK JPEG without Adobe's marker."""
    jpeg = encoded(photo(seed).convert("CMYK"))
    start = jpeg.index(b"\xff\xee")
    return jpeg[:start] + jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4]) :]


def with_wrong_crc(data: bytes) -> bytes:
    """A PNG whose picture data fails its check sum."""
    place = data.index(b"IDAT") - 4
    end = place + 12 + int.from_bytes(data[place : place + 4])
    return data[: end - 4] + bytes(byte ^ 0xFF for byte in data[end - 4 : end]) + data[end:]


def with_profile(seed: str, profile: bytes) -> bytes:
    """A JPEG with an embedded colour profile."""
    return encoded(photo(seed), icc_profile=profile)


def srgb_profile() -> bytes:
    """The profile every camera that means it well embeds."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def boxed(brand: bytes) -> bytes:
    """The beginning of a HEIC, AVIF or MP4 file."""
    return struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + brand + b"mif1" + bytes(200)


def raw_camera_tiff(seed: str) -> bytes:
    """A DNG in all that matters here: a TIFF of a small preview with the DNG version tag."""
    return encoded(photo(seed), "TIFF", tiffinfo={50706: b"\x01\x04\x00\x00"})
