"""Which pairs are on whose screen, so that two reviewers at work at the same time are not shown the same one.

Kept in the server's memory: a server that starts again has forgotten it, and the worst that brings is one pair decided
twice, of which the later verdict counts.
"""

import threading
import time
from collections.abc import Collection
from pathlib import Path

from annotator.workspace import Workspace

HELD_SECONDS = 600.0  # longer than a screenful of verdicts takes; who left blocks nobody for longer
ReviewPair = tuple[int, int | None]

_lock = threading.Lock()
_screens: dict[Path, dict[str, tuple[float, frozenset[ReviewPair]]]] = {}
"""By workspace and reviewer: until when, and what."""


def of_others(workspace: Workspace, reviewer: str | None) -> set[ReviewPair]:
    """What other reviewers have on their screens now; nothing at the command line, where nobody asks."""
    if reviewer is None:
        return set()
    now = time.monotonic()
    with _lock:
        screens = _screens.get(workspace.folder, {})
        return {pair for name, (until, held) in screens.items() if name != reviewer and until > now for pair in held}


def put(workspace: Workspace, reviewer: str | None, have: Collection[ReviewPair], more: Collection[ReviewPair]) -> None:
    """`reviewer` gets `more`; of what they got before, they still have what is in `have`. Nothing for nobody."""
    if reviewer is None:
        return
    with _lock:
        screens = _screens.setdefault(workspace.folder, {})
        _, before = screens.get(reviewer, (0.0, frozenset()))
        screens[reviewer] = time.monotonic() + HELD_SECONDS, (before & frozenset(have)) | frozenset(more)
