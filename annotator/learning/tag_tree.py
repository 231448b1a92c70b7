"""The tag tree as a layer over any head: a child implies its parent, so no parent is less likely than a child."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError

NO_PARENT = -1


def parent_places(names: Sequence[str], parents: Sequence[str | None]) -> NDArray[np.int64]:
    """(C,) place of each tag's parent among `names`; NO_PARENT for a tag without one, or whose parent is not there."""
    place = {name: number for number, name in enumerate(names)}
    return np.array([place.get(parent or "", NO_PARENT) for parent in parents], np.int64)


def children_first(parents: NDArray[np.int64]) -> list[int]:
    """The tags with a parent, deepest first. Raises UsageError for a tag that is its own ancestor."""
    depths = []
    for tag in range(len(parents)):
        depth, at = 0, tag
        while parents[at] != NO_PARENT:
            depth, at = depth + 1, int(parents[at])
            if depth > len(parents):
                raise UsageError(f"tag {tag} is its own ancestor; give one of these tags no parent")
        depths.append(depth)
    return [tag for tag in sorted(range(len(parents)), key=lambda tag: -depths[tag]) if depths[tag]]


def raise_parents(probabilities: NDArray[np.floating[Any]], parents: NDArray[np.int64]) -> None:
    """Lift each parent in (N, C) `probabilities`, in place, to its likeliest descendant; NaN says nothing.

    Keeps ranks of tags without children. What it does for mAP, `benchmarks.tag_tree` shows.
    """
    for tag in children_first(parents):
        parent = probabilities[:, parents[tag]]
        np.fmax(parent, probabilities[:, tag], out=parent)
