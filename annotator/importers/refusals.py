"""What an import refuses, under which word, and what would help."""

from dataclasses import dataclass

from annotator.errors import PictureError

LONGEST_SIDE = 65_500  # what the JPEG library bears: a thumbnail or a served picture of it must be writable

REFUSALS: dict[str, str] = {
    "empty file": "copy it again from where it came from",
    "not a picture": "take it out of the import",
    "truncated": "copy or download it again: its end is missing",
    "damaged": "copy it again, or open it in an image editor and save it anew",
    "too large": "make it smaller, or raise the import's limits",
    "unsupported format": "save it as JPEG, PNG, WebP or TIFF",
    "unreadable": "check that it is still there, and its permissions",
    "missing": "check the name and where the file lies",
    "not a file": "name a file, a folder or an archive",
    "link loop": "remove the link; the folder it leads to is read anyway",
    "link out": "import the place it leads to, or allow links that lead out",
    "unsafe name": "give it a plain relative name, and pack an archive again",
    "changed": "put the old file back, and import the new picture under another name",
    "repeated name": "rename one of them; the first one counts",
    "encrypted": "unpack it with its password and import the folder",
    "nested archive": "unpack the outer archive and import the folder",
    "damaged archive": "copy or download the archive again",
    "unknown scheme": "use a path, or a URL whose file system is installed",
    "unusable list": "give a CSV or JSONL file with a column 'file'",
}
"""Reason (the short, stable word a refused file is listed under) to what would do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a picture may ask of this machine; beyond it a picture is refused before it is decoded."""

    pixels: int = 220_000_000
    """Width times height; the largest camera sensors give 200 million."""
    side: int = LONGEST_SIDE
    """Pixels a side: a long panorama of few pixels is fine."""
    file_bytes: int = 1 << 30
    """Bytes of one file or archive member."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Refused:
    """One thing the import leaves out: where it is, why (a key of `REFUSALS`), and the full sentence."""

    uri: str
    reason: str
    message: str


def refuse(reason: str, name: str, detail: str) -> PictureError:
    """The error for `name` (already safe to show): its name, what is wrong with it and what would do."""
    return PictureError(reason, f"{name}: {detail}; {REFUSALS[reason]}")
