"""Does the guarantee of the cascade hold? Simulated projects: python -m benchmarks.guarantee_validity [--quick].

One tag a project, see `simulated_cascade`: 500 answers at random, then up to three rounds, each audited page by page
until it decides, at precision 0.95, recall 0.95 and confidence 0.95. A project is broken when at its end

- the certified precision or recall is more than the true one,
- a settled set did not meet the goal it was settled under, or
- the final labels miss 0.95: in precision where a set was accepted; in recall, of the images that are decided, where
  one was rejected.

At most 5 % of the projects of each setting may be. The adversary proposes what barely breaks its promise: a model
that is nearly right gives an audit little to catch.

Of every setting: the share of broken projects, of those that settle anything, and of the pool that is settled.

LSUN's rule on the same 500 answers: two thresholds read off 100 of them, settled at once, the band between them
answered by people; broken when these final labels miss precision or recall 0.95.

Human noise: what the guarantee promises (what people would accept) and what then holds of the truth.
"""

import argparse
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from annotator.learning.bounds import clopper_pearson, interval, interval_path
from benchmarks.kept_promises import Outcome, simulated
from benchmarks.report import show, write
from benchmarks.simulated_cascade import ALPHA, Model, Setting

PREVALENCES = (0.002, 0.01, 0.05, 0.3)
AUCS = (0.7, 0.9, 0.97, 0.999)
POOLS = (1_000, 10_000, 100_000, 1_000_000)
ADVERSARY_POOLS = (1_000, 100_000)
NOISY = (Setting(0.05, 0.999, 100_000, Model.CALIBRATED), Setting(0.3, 0.97, 100_000, Model.CALIBRATED))
ERRORS, VOTES = (0.0, 0.02, 0.05), (1, 2)
TIMED_SIZE, TIMED_DRAWS = 10_000_000, 3_000
WORKERS = 2


def outcomes(setting: Setting, runs: int) -> list[Outcome]:
    seed = [round(1e4 * setting.prevalence), round(1e4 * setting.auc), setting.pool, list(Model).index(setting.model)]
    seed += [round(1e4 * setting.error), setting.votes]
    return [simulated(setting, rng) for rng in np.random.default_rng(seed).spawn(runs)]


def figures(setting: Setting, runs: int) -> dict[str, Any]:
    """One setting of the grid."""
    found = outcomes(setting, runs)
    low, high = clopper_pearson(runs, sum(o.broken for o in found), 0.05)
    return {
        "prevalence": setting.prevalence,
        "auc": setting.auc,
        "pool": setting.pool,
        "model": setting.model.value,
        "calibrated": setting.model == Model.CALIBRATED,
        "runs": runs,
        "broken": sum(o.broken for o in found),
        "broken_share": _mean(o.broken for o in found),
        "broken_share_low": low,
        "broken_share_high": high,
        "settled_share": _mean(o.settled for o in found),
        "projects_settling": _mean(o.settled > 0 for o in found),
        "lsun_broken_share": _mean(o.lsun_broken for o in found),
        "lsun_settled_share": _mean(o.lsun_settled for o in found),
        "lsun_projects_settling": _mean(o.lsun_settled > 0 for o in found),
    }


def noise_figures(setting: Setting, runs: int) -> dict[str, Any]:
    """One setting of human noise; shares of the truth are means over the projects, then the worst twentieth."""
    found = outcomes(setting, runs)
    row = {name: value for name, value in asdict(setting).items() if name != "model"}
    row |= {"runs": runs, "accepted_label_error": setting.label_error, "settled_share": _mean(o.settled for o in found)}
    row |= {"broken_share": _mean(o.broken for o in found)}
    for name in ("precision", "decided_recall"):
        values = [getattr(o.truth, name) for o in found]
        row |= {f"true_{name}": _mean(values), f"true_{name}_5th": float(np.quantile(values, 0.05))}
    return row


def timing() -> dict[str, float]:
    """Milliseconds: the median of one update, and the path of all draws of a large set."""
    answers = np.random.default_rng(0).random(TIMED_DRAWS) < 0.97
    updates = [
        _milliseconds(lambda n=n: interval(n, int(answers[:n].sum()), TIMED_SIZE, ALPHA))
        for n in range(10, TIMED_DRAWS + 1, 10)
    ]
    paths = [_milliseconds(lambda: interval_path(answers, TIMED_SIZE, ALPHA)) for _ in range(20)]
    return {
        "size": TIMED_SIZE,
        "draws": TIMED_DRAWS,
        "update_ms": float(np.median(updates)),
        "worst_update_ms": max(updates),
        "path_ms": float(np.median(paths)),
    }


