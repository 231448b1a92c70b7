"""Which images train, which calibrate, which test: a function of content alone.

An image's split is read off the sha256 of its near-duplicate group's first image: the first 60 bits, as a fraction of
2**60, are compared with the cumulated shares of train, validation and test. So images added later move nobody,
near-duplicates share a split, and two workspaces with the same pictures agree. A sha256 is uniform already; it is not
hashed again.

An added image that joins two groups into one gives all of them the split of the first image of the joined group.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from annotator.errors import UsageError
from annotator.snapshot import SPLIT_CODES
from annotator.terms import Split

Fractions = Mapping[Split, float] | Mapping[str, float]

DEFAULT_FRACTIONS: Fractions = {Split.TRAIN: 0.75, Split.VALIDATION: 0.15, Split.TEST: 0.10}

_DIGITS = 15  # hex digits: 60 bits, exact in int64


def first_of_group(sha256: Sequence[str], groups: ArrayLike) -> list[str]:
    """For each image the sha256 of its group's first image; `groups` (N,) numbers the groups in any way.

    "First" is the lowest place in `sha256`, so hand the images over in the order in which they were imported.
    """
    numbers = np.asarray(groups)
    if numbers.shape != (len(sha256),):
        raise UsageError(f"groups of shape {numbers.shape} for {len(sha256)} images: one number an image is needed")
    _, first, member = np.unique(numbers, return_index=True, return_inverse=True)
    return [sha256[place] for place in first[member]]


def assign_splits(group_sha256: Sequence[str], fractions: Fractions = DEFAULT_FRACTIONS) -> NDArray[np.int8]:
    """(N,) int8 index into SPLIT_CODES (0 train, 1 validation, 2 test) for each image.

    `group_sha256` (N,): sha256 (64 hex digits) of the first image of each image's near-duplicate group. `fractions`:
    expected shares of the splits by name, each >= 0, together 1; a name left out gets nothing. The shares of a finite
    collection scatter around them. Raises UsageError for other names or sums, and for text that is no hash.
    """
    edges = np.cumsum(_shares(fractions))[:-1] * 16.0**_DIGITS
    return np.searchsorted(edges, _places(group_sha256), side="right").astype(np.int8)


def _shares(fractions: Fractions) -> list[float]:
    given = {str(name): float(share) for name, share in fractions.items()}
    shares = [given.pop(name, 0.0) for name in SPLIT_CODES]
    if given or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(f"splits {dict(fractions)}: give {', '.join(SPLIT_CODES)} shares >= 0 that add up to 1")
    return shares


def _places(group_sha256: Sequence[str]) -> NDArray[np.int64]:
    try:
        return np.array([int(sha[:_DIGITS], 16) for sha in group_sha256], np.int64)
    except ValueError:
        wrong = next(sha for sha in group_sha256 if not set(sha[:_DIGITS]) <= set("0123456789abcdefABCDEF") or not sha)
        raise UsageError(f"{wrong!r} is no sha256: 64 hex digits are needed") from None
