"""Pictures behind fsspec URLs: object stores, web servers, memory. The packages behind them are optional."""

import importlib
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, cast

from annotator.errors import PictureError
from annotator.importers.addresses import scheme_of, show
from annotator.importers.file_kinds import SKIPPED_SUFFIXES, is_junk, suffix_of
from annotator.importers.files import check_byte_size
from annotator.importers.refusals import Limits, refuse

# Errors of the optional fsspec file systems that are no OSError, by the module that must be loaded to raise them.
_FOREIGN_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp.client_exceptions", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("azure.core.exceptions", "AzureError"),
)
_CHANGED = ("mtime", "LastModified", "last_modified", "updated", "created")  # each file system has its own word


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A remote file worth trying; size and time where the listing gives them."""

    uri: str
    size: int | None
    mtime_ns: int | None


def list_remote(uri: str, skipped: Counter[str]) -> Iterator[RemoteFile]:
    """The files a URL names: one file, a folder with its subfolders, or a pattern with ``*``.

    One request a folder; names within a folder sorted. Raises PictureError.
    """
    system, path = _file_system(uri)
    try:
        for info in _infos(system, path):
            name = str(info["name"])
            if _is_wanted(name, path, skipped):
                yield RemoteFile(system.unstrip_protocol(name), _size(info), _mtime_ns(info))
    except _errors() as error:
        raise _refusal(error, uri) from error


def read_remote(uri: str, limits: Limits) -> bytes:
    """The bytes of one remote file, at most `limits.file_bytes`. Raises PictureError."""
    system, path = _file_system(uri)
    try:
        with system.open(path, "rb") as file:
            data = cast(bytes, file.read(limits.file_bytes + 1))
    except _errors() as error:
        raise _refusal(error, uri) from error
    check_byte_size(len(data), show(uri), limits)
    return data


def _file_system(uri: str) -> tuple[Any, str]:
    """(fsspec file system, path in it). fsspec is untyped."""
    core = importlib.import_module("fsspec.core")  # late: importing it takes longer than reading a hundred pictures
    try:
        system, path = core.url_to_fs(uri)
    except ImportError as error:
        raise refuse("unknown scheme", show(uri), f"needs a package that is not installed ({error})") from error
    except _errors() as error:
        raise refuse("unknown scheme", show(uri), f"{scheme_of(uri)!r} cannot be opened ({error})") from error
    return system, path


def _infos(system: Any, path: str) -> Iterator[Mapping[str, Any]]:
    if any(mark in path for mark in "*?["):
        found: Mapping[str, Mapping[str, Any]] = system.glob(path, detail=True)
        yield from (found[name] for name in sorted(found) if found[name]["type"] == "file")
    elif system.isdir(path):
        for _, _, files in system.walk(path, detail=True):
            yield from (files[name] for name in sorted(files))
    else:
        yield system.info(path)


def _is_wanted(name: str, root: str, skipped: Counter[str]) -> bool:
    below = name.removeprefix(root) if name != root else PurePosixPath(name).name
    if any(is_junk(part) for part in below.split("/") if part):
        skipped["hidden or system file"] += 1
        return False
    suffix = suffix_of(name)
    if suffix in SKIPPED_SUFFIXES:
        skipped[suffix] += 1
    return suffix not in SKIPPED_SUFFIXES


def _size(info: Mapping[str, Any]) -> int | None:
    size = info.get("size")
    return int(size) if isinstance(size, int | float) else None


def _mtime_ns(info: Mapping[str, Any]) -> int | None:
    changed = next((info[key] for key in _CHANGED if key in info), None)
    if isinstance(changed, datetime):
        return int(changed.timestamp() * 1_000_000) * 1_000
    return int(changed * 1_000_000_000) if isinstance(changed, int | float) else None


def _errors() -> tuple[type[BaseException], ...]:
    """What a remote file system may raise, of those that are loaded."""
    modules = ((sys.modules.get(module), name) for module, name in _FOREIGN_ERRORS)
    found = (getattr(module, name, None) for module, name in modules if module is not None)
    known = (error for error in found if isinstance(error, type) and issubclass(error, BaseException))
    return (OSError, ValueError, LookupError, RuntimeError, TypeError, *known)


def _refusal(error: BaseException, uri: str) -> PictureError:
    if isinstance(error, FileNotFoundError):
        return refuse("missing", show(uri), "does not exist")
    return refuse("unreadable", show(uri), f"cannot be read ({str(error) or type(error).__name__})")
