"""File names and times in an export. Names are relative to one root, so that equal names never collide."""

import posixpath
from collections.abc import Sequence
from datetime import UTC, datetime


def relative_names(uris: Sequence[str]) -> tuple[str, list[str]]:
    """(root, name of each file below it); what is not a local path keeps its whole address.

    >>> relative_names(["/a/b/1.jpg", "/a/c/1.jpg", "s3://x/1.jpg"])
    ('/a', ['b/1.jpg', 'c/1.jpg', 's3://x/1.jpg'])
    """
    local = [uri for uri in uris if uri.startswith("/")]
    if not local:
        return "", list(uris)
    root = posixpath.commonpath([posixpath.dirname(uri) for uri in local])
    names = [uri[len(root) :].lstrip("/") if uri.startswith("/") else uri for uri in uris]
    return root, names


def iso_time(seconds: int) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC; None for 0, which says never."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None
