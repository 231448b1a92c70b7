"""What names, labels and scores say of a vocabulary: doubles, relations nobody wrote down, tags that are mixed up."""

import math
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.learning.bounds import clopper_pearson
from annotator.terms import LabelState

SHORTEST = 8  # letters of a name from which on one typo makes a double: 'coach' and 'roach' are none
SURE_SHARE = 0.98
ERROR = 0.01  # chance that any proposed exclusion is a chance find, over all pairs looked at
MIXED_UP, FEWEST_ERRORS = 0.2, 5
TEXT_SAME = 0.95  # cosine of text vectors: at 0.93 CLIP pairs 'cake' with 'birthday cake' too often


@dataclass(frozen=True)
class Together:
    """Counts of images on which both tags are decided. (C, C) int64: `both` positive; `one` [a, b] a positive, whatever
    b is; `decided` both decided."""

    both: NDArray[np.int64]
    one: NDArray[np.int64]
    decided: NDArray[np.int64]


def count_together(labels: NDArray[np.int8]) -> Together:
    """From (N, C) `LabelState`."""
    positive = (labels == LabelState.POSITIVE).astype(np.float32)
    known = (labels != LabelState.UNKNOWN).astype(np.float32)
    products = positive.T @ positive, positive.T @ known, known.T @ known  # counts below 2**24 are exact in float32
    return Together(*(np.rint(product).astype(np.int64) for product in products))


def implied_by(counts: Together, confidence: float = 0.95) -> list[tuple[int, int, float]]:
    """(a, b, share): b was present on more than SURE_SHARE of the images with a, and the lower bound of that share
    (Clopper & Pearson 1934) is above SURE_SHARE - 0.03; the share itself."""
    found = []
    for a, b in zip(*np.nonzero(counts.both > SURE_SHARE * counts.one), strict=True):
        k, n = int(counts.both[a, b]), int(counts.one[a, b])
        if a != b and clopper_pearson(n, k, 1 - confidence, "lower")[0] > SURE_SHARE - 0.03:
            found.append((int(a), int(b), k / n))
    return found


def never_together(counts: Together) -> list[tuple[int, int, float]]:
    """(a, b, expected), a < b: never present together though `expected` images would show both by chance.

    Were the tags independent, none of n images would show both with a probability (hypergeometric) of at most
    exp(-n_a n_b / n); over all pairs that were looked at this must be below ERROR (Bonferroni).
    """
    expected = counts.one.astype(float) * counts.one.T / np.maximum(counts.decided, 1)
    upper = np.triu(np.ones_like(counts.both, bool), 1)
    pairs = max(1, int((upper & (counts.decided > 0)).sum()))
    places = np.nonzero(upper & (counts.both == 0) & (expected > math.log(pairs / ERROR)))
    return [(int(a), int(b), float(expected[a, b])) for a, b in zip(*places, strict=True)]


def mixed_up(labels: NDArray[np.int8], probabilities: NDArray[np.floating]) -> list[tuple[int, int, int, int]]:
    """(a, b, wrong, of): of the images that people said show a and not b, on how many the model sees b."""
    a_not_b = (labels == LabelState.POSITIVE).astype(np.float32).T @ (labels == LabelState.NEGATIVE)
    seen = (labels == LabelState.NEGATIVE) & (probabilities >= 0.5)
    wrong = (labels == LabelState.POSITIVE).astype(np.float32).T @ seen
    places = np.nonzero((wrong >= FEWEST_ERRORS) & (wrong > MIXED_UP * a_not_b))
    return [(int(a), int(b), int(wrong[a, b]), int(a_not_b[a, b])) for a, b in zip(*places, strict=True) if a != b]


def near_names(names: Sequence[str]) -> list[tuple[int, int]]:
    """(i, j), i < j: names that are the same but for case, accents, spaces, marks or a plural s, or, from SHORTEST
    letters on, one typo apart.

    By what is left when one letter is removed (Garbe 2012, SymSpell), so that 100,000 names take seconds.
    """
    folded = [fold(name) for name in names]
    shelves: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(folded):
        for short in {name, *_without_a_letter(name)}:
            shelves[short].append(place)
    found = {
        (i, j)
        for shelf in shelves.values()
        if len(shelf) > 1
        for at, i in enumerate(shelf)
        for j in shelf[at + 1 :]
        if folded[i] == folded[j] or _one_typo(folded[i], folded[j])
    }
    return sorted((min(pair), max(pair)) for pair in found)


def near_texts(
    vectors: NDArray[np.floating], least: float = TEXT_SAME, chunk: int = 1000
) -> list[tuple[int, int, float]]:
    """(i, j, cosine), i < j: each the other's nearest by (C, D) unit text vectors, and at least `least` alike."""
    nearest, similarity = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    for start in range(0, len(vectors), chunk):
        cosines = np.asarray(vectors[start : start + chunk] @ vectors.T, np.float32)
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -1
        nearest[start : start + chunk] = cosines.argmax(1)
        similarity[start : start + chunk] = cosines.max(1)
    return [
        (i, j, float(similarity[i]))
        for i, j in enumerate(nearest.tolist())
        if i < j and nearest[j] == i and similarity[i] >= least
    ]


def fold(name: str) -> str:
    """A name without case, accents, spaces, marks and a plural s: 'Sail-Boats' and 'sailboat' fold alike."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name.casefold()) if letter.isalnum())
    return plain[:-1] if len(plain) > 3 and plain.endswith("s") and not plain.endswith("ss") else plain


def _without_a_letter(name: str) -> list[str]:
    return [name[:at] + name[at + 1 :] for at in range(len(name))] if len(name) >= SHORTEST else []


def _one_typo(a: str, b: str) -> bool:
    """One letter more, less or other, or two swapped, but not the first: 'fountain' is no 'mountain'. Digits are no
    typos: 'class 1' and 'class 2' differ."""
    if max(len(a), len(b)) < SHORTEST or abs(len(a) - len(b)) > 1 or a[0] != b[0]:
        return False
    start = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest_a, rest_b = a[start:], b[start:]
    if (rest_a[:1] + rest_b[:1]).strip("0123456789") != rest_a[:1] + rest_b[:1]:
        return False
    swapped = len(rest_a) > 1 and rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:]
    return rest_a[1:] == rest_b[1:] or rest_a[1:] == rest_b or rest_a == rest_b[1:] or swapped
