"""What relations between tags save in rounds: python -m benchmarks.rounds_with_relations [--quick].

The grocery pack, whose tags are of three levels (a golden delicious is an apple is a fruit), by the cross-fitted
probabilities of the default head, in as many rounds as it takes (`learning.settling`; what lies outside the sets is
asked in small steps), everything at (0.95, 0.95) and 95 %. Pools of 20,000 are drawn from the pack with replacement.
The first sample is answered completely, so it says nothing through relations that is not answered. Three ways:

without           each tag by itself
people's answers  what they say of other tags is settled at the end of every round, at no cost
and sets          settled sets say something of other tags too (`learning.implied`), paid from these tags' own budget

"said": labels settled by people's answers on other tags; "implied": by sets of other tags.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning import audits, implied
from annotator.learning.bounds import ACCEPT_PRIOR, REJECT_PRIOR, set_prior
from annotator.learning.implied import Causes, Part
from annotator.learning.planning import Plan, plan
from annotator.learning.settling import FEW, LITTLE, Cascade, Labels, Outcome, Rows, Rule, Score, Terms
from annotator.learning.tag_tree import NO_PARENT
from annotator.vocabulary import Relations
from benchmarks.guarantee_cost import cross_scores
from benchmarks.packs import Pack, load
from benchmarks.report import options, show, write
from benchmarks.tag_tree import parents_of

PROMISE = 0.95
POOL, LEAST = 20_000, 20
SEEDS = 3
WAYS = {"without": (False, False), "people's answers": (True, False), "people's answers and sets": (True, True)}
PRESENT, ABSENT = 0, 1
Named = dict[tuple[int, int], tuple[float, list[tuple[int, int]]]]
"""(tag, side) to what its implied set may spend, and its causes (tag, side)."""


class Related(Cascade):
    """The guarantee with relations, `tags` of which are the columns. Every round draws in an order of its own: what was
    said of other tags depends on the draws before."""

    def __init__(self, truth: Labels, score: Score, terms: Terms, relations: Relations, *, sets: bool) -> None:
        super().__init__(truth, score, Rule.GUARANTEE, terms)
        self.relations, self.sets, self.turn = relations, sets, 0
        tags = truth.shape[1]
        self.tried, self.used = np.zeros((2, tags), np.int64), np.zeros((2, tags))
        self.said, self.implied = np.zeros(truth.shape, bool), np.zeros(truth.shape, bool)
        self.low, self.size, self.high = np.zeros(tags), np.zeros(tags), np.zeros(tags)
        self.audited: dict[tuple[int, int], tuple[Rows, audits.AuditState]] = {}
        # Children first: what they imply counts when their parents' absence is judged.
        self.turns = sorted(range(tags), key=lambda tag: -len(relations.above(tag)))

    def alpha(self, side: int, tag: int) -> float:
        return audits.next_alpha(self.terms.alpha, int(self.tried[side, tag]), float(self.used[side, tag]))

    def _pay(self, side: int, tag: int, alpha: float) -> None:
        self.tried[side, tag] += 1
        self.used[side, tag] += alpha

    def _said_present(self, tag: int) -> int:
        return int((self.said[:, tag] & (self.settled[:, tag] == 1)).sum())

    def _found(self, tag: int) -> float:
        return super()._found(tag) + self._said_present(tag) + self.low[tag]

    def _surplus(self, tag: int) -> float:
        precision = self.terms.precision
        said = (1 - precision) * self._said_present(tag)
        return super()._surplus(tag) + said + self.low[tag] - precision * self.size[tag]

    def _missed(self, tag: int) -> float:
        return super()._missed(tag) + self.high[tag]

    def _draws(self, members: NDArray[np.bool_]) -> Rows:
        order = np.random.default_rng([self.terms.seed, 5, self.turn]).permutation(len(members))
        return order[members[order]]

    def _end(self, tag: int, members: Rows, state: audits.AuditState, side: int) -> None:
        self._pay(side, tag, self.alpha(side, tag))
        super()._end(tag, members, state, side)
        if state.decision == audits.Decision.SETTLE and not state.alarm:
            self.audited[tag, side] = members, state

    def _guarantee(self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_]) -> None:
        self.turn += 1
        self.audited = {}
        planned = plan(
            p, is_open, self._standing(), precision=self.terms.precision, recall=self.terms.recall,
            costs=self.terms.costs,
        )  # fmt: skip
        outside = {tag: self._outside(p[:, tag], is_open[:, tag], planned, tag) for tag in self.turns}
        ready = {tag for tag in self.turns if len(outside[tag]) <= max(FEW, LITTLE * planned.open[tag])}
        named = self._named(p, is_open, planned, ready) if self.sets else {}
        for tag in self.turns:
            rows = outside[tag]
            if tag not in ready:
                self._answer(tag, rows[: self._step(tag)], "band")
                continue
            self._answer(tag, rows[~self._likely(p, is_open, planned, tag, named)[rows]], "band")
            self._audit_accepted(p[:, tag], planned, tag)
            self._imply(tag, PRESENT, planned, named)
            self._audit_rejected(p[:, tag], planned, tag)
        for tag in self.turns:
            self._imply(tag, PRESENT, planned, {} if tag in ready else named)
            self._imply(tag, ABSENT, planned, named)
        self._say()

    def _say(self) -> None:
        """Settle what people's answers say of other tags."""
        closed, _, _ = self.relations.close(self.asked)
        new = self.open() & (closed >= 0)
        self.settled[new] = closed[new]
        self.said |= new

    def _member(
        self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_], planned: Plan, cause: tuple[int, int]
    ) -> Any:
        tag, side = cause
        sides = planned.proposal.accepted, planned.proposal.rejected
        return is_open[:, tag] & sides[side](p[:, tag], tag)

    def _named(self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_], planned: Plan, ready: set[int]) -> Named:
        """Which sets may say something of which tags, before the first draw."""
        proposal, causes = planned.proposal, dict[tuple[int, int], list[tuple[int, int]]]()
        sizes = proposal.accept_size, proposal.reject_size
        for tag in sorted(ready):
            for side, of in enumerate(((PRESENT, self.relations.above(tag)), (ABSENT, self.relations.below(tag)))):
                if sizes[side][tag]:
                    for other in of[1] - {tag}:
                        causes.setdefault((other, of[0]), []).append((tag, side))
        found: Named = {}
        for (tag, side), named in sorted(causes.items()):
            free = is_open[:, tag] & ~proposal.accepted(p[:, tag], tag) & ~proposal.rejected(p[:, tag], tag)
            rows = [int((free & self._member(p, is_open, planned, cause)).sum()) for cause in named]
            own = self.alpha(side, tag) if tag in ready and sizes[side][tag] else 0.0
            alpha = audits.next_alpha(
                self.terms.alpha, int(self.tried[side, tag]) + (own > 0), float(self.used[side, tag]) + own
            )
            chosen = implied.choose(self._forecast(planned, named, rows), alpha, self._stands(planned, tag, side))
            if len(chosen):
                found[tag, side] = alpha, [named[at] for at in chosen.tolist()]
        return found

    def _forecast(self, planned: Plan, named: list[tuple[int, int]], rows: list[int]) -> Causes:
        proposal = planned.proposal
        size = proposal.accept_size, proposal.reject_size
        errors = proposal.accept_size - proposal.accept_positives, proposal.reject_positives
        draws = planned.accept_draws, planned.reject_draws
        at = [np.array([part[side][tag] for tag, side in named]) for part in (size, draws, errors)]
        return Causes(at[0], np.array(rows), at[1], np.maximum(0.0, at[2]))

    def _stands(self, planned: Plan, tag: int, side: int) -> Any:
        def precise(kept: Causes, parts: list[Part]) -> bool:
            surplus = self._surplus(tag) + (1 - self.terms.precision) * kept.answered()
            return implied.precision_stands(surplus, parts, self.terms.precision)

        def complete(kept: Causes, parts: list[Part]) -> bool:
            missed = planned.proposal.reject_positives[tag]
            found = self._found(tag) + planned.expected[tag] - missed
            return implied.recall_stands(found, self._missed(tag) + 2 * missed, parts, self.terms.recall)

        return (precise, complete)[side]

    def _likely(
        self, p: NDArray[np.floating[Any]], is_open: NDArray[np.bool_], planned: Plan, tag: int, named: Named
    ) -> NDArray[np.bool_]:
        found = np.zeros(len(p), bool)
        for side in (PRESENT, ABSENT):
            for cause in named.get((tag, side), (0.0, []))[1]:
                found |= self._member(p, is_open, planned, cause)
        return found

    def _imply(self, tag: int, side: int, planned: Plan, named: Named) -> None:
        if (tag, side) not in named:
            return
        alpha, causes = named[tag, side]
        self._pay(side, tag, alpha)
        left, parts, rows = self.open()[:, tag], [], []
        for cause in causes:
            if cause in self.audited:
                members, state = self.audited[cause]
                rest = members[state.drawn :]
                own = rest[left[rest]]
                left[own] = False
                rows.append(own)
                parts.append(Part(len(own), self._wrong(planned, cause, alpha / len(causes))))
        if side == PRESENT:
            stands = implied.precision_stands(self._surplus(tag), parts, self.terms.precision)
        else:
            stands = implied.recall_stands(self._found(tag), self._missed(tag), parts, self.terms.recall)
        if rows and stands:
            every = np.concatenate(rows)
            self.settled[every, tag] = 1 - side
            self.implied[every, tag] = True
            if side == PRESENT:
                self.low[tag] += implied.least_right(parts)
                self.size[tag] += len(every)
            else:
                self.high[tag] += implied.most_wrong(parts)

    def _wrong(self, planned: Plan, cause: tuple[int, int], alpha: float) -> int:
        (tag, side), (members, state) = cause, self.audited[cause]
        answers = self.truth[members[: state.drawn], tag]
        expected = (planned.proposal.accept_positives, planned.proposal.reject_positives)[side][tag]
        bound = (implied.wrong_in_accepted, implied.wrong_in_rejected)[side]
        prior = set_prior(min(1.0, float(expected) / len(members)), (ACCEPT_PRIOR, REJECT_PRIOR)[side])
        return bound(answers, len(members), alpha, prior)


