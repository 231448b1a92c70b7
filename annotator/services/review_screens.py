"""Which pairs are on whose screen, so that two reviewers at work at the same time are not shown the same one.

Kept in the server's memory: a server that starts again has forgotten it, and the worst that brings is one pair decided
twice, of which the later verdict counts.
"""

import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from annotator.workspace import Workspace

HELD_SECONDS = 600.0  # longer than a screenful of verdicts takes; who left blocks nobody for longer
ReviewPair = tuple[int, int | None]

_lock = threading.Lock()
_screens: dict[Path, dict[str, tuple[float, frozenset[ReviewPair]]]] = {}
"""By workspace and reviewer: until when, and what."""


def hand_out(
    workspace: Workspace,
    reviewer: str | None,
    ranked: Sequence[ReviewPair],
    held: Collection[ReviewPair],
    start: int,
    count: int,
) -> tuple[list[ReviewPair], set[ReviewPair]]:
    """The `count` pairs of `ranked` from place `start` on that no other reviewer has, and what others have.

    `held`: what `reviewer` got before and still has on the screen. At the command line, where `reviewer` is None,
    nobody is in the way and nothing is held.
    """
    if reviewer is None:
        return list(ranked[start : start + count]), set()
    now = time.monotonic()
    with _lock:  # two who ask at the same moment get different ones
        screens = _screens.setdefault(workspace.folder, {})
        away = {pair for name, (until, has) in screens.items() if name != reviewer and until > now for pair in has}
        page = [pair for pair in ranked if pair not in away][start : start + count]
        _, before = screens.get(reviewer, (0.0, frozenset()))
        screens[reviewer] = now + HELD_SECONDS, (before & frozenset(held)) | frozenset(page)
    return page, away
