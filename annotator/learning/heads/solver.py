"""Many regularised logistic fits over the same images at once: batched, preconditioned L-BFGS in torch.

Every tag t minimises sum_n w_tn loss(z_tn, y_tn) + sum_j precision_tj / 2 (theta_tj - mean_tj)^2 with
z_tn = d_t . x_n + b_t + g_t a_tn, theta_t = (d_t, b_t, g_t), a_tn the anchor (the text's logit). Three things make it
fast: the two matrix products of a step serve all tags; the logits are kept, so a line search costs no matrix product;
and the curvature h_t X'X + ridge_t I, whose eigenvectors all tags share, is inverted as preconditioner.
L-BFGS: Nocedal 1980, doi 10.1090/S0025-5718-1980-0572855-7.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from annotator.learning.losses import Loss, Slopes

Tick = Callable[[int, int], None]
"""(tags done, tags in all), called once a step; may raise to stop the fit."""

MEMORY = 8  # remembered steps; more saves no step on 512-dimensional CLIP vectors
LINE_STEPS = 12
LEAST_WORK = 10**7  # multiplications of one product, below which they are not what takes the time
ROUNDING = 1e-8  # nats an answer: a smaller gain drowns in float32
SLACK = 0.3  # a step ends where the slope along it fell to this share: closer costs more than it brings


@dataclass(frozen=True)
class Spectrum:
    """Leading eigenpairs of X'X: what the preconditioner and the posterior know of the images."""

    vectors: Tensor  # (D, k), orthonormal columns
    values: Tensor  # (k,)
    rest: float  # mean of the other eigenvalues


@dataclass(frozen=True)
class Problem:
    """One block of tags over the images they share. `labels` 1, 0, -1; `weights` 0 where unknown."""

    features: Tensor  # (N, D), float32, or bfloat16 for a rough solution
    spectrum: Spectrum
    labels: Tensor  # (C, N)
    weights: Tensor  # (C, N)
    anchors: Tensor | None  # (C, N)
    precision: Tensor  # (C, P): of the Gaussian prior of each coefficient; P = D + 1, or D + 2 with anchors
    mean: Tensor  # (C, P)
    loss: Loss

    def logits(self, theta: Tensor) -> Tensor:
        """(C, P) coefficients to (C, N) logits, linear in theta."""
        width = self.features.shape[1]
        if self.features.dtype == torch.float32:
            z = torch.addmm(theta[:, width : width + 1], theta[:, :width], self.features.T)
        else:
            z = (theta[:, :width].to(self.features.dtype) @ self.features.T).float().add_(theta[:, width : width + 1])
        return z if self.anchors is None else z.addcmul_(theta[:, width + 1 :], self.anchors)

    def pull(self, slopes: Tensor) -> Tensor:
        """(C, N) derivatives by the logits to (C, P) derivatives by the coefficients."""
        parts = [(slopes.to(self.features.dtype) @ self.features).float(), slopes.sum(1, keepdim=True)]
        if self.anchors is not None:
            parts.append((slopes * self.anchors).sum(1, keepdim=True))
        return torch.cat(parts, 1)

    def gradient(self, theta: Tensor, slopes: Slopes) -> Tensor:
        return self.pull(slopes.gradient) + self.precision * (theta - self.mean)

    def objective(self, theta: Tensor, logits: Tensor) -> Tensor:
        """(C,) float64."""
        loss = self.loss.value(logits, self.labels, self.weights).sum(1, dtype=torch.float64)
        return loss + (self.precision * (theta - self.mean) ** 2).sum(1, dtype=torch.float64) / 2

    def slopes(self, logits: Tensor) -> Slopes:
        return self.loss.slopes(logits, self.labels, self.weights)

    def take(self, tags: Tensor) -> "Problem":
        anchors = None if self.anchors is None else self.anchors[tags]
        return replace(
            self,
            labels=self.labels[tags],
            weights=self.weights[tags],
            anchors=anchors,
            precision=self.precision[tags],
            mean=self.mean[tags],
        )


@dataclass(frozen=True)
class Solution:
    theta: Tensor  # (C, P)
    converged: Tensor  # (C,) bool
    iterations: int