def relations_of(pack: Pack) -> Relations:
    parents = parents_of(pack).tolist()
    above = {tag: parent for tag, parent in enumerate(parents) if parent != NO_PARENT}
    return Relations.of(range(len(pack.tags)), above, [])


def run(pack: Pack, scores: NDArray[np.float32], pool: int | None, seed: int) -> list[dict[str, Any]]:
    """A row for each way."""
    rng = np.random.default_rng([seed, 1])
    rows = np.arange(len(pack.X)) if pool is None else rng.integers(0, len(pack.X), pool)
    p, truth = scores[rows], pack.labels[rows]
    # Copies of one image would share their scores: a hair of noise parts them as new images would be parted.
    p = np.clip(p * np.exp(0.02 * rng.standard_normal(p.shape)), 0, 1).astype(np.float32)
    terms = Terms(retrain=False, seed=seed)
    relations = relations_of(pack)
    table = []
    for way, (related, sets) in WAYS.items():
        if related:
            cascade = Related(truth, lambda asked, held: p, terms, relations, sets=sets)
        else:
            cascade = Related(truth, lambda asked, held: p, terms, Relations(relations.tags), sets=False)
        found = cascade.run()
        table.append({"images": len(rows), "tags": truth.shape[1], "way": way, "seed": seed, **figures(found, cascade)})
    return table


