"""One simulated project of one tag, from its first answers to its last round, by the functions of annotator.learning.

The pool is a histogram. Scores are binormal: z ~ N(0, 1) for negatives, N(d, 1) for positives; what they say of an
image is the log-odds d z - d^2 / 2 + logit(prevalence), and only its bin is kept. Sets are unions of bins, so that a
pool of a million images costs no more than one of a thousand. The answers of n draws without replacement are a
hypergeometric number of positives in random order.

Before every further round each open image gives one more piece of evidence, right with probability 0.8, as from a
retrained model: its log-odds move by log 4. Log-odds stay calibrated; what the `Model` makes of them need not be.

What people say is what every guarantee speaks of. It differs from the truth where `Setting.error` > 0.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

from annotator.learning import audits, cascade
from annotator.learning.audits import AcceptGoal, AuditState, Certificate, Decision, RejectGoal

Counts = NDArray[np.int64]  # (2 said, 2 true, ...) images: [1, 0] people call positive what is negative

PRECISION, RECALL, ALPHA = 0.95, 0.95, 0.05
ROUNDS = 3
ANSWERED, HELD_OUT = 500, 100  # images answered at random before the first round; those LSUN's rule reads
PAGE = {"accept": 10, "reject": 60}
MOST_DRAWS = 3000  # of one set; then it is left open
EVIDENCE = 0.8
SHIFT = 32  # bins that one piece of evidence moves an image
LOG_ODDS = np.arange(-550, 551) * math.log(EVIDENCE / (1 - EVIDENCE)) / SHIFT
CORRECTED = 5  # wrong members drawn, and so corrected, before most false proofs: the adversary allows for them
SEEN = 20_000  # of larger pools so many images, evenly from the order of their scores, stand for all in a proposal


class Model(StrEnum):
    """What is made of the log-odds."""

    CALIBRATED = "calibrated"
    OVER_CONFIDENT = "over-confident"
    """Log-odds x 1.5 + 0.5."""
    ADVERSARY = "adversary"
    """Knows the answers and proposes the sets that break their promise by least."""


@dataclass(frozen=True)
class Setting:
    """`error`: the share of answers that are wrong; `votes`: 1, or 2 with a third person where these disagree."""

    prevalence: float
    auc: float
    pool: int
    model: Model
    error: float = 0.0
    votes: int = 1

    @property
    def label_error(self) -> float:
        """The share of accepted labels that are wrong."""
        return self.error if self.votes == 1 else 3 * self.error**2 - 2 * self.error**3


@dataclass(frozen=True)
class Settled:
    """A settled set: its audit, the goal it met, and what its undrawn images are, (2, 2)."""

    audit: AuditState
    goal: AcceptGoal | RejectGoal
    rest: Counts

    @property
    def broken(self) -> bool:
        """Whether the goal was not met in fact."""
        positive = int(self.rest[1].sum())
        if isinstance(self.goal, AcceptGoal):
            wrong = self.audit.drawn - self.audit.positives
            return bool(positive + self.audit.positives < self.goal.needed(self.audit.size, wrong))
        return bool(positive > self.goal.allowed(self.audit.positives))


@dataclass
class Project:
    """`open` (2, 2, bins) and `people` (2, 2): images nobody decided, and those people answered."""

    open: Counts
    people: Counts
    accepted: list[Settled] = field(default_factory=list)
    rejected: list[Settled] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=lambda: {"accept": 0, "reject": 0})

    @property
    def positive(self) -> int:
        return int(self.people[1].sum())

    @property
    def found(self) -> int:
        return self.positive + sum(s.audit.low - s.audit.positives for s in self.accepted)

    @property
    def missed(self) -> int:
        return sum(s.audit.high - s.audit.positives for s in self.rejected)

    @property
    def certificate(self) -> Certificate:
        accepted, rejected = [s.audit for s in self.accepted], [s.audit for s in self.rejected]
        return audits.certify(self.positive, accepted, rejected, int(self.open.sum()))


def fresh(setting: Setting, rng: np.random.Generator) -> tuple[Project, Counts]:
    """A pool of which ANSWERED random images are answered, and these, (2, 2, bins)."""
    positives = int(rng.binomial(setting.pool, setting.prevalence))
    d = math.sqrt(2) * float(ndtri(setting.auc))
    width = LOG_ODDS[1] - LOG_ODDS[0]
    ends = np.concatenate([[-np.inf], LOG_ODDS[1:] - width / 2, [np.inf]])
    centre = math.log(setting.prevalence / (1 - setting.prevalence))
    pool = np.zeros((2, 2, len(LOG_ODDS)), np.int64)
    for true, count in enumerate((setting.pool - positives, positives)):
        share = np.diff(ndtr((ends - centre - (true - 0.5) * d * d) / d))
        images = rng.multinomial(count, share / share.sum())
        pool[1 - true, true] = rng.binomial(images, setting.label_error)
        pool[true, true] = images - pool[1 - true, true]
    answered = drawn(pool, ANSWERED, rng)
    return Project(pool - answered, answered.sum(axis=2)), answered


def drawn(counts: Counts, number: int, rng: np.random.Generator) -> Counts:
    """How many of each kind are among `number` images drawn without replacement; of the shape of `counts`."""
    return rng.multivariate_hypergeometric(counts.ravel(), number, method="marginals").reshape(counts.shape)


def run(project: Project, model: Model, rng: np.random.Generator) -> None:
    """All rounds of a project."""
    for number in range(ROUNDS):
        if number:
            project.open = with_evidence(project.open, rng)
        above, below = adversarial(project) if model == Model.ADVERSARY else proposed(project, model)
        # As in a real round, recall builds on what was accepted just before.
        surplus = audits.surplus_of(project.positive, [s.audit for s in project.accepted], PRECISION)
        audit(project, "accept", above, AcceptGoal(PRECISION, surplus, corrected=True), rng)
        audit(project, "reject", below, RejectGoal(RECALL, project.found, project.missed), rng)


def with_evidence(counts: Counts, rng: np.random.Generator) -> Counts:
    """The open images after one more piece of evidence each."""
    up = rng.binomial(counts, np.array([1 - EVIDENCE, EVIDENCE])[None, :, None])
    down = counts - up
    moved = np.zeros_like(counts)
    moved[..., SHIFT:] += up[..., :-SHIFT]
    moved[..., :-SHIFT] += down[..., SHIFT:]
    # The bins at the ends hold all that is beyond them.
    moved[..., -1] += up[..., -SHIFT:].sum(axis=-1)
    moved[..., 0] += down[..., :SHIFT].sum(axis=-1)
    return moved


def probabilities(model: Model) -> NDArray[np.float64]:
    """(bins,) what the model says of the images of each bin."""
    return np.asarray(expit(1.5 * LOG_ODDS + 0.5 if model == Model.OVER_CONFIDENT else LOG_ODDS))


def proposed(project: Project, model: Model) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(bins,) which bins are proposed as positive and as negative."""
    scores = probabilities(model)
    images = project.open.sum(axis=(0, 1))
    thin = max(1, int(images.sum()) // SEEN)
    column = np.repeat(scores, np.diff(np.cumsum(images) // thin, prepend=0))[:, None]
    proposal = cascade.propose(
        column,
        np.ones_like(column, bool),
        project.found / thin,
        precision=PRECISION,
        recall=RECALL,
        missed_before=project.missed / thin,
        smallest=max(1, cascade.SMALLEST // thin),
    )
    return proposal.accepted(scores, 0), proposal.rejected(scores, 0)


def adversarial(project: Project) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(bins,) the top bins just too poor for the accept goal, and the bottom ones that miss just too many."""
    bins = np.arange(len(LOG_ODDS))
    size, positive = project.open.sum(axis=(0, 1)), project.open[1].sum(axis=0)
    top_size, top_positive = np.cumsum(size[::-1])[::-1], np.cumsum(positive[::-1])[::-1]
    surplus = audits.surplus_of(project.positive, [s.audit for s in project.accepted], PRECISION)
    lacking = (PRECISION * (top_size - CORRECTED) - surplus - top_positive) / np.maximum(top_size, 1)
    poor = np.flatnonzero((lacking > 0) & (top_size >= cascade.SMALLEST))
    start = poor[np.argmin(lacking[poor])] if len(poor) else len(bins)
    allowed = RejectGoal(RECALL, project.found, project.missed).allowed(0)
    too_many = np.flatnonzero((np.cumsum(positive) > allowed) & (np.cumsum(size) >= cascade.SMALLEST) & (bins < start))
    return bins >= start, bins <= (too_many[0] if len(too_many) else -1)


def audit(
    project: Project, side: str, inside: NDArray[np.bool_], goal: AcceptGoal | RejectGoal, rng: np.random.Generator
) -> None:
    """Audit the open images of the bins `inside`; settle the set where its goal is proven."""
    members = project.open[:, :, inside]
    size, positives = int(members.sum()), int(members[1].sum())
    if size == 0:
        return
    project.attempts[side] += 1
    state = audited(size, positives, goal, audits.spend(ALPHA, project.attempts[side]), rng)
    asked = np.zeros_like(members)
    asked[1] = drawn(members[1], state.positives, rng)
    asked[0] = drawn(members[0], state.drawn - state.positives, rng)
    project.people = project.people + asked.sum(axis=2)
    settled = state.decision == Decision.SETTLE
    project.open[:, :, inside] = 0 if settled else members - asked
    if settled:
        sets = project.accepted if side == "accept" else project.rejected
        sets.append(Settled(state, goal, (members - asked).sum(axis=2)))


def audited(
    size: int, positives: int, goal: AcceptGoal | RejectGoal, alpha: float, rng: np.random.Generator
) -> AuditState:
    """The audit after the page that decides, or after the last one.

    A decision stays when more is answered, so the page that decides is found by looking less often than at each.
    """
    page = PAGE["accept" if isinstance(goal, AcceptGoal) else "reject"]
    most = min(MOST_DRAWS, size)
    right = int(rng.hypergeometric(positives, size - positives, most))
    answers = rng.permutation(np.arange(most) < right).astype(np.int8)
    looked, state = 0, None
    while state is None or (state.decision == Decision.GO_ON and looked < most):
        looked = min(max(page, 8 * looked), most)
        state = _looked(answers[:looked], size, goal, alpha)
    if state.decided_at is None:
        return state
    return _looked(answers[: math.ceil(state.decided_at / page) * page], size, goal, alpha)


def _looked(answers: NDArray[np.int8], size: int, goal: AcceptGoal | RejectGoal, alpha: float) -> AuditState:
    if isinstance(goal, AcceptGoal):
        return audits.audit_accepted(answers, size, goal, alpha=alpha)
    return audits.audit_rejected(answers, size, goal, alpha=alpha)