def _milliseconds(work: Any) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per model: all projects together, and the worst setting."""
    return [of_model(own) for model in Model if (own := [row for row in rows if row["model"] == model.value])]


def of_model(rows: list[dict[str, Any]]) -> dict[str, Any]:
    runs, count = sum(row["runs"] for row in rows), sum(row["broken"] for row in rows)
    worst = max(rows, key=lambda row: row["broken_share"])
    lsun_broken, lsun_settling = (
        _mean(row[name] for row in rows) for name in ("lsun_broken_share", "lsun_projects_settling")
    )
    return {
        "model": rows[0]["model"],
        "projects": f"{runs:,}",
        "broken": f"{_percent(count / runs)} ({_range(*clopper_pearson(runs, count, 0.05))})",
        "worst setting": f"{_percent(worst['broken_share'])} "
        f"({_range(worst['broken_share_low'], worst['broken_share_high'])})",
        "settings surely above 5 %": f"{sum(row['broken_share_low'] > ALPHA for row in rows)} of {len(rows)}",
        "settles": _percent(_mean(row["projects_settling"] for row in rows)),
        "settled": _percent(_mean(row["settled_share"] for row in rows)),
        "LSUN broken": _percent(lsun_broken),
        "of those that settle": _percent(lsun_broken / lsun_settling if lsun_settling else 0.0),
        "LSUN settled": _percent(_mean(row["lsun_settled_share"] for row in rows)),
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _range(low: float, high: float) -> str:
    return f"{_percent(low)} to {_percent(high)}"


def of_setting(row: dict[str, Any]) -> dict[str, Any]:
    """A setting's row as it is printed."""
    return {
        "model": row["model"],
        "prevalence": _percent(row["prevalence"]),
        "AUC": f"{row['auc']:g}",
        "pool": f"{row['pool']:,}",
        "broken": _percent(row["broken_share"]),
        "95 % interval": _range(row["broken_share_low"], row["broken_share_high"]),
        "settles": _percent(row["projects_settling"]),
        "settled": _percent(row["settled_share"]),
        "LSUN broken": _percent(row["lsun_broken_share"]),
        "LSUN settles": _percent(row["lsun_projects_settling"]),
        "LSUN settled": _percent(row["lsun_settled_share"]),
    }


def of_noise(row: dict[str, Any]) -> dict[str, Any]:
    """A row of human noise as it is printed."""
    return {
        "prevalence": _percent(row["prevalence"]),
        "AUC": f"{row['auc']:g}",
        "error": _percent(row["error"]),
        "votes": row["votes"],
        "labels wrong": _percent(row["accepted_label_error"]),
        "promise broken": _percent(row["broken_share"]),
        "settled": _percent(row["settled_share"]),
        "true precision (worst 5 %)": f"{_percent(row['true_precision'])} ({_percent(row['true_precision_5th'])})",
        "true recall (worst 5 %)": f"{_percent(row['true_decided_recall'])} "
        f"({_percent(row['true_decided_recall_5th'])})",
    }


def grid(*, quick: bool) -> list[Setting]:
    if quick:
        return [
            Setting(prevalence, auc, 10_000, model)
            for model, prevalence, auc in product(Model, (0.01, 0.3), (0.9, 0.999))
        ]
    return [
        Setting(*place, model)
        for model in Model
        for place in product(PREVALENCES, AUCS, ADVERSARY_POOLS if model == Model.ADVERSARY else POOLS)
    ]


def noise_grid(*, quick: bool) -> list[Setting]:
    noisy = [
        replace(setting, error=error, votes=votes)
        for setting, error, votes in product(NOISY[-1:] if quick else NOISY, ERRORS, VOTES)
    ]
    return [setting for setting in noisy if setting.error or setting.votes == 1]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few settings, 100 runs each: under a minute")
    parser.add_argument("--runs", type=int, help="simulated projects a setting, by default 500")
    parser.add_argument("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def all_rows(
    pool: ProcessPoolExecutor, work: Any, settings: list[Setting], runs: int, what: str
) -> list[dict[str, Any]]:
    return list(tqdm(pool.map(work, settings, [runs] * len(settings)), total=len(settings), desc=what, mininterval=1))


def main() -> None:
    chosen = options()
    runs = chosen.runs or (100 if chosen.quick else 500)
    timed = timing()  # before two processes keep both cores busy
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        rows = all_rows(pool, figures, grid(quick=chosen.quick), runs, "settings")
        noise = all_rows(pool, noise_figures, noise_grid(quick=chosen.quick), runs, "human noise")
    show(f"Every setting, {runs} projects each", [of_setting(row) for row in rows])
    show("Human noise, calibrated model, pools of 100,000", [of_noise(row) for row in noise])
    show("All settings together, per model", summary(rows))
    print(
        f"One interval update for {timed['size']:,} images: median {timed['update_ms']:.2f} ms, worst "
        f"{timed['worst_update_ms']:.2f} ms; all {timed['draws']:,} draws at once: {timed['path_ms']:.1f} ms"
    )
    write(chosen.json, {"settings": rows, "noise": noise, "timing": timed})


if __name__ == "__main__":
    main()
