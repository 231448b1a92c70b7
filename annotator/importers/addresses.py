"""Names of pictures: one stable URI each, whatever bytes the file name holds, and a safe form to show.

/photos/a b.jpg                     a local file whose name can be printed: its absolute path
file:///photos/a%0Ab.jpg            any other local file: newlines, broken UTF-8 and the like percent-encoded
zip:///photos/x.zip!in/a.jpg        a member of an archive; % and ! and unprintable characters percent-encoded
tar:///photos/x.tar.gz!in/a.jpg
s3://bucket/a.jpg, memory://a.jpg   anything else fsspec can open
"""

import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

ARCHIVE_SCHEMES = ("zip", "tar")
_URL_SAFE = "/ !$&'()*+,;=:@~"  # what a file:// address may carry unchanged


def show(name: str) -> str:
    """`name` fit for one line of a screen or log: unprintable characters, broken UTF-8, direction marks escaped."""
    if name.isprintable():
        return name
    return "".join(char if char.isprintable() else _escape(char) for char in name)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii") if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"


def absolute(path: str | Path) -> str:
    """The absolute path with forward slashes. Links are not resolved: one given by name keeps that name."""
    return Path(os.path.abspath(path)).as_posix()  # noqa: PTH100 (Path.resolve would follow links)


def local_uri(path: str | Path) -> str:
    """The URI of a local file: its absolute path, or a percent-encoded ``file://`` where the path cannot be printed."""
    full = absolute(path)
    return full if full.isprintable() else "file://" + quote_from_bytes(os.fsencode(full), safe=_URL_SAFE)


def local_path(uri: str) -> Path | None:
    """The local file of a URI or plain path; None for archive members and remote files."""
    scheme = scheme_of(uri)
    if scheme == "file":
        return Path(os.fsdecode(unquote_to_bytes(os.fsencode(uri[len("file://") :]))))
    return Path(uri) if not scheme else None


def scheme_of(uri: str) -> str:
    """The part before ``://``, or "" for a plain path."""
    scheme, found, _ = uri.partition("://")
    return scheme.lower() if found and scheme.replace("+", "").replace("-", "").isalnum() else ""


def member_uri(scheme: str, archive: str | Path, member: str) -> str:
    """The URI of `member` in the local `archive`; `scheme` is "zip" or "tar"."""
    return f"{scheme}://{_encode(absolute(archive))}!{_encode(member)}"


def split_member(uri: str) -> tuple[Path, str] | None:
    """(archive, member) of a `member_uri`; None for any other address."""
    scheme = scheme_of(uri)
    if scheme not in ARCHIVE_SCHEMES:
        return None
    archive, found, member = uri[len(scheme) + 3 :].partition("!")
    return (Path(_decode(archive)), _decode(member)) if found else None


def resolve(entry: str, base: str) -> str:
    """The URI of what a list names: `entry` as it is where it is a URL or absolute, else below the folder `base`.

    `base` is a local folder or a URL.
    """
    if scheme_of(entry) and not entry.lower().startswith("file://"):
        return entry
    if entry.lower().startswith("file://"):
        return local_uri(local_path(entry) or entry)
    if scheme_of(base) and not entry.startswith("/"):
        return f"{base.rstrip('/')}/{entry}"
    return local_uri(Path(base) / entry)


def folder_of(uri: str) -> str:
    """The folder (local path or URL) of the file at `uri`."""
    path = local_path(uri)
    return str(Path(absolute(path)).parent) if path is not None else uri.rpartition("/")[0]


def _encode(text: str) -> str:
    return "".join(
        char if char.isprintable() and char not in "%!" else quote_from_bytes(os.fsencode(char), safe="")
        for char in text
    )


def _decode(text: str) -> str:
    return os.fsdecode(unquote_to_bytes(os.fsencode(text)))
