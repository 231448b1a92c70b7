"""Single picture files: formats, pixel kinds, damage, and files that are no pictures."""

from functools import partial

import numpy as np
from PIL import Image

from tests.importers import picture_bytes as b
from tests.importers.bad_input import BadInput, one_file


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _float_with_gaps() -> bytes:
    values = np.asarray(b.grey_float("float tiff with gaps")).copy() * 3000 - 1000
    values[:4] = np.nan
    return b.encoded(Image.fromarray(values), "TIFF")


def _plain(format_: str, **options: object) -> bytes:
    return b.encoded(b.photo(f"plain {format_} {sorted(options)}"), format_, **options)


def _mode(mode: str, format_: str) -> bytes:
    return b.encoded(b.photo(f"mode {mode} {format_}").convert(mode), format_)


FORMATS: dict[str, BadInput] = {
    "jpeg": one_file("a.jpg", partial(_plain, "JPEG")),
    "progressive jpeg": one_file("a.jpg", partial(_plain, "JPEG", progressive=True)),
    "png": one_file("a.png", partial(_plain, "PNG")),
    "gif": one_file("a.gif", partial(_plain, "GIF")),
    "webp": one_file("a.webp", partial(_plain, "WEBP")),
    "avif": one_file("a.avif", partial(_plain, "AVIF")),
    "jpeg 2000": one_file("a.jp2", partial(_plain, "JPEG2000")),
    "bmp": one_file("a.bmp", partial(_plain, "BMP")),
    "ico": one_file("a.ico", partial(_plain, "ICO")),
    "ppm": one_file("a.ppm", partial(_plain, "PPM")),
    "qoi": one_file("a.qoi", partial(_plain, "QOI")),
    "tiff, packed": one_file("a.tif", partial(_plain, "TIFF", compression="tiff_lzw")),
    "tiff of several pages": one_file("a.tif", partial(b.frames, "tiff of several pages", "TIFF")),
    "animated gif": one_file("a.gif", partial(b.frames, "animated gif", "GIF")),
    "animated webp": one_file("a.webp", partial(b.frames, "animated webp", "WEBP")),
    "animated png": one_file("a.png", partial(b.frames, "animated png", "PNG")),
    "stereo jpeg (mpo)": one_file("a.jpg", partial(b.frames, "stereo jpeg", "MPO")),
    "jpeg with bytes after its end": one_file("a.jpg", lambda: _plain("JPEG", quality=91) + b"more" * 500),
    "30,000 pixels wide": one_file("a.png", lambda: b.encoded(b.photo("wide", (30_000, 20)), "PNG")),
    "one pixel": one_file("a.png", lambda: b.encoded(b.photo("one", (1, 1)), "PNG")),
}

