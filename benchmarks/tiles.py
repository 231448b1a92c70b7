"""What tiles bring, and what they cost: python -m benchmarks.tiles [--quick].

Photos are embedded by the service itself, whole and in tiles, by the small stand-in model of the packs' folder, which
knows words but is no CLIP; it has seen part of these photos, so compare columns, not packs. voc12 are the scores of a
real CLIP, RN50x64: whole image and best tile; their vectors are not at hand.

First what it costs. Then mAP without any answer: whole images, the suggestion source `tiles`, both fused; and all
sources fused after 20 answered images, with tiles among them and without. Then the heads: so many positives are drawn
for each tag and answered completely; a third of the photos is held out, mean of two seeds, with words and without. Last
the query strategies, replayed on three such splits: the share of random's answers that were not needed.
"""

import csv
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.learning.fit import fit_head
from annotator.learning.metrics import mean_average_precision
from annotator.learning.queries import CONTROL_SHARE, DEFAULT
from annotator.learning.replay import Material, Recipe
from annotator.scoring import SCORERS, ScoringInput
from annotator.scoring.fusion import fit_fusion
from annotator.scoring.zero_shot import normalise
from annotator.services import embedding, tiles
from annotator.services.importing import import_pictures
from annotator.services.replaying import even_steps, outcomes, play
from annotator.services.snapshots import take
from annotator.snapshot import SnapshotTag
from annotator.terms import SuggestionOrigin
from annotator.workspace import Workspace
from benchmarks.few_shot import draw
from benchmarks.packs import STANDIN
from benchmarks.report import options, packs, show, write

