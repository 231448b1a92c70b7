"""Bandit over query strategies: let what each brought so far decide which one asks next.

Thompson sampling (Thompson 1933, doi 10.1093/biomet/25.3-4.285) with Gaussian rewards. The reward of a batch is what it
added to the mAP on held-out answers, over how far it grew the logarithm of the answers: learning curves are nearly
straight there, so late batches are not punished for coming late. Old trials fade.

A few hundred held-out answers measure a batch with more noise than strategies differ by: what it does on the packs,
`benchmarks.loop` shows. The project's default stays a single strategy with its random control.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BANDIT = "bandit"
ARMS = ("facility_location", "typiclust", "optimal_design", "random")
FADE = 0.9  # of a trial's weight with each later one
PRIOR_TRIALS = 1.0  # at the mean of all trials: a lucky first batch proves little


@dataclass(frozen=True)
class Trial:
    """One batch: who chose it, and answered images and held-out mAP before and after."""

    strategy: str
    answered_before: int
    answered_after: int
    mAP_before: float
    mAP_after: float

    @property
    def reward(self) -> float:
        """mAP gained for each e-fold of answers."""
        grown = np.log((max(self.answered_after, self.answered_before + 1) + 1) / (self.answered_before + 1))
        return float((self.mAP_after - self.mAP_before) / grown)


def choose(trials: Sequence[Trial], rng: np.random.Generator, arms: Sequence[str] = ARMS) -> str:
    """The strategy that asks next; `trials` in their order. Every arm is tried once before any is tried again."""
    tried = [trial for trial in trials if trial.strategy in arms]
    for arm in arms:
        if all(trial.strategy != arm for trial in tried):
            return arm
    rewards = np.array([trial.reward for trial in tried])
    weights = FADE ** np.arange(len(tried))[::-1]
    common = float(np.average(rewards, weights=weights))
    noise = float(np.sqrt(np.average((rewards - common) ** 2, weights=weights))) or 1e-9
    drawn = []
    for arm in arms:
        own = np.array([trial.strategy == arm for trial in tried])
        count = weights[own].sum() + PRIOR_TRIALS
        mean = ((weights * rewards)[own].sum() + PRIOR_TRIALS * common) / count
        drawn.append(rng.normal(mean, noise / np.sqrt(count)))
    return arms[int(np.argmax(drawn))]
