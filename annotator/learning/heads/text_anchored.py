"""Text-anchored logistic head, the default: z = g_t s x.w_t + d_t.x + b_t per tag.

w_t is the tag's text vector; d_t, b_t and the gain g_t are learned. The loss over known entries plus
ridge/2 |d_t|^2 is convex: with no answer it is the zero-shot score, with many a linear probe.

Three priors keep tags with few answers sane. The gain varies around one that all tags share, fitted first: text
towers differ in scale and quality. The bias carries one imaginary answer at the mean image (`answers`). d_t has the
Gaussian prior of the penalty.
"""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from annotator.learning.heads.answers import collect, tensor
from annotator.learning.heads.base import CHUNK, FitReport, Float, Head, Training
from annotator.learning.losses import LOSSES

if TYPE_CHECKING:
    from torch import Tensor

    from annotator.learning.heads.solver import Problem

GAIN_PRECISION = 10.0  # of a tag's gain around the shared one, relative: about +-0.3
ROWS_FOR_SPECTRUM = 4096
SHRINK = 300.0  # answers that the choice of the penalty on all tags together counts for in each tag's choice


@dataclass(frozen=True)
class _Anchors:
    """The text's part of the logits."""

    texts: "Tensor"  # (C, D) less what they have in common
    gain: float  # shared by all tags, the text scale included
    logits: "Tensor"  # (C, N + 2): gain * texts . (x - centre)


@dataclass(frozen=True)
class _Fit:
    """One solution for all tags. Coefficients: d for standardised embeddings, bias, and with texts the gain."""

    theta: "Tensor"  # (C, D + 1) or (C, D + 2)
    ridge: NDArray[np.float32]  # (C,)
    converged: NDArray[np.bool_]  # (C,)


def fit_text_anchored(training: Training) -> tuple[Head, FitReport]:
    """Fit all tags in one batched solve. Shapes and errors as in `annotator.learning.fit.fit_head`."""
    import torch

    with torch.no_grad():
        return _Trainer(training).fit()


