"""Answers saved against random choice on every labelled pack: python -m benchmarks.replay [--quick] [--all].

Held out: a third of the images, near-duplicates together, drawn anew for each of five seeds; the others may be asked.
The budget is a tenth of those, at least 100; answers are whole images. "saved" is the share of random's answers that
the default did not need to reach the mAP random has at the end of the budget, with a 90 % interval over the seeds;
where it never gets there, minus the share random would have saved against it. The same is told for half the budget
and for twice (coco256: its whole pool). Vectors by MobileNetV2, voc12: real
CLIP scores. `--all` adds every query strategy, and every loss with the default
strategy; the heads are the same where the vectors know no words, as here.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from annotator.learning.losses import LOSSES
from annotator.learning.queries import CONTROL_SHARE, DEFAULT, QUERIES
from annotator.learning.replay import Curve, Material, Recipe
from annotator.services.replaying import Curves, Outcome, even_steps, outcomes, play
from benchmarks.packs import PACKS, load, split
from benchmarks.report import console_progress, show, write

SEEDS = 5
RECIPE = Recipe(DEFAULT, control=CONTROL_SHARE)
HELD_OUT = 1 / 3
BUDGET = 1 / 10  # of the pool
LEAST = 100  # answers of the budget
STEPS = 10


def material(name: str, seed: int) -> Material:
    pack = load(name)
    pool, held_out = split(pack, HELD_OUT, seed)
    return Material(pack.X, pack.labels, pool, held_out, pack.texts, pack.groups)


def recipes(everything: bool) -> list[Recipe]:
    found = [RECIPE]
    if everything:
        found += [Recipe(strategy) for strategy in QUERIES]
        found += [Recipe(DEFAULT, loss=loss, control=CONTROL_SHARE) for loss in LOSSES]
    return list(dict.fromkeys(found))


def within(curves: Curves, share: float) -> Curves:
    """The first `share` of every curve's steps."""
    return {run: cut(curve, share) for run, curve in curves.items()}


def cut(curve: Curve, share: float) -> Curve:
    end = max(2, round(share * len(curve.answers)))
    return Curve(*(values[:end] for values in vars(curve).values()))


def of(found: list[Outcome], recipe: Recipe) -> Outcome:
    return next(outcome for outcome in found if outcome.recipe == recipe)


def headline(name: str, materials: list[Material], curves: Curves) -> dict[str, Any]:
    """What the default saved at the budget, and at half and twice of it."""
    seeds = len(materials)
    parts = [outcomes(within(curves, share), seeds) for share in (0.25, 0.5, 1.0)]
    ours, random = of(parts[1], RECIPE), of(parts[1], Recipe("random"))
    savings = [of(part, RECIPE).saving for part in parts]
    assert ours.saving is not None
    return {
        "pack": name,
        "saved": round(ours.saving.saved, 3),
        "saved_low": round(ours.saving.low, 3),
        "saved_high": round(ours.saving.high, 3),
        "pool": len(materials[0].pool),
        "budget": ours.answers[-1],
        "mAP": round(ours.mAP[-1], 4),
        "mAP_random": round(random.mAP[-1], 4),
        "saved_at_half": round(savings[0].saved, 3) if savings[0] else None,
        "saved_at_double": round(savings[2].saved, 3) if savings[2] else None,
        "worse_at_double": round(savings[2].worse, 4) if savings[2] else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two packs, two seeds")
    parser.add_argument("--all", action="store_true", help="every strategy and loss")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    names, seeds = (["coco256", "grocery"], 2) if chosen.quick else (list(PACKS), SEEDS)
    folder = Path(tempfile.gettempdir()) / "annotator-benchmarks" / "replays"
    packs: list[dict[str, Any]] = []
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        materials = [material(name, seed) for seed in range(seeds)]
        budget = max(LEAST, round(BUDGET * min(len(one.pool) for one in materials)))
        steps = even_steps(min(2 * budget, *(len(one.pool) for one in materials)), 2 * STEPS)
        with console_progress(name) as progress:
            curves = play(materials, recipes(chosen.all), steps, folder, progress)
        tables[name] = [outcome.row() for outcome in outcomes(within(curves, 0.5), seeds)]
        packs.append(headline(name, materials, curves))
        write(chosen.json, {"packs": packs, "tables": tables})
        show(f"{name}: every recipe against random", tables[name])
    show("Answers the default saved", packs)


if __name__ == "__main__":
    main()