PIXELS: dict[str, BadInput] = {
    "cmyk jpeg": one_file("a.jpg", partial(_mode, "CMYK", "JPEG")),
    "cmyk jpeg without adobe's marker": one_file("a.jpg", partial(b.cmyk_not_inverted, "cmyk not inverted")),
    "cmyk tiff": one_file("a.tif", partial(_mode, "CMYK", "TIFF")),
    "lab tiff": one_file("a.tif", lambda: b.encoded(Image.new("LAB", b.SIZE, (150, 160, 90)), "TIFF")),
    "16-bit png": one_file("a.png", lambda: b.encoded(b.grey_16("16-bit png"), "PNG")),
    "16-bit colour png": one_file("a.png", partial(b.png_16_bit_rgb, "16-bit colour png")),
    "16-bit tiff": one_file("a.tif", lambda: b.encoded(b.grey_16("16-bit tiff"), "TIFF")),
    "12 bits in a 16-bit tiff": one_file("a.tif", lambda: b.encoded(b.grey_16("12-bit tiff", 4095), "TIFF")),
    "16-bit pgm": one_file("a.pgm", lambda: b.encoded(b.grey_16("16-bit pgm"), "PPM")),
    "32-bit float tiff": one_file("a.tif", lambda: b.encoded(b.grey_float("float tiff"), "TIFF")),
    "float tiff with gaps": one_file("a.tif", _float_with_gaps),
    "32-bit integer tiff": one_file(
        "a.tif", lambda: b.encoded(Image.fromarray(np.asarray(b.grey_16("int tiff")).astype(np.int32) * 9), "TIFF")
    ),
    "palette": one_file("a.png", partial(_mode, "P", "PNG")),
    "palette with transparency": one_file(
        "a.png", lambda: b.encoded(b.photo("see-through").convert("P"), "PNG", transparency=bytes(range(256)))
    ),
    "grey with one transparent level": one_file(
        "a.png", lambda: b.encoded(b.photo("grey key").convert("L"), "PNG", transparency=128)
    ),
    "1-bit": one_file("a.png", partial(_mode, "1", "PNG")),
    "1-bit tiff, fax": one_file("a.tif", lambda: b.encoded(b.photo("fax").convert("1"), "TIFF", compression="group4")),
    "grey with alpha": one_file("a.png", lambda: b.encoded(b.with_alpha("la").convert("LA"), "PNG")),
    "colour with alpha": one_file("a.png", lambda: b.encoded(b.with_alpha("rgba"), "PNG")),
    "wholly transparent": one_file("a.png", lambda: b.encoded(Image.new("RGBA", b.SIZE), "PNG")),
    "good colour profile": one_file("a.jpg", lambda: b.with_profile("good profile", b.srgb_profile())),
    "broken colour profile": one_file("a.jpg", lambda: b.with_profile("broken profile", b"not a profile" * 20)),
    "cut colour profile": one_file("a.jpg", lambda: b.with_profile("cut profile", b.srgb_profile()[:200])),
    "corrupt exif": one_file(
        "a.jpg", lambda: b.jpeg_with_segment(_plain("JPEG", quality=60), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff")
    ),
    "exif orientation of 99": one_file("a.jpg", partial(b.oriented, "orientation 99", 99)),
    "huge exif": one_file(
        "a.jpg", lambda: b.jpeg_with_segment(_plain("JPEG", quality=61), 0xE1, b"Exif\0\0" + b"x" * 65_000)
    ),
    **{
        f"exif orientation {number}": one_file("a.jpg", partial(b.oriented, f"orientation {number}", number))
        for number in range(1, 9)
    },
    "exif orientation in a png": one_file("a.png", partial(b.oriented, "orientation png", 6, "PNG")),
    "exif orientation in a webp": one_file("a.webp", partial(b.oriented, "orientation webp", 8, "WEBP")),
    "exif orientation in a tiff": one_file("a.tif", partial(b.oriented, "orientation tiff", 6, "TIFF")),
}

DAMAGED: dict[str, BadInput] = {
    "zero bytes": one_file("a.jpg", lambda: b"", "empty file"),
    "nothing but zeros": one_file("a.jpg", lambda: bytes(5000), "not a picture"),
    **{
        f"truncated {format_.lower()}": one_file(f"a.{format_.lower()}", lambda f=format_: _cut(_plain(f)), "truncated")
        for format_ in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
    },
    "truncated avif": one_file("a.avif", lambda: _plain("AVIF")[:-20], "truncated"),
    "jpeg cut within its header": one_file("a.jpg", lambda: _plain("JPEG")[:60], "truncated"),
    "jpeg with a tail of zeros": one_file("a.jpg", lambda: _cut(_plain("JPEG")) + bytes(3000), "truncated"),
    "png without its end mark": one_file("a.png", lambda: _plain("PNG")[:-12], "truncated"),
    "png with a wrong check sum": one_file("a.png", lambda: b.with_wrong_crc(_plain("PNG")), "damaged"),
    "png with a broken header": one_file("a.png", lambda: b.png(0, 9, 8, 2, b"\0"), "damaged"),
    "png with a text bomb": one_file("a.png", partial(b.png_text_bomb, "text bomb"), "damaged"),
    "decompression bomb": one_file("a.png", b.png_bomb, "too large"),
    "wider than any picture": one_file("a.png", lambda: b.png(70_000, 1, 8, 0, b"\0" * 70_001), "too large"),
    "tiff of unknown layout": one_file(
        "a.tif",
        lambda: b.encoded(b.photo("odd tiff"), "TIFF").replace(
            b"\x06\x01\x03\x00\x01\x00\x00\x00\x02", b"\x06\x01\x03\x00\x01\x00\x00\x00\x63"
        ),
        "unsupported format",
    ),
}

NOT_PICTURES: dict[str, BadInput] = {
    "text as jpg": one_file("a.jpg", lambda: b"dear all,\nthe picture is attached\n", "not a picture"),
    "html as png": one_file("a.png", lambda: b"<!DOCTYPE html><title>404</title>", "not a picture"),
    "git lfs pointer": one_file(
        "a.jpg", lambda: b"version https://git-lfs.github.com/spec/v1\noid x\n", "not a picture"
    ),
    "video as jpg": one_file("a.jpg", lambda: b.boxed(b"isom"), "not a picture"),
    "word document": one_file("a.docm", lambda: b"PK\x03\x04" + bytes(99), "not a picture"),
    "random bytes": one_file("a.dat", lambda: b"\x91\x02\x83" * 99, "not a picture"),
    "svg": one_file("a.svg", lambda: b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>', "unsupported format"),
    "pdf": one_file("a.pdf", lambda: b"%PDF-1.7\n", "unsupported format"),
    "heic": one_file("a.heic", lambda: b.boxed(b"heic"), "unsupported format"),
    "photoshop": one_file("a.psd", lambda: b"8BPS\0\1" + bytes(99), "unsupported format"),
    "camera raw": one_file("a.dng", partial(b.raw_camera_tiff, "raw"), "unsupported format"),
    "postscript": one_file("a.eps", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "unsupported format"),
}
