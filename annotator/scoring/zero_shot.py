"""Zero-shot scores: cosine of an image's vector with the vectors of a tag's prompts (CLIP, arXiv 2103.00020).

Normalised before use: some images are near every text and some texts near every image, which says nothing about
either. SPARC (arXiv 2502.16911, Table 7) z-scores per image over tags, then per tag over images. With few tags that
fails, since one or two present tags are then most of an image's mean and spread; `Normaliser` shrinks both towards
what the pool of images shows. mAP raw, z-scored, shrunk: VOC12 train, CLIP RN50x64, 20 tags 0.859, 0.862, 0.867, of
them 4 at random 0.862, 0.557, 0.861 (mean of 40 draws).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.scoring.base import Float, ScoringInput, Vectors, chunks

PROMPT_TEMPLATES = (
    "a {}",
    "a photo of a {}",
    "an image of a {}",
    "a good photo of a {}",
    "there is a {} in the picture",
)
PSEUDO_TAGS = 10  # weight of the pool in an image's spread; 20 is a little better below 10 tags, 5 above 70

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to (n, D) vectors."""


def prompt_ensemble(
    encode: Encode,
    tags: Sequence[str],
    templates: Sequence[str] = PROMPT_TEMPLATES,
    synonyms: Mapping[str, Sequence[str]] | None = None,
    prompts: Mapping[str, Sequence[str]] | None = None,
) -> Float:
    """(C, D) unit vectors: of each tag the mean of the unit vectors of its names in all templates, as in CLIP.

    Each template holds the place of the name as {}; `synonyms` maps a tag to its other names. `prompts` maps a tag to
    texts of its own, which are taken in place of the templates and need not name it.
    Raises UsageError for a template without {}.
    """
    wrong = [template for template in templates if "{}" not in template]
    if wrong or not templates:
        raise UsageError(f"prompt template {wrong[0] if wrong else ''!r} has no place for a tag; write it as {{}}")
    texts = [
        _texts((tag, *(synonyms or {}).get(tag, ())), (prompts or {}).get(tag, ()) or templates) for tag in tags
    ]  # fmt: skip
    if not texts:
        return np.empty((0, 0), np.float32)
    vectors = _unit(np.asarray(encode([text for own in texts for text in own]), np.float32))
    counts = np.array([len(own) for own in texts])
    return _unit(np.add.reduceat(vectors, np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=0))


def _texts(names: Sequence[str], forms: Sequence[str]) -> list[str]:
    """Each name in each form, once; replace, not format: a tag may hold braces of its own."""
    return list(dict.fromkeys(form.replace("{}", name) for name in names for form in forms))


def scores(images: Vectors, texts: Vectors) -> Float:
    """Cosines (N, C) of unit vectors (N, D) and (C, D)."""
    wide = np.asarray(texts, np.float32)
    found = np.empty((len(images), len(wide)), np.float32)
    for part in chunks(len(images), max(images.shape[1], len(wide))):
        np.matmul(np.asarray(images[part], np.float32), wide.T, out=found[part])
    return found


@dataclass(frozen=True)
class Normaliser:
    """Statistics of a pool of images that make scores of any image comparable, between images and between tags.

    For an image: subtract each tag's mean; subtract `image_share` of the image's own mean over tags; divide by the
    image's own spread over tags, shrunk towards the pool's; divide by the tag's spread in the pool. `image_share` is
    that of the best linear predictor of the images' offsets (one-way random effects): C v / (C v + e) for the variance
    v of the offsets and e within images. It nears 1 with many tags or large offsets, which then cancel.
    """

    tag_means: NDArray[np.float64]  # (C,)
    tag_spreads: NDArray[np.float64]  # (C,) of what is left after the steps before
    image_share: float  # 0..1
    within: float  # variance within images

    @classmethod
    def fit(cls, scores: Vectors) -> "Normaliser":
        """From the (N, C) scores of a pool."""
        count, tags = scores.shape
        parts = list(chunks(count, tags))
        total = np.zeros(tags)
        for part in parts:
            total += np.asarray(scores[part], np.float64).sum(axis=0)
        means = total / max(count, 1)
        offsets, inside = 0.0, 0.0
        for part in parts:
            away = np.asarray(scores[part], np.float64) - means
            own = away.mean(axis=1)
            offsets += float((own**2).sum())
            inside += float(((away - own[:, None]) ** 2).sum())
        within = inside / max(count * (tags - 1), 1)
        between = max(offsets / max(count, 1) - within / max(tags, 1), 0.0)
        share = tags * between / (tags * between + within) if within > 0 and between > 0 else 0.0
        first = cls(means, np.ones(tags), share, within)
        squares = np.zeros(tags)
        for part in parts:
            squares += (first._images_levelled(scores[part]) ** 2).sum(axis=0)
        return cls(means, np.sqrt(squares / max(count, 1)), share, within)

    def apply(self, scores: Vectors, out: Float | None = None) -> Float:
        """(N, C) scores to (N, C) float32, about 0 +- 1 for each tag in the pool; 0 for a tag that never varied.

        `out` may be `scores` itself.
        """
        if scores.shape[1] != len(self.tag_means):
            raise UsageError(f"scores of {scores.shape[1]} tags cannot be normalised like {len(self.tag_means)} tags")
        factor = np.divide(1.0, self.tag_spreads, out=np.zeros_like(self.tag_spreads), where=self.tag_spreads > 1e-9)
        found = np.empty(scores.shape, np.float32) if out is None else out
        for part in chunks(*scores.shape):
            found[part] = self._images_levelled(scores[part]) * factor
        return found

    def _images_levelled(self, scores: Vectors) -> NDArray[np.float64]:
        away = np.asarray(scores, np.float64) - self.tag_means
        tags = away.shape[1]
        if tags < 2 or self.within <= 0:
            return away
        own = away.mean(axis=1, keepdims=True)
        squares = ((away - own) ** 2).sum(axis=1, keepdims=True) * tags / (tags - 1)
        spread = np.sqrt((squares + PSEUDO_TAGS * self.within) / (tags + PSEUDO_TAGS))
        levelled: NDArray[np.float64] = (away - self.image_share * own) / spread
        return levelled


def normalise(scores: Vectors) -> Float:
    """(N, C) scores normalised by their own statistics; see `Normaliser`."""
    return Normaliser.fit(scores).apply(scores)


def zero_shot_scores(given: ScoringInput) -> Float | None:
    """Normalised cosines, about 0 +- 1 for each tag; None without text vectors."""
    if given.texts is None or not len(given.images):
        return None
    cosines = scores(given.images, given.texts)
    return Normaliser.fit(cosines).apply(cosines, out=cosines)


def _unit(vectors: Float) -> Float:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float = vectors / np.maximum(lengths, 1e-12)
    return unit