SIZES = {"coco256": 256, "corel5k": 1_200}  # evenly spaced over the pack: the tiles of all of corel5k take half an hour
LEAST_POSITIVES = {"coco256": 3, "corel5k": 10}
SHOTS = (10, 50, 10_000)
SEEDS = 3
HEAD_SEEDS = 2  # a fit of dual_prompt takes half a minute with all of corel5k
STEPS = 8
FEW = 20  # images answered while the sources are fused
ASKED = (Recipe(DEFAULT, control=CONTROL_SHARE), Recipe("object_focused"))
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Tiled:
    """N photos, C tags: whole vectors (N, D), tiles (N, 9, D), text vectors (C, D), complete labels (N, C)."""

    X: NDArray[np.float16]
    tiles: NDArray[np.float16]
    texts: NDArray[np.float32]
    labels: NDArray[np.int8]
    groups: NDArray[np.int64]
    costs: dict[str, Any]

    def split(self, seed: int) -> tuple[Rows, Rows]:
        """Rows to learn from, and a third that is held out; near-duplicates stay together."""
        groups = np.random.default_rng([seed, 7]).permutation(np.unique(self.groups))
        held_out = np.isin(self.groups, groups[: len(groups) // 3])
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def load(name: str) -> Tiled:
    """Embedded in a workspace that is kept in the temporary folder, with the seconds it took."""
    folder = Path(tempfile.gettempdir()) / "annotator-benchmarks" / f"tiles-{name}-{SIZES[name]}"
    with (packs() / name / "labels.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows = [rows[place] for place in np.linspace(0, len(rows) - 1, SIZES[name]).astype(int)]
    with Workspace.create(folder) as workspace:
        costs = embedded(workspace, [str(packs() / name / row["file"]) for row in rows])
        labels_of = {Path(row["file"]).name: set(row["labels"].split("|")) for row in rows}
        shown = [labels_of[Path(uri).name] for uri in embedding.first_files(workspace)]
        names = sorted(set().union(*shown))
        labels = np.array([[tag in own for tag in names] for own in shown], np.int8)
        kept = np.flatnonzero(labels.sum(0) >= LEAST_POSITIVES[name]).tolist()
        backbone = str(embedding.current_backbone(workspace))
        stored = tiles.stored(workspace, backbone, len(shown))
        texts = embedding.text_vectors(workspace, [SnapshotTag(place, names[place]) for place in kept])
        assert stored is not None and texts is not None
        groups = take(workspace).groups.astype(np.int64)
        X = np.array(workspace.embeddings(backbone).read())
        return Tiled(X, stored[:].astype(np.float16), texts, labels[:, kept], groups, {"pack": name, **costs})


def embedded(workspace: Workspace, files: list[str]) -> dict[str, Any]:
    """Embed once; what it cost."""
    note = workspace.folder / "costs.json"
    if not note.exists():
        import_pictures(workspace, files)
        whole, of_tiles = tiles.embed(workspace, STANDIN.format(data=packs()), True)
        assert of_tiles is not None
        folder = workspace.embeddings_folder(whole.backbone)
        costs = {
            "photos": whole.images,
            "whole, s": round(whole.seconds, 1),
            "tiles, s": round(of_tiles.seconds, 1),
            "times": round(of_tiles.seconds / whole.seconds, 1),
            "whole, MB": megabytes(folder),
            "tiles, MB": megabytes(folder / "tiles"),
        }
        write_whole(note, json.dumps(costs).encode())
    return dict(json.loads(note.read_text()))


def megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.glob("rows-*.npy")) / 1e6, 2)


def without_answers(name: str, pack: Tiled) -> dict[str, Any]:
    """mAP of whole images, of tiles and of both; then of all sources when a few images are answered."""
    said = spoken(pack, np.full_like(pack.labels, -1))
    row = {"pack": name, **{source.value: mean_average_precision(z, pack.labels) for source, z in said.items()}}
    row["both fused"] = mean_average_precision(fused(said, pack), pack.labels)
    after: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(SEEDS):
        known = np.full_like(pack.labels, -1)
        answered = np.random.default_rng(seed).permutation(len(known))[:FEW]
        known[answered] = pack.labels[answered]
        heard = spoken(pack, known)
        rest = np.setdiff1d(np.arange(len(known)), answered)
        for cut in after:
            present = {source: z for source, z in heard.items() if cut or source != SuggestionOrigin.TILES}
            after[cut].append(mean_average_precision(fused(present, pack)[rest], pack.labels[rest]))
    row[f"{FEW} answered, no tiles"], row["... with tiles"] = (float(np.mean(after[cut])) for cut in (False, True))
    return row


def spoken(pack: Tiled, labels: NDArray[np.int8]) -> dict[SuggestionOrigin, NDArray[np.float32]]:
    given = ScoringInput(pack.X, pack.texts, labels, pack.groups, tiles=pack.tiles)
    scores = {source: scorer.score(given) for source, scorer in SCORERS.items()}
    return {source: z for source, z in scores.items() if z is not None}


def fused(said: dict[SuggestionOrigin, NDArray[np.float32]], pack: Tiled) -> NDArray[np.float32]:
    return fit_fusion(said, np.full_like(pack.labels, -1)).apply(said).probabilities


def real_clip() -> dict[str, Any]:
    """The same of voc12, from scores that are there for whole images and best tiles only."""
    with np.load(packs() / "features" / "voc12train_clip_rn50x64_scores.npz", allow_pickle=False) as stored:
        known = (stored["labels"] >= 0).all(1)
        labels = stored["labels"][known].astype(np.int8)
        logs = [np.log(stored[name][known].astype(np.float64)) for name in ("global_softmax", "tile_max")]
    whole, best = (normalise(part - part.mean(1, keepdims=True)) for part in logs)
    said = {SuggestionOrigin.ZERO_SHOT: whole, SuggestionOrigin.TILES: (whole + best) / 2}
    both = fit_fusion(said, np.full_like(labels, -1)).apply(said).probabilities
    figures = {**{source.value: z for source, z in said.items()}, "both fused": both}
    return {"pack": "voc12", **{name: mean_average_precision(z, labels) for name, z in figures.items()}}


def heads(name: str, pack: Tiled, shots: int, seeds: int) -> list[dict[str, Any]]:
    """mAP of the default head, and of dual_prompt with tiles and without; with words and without."""
    rows = []
    for words in (True, False):
        texts = pack.texts if words else None
        found: list[dict[str, float]] = []
        for seed in range(seeds):
            training, test = pack.split(seed)
            learn = training[draw(pack.labels[training], shots, np.random.default_rng([seed, 11]))]
            X, labels, truth = pack.X[learn], pack.labels[learn], pack.labels[test]
            default = fit_head("text_anchored", X, labels, texts=texts)[0]
            blind = fit_head("dual_prompt", X, labels, texts=texts)[0]
            looking = fit_head("dual_prompt", X, labels, texts=texts, tiles=pack.tiles[learn])[0]
            said = {
                "text_anchored": default.logits(pack.X[test]),
                "dual_prompt, no tiles": blind.logits(pack.X[test]),
                "dual_prompt": looking.logits(pack.X[test], pack.tiles[test]),
            }
            figures = {head: mean_average_precision(z, truth) for head, z in said.items()}
            found.append({"answered": len(learn), **figures})
        case = {"pack": name, "words": "yes" if words else "no", "answers a tag": shots if shots < SHOTS[-1] else "all"}
        rows.append({**case, **{key: float(np.mean([one[key] for one in found])) for key in found[0]}})
        rows[-1]["answered"] = round(rows[-1]["answered"])
    return rows


def queries(name: str, pack: Tiled, seeds: int) -> list[dict[str, Any]]:
    """What each strategy saved against random; the head is the default one, which looks at no tiles."""
    rows = []
    for looks in (True, False):
        materials = [
            Material(pack.X, pack.labels, *pack.split(seed), pack.texts, pack.groups, pack.tiles if looks else None)
            for seed in range(seeds)
        ]
        steps = even_steps(min(len(one.pool) for one in materials) // 4, STEPS)
        asked = ASKED if looks else ASKED[1:]
        for outcome in outcomes(play(materials, asked, steps), seeds):
            row = outcome.row()
            if looks or row["strategy"] != "random":
                kept = ("strategy", "answers", "mAP", "saved", "saved_low", "saved_high", "choosing_seconds")
                rows.append({"pack": name, "tiles": "yes" if looks else "no", **{key: row[key] for key in kept}})
    return rows


def main() -> None:
    chosen = options(__doc__ or "")
    names, shots, seeds = (["coco256"], SHOTS[:1], 1) if chosen.quick else (list(SIZES), SHOTS, SEEDS)
    loaded = {name: load(name) for name in names}
    figures: dict[str, list[dict[str, Any]]] = {"costs": [pack.costs for pack in loaded.values()]}
    figures["without answers"] = [without_answers(name, pack) for name, pack in loaded.items()]
    figures["real CLIP"] = [real_clip()]
    figures["heads"] = [
        row
        for name, pack in loaded.items()
        for count in shots
        for row in heads(name, pack, count, min(seeds, HEAD_SEEDS))
    ]
    write(chosen.json, figures)
    figures["queries"] = [row for name, pack in loaded.items() for row in queries(name, pack, seeds)]
    for title, rows in figures.items():
        show(title, rows)
    write(chosen.json, figures)


if __name__ == "__main__":
    main()