def spectrum(features: Tensor, rank: int, rows: int) -> Spectrum:
    """Leading `rank` eigenpairs of X'X by subspace iteration, from at most `rows` evenly spaced images."""
    n, width = features.shape
    sample = features[:: max(1, -(-n // rows))]
    rank = min(rank, width, sample.shape[0])
    gram = sample.T @ sample * (n / max(1, sample.shape[0]))
    start = torch.randn(width, rank, generator=torch.Generator().manual_seed(0)).to(features)
    vectors = torch.linalg.qr(gram @ start).Q
    for _ in range(2):
        vectors = torch.linalg.qr(gram @ vectors).Q
    values, turn = torch.linalg.eigh(vectors.T @ gram @ vectors)
    rest = float((gram.trace() - values.sum()).clamp(min=0)) / max(1, width - rank)
    return Spectrum(vectors @ turn, values.clamp(min=0), rest)


@dataclass(frozen=True)
class _Memory:
    """The last m steps s_i and gradient changes y_i of every tag, and their products s_i . y_j."""

    steps: Tensor  # (C, m, P)
    turns: Tensor  # (C, m, P)
    products: Tensor  # (C, m, m)

    def add(self, step: Tensor, turn: Tensor) -> "_Memory":
        """Forget the oldest. A pair without positive curvature (of a tag that stands still) is blanked."""
        bent = (step * turn).sum(1)
        use = bent > 1e-30
        step, turn = step * use[:, None], turn * use[:, None]
        steps = torch.cat([self.steps[:, -MEMORY + 1 :], step[:, None]], 1)
        turns = torch.cat([self.turns[:, -MEMORY + 1 :], turn[:, None]], 1)
        size = steps.shape[1]
        products = torch.empty(len(step), size, size, device=step.device)
        products[:, :-1, :-1] = self.products[:, -size + 1 :, -size + 1 :] if size > 1 else 0
        products[:, :, -1] = _dot(steps, turn)
        products[:, -1, :] = _dot(turns, step)
        products[:, -1, -1] = torch.where(use, bent, 1.0)
        return _Memory(steps, turns, products)

    def keep(self, rows: Tensor) -> "_Memory":
        return _Memory(self.steps[rows], self.turns[rows], self.products[rows])


@dataclass
class _State:
    """The tags still moving. Rows of all tensors belong to `tags`."""

    problem: Problem
    tags: Tensor
    theta: Tensor
    logits: Tensor
    slopes: Slopes
    gradient: Tensor
    memory: _Memory

    def keep(self, rows: Tensor) -> "_State":
        return _State(
            self.problem.take(rows),
            self.tags[rows],
            self.theta[rows],
            self.logits[rows],
            Slopes(*(part[rows] for part in self.slopes)),
            self.gradient[rows],
            self.memory.keep(rows),
        )


def minimise(problem: Problem, start: Tensor, tolerance: float, limit: int, tick: Tick | None = None) -> Solution:
    """Minimise all tags from `start` (C, P).

    A tag stops when its decrement (the squared length of its next step in posterior standard deviations, over all
    coefficients together) falls below `tolerance`, or after `limit` steps.
    """
    iterations = 0
    if _rough_pays(problem):
        # Products of 8 bits find the way in a quarter of the time; float32 then checks the end and corrects it.
        rough = replace(problem, features=problem.features.bfloat16())
        half = None if tick is None else (lambda done, total: tick(done // 2, total))
        found = _descend(rough, start, tolerance / 3, limit // 2, half)
        start, iterations = found.theta, found.iterations
    found = _descend(problem, start, tolerance, limit - iterations, tick)
    return replace(found, iterations=found.iterations + iterations)


def _rough_pays(problem: Problem) -> bool:
    """Whether the processor multiplies bfloat16 natively, and the products are large enough to matter."""
    work = problem.labels.numel() * problem.features.shape[1]
    able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not say
    return problem.features.device.type == "cpu" and work > LEAST_WORK and bool(able.get("avx512_bf16"))


def _descend(problem: Problem, start: Tensor, tolerance: float, limit: int, tick: Tick | None) -> Solution:
    count = len(start)
    state, least = _begin(problem, start, tolerance)
    theta, converged = start.clone(), torch.zeros(count, dtype=torch.bool, device=start.device)
    iteration = 0
    while True:
        direction = _direction(state)
        decrement = -(state.gradient * direction).sum(1)
        theta[state.tags], converged[state.tags] = state.theta, decrement <= least[state.tags]
        moving = decrement > least[state.tags]
        left = int(moving.sum())
        if tick is not None:
            tick(count - left, count)
        if left == 0 or iteration == limit:
            return Solution(theta, converged, iteration)
        if left <= 0.8 * len(moving):  # copying the logits costs about a matrix product: not for every tag that stops
            rows = moving.nonzero()[:, 0]
            state, direction, moving = state.keep(rows), direction[rows], moving[rows]
        _advance(state, direction * moving[:, None])
        iteration += 1


def _begin(problem: Problem, start: Tensor, tolerance: float) -> tuple[_State, Tensor]:
    """All tags at the start, and the (C,) decrement below which each stops."""
    logits = problem.logits(start)
    slopes = problem.slopes(logits)
    tags = torch.arange(len(start), device=start.device)
    nothing = _Memory(start[:, None][:, :0], start[:, None][:, :0], start.new_zeros(len(start), 0, 0))
    state = _State(problem, tags, start, logits, slopes, problem.gradient(start, slopes), nothing)
    return state, (ROUNDING * problem.weights.sum(1)).clamp(min=tolerance)


def _precondition(state: _State, q: Tensor) -> Tensor:
    """q times the inverse of h_t X'X + ridge_t I for the weights, of the exact diagonal for bias and gain."""
    problem, shared = state.problem, state.problem.spectrum
    width = problem.features.shape[1]
    bend = state.slopes.curvature
    total = bend.sum(1, keepdim=True)
    share, ridge = total / bend.shape[1], problem.precision[:, :1]
    rest = 1 / (share * shared.rest + ridge)
    along = (q[:, :width] @ shared.vectors) * (1 / (share * shared.values + ridge) - rest)
    parts = [torch.addmm(q[:, :width] * rest, along, shared.vectors.T)]
    parts.append(q[:, width : width + 1] / (total + problem.precision[:, width : width + 1]).clamp(min=1e-12))
    if problem.anchors is not None:
        pulled = (bend * problem.anchors**2).sum(1, keepdim=True)
        parts.append(q[:, width + 1 :] / (pulled + problem.precision[:, width + 1 :]))
    return torch.cat(parts, 1)


def _direction(state: _State) -> Tensor:
    """The L-BFGS direction of each tag. The two loops over the remembered steps are two triangular systems in the
    products s_i . y_j (Byrd, Nocedal, Schnabel 1994, doi 10.1007/BF01582063)."""
    memory, gradient = state.memory, state.gradient
    if memory.steps.shape[1] == 0:
        return -_precondition(state, gradient)
    upper = memory.products.triu()
    alpha = torch.linalg.solve_triangular(upper, _dot(memory.steps, gradient)[:, :, None], upper=True)
    q = _precondition(state, gradient - _combine(alpha, memory.turns))
    right = upper.diagonal(dim1=1, dim2=2)[:, :, None] * alpha - _dot(memory.turns, q)[:, :, None]
    share = torch.linalg.solve_triangular(upper.mT, right, upper=False)
    return -(q + _combine(share, memory.steps))


def _dot(many: Tensor, one: Tensor) -> Tensor:
    """(C, m, P) and (C, P) to (C, m)."""
    return torch.bmm(many, one[:, :, None])[:, :, 0]


def _combine(shares: Tensor, many: Tensor) -> Tensor:
    """(C, m, 1) and (C, m, P) to (C, P)."""
    return torch.bmm(shares.mT, many)[:, 0]


def _advance(state: _State, direction: Tensor) -> None:
    problem = state.problem
    shift = problem.logits(direction)
    length, state.slopes = _line_search(state, direction, shift)
    step = length * direction
    state.logits = state.logits.addcmul(length, shift)
    state.theta = state.theta + step
    gradient = problem.gradient(state.theta, state.slopes)
    state.memory = state.memory.add(step, gradient - state.gradient)
    state.gradient = gradient


def _line_search(state: _State, direction: Tensor, shift: Tensor) -> tuple[Tensor, Slopes]:
    """(C, 1) step lengths where the slope along each tag's direction has nearly vanished, and the slopes there.

    A bracketed Newton search for the root of the slope: it needs no value of the loss, whose sums lose the last digits.
    """
    problem, slopes = state.problem, state.slopes
    pull = (problem.precision * (state.theta - problem.mean) * direction).sum(1, keepdim=True)
    bend = (problem.precision * direction**2).sum(1, keepdim=True)
    length = torch.zeros_like(pull)
    low, high = torch.zeros_like(pull), torch.full_like(pull, torch.inf)
    first, square = torch.zeros_like(pull), shift**2
    for turn in range(LINE_STEPS):
        slope = (slopes.gradient * shift).sum(1, keepdim=True) + pull + length * bend
        if turn == 0:
            first = slope
        elif bool((slope.abs() <= -SLACK * first).all()):
            break
        curve = (slopes.curvature * square).sum(1, keepdim=True) + bend
        low, high = torch.where(slope < 0, length, low), torch.where(slope > 0, length, high)
        length = _inside(length - slope / curve.clamp(min=1e-30), low, high) * (first < 0)
        slopes = problem.slopes(torch.addcmul(state.logits, length, shift))
    return length, slopes


def _inside(guess: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The Newton guess where it falls into the bracket, else the middle (or twice the lower end while it is open)."""
    open_end = high.isinf()
    middle = torch.where(open_end, 2 * low + 1, (low + high) / 2)
    top = torch.where(open_end, 10 * low + 10, high)
    return torch.where((guess > low) & (guess < top), guess, middle)