def figures(found: Outcome, cascade: Related) -> dict[str, float]:
    by_hand, answers = cascade.truth.size, float(found.answers.sum())
    return {
        "answers": answers,
        "by hand / answers": by_hand / answers,
        "by hand / seconds": by_hand * Terms().costs.band / float(found.seconds.sum()),
        "said": float(cascade.said.sum()),
        "implied": float(cascade.implied.sum()),
        "broken promises": float(((found.precision < PROMISE) | (found.recall < PROMISE)).sum()),
    }


def _mean(values: list[Any]) -> Any:
    return float(np.mean(values)) if isinstance(values[0], float) else values[0]


def main() -> None:
    chosen = options(__doc__ or "")
    pack = load("grocery").with_tags(LEAST)
    scores = cross_scores(pack)
    rows: list[dict[str, Any]] = []
    for pool in (None, POOL):
        for seed in range(1 if chosen.quick else SEEDS):
            rows += run(pack, scores, pool, seed)
            write(chosen.json, {"rows": rows})
    names = [name for name in rows[0] if name != "seed"]
    table = []
    for images in sorted({row["images"] for row in rows}):
        for way in WAYS:
            own = [row for row in rows if (row["images"], row["way"]) == (images, way)]
            table.append({name: _mean([row[name] for row in own]) for name in names})
    show(f"grocery, mean of {len({row['seed'] for row in rows})} seeds", table)


if __name__ == "__main__":
    main()
