"""Did a simulated project keep its promises? Ours, and LSUN's rule on the same answers."""

from dataclasses import dataclass

import numpy as np

from annotator.learning import cascade
from annotator.terms import LabelState
from benchmarks.simulated_cascade import (
    HELD_OUT,
    PRECISION,
    RECALL,
    Counts,
    Model,
    Project,
    Setting,
    drawn,
    fresh,
    probabilities,
    run,
)


@dataclass(frozen=True)
class Quality:
    """Of labels: `recall` counts the undecided positives as missed, `decided_recall` leaves them out."""

    precision: float
    recall: float
    decided_recall: float


@dataclass(frozen=True)
class Outcome:
    """One project. `settled`, `lsun_settled`: shares of the pool; `truth`: of its labels, held against the truth."""

    broken: bool
    settled: float
    lsun_broken: bool
    lsun_settled: float
    truth: Quality


def quality(project: Project, *, of_truth: bool) -> Quality:
    """Of the labels the project has now, held against what people say of every image or against the truth."""
    said_yes, said_no = np.diag([0, 1]) @ project.people, np.diag([1, 0]) @ project.people
    yes = said_yes + sum(s.rest for s in project.accepted)
    no = said_no + sum(s.rest for s in project.rejected)
    right, missed, undecided = (
        int(images[:, 1].sum() if of_truth else images[1].sum()) for images in (yes, no, project.open.sum(axis=2))
    )
    return Quality(
        _share(right, int(yes.sum())), _share(right, right + missed + undecided), _share(right, right + missed)
    )


def broken(project: Project) -> bool:
    """Whether anything the project proved is false of what people say."""
    proven, real = project.certificate, quality(project, of_truth=False)
    return bool(
        proven.precision > real.precision
        or proven.recall > real.recall
        or any(settled.broken for settled in (*project.accepted, *project.rejected))
        or (project.accepted and real.precision < PRECISION)
        or (project.rejected and real.decided_recall < RECALL)
    )


def lsun(project: Project, answered: Counts, model: Model, rng: np.random.Generator) -> tuple[bool, int]:
    """Whether LSUN's rule breaks what it is meant to reach, and how many images it settles."""
    scores = probabilities(model)
    held = drawn(answered, HELD_OUT, rng).sum(axis=1)  # (2 said, bins)
    labels = np.repeat([LabelState.NEGATIVE, LabelState.POSITIVE], held.sum(axis=1))
    above, below = cascade.lsun_thresholds(np.repeat([scores, scores], held.ravel()), labels, PRECISION, RECALL)
    accepted, rejected = scores >= above, scores < below
    negatives, positives = project.open.sum(axis=1)
    right = project.positive + int(positives[~rejected].sum())
    wrong, missed = int(negatives[accepted].sum()), int(positives[rejected].sum())
    misses = _share(right, right + wrong) < PRECISION or _share(right, right + missed) < RECALL
    return misses, int((negatives + positives)[accepted | rejected].sum())


def simulated(setting: Setting, rng: np.random.Generator) -> Outcome:
    """One project of `setting`, judged."""
    project, answered = fresh(setting, rng)
    lsun_broken, lsun_settled = lsun(project, answered, setting.model, rng)
    run(project, setting.model, rng)
    settled = sum(int(s.rest.sum()) for s in (*project.accepted, *project.rejected))
    return Outcome(
        broken(project), settled / setting.pool, lsun_broken, lsun_settled / setting.pool,
        quality(project, of_truth=True),
    )  # fmt: skip


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
