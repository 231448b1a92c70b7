"""What a file is by its first bytes or its name: for a refusal that says more than "not a picture"."""

import re
from pathlib import PurePosixPath

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "PPM", "ICO", "JPEG2000", "DIB", "QOI"]
"""Pillow's names of what is read. Left out: formats that start other programs (EPS), or accept any bytes (TGA)."""

_BESIDE = (
    ".txt .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .md .rst .html .htm .css .js .py .ipynb .sh "
    ".log .lock .mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv .mp3 .wav .flac .ogg .m4a .doc .docx .xls .xlsx .ppt "
    ".pptx .odt .ods .npy .npz .pt .pth .onnx .safetensors .parquet .arrow .feather .pkl .h5 .hdf5 .mat .db .sqlite "
    ".sha256 .sha1 .md5 .sig .license .xmp .aae .srt .url .lnk .exe .dll .so .bak .tmp .part .crdownload"
)
SKIPPED_SUFFIXES = frozenset(_BESIDE.split())
"""Endings of files that lie beside pictures and are no pictures: passed over in folders and archives, and counted."""

JUNK = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "@eadir"})
_RAW = ".dng .nef .nrw .cr2 .cr3 .arw .srf .orf .rw2 .raf .pef .srw .3fr .erf .kdc .iiq"
RAW_SUFFIXES = frozenset(_RAW.split())
"""Camera raw files: many are TIFF inside, of which only a stamp-sized preview would be read."""

_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*", b"BM", b"\0\0\1\0", b"\0\0\0\x0cjP")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_BRANDED = {b"avif": "AVIF", b"avis": "AVIF"}

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "unsupported format", "a PDF document; export its pages as pictures"),
    (b"%!PS", "unsupported format", "a PostScript drawing"),
    (b"\xc5\xd0\xd3\xc6", "unsupported format", "a PostScript drawing"),
    (b"8BPS", "unsupported format", "a Photoshop document"),
    (b"\xff\x0a", "unsupported format", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "unsupported format", "a JPEG XL picture"),
    (b"v/1\x01", "unsupported format", "an OpenEXR picture"),
    (b"#?RADIANCE", "unsupported format", "a Radiance HDR picture"),
    (b"SIMPLE  =", "unsupported format", "a FITS file"),
    (b"DDS ", "unsupported format", "a DDS texture"),
    (b"FUJIFILMCCD-RAW", "unsupported format", "a camera raw file"),
    (b"PK\x03\x04", "not a picture", "a zip archive or an Office document"),
    (b"PK\x05\x06", "not a picture", "an empty zip archive"),
    (b"\x1f\x8b", "not a picture", "a gzip archive"),
    (b"7z\xbc\xaf", "not a picture", "a 7z archive"),
    (b"Rar!", "not a picture", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "not a picture", "a video"),
    (b"version https://git-lfs", "not a picture", "a Git LFS pointer; run 'git lfs pull' to fetch the picture"),
)


def suffix_of(name: str) -> str:
    """The lower-case ending with its dot, or ""."""
    return PurePosixPath(name).suffix.lower()


def is_junk(name: str) -> bool:
    """Is this (one path component) hidden, or something an operating system leaves behind?"""
    return name.startswith(".") or name.lower() in JUNK


def describe(data: bytes) -> tuple[str, str]:
    """(reason, what it is) of bytes no reader of ours accepts."""
    for start, reason, detail in _STARTS:
        if data.startswith(start):
            return reason, f"is {detail}"
    if data[4:8] == b"ftyp":
        return _describe_boxes(data)
    if data[128:132] == b"DICM":
        return "unsupported format", "is a DICOM file"
    if data.startswith(_PICTURE_STARTS) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return _describe_broken(data)
    return _describe_text(data[:4096])


def _describe_boxes(data: bytes) -> tuple[str, str]:
    brand = data[8:12]
    if brand in _HEIF_BRANDS:
        return "unsupported format", "is a HEIC picture: install pillow-heif, or convert it to JPEG"
    if brand in _BRANDED:
        return "damaged", f"begins like {_BRANDED[brand]} but its header cannot be read"
    if brand == b"crx ":
        return "unsupported format", "is a camera raw file"
    return "not a picture", "is a video"


def _describe_broken(data: bytes) -> tuple[str, str]:
    if data[:4] in (b"II*\0", b"MM\0*") and len(data) > 64:
        return "unsupported format", "is a TIFF of a kind that cannot be read (compression, sample format or layout)"
    if data[:4] == b"\0\0\1\0" or data[:2] == b"BM":  # short signs: other files begin so too
        return "not a picture", "begins like an icon or bitmap but its header cannot be read"
    return "damaged", "begins like a picture but its header cannot be read"


def _describe_text(head: bytes) -> tuple[str, str]:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if re.match(rb"(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg", text, re.DOTALL):
        return "unsupported format", "is an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "not a picture", "is a web page, perhaps an error page saved under a picture's name"
    if not head.strip(b"\0"):
        return "not a picture", "holds nothing but zero bytes"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "not a picture", "is text"
    return "not a picture", f"begins with {head[:8].hex(' ')}, which no picture format does"
