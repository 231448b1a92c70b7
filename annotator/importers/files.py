"""Bytes of local files, and what the operating system says when there are none."""

import errno
import os
import stat
from pathlib import Path

from annotator.errors import PictureError
from annotator.importers.addresses import show
from annotator.importers.refusals import DEFAULT_LIMITS, Limits, refuse


def read_file(path: Path, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """The bytes of a regular file, at most `limits.file_bytes`. Raises PictureError for all else there may be."""
    name = show(str(path))
    try:
        # Without NONBLOCK, opening a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise file_refusal(error, name) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise refuse("not a file", name, "is a folder, a pipe or a device")
        check_byte_size(status.st_size, name, limits)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limits.file_bytes + 1)
    except OSError as error:
        raise file_refusal(error, name) from error
    finally:
        os.close(handle)


def check_byte_size(size: int, name: str, limits: Limits) -> None:
    """Raise PictureError("too large") for more bytes than the limits allow."""
    if size > limits.file_bytes:
        raise refuse("too large", name, f"has {size:,} bytes, at most {limits.file_bytes:,} are read")


def file_refusal(error: OSError | ValueError, name: str) -> PictureError:
    """What an error of the operating system means for a file a person named."""
    code = getattr(error, "errno", None)
    if isinstance(error, ValueError) or code in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
        return refuse("unsafe name", name, "cannot be the name of a file here, or is too long")
    if code == errno.ELOOP:
        return refuse("link loop", name, "is a link that leads back to itself")
    if code in (errno.ENOENT, errno.ENOTDIR):
        return refuse("missing", name, "does not exist, or is a link to what does not exist")
    if code in (errno.ENXIO, errno.EISDIR):
        return refuse("not a file", name, "is a folder, a pipe or a device")
    return refuse("unreadable", name, f"cannot be read ({getattr(error, 'strerror', None) or error})")
