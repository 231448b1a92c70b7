"""Is a picture file whole? Checks that the decoder leaves out, on the bytes, before decoding.

Pillow accepts a PNG whose check sums are wrong or whose last chunk is missing; browsers and training code on
other machines do not. Layouts: PNG (W3C PNG specification, 5), WebP (RFC 9649), JPEG (ITU-T T.81, annex B).
"""

import struct
import zlib

_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_PNG_SIGN = b"\x89PNG\r\n\x1a\n"
_JPEG_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def find_damage(data: bytes) -> tuple[str, str] | None:
    """(reason, what is wrong) of a file that is cut or damaged; None where nothing was found, or was looked for."""
    if data.startswith(_PNG_SIGN):
        return _png_damage(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp_damage(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg_damage(data)
    return None


def _png_damage(data: bytes) -> tuple[str, str] | None:
    at = len(_PNG_SIGN)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        if kind in _CRITICAL and zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            return "damaged", f"the check sum of its {kind.decode()} chunk at byte {at} is wrong"
        if kind == b"IEND":
            return None
        at = end
    return "truncated", f"ends after {len(data):,} bytes, before its end mark"


def _webp_damage(data: bytes) -> tuple[str, str] | None:
    size = int.from_bytes(data[4:8], "little") + 8
    return ("truncated", f"has {len(data):,} of {size:,} bytes") if size > len(data) else None


def _jpeg_damage(data: bytes) -> tuple[str, str] | None:
    """A JPEG that ends within its header, or has no end mark after it: a cut one filled up with zeros decodes."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None  # odd, but decoders look for the next marker, so shall ours
        marker = data[at + 1]
        if marker == 0xDA:  # the picture itself begins
            whole = data.find(b"\xff\xd9", at) >= 0
            return None if whole else ("truncated", f"has no end mark in its {len(data):,} bytes")
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_NO_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return "truncated", f"ends after {len(data):,} bytes, within its header"
