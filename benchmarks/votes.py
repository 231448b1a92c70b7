"""Vote policies on simulated people: python -m benchmarks.votes [--quick].

The truth is a real pack's labels: 1,000 images, tags of 30 positives (corel5k: 150) and more. 40 people, of whom 4
guess; the others have an accuracy between 0.6 and 0.98 and see less on some tags: sensitivity and specificity scatter
around a person's accuracy by 0.08 on the scale of probabilities. Each image is shown with all its tags to 3 or 5 of
them; 3 % of the answers are "cannot tell". Beside the policies crowd-kit's, tag by tag (not on corel5k, nor on a
million votes of a made-up truth). Figures over all pairs that somebody could tell of:

wrong       share of pairs whose state is wrong; an undecided one (a tie) counts a half. "By belief" reads the states
            off the beliefs at one half, which a skill model does not do where all agree
undecided   share of pairs without a state
F1          macro F1 of the states, undecided as absent
brier       mean squared distance of belief and truth
skill MAE   of the estimated sensitivities and specificities, mean absolute error against the true ones, and their
            correlation; "in interval" is the share of true ones in the 95 % interval
"""

import importlib.util
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotator.learning.metrics import macro_f1
from annotator.learning.votes import VOTES, Consensus, Skills, VoteTable
from annotator.learning.votes.base import concluded, decided, tally
from benchmarks.packs import load
from benchmarks.report import options, show, write

PEOPLE, GUESSING = 40, 4
CANNOT_TELL = 0.03
LEAST_POSITIVES = {"corel5k": 150}  # elsewhere 30
IMAGES = 1_000
SCATTER = 0.08
EACH = (3, 5)
SMALL = ("coco256", "voc12")  # where crowd-kit takes minutes, not hours
MILLION = (2_000, 100, 5)  # images, tags, votes a pair
Figures = NDArray[np.float64]


class World(NamedTuple):
    votes: VoteTable
    truth: NDArray[np.bool_]  # (N, C)
    sensitivity: Figures  # (A, C)
    specificity: Figures  # (A, C)


def people(tags: int, rng: np.random.Generator) -> tuple[Figures, Figures]:
    """(A, C) sensitivities and specificities."""
    accuracy = rng.uniform(0.6, 0.98, (PEOPLE, 1))
    found = [np.clip(accuracy + rng.normal(0, SCATTER, (PEOPLE, tags)), 0.3, 0.995) for _ in range(2)]
    habit = rng.uniform(0.2, 0.8, (GUESSING, 1))  # how often one who guesses says yes
    found[0][:GUESSING], found[1][:GUESSING] = habit, 1 - habit
    return found[0], found[1]


def ask(truth: NDArray[np.bool_], each: int, seed: int) -> World:
    rng = np.random.default_rng([seed, each])
    sensitivity, specificity = people(truth.shape[1], rng)
    chosen = np.argsort(rng.random((len(truth), PEOPLE)), 1)[:, :each]
    image, place, tag = (part.ravel() for part in np.indices((len(truth), each, truth.shape[1])))
    person = chosen[image, place]
    present = np.where(truth[image, tag], sensitivity[person, tag], 1 - specificity[person, tag])
    states = np.where(rng.random(len(image)) < CANNOT_TELL, -1, rng.random(len(image)) < present)
    return World(VoteTable(image, tag, person, states.astype(np.int8)), truth, sensitivity, specificity)


def crowd_kit(name: str) -> Callable[[VoteTable], Consensus]:
    """A policy by crowd-kit's class, one tag after the other."""

    def run(votes: VoteTable) -> Consensus:
        import pandas as pd
        from crowdkit import aggregation

        found = tally(votes)
        belief = np.full(len(found.images), 0.5)
        for tag in np.unique(found.tags):
            own = votes.take((votes.tags == tag) & (votes.states >= 0))
            data = pd.DataFrame({"task": own.images, "worker": own.annotators, "label": own.states.astype(int)})
            p = getattr(aggregation, name)().fit_predict_proba(data)
            here = np.flatnonzero((found.tags == tag) & (found.told > 0))
            belief[here] = p[1].reindex(found.images[here]).to_numpy() if 1 in p else 0.0
        return concluded(found, belief, decided(belief > 0.5, belief < 0.5))

    return run


def policies() -> dict[str, Callable[[VoteTable], Consensus]]:
    theirs = {"DawidSkene": "crowd-kit DawidSkene", "OneCoinDawidSkene": "crowd-kit OneCoin"}
    known = importlib.util.find_spec("crowdkit") is not None
    return {**VOTES, **({shown: crowd_kit(name) for name, shown in theirs.items()} if known else {})}


def measure(policy: Callable[[VoteTable], Consensus], world: World) -> dict[str, float | None]:
    begun = time.perf_counter()
    found = policy(world.votes)
    seconds = time.perf_counter() - begun
    heard = found.yes + found.no > 0
    truth, states, belief = world.truth[found.images, found.tags][heard], found.states[heard], found.belief[heard]
    undecided = float((states == -1).mean())
    shown = found.labels(*world.truth.shape)
    return {
        "wrong": float(((states != truth) & (states >= 0)).mean()) + undecided / 2,
        "wrong by belief": float(np.where(belief == 0.5, 0.5, (belief > 0.5) != truth).mean()),
        "undecided": undecided,
        "F1": macro_f1((shown == 1).astype(np.float64), world.truth.astype(np.int8)),
        "brier": float(((belief - truth) ** 2).mean()),
        **(skill_figures(found.skills, world) if found.skills else dict.fromkeys(SKILL_FIGURES)),
        "seconds": seconds,
    }


SKILL_FIGURES = ("skill MAE", "correlation", "in interval")


def skill_figures(skills: Skills, world: World) -> dict[str, float]:
    rates = (skills.sensitivity, skills.specificity)
    truth = np.concatenate([true[skills.annotators, skills.tags] for true in (world.sensitivity, world.specificity)])
    value, low, high = (np.concatenate([rate[i] for rate in rates]) for i in range(3))
    held = (low <= truth) & (truth <= high)
    figures = (float(np.abs(value - truth).mean()), float(np.corrcoef(value, truth)[0, 1]), float(held.mean()))
    return dict(zip(SKILL_FIGURES, figures, strict=True))


def main() -> None:
    chosen = options(__doc__ or "")
    rows: list[dict[str, Any]] = []
    for name in ["coco256"] if chosen.quick else ["corel5k", "voc12"]:
        truth = load(name).with_tags(LEAST_POSITIVES.get(name, 30)).labels[:IMAGES] == 1
        for each in EACH[:1] if chosen.quick else EACH:
            world = ask(truth, each, 0)
            for shown, policy in (policies() if name in SMALL else VOTES).items():
                rows.append({"pack": name, "votes": each, "policy": shown, **measure(policy, world)})
            write(chosen.json, {"rows": rows})
    if not chosen.quick:
        images, tags, each = MILLION
        world = ask(np.random.default_rng(0).random((images, tags)) < 0.1, each, 1)
        for shown, policy in VOTES.items():
            rows.append({"pack": "1 M votes, 100 tags", "votes": each, "policy": shown, **measure(policy, world)})
    show("Votes", [{key: f"{v:.4f}" if isinstance(v, float) else v for key, v in row.items()} for row in rows])
    write(chosen.json, {"rows": rows})


if __name__ == "__main__":
    main()