class _Trainer:
    """The steps of one fit, over what they share."""

    def __init__(self, training: Training) -> None:
        from annotator.learning.heads.solver import spectrum

        self.training, self.settings = training, training.settings
        self.loss = LOSSES[training.settings.loss]
        self.answers = collect(training)
        self.spectrum = spectrum(self.answers.features, self.settings.rank, ROWS_FOR_SPECTRUM)
        self.anchors = None if training.texts is None else self._anchors(training.texts)
        self.iterations = 0

    def fit(self) -> tuple[Head, FitReport]:
        held_out = self.training.validation
        if held_out is None or not (held_out[1] >= 0).any():
            return self._head(self._solve(self._start(), self.settings.ridge, 0, 1))
        return self._head(self._best_of_path(*held_out))

    def _anchors(self, texts: NDArray[np.floating[Any]]) -> _Anchors:
        """The gain >= 0 that, with a free bias per tag and the prior N(1, 1), explains all answers best."""
        from annotator.learning.heads.gain import TextFit

        answers, scale = self.answers, self.settings.text_scale
        vectors = _apart(tensor(texts, answers.features), answers.features[:-2])
        logits = (vectors * (scale * answers.scale)) @ answers.features.T
        gain = TextFit(logits, answers.blocks(), answers.block, self.loss).gain()
        return _Anchors(vectors, gain * scale, logits.mul_(gain))

    def _start(self) -> "Tensor":
        """Coefficients of the earlier head, else zero with the bias at each tag's frequency."""
        import torch

        answers, warm = self.answers, self.training.warm
        tags, width = answers.labels.shape[1], answers.features.shape[1]
        theta = torch.zeros(tags, width + 1 + (self.anchors is not None), device=answers.features.device)
        if self.anchors is not None:
            theta[:, -1] = 1
        if warm is None:
            for block in answers.blocks():
                labels, weights = answers.block(block)
                theta[block, width] = torch.logit((labels * weights).sum(1) / weights.sum(1))
            return theta
        learned = tensor(warm.weights, theta)
        theta[:, width] = tensor(warm.bias, theta) + learned @ answers.centre
        if self.anchors is not None:
            gain = tensor(warm.gain, theta)
            learned -= gain[:, None] * self.anchors.texts
            theta[:, -1] = gain / self.anchors.gain if self.anchors.gain > 0 else 1
        theta[:, :width] = learned * answers.scale
        return theta

    def _problem(self, tags: slice, ridge: "float | Tensor") -> "Problem":
        import torch

        from annotator.learning.heads.solver import Problem

        answers = self.answers
        labels, weights = answers.block(tags)
        width, extra = answers.features.shape[1], self.anchors is not None
        precision = torch.zeros(len(labels), width + 1 + extra, device=labels.device)
        precision[:, :width] = ridge[:, None] if isinstance(ridge, torch.Tensor) else ridge
        mean = torch.zeros_like(precision)
        if extra:
            precision[:, -1], mean[:, -1] = GAIN_PRECISION, 1
        anchors = None if self.anchors is None else self.anchors.logits[tags]
        return Problem(answers.features, self.spectrum, labels, weights, anchors, precision, mean, self.loss)

    def _solve(self, start: "Tensor", ridge: float, turn: int, turns: int) -> _Fit:
        from annotator.learning.heads.solver import minimise

        tags = len(start)
        theta, converged = start.clone(), np.zeros(tags, np.bool_)
        for block in self.answers.blocks():
            tick = partial(self._tick, turn * tags + block.start, turns * tags)
            found = minimise(
                self._problem(block, ridge), start[block], self.settings.tolerance, self.settings.max_iterations, tick
            )
            theta[block] = found.theta
            converged[block] = found.converged.cpu().numpy()
            self.iterations += found.iterations
        return _Fit(theta, np.full(tags, ridge, np.float32), converged)

    def _tick(self, before: int, total: int, done: int, _: int) -> None:
        if self.training.progress is not None:
            self.training.progress(before + done, total)

    def _best_of_path(self, X: NDArray[np.floating[Any]], labels: NDArray[np.int8]) -> _Fit:
        """Solve each penalty from the one before; choose per tag by held-out loss, shrunk to the choice of all tags."""
        import torch

        path: list[_Fit] = []
        losses = []
        for turn, ridge in enumerate(self.settings.ridges):
            start = path[-1].theta if path else self._start()
            path.append(self._solve(start, ridge, turn, len(self.settings.ridges)))
            losses.append(self._held_out(path[-1].theta, X, labels))
        chosen = choose(np.stack(losses), (labels >= 0).sum(0))
        each = np.arange(len(chosen))
        theta = torch.stack([fit.theta[tag] for tag, fit in zip(each, (path[c] for c in chosen), strict=True)])
        return _Fit(
            theta,
            np.stack([fit.ridge for fit in path])[chosen, each],
            np.stack([fit.converged for fit in path])[chosen, each],
        )

    def _held_out(self, theta: "Tensor", X: NDArray[np.floating[Any]], labels: NDArray[np.int8]) -> NDArray[np.float64]:
        """(C,) summed loss over the known entries."""
        import torch

        weights, bias, _ = self._affine(theta)
        total = torch.zeros(len(theta), dtype=torch.float64, device=theta.device)
        for start in range(0, len(X), CHUNK):
            rows = slice(start, start + CHUNK)
            z = torch.addmm(bias, tensor(X[rows], theta), weights.T)
            total += self.loss(z.T, tensor(labels[rows].T, theta)).loss.sum(1, dtype=torch.float64)
        found: NDArray[np.float64] = total.cpu().numpy()
        return found

    def _affine(self, theta: "Tensor") -> tuple["Tensor", "Tensor", "Tensor"]:
        """Weights (C, D) and bias (C,) for the embeddings as stored, and the gain of each text vector."""
        width = self.answers.features.shape[1]
        weights = theta[:, :width] / self.answers.scale
        gain = theta[:, 0] * 0
        if self.anchors is not None:
            gain = theta[:, -1] * self.anchors.gain * self.anchors.texts.any(1)
            weights = weights + gain[:, None] * self.anchors.texts
        bias = theta[:, width].double() - weights.double() @ self.answers.centre.double()
        return weights, bias.to(weights.dtype), gain

    def _head(self, best: _Fit) -> tuple[Head, FitReport]:
        weights, bias, gain = self._affine(best.theta)
        loss, middle, spread, rest, bias_variance = self._posterior(best)
        answers = self.answers
        head = Head(
            weights=_numpy(weights),
            bias=_numpy(bias),
            gain=_numpy(gain),
            ridge=best.ridge,
            centre=_numpy(answers.centre),
            scale=np.asarray(answers.scale, np.float32),
            basis=_numpy(self.spectrum.vectors / answers.scale),
            middle=_numpy(middle),
            spread=_numpy(spread),
            rest=_numpy(rest),
            bias_variance=_numpy(bias_variance),
        )
        return head, FitReport(self.iterations, best.converged, best.ridge, loss.cpu().numpy())

    def _posterior(self, best: _Fit) -> tuple["Tensor", ...]:
        """Loss at the solution, and middle, spread, rest and bias variance of `Head`: the Laplace posterior (MacKay
        1992, doi 10.1162/neco.1992.4.5.720) with the diagonal of the Hessian in the shared directions.

        Around the mean of the images weighted by curvature the bias is independent of the other coefficients.
        """
        import torch

        features, vectors = self.answers.features, self.spectrum.vectors
        along = features @ vectors
        squares = along**2
        outside = ((features**2).sum(1) - squares.sum(1)).clamp(min=0) / max(1, features.shape[1] - vectors.shape[1])
        parts = []
        for block in self.answers.blocks():
            ridge = tensor(best.ridge[block], features)
            problem = self._problem(block, ridge)
            logits = problem.logits(best.theta[block])
            loss, bend = problem.objective(best.theta[block], logits), problem.slopes(logits).curvature
            total = bend.sum(1).clamp(min=1e-6)
            middle = bend @ along / total[:, None]
            second = (bend @ squares - total[:, None] * middle**2).clamp(min=0)
            parts.append((loss, middle, 1 / (second + ridge[:, None]), 1 / (bend @ outside + ridge), 1 / total))
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def _apart(texts: "Tensor", features: "Tensor") -> "Tensor":
    """(C, D) text vectors less a share of their mean, by (N, D) centred images.

    Some images are near to all texts, which says nothing about any tag. The share is that of the best linear predictor
    of the images' offsets (one-way random effects), times 1 - 1/C: with few tags that resemble each other, what they
    have in common is what they mean. A tag without text keeps its zeros. What it brings without any answer, and with
    few, `benchmarks.few_shot` shows.
    """
    import torch

    worded = texts.any(1)
    tags, images = int(worded.sum()), len(features)
    if tags < 2 or images < 2:
        return texts
    mean = texts[worded].mean(0)
    offsets = float(((features @ mean) ** 2).mean())
    scores = features @ (texts[worded] - mean).T
    within = float((scores**2).sum(dtype=torch.float64)) / (images * (tags - 1))
    between = max(offsets - within / tags, 0.0)
    share = (1 - 1 / tags) * tags * between / (tags * between + within) if between > 0 else 0.0
    return texts - share * mean * worded[:, None]


def choose(losses: NDArray[np.float64], answers: NDArray[np.integer[Any]]) -> NDArray[np.intp]:
    """(R, C) summed held-out losses over (C,) answers to the best of the R choices per tag.

    Each tag's sum is joined by SHRINK answers of the mean loss of all tags, so few answers follow the common choice.
    """
    common = losses.sum(1) / max(1, int(answers.sum()))
    best: NDArray[np.intp] = (losses + SHRINK * common[:, None]).argmin(0)
    return best


def _numpy(values: "Tensor") -> Float:
    found: Float = values.to("cpu").numpy().astype(np.float32, copy=False)
    return found
