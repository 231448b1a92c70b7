"""Groups of pictures that show the same: copies resized, saved anew, slightly changed.

Perceptual hashes within a small Hamming distance are joined, and what is joined with the same picture is one group.
Candidates are found as in Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling" (WWW 2007): cut
into d + 2 bands, two hashes that differ in at most d bits agree in at least two bands, so sorting once for every two
bands finds all.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from annotator.errors import UsageError
from annotator.importers.perceptual_hash import FLAT

DISTANCE = 4
"""Bits. Of 226 million pairs of real pictures (7,238 photos, 20,000 of 32 pixels) 43 lie within 4, all of them true
near-duplicates; the first false ones lie at 6. Of copies resized or saved anew 99 % and more lie within 4."""

LARGEST_DISTANCE = 8  # beyond it the bands get so short that most pictures become candidates of most
_BITS = 64
_CHUNK = 1 << 20  # candidate pairs looked at together

Bits = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]


def group_near_duplicates(hashes: Rows, distance: int = DISTANCE) -> Rows:
    """(N,) perceptual hashes to (N,) group ids: the smallest row of a row's group; its own row where it is alone.

    Rows with the hash `FLAT` (pictures without texture) are always alone. `distance`: 0 to 8 bits.
    """
    nobody = np.empty(0, np.int64)
    return extend_groups(nobody, nobody, hashes, distance)


def extend_groups(groups: Rows, hashes: Rows, new_hashes: Rows, distance: int = DISTANCE) -> Rows:
    """(M,) groups of (M,) hashes, and the (K,) hashes of new rows M … M + K - 1, to the (M + K,) groups of all.

    The same as grouping all at once, in a time that grows with K more than with M. A new picture may join two groups
    of old ones, so old rows may change their group.
    """
    if not 0 <= distance <= LARGEST_DISTANCE:
        raise UsageError(f"a distance of {distance} bits; choose 0 to {LARGEST_DISTANCE}; {DISTANCE} is measured")
    if groups.shape != hashes.shape:
        raise UsageError(f"{len(groups)} groups for {len(hashes)} hashes; pass as many of both")
    every = np.concatenate([hashes, new_hashes]).astype(np.int64, copy=False)
    values, first_row, value_of = np.unique(every, return_index=True, return_inverse=True)
    joined = np.arange(len(values))
    _join(joined, value_of[: len(groups)], value_of[groups])
    is_new = np.zeros(len(values), bool)
    is_new[value_of[len(hashes) :]] = True
    told = np.flatnonzero(values != FLAT)  # values that say something
    bits = values[told].view(np.uint64)
    for left, right in _candidates(bits, is_new[told], distance):
        near = np.bitwise_count(bits[left] ^ bits[right]) <= distance
        _join(joined, told[left[near]], told[right[near]])
    smallest = first_row.astype(np.int64)
    np.minimum.at(smallest, joined, first_row)
    return np.where(every == FLAT, np.arange(len(every)), smallest[joined[value_of]])


def _candidates(bits: Bits, is_new: npt.NDArray[np.bool_], distance: int) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of distinct values that agree in two bands, at least every such pair with a new one among them."""
    edges = [round(band * _BITS / (distance + 2)) for band in range(distance + 3)]
    bands = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    for one, other in combinations(bands, 2) if is_new.any() else ():
        keys = bits & np.uint64(one | other)
        rows = np.arange(len(keys)) if is_new.all() else np.flatnonzero(np.isin(keys, keys[is_new]))
        rows = rows[np.argsort(keys[rows])]
        for left, right in _in_chunks(_agreeing(keys[rows])):
            yield rows[left], rows[right]


def _agreeing(keys: Bits) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of places of equal keys, of sorted keys: neighbours, then next neighbours, until no two agree."""
    at, step = np.arange(len(keys)), 1
    while len(at):
        at = at[at + step < len(keys)]
        at = at[keys[at] == keys[at + step]]
        yield at, at + step
        step += 1


def _in_chunks(pairs: Iterable[tuple[Rows, Rows]]) -> Iterator[tuple[Rows, Rows]]:
    """The same pairs in arrays of about _CHUNK."""
    waiting: list[tuple[Rows, Rows]] = []
    count = 0
    for pair in pairs:
        waiting.append(pair)
        count += len(pair[0])
        if count >= _CHUNK:
            yield _together(waiting)
            waiting, count = [], 0
    if waiting:
        yield _together(waiting)


def _together(pairs: Sequence[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    return np.concatenate([left for left, _ in pairs]), np.concatenate([right for _, right in pairs])


def _join(joined: Rows, left: Rows, right: Rows) -> None:
    """Join left[i] with right[i] in `joined`, which leads every element to the smallest of its set. In place."""
    while True:
        a, b = joined[left], joined[right]
        apart = a != b
        if not apart.any():
            return
        left, right, a, b = left[apart], right[apart], a[apart], b[apart]
        np.minimum.at(joined, np.maximum(a, b), np.minimum(a, b))
        while True:  # let everyone point at the smallest, not at somebody who points on
            further = joined[joined]
            if np.array_equal(further, joined):
                break
            joined[:] = further
