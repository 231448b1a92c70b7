"""A whole cascade on known labels: rounds until nothing is open, and what it cost people.

What `annotator simulate --cascade` and `benchmarks.guarantee_cost` run. Three rules:

guarantee  `planning.plan` chooses the sets. What lies outside them is asked first, the most doubtful images in small
           steps; after each the head learns and the sets are planned anew; when little is left outside, the sets are
           audited and settled or given up. A tag ends when nothing of it is open
lsun       LSUN (arXiv 1506.03365): two thresholds read off the held-out sample, settled without proof; the rest is
           asked in the same steps
cut        p >= 1/2 is positive, everything else negative, after the first sample
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.errors import UsageError
from annotator.learning import audits, cascade
from annotator.learning.audits import AcceptGoal, AuditState, Decision, RejectGoal, spend
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, set_prior
from annotator.learning.planning import Costs, Plan, Standing, plan

Labels = NDArray[np.int8]
Rows = NDArray[np.int64]

Score = Callable[[Labels, Rows], NDArray[np.floating[Any]]]
"""(N, C) answers so far, -1 elsewhere, and the rows that may only measure, to (N, C) calibrated probabilities."""

GROWTH = 0.25  # of a tag's answers come between two trainings: a model that learned little would ask for too much
LITTLE = 0.02  # of a tag's open images: so few outside the sets are asked at once
FEW = 40
HELD_SHARE = 0.25  # of the first sample: calibrates, and LSUN's thresholds are read off it
MOST_ROUNDS = 60
FIRST_LOOK = 4_096  # draws looked at before more are taken into account


class Rule(StrEnum):
    GUARANTEE = "guarantee"
    LSUN = "lsun"
    CUT = "cut0.5"


@dataclass(frozen=True)
class Terms:
    """What is asked for. `first`: images answered completely, at random, before anything is settled; `retrain` false
    keeps the first model; `page_accept` and `page_reject` are the pages after which an audit is looked at."""

    precision: float = 0.95
    recall: float = 0.95
    alpha: float = 0.05
    first: int = 300
    retrain: bool = True
    costs: Costs = field(default_factory=Costs)
    page_accept: int = 24
    page_reject: int = 60
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What one rule came to; all (C,). precision, recall: of the final labels against the truth; settled: how many
    labels the machine decided; answers by what they were for; seconds of a person by the cost model."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    settled: Rows
    first: Rows
    band: Rows
    accept_draws: Rows
    reject_draws: Rows
    seconds: NDArray[np.float64]
    attempts: Rows
    rounds: int

    @property
    def answers(self) -> Rows:
        return self.first + self.band + self.accept_draws + self.reject_draws


def settle_all(truth: Labels, score: Score, rule: Rule, terms: Terms | None = None) -> Outcome:
    """Run one rule to its end. `truth` (N, C) of 0 and 1. The same input and seed give the same outcome.

    Raises UsageError for labels that are not complete or a pool no larger than the first sample.
    """
    chosen = terms or Terms()
    if truth.ndim != 2 or not np.isin(truth, (0, 1)).all():
        raise UsageError(
            f"labels of shape {truth.shape} must be (images, tags) of 0 and 1: a cascade asks for any of them"
        )
    if len(truth) <= chosen.first:
        raise UsageError(f"{len(truth)} images are not more than the first sample of {chosen.first}; nothing is left")
    return Cascade(truth, score, rule, chosen).run()


class Cascade:
    """The state of one run, all tags side by side."""

    def __init__(self, truth: Labels, score: Score, rule: Rule, terms: Terms) -> None:
        self.truth, self.score, self.rule, self.terms = truth, score, rule, terms
        self.order = np.random.default_rng([terms.seed, 3]).permutation(len(truth))
        first = self.order[: terms.first]
        self.held = first[: max(1, round(HELD_SHARE * len(first)))]
        self.asked = np.full(truth.shape, -1, np.int8)
        self.asked[first] = truth[first]
        self.settled = np.full(truth.shape, -1, np.int8)
        tags = truth.shape[1]
        self.spent = {name: np.zeros(tags, np.int64) for name in ("first", "band", "accept", "reject")}
        self.spent["first"] += len(first)
        self.attempts, self.fails = np.zeros((2, tags), np.int64), np.zeros((2, tags))
        self.accepted: list[list[AuditState]] = [[] for _ in range(tags)]
        self.rejected: list[list[AuditState]] = [[] for _ in range(tags)]

    def run(self) -> Outcome:
        probabilities = self.score(self.asked, self.held)
        rounds = 0
        while (is_open := self.open()).any():
            rounds += 1
            if rounds > 1 and self.terms.retrain:
                probabilities = self.score(self.asked, self.held)
            if rounds > MOST_ROUNDS:
                self._ask_rest(is_open)
            elif self.rule == Rule.CUT:
                self.settled = np.where(is_open, probabilities >= 0.5, self.settled).astype(np.int8)
            elif self.rule == Rule.LSUN:
                self._lsun(probabilities, is_open)
            else:
                self._guarantee(probabilities, is_open)
        return self._outcome(rounds)

    def open(self) -> NDArray[np.bool_]:
        return (self.asked < 0) & (self.settled < 0)

    # The rules

    def _guarantee(self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_]) -> None:
        planned = plan(
            p, is_open, self._standing(), precision=self.terms.precision, recall=self.terms.recall,
            costs=self.terms.costs,
        )  # fmt: skip
        for tag in np.flatnonzero(is_open.any(0)).tolist():
            outside = self._outside(p[:, tag], is_open[:, tag], planned, tag)
            if len(outside) > max(FEW, LITTLE * planned.open[tag]) and self.terms.retrain:
                self._answer(tag, outside[: self._step(tag)], "band")
            else:
                self._answer(tag, outside, "band")
                self._audit(p[:, tag], planned, tag)

    def _lsun(self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_]) -> None:
        for tag in np.flatnonzero(is_open.any(0)).tolist():
            held = self.held
            up, down = cascade.lsun_thresholds(
                p[held, tag], self.truth[held, tag], self.terms.precision, self.terms.recall
            )
            rows = np.flatnonzero(is_open[:, tag])
            self.settled[rows[p[rows, tag] >= up], tag] = 1
            self.settled[rows[p[rows, tag] < down], tag] = 0
            rest = rows[(p[rows, tag] < up) & (p[rows, tag] >= down)]
            self._answer(tag, self._doubtful(p[:, tag], rest)[: self._step(tag)], "band")

    # Asking

    def _step(self, tag: int) -> int:
        """How many images are asked before the next training."""
        return max(FEW, round(GROWTH * int((self.asked[:, tag] >= 0).sum())))

    def _outside(self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_], planned: Plan, tag: int) -> Rows:
        """Open images outside both sets, the most doubtful first."""
        proposal = planned.proposal
        rows = np.flatnonzero(is_open & ~proposal.accepted(p, tag) & ~proposal.rejected(p, tag))
        return self._doubtful(p, rows)

    def _doubtful(self, p: NDArray[np.floating[Any]], rows: Rows) -> Rows:
        return rows[np.argsort(np.abs(p[rows] - 0.5), kind="stable")]

    def _answer(self, tag: int, rows: Rows, what: str) -> None:
        new = rows[self.asked[rows, tag] < 0]
        self.asked[new, tag] = self.truth[new, tag]
        self.spent[what][tag] += len(new)

    def _ask_rest(self, is_open: NDArray[np.bool_]) -> None:
        for tag in range(is_open.shape[1]):
            self._answer(tag, np.flatnonzero(is_open[:, tag]), "band")

    # Auditing

    def _people(self, tag: int) -> int:
        """Positives from people, but those drawn from accepted sets: the sets' bounds count these."""
        drawn = sum(state.positives for state in self.accepted[tag])
        return int((self.asked[:, tag] == 1).sum()) - drawn

    def _standing(self) -> Standing:
        tags = range(self.truth.shape[1])
        return Standing(
            found=np.array([self._found(tag) for tag in tags], np.float64),
            surplus=np.array([self._surplus(tag) for tag in tags], np.float64),
            missed=np.array([self._missed(tag) for tag in tags], np.float64),
            accept_alpha=np.array([self.alpha(0, tag) for tag in tags]),
            reject_alpha=np.array([self.alpha(1, tag) for tag in tags]),
            accept_fails=self.fails[0],
            reject_fails=self.fails[1],
        )

    def alpha(self, side: int, tag: int) -> float:
        """What the next attempt of a side, 0 accept or 1 reject, may spend."""
        return spend(self.terms.alpha, 1 + int(self.attempts[side, tag]))

    def _found(self, tag: int) -> float:
        return self._people(tag) + sum(state.low for state in self.accepted[tag])

    def _surplus(self, tag: int) -> float:
        positive = int((self.asked[:, tag] == 1).sum())
        return audits.surplus_of(positive, self.accepted[tag], self.terms.precision)

    def _missed(self, tag: int) -> float:
        return sum(state.high - state.positives for state in self.rejected[tag])

    def _audit(self, p: NDArray[np.floating[Any]], planned: Plan, tag: int) -> None:
        self._audit_accepted(p, planned, tag)
        # Recall builds on what was accepted just now.
        self._audit_rejected(p, planned, tag)

    def _audit_accepted(self, p: NDArray[np.floating[Any]], planned: Plan, tag: int) -> None:
        goal = AcceptGoal(self.terms.precision, self._surplus(tag), corrected=True)
        members = self.open()[:, tag] & planned.proposal.accepted(p, tag)
        judge = partial(audits.audit_accepted, goal=goal)
        self._audit_side(0, tag, members, planned.proposal.accept_positives[tag], judge)

    def _audit_rejected(self, p: NDArray[np.floating[Any]], planned: Plan, tag: int) -> None:
        goal = RejectGoal(self.terms.recall, self._found(tag), self._missed(tag))
        members = self.open()[:, tag] & planned.proposal.rejected(p, tag)
        judge = partial(audits.audit_rejected, goal=goal)
        self._audit_side(1, tag, members, planned.proposal.reject_positives[tag], judge)

    def _audit_side(
        self, side: int, tag: int, members: NDArray[np.bool_], expected: float, audit: Callable[..., AuditState]
    ) -> None:
        draws = self._draws(members)
        if not len(draws):
            return
        prior = set_prior(expected / len(draws), (ACCEPT_PRIOR, REJECT_PRIOR)[side])
        judge = partial(audit, size=len(draws), alpha=self.alpha(side, tag), prior=prior)
        page = (self.terms.page_accept, self.terms.page_reject)[side]
        self._end(tag, draws, _decide(self.truth[draws, tag], judge, page), side)

    def _draws(self, members: NDArray[np.bool_]) -> Rows:
        return self.order[members[self.order]]

    def _end(self, tag: int, members: Rows, state: AuditState, side: int) -> None:
        self.attempts[side, tag] += 1
        self.fails[side, tag] += state.decision == Decision.FAIL
        self._answer(tag, members[: state.drawn], ("accept", "reject")[side])
        if state.decision == Decision.SETTLE and not state.alarm:
            rest = members[state.drawn :]
            self.settled[rest, tag] = 1 - side
            (self.accepted, self.rejected)[side][tag].append(state)

    def _outcome(self, rounds: int) -> Outcome:
        final = np.where(self.asked >= 0, self.asked, self.settled)
        right = ((final == 1) & (self.truth == 1)).sum(0)
        labelled, positive = (final == 1).sum(0), (self.truth == 1).sum(0)
        costs = self.terms.costs
        by_band = costs.band * (self.spent["first"] + self.spent["band"])
        return Outcome(
            precision=np.where(labelled > 0, right / np.maximum(labelled, 1), 1.0),
            recall=np.where(positive > 0, right / np.maximum(positive, 1), 1.0),
            settled=(self.settled >= 0).sum(0),
            first=self.spent["first"],
            band=self.spent["band"],
            accept_draws=self.spent["accept"],
            reject_draws=self.spent["reject"],
            seconds=by_band + costs.accept * self.spent["accept"] + costs.reject * self.spent["reject"],
            attempts=self.attempts.sum(0),
            rounds=rounds,
        )


def _decide(answers: Labels, audit: Callable[[Labels], AuditState], page: int) -> AuditState:
    """The state of the audit at the first page after which it is decided; all drawn where it never is."""
    for size in _looks(len(answers)):
        state = audit(answers[:size])
        if state.decided_at is not None:
            return audit(answers[: min(len(answers), -(-state.decided_at // page) * page)])
    return state


def _looks(size: int) -> Iterator[int]:
    look = FIRST_LOOK
    while look < size:
        yield look
        look *= 4
    yield size


def oracle_band(truth: NDArray[np.int8], scores: NDArray[np.floating[Any]], precision: float, recall: float) -> int:
    """Images of one tag that even an oracle's thresholds on (N,) `scores` leave to people: it knows the largest sets
    that keep the promise of the final labels, and needs no audit."""
    order = np.argsort(-scores, kind="stable")
    positive = truth[order] == 1
    total = int(positive.sum())
    missed = np.cumsum(positive[::-1]) <= (1 - recall) * total
    rejected = int(missed.sum())
    left = total - int(positive[len(positive) - rejected :].sum())
    wrong = np.cumsum(~positive) <= (1 - precision) / precision * left
    return max(0, len(order) - rejected - int(wrong.sum()))
