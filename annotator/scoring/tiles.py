"""Zero-shot on tiles: what is small in a picture is large in a tile of it (CDUL, Abdelfattah et al. 2023, arXiv
2307.16634).

Per tag, with a the best and b the worst of the image's tiles: S = (S_whole + S_tiles) / 2, S_tiles = a where a >=
ZETA, else b: a tag that no tile shows is held against the image. Before anything else scores are normalised as those of
whole images are (SPARC, arXiv 2502.16911, Table 7; here `zero_shot.Normaliser`), each tile like an image, so that ZETA
is the mean of the pool.

With a real CLIP it is better than the whole image (VOC12: mAP 0.898 against 0.867). With a weak model that learned from
whole photos it is worse, alone and, on one of two packs, in the fusion without answers; in the fusion with 20 answered
images it brings 0.011 on both (`benchmarks.tiles`).
"""

import numpy as np

from annotator.arrays import Tiles
from annotator.scoring.base import Float, ScoringInput, chunks
from annotator.scoring.zero_shot import Normaliser, scores

ZETA = 0.0  # as in CDUL, whose scores are shares; its supplement goes up to 0.4
SAMPLED = 16_000_000  # scores of tiles that the statistics come from, of evenly spaced images


def tile_scores(given: ScoringInput) -> Float | None:
    """(N, C) float32, about 0 +- 1 for each tag; None without tiles or text vectors."""
    if given.tiles is None or given.texts is None or not len(given.images):
        return None
    agreed = _agreed(given.tiles, given.texts)
    whole = scores(given.images, given.texts)
    for part in (agreed, whole):
        Normaliser.fit(part).apply(part, out=part)
    agreed += whole
    agreed *= 0.5
    return agreed


def _agreed(tiles: Tiles, texts: Float) -> Float:
    """(N, C) S_tiles: of each image its best tile, or its worst."""
    images, count, _ = tiles.shape
    tags = len(texts)
    step = -(-images * count * tags // SAMPLED)
    normaliser = Normaliser.fit(_cosines(tiles[np.arange(0, images, step)], texts))
    found = np.empty((images, tags), np.float32)
    for part in chunks(images, count * max(tiles.shape[2], tags)):
        cosines = _cosines(tiles[part], texts)
        each = normaliser.apply(cosines, out=cosines).reshape(-1, count, tags)
        best = each.max(axis=1)
        found[part] = np.where(best >= ZETA, best, each.min(axis=1))
    return found


def _cosines(tiles: Float, texts: Float) -> Float:
    """(n, P, D) tiles to (n P, C)."""
    return scores(tiles.reshape(-1, tiles.shape[-1]), texts)
