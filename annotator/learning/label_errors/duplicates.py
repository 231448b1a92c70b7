"""What near-duplicates give away: labels that contradict each other, and splits that know each other's images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning.label_errors.scores import Labels

Groups = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Conflicts:
    """K tags that a group of near-duplicates has on one image and not on another, by group and tag.

    groups, tags (K,); positives, negatives (K,) images of the group labelled so. Unknown labels contradict nobody.
    """

    groups: Groups
    tags: NDArray[np.int64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]


def conflicting_duplicates(labels: Labels, groups: Groups) -> Conflicts:
    """Of (N, C) labels and (N,) near-duplicate groups."""
    _check(labels.shape[0], groups)
    names, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes[place] > 1)  # a million images have few of them
    own, place = np.unique(place[several], return_inverse=True)
    counts = np.zeros((2, len(own), labels.shape[1]), np.int64)
    for state in (0, 1):
        np.add.at(counts[state], place, labels[several] == state)
    group, tag = np.nonzero((counts > 0).all(0))
    return Conflicts(names[own[group]], tag, counts[1, group, tag], counts[0, group, tag])


def split_leaks(groups: Groups, splits: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """(K,) images whose near-duplicates are in another split, by group and image: what is measured on one of them was
    learned from another. `groups`, `splits` (N,)."""
    _check(len(splits), groups)
    _, place = np.unique(groups, return_inverse=True)
    size = int(place.max(initial=-1)) + 1
    first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, np.iinfo(np.int64).min)
    np.minimum.at(first, place, splits)
    np.maximum.at(last, place, splits)
    leaking = np.flatnonzero((first != last)[place])
    return leaking[np.argsort(place[leaking], kind="stable")]


def _check(images: int, groups: Groups) -> None:
    if groups.shape != (images,):
        raise UsageError(f"groups of shape {groups.shape} for {images} images; one number an image is needed")
