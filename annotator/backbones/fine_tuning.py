"""Tune the image tower of an open_clip model on labels.

What learns is tower -> unit vector -> affine head, from the weights of a trained head on, so that the first step stands
exactly where the head stands. AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), a short warm-up, then a cosine;
pictures are mirrored at random. Dropout is off and batch norms keep their statistics. The text tower is frozen.

The held-out loss chooses the epoch, the untouched start included: the result is never worse on the held-out labels, and
its figure there is the best it can be elsewhere.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from annotator.arrays import write_whole
from annotator.backbones.tunings import LAST_BLOCKS, LORA, Tuning
from annotator.errors import MissingError, UnknownNameError, UsageError
from annotator.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

TUNINGS: dict[str, Tuning] = {
    "last_blocks": LAST_BLOCKS,
    "lora": LORA,
}

WARM_UP = 0.1  # of all steps
DECAY = 0.01  # of the tower's matrices only
LONGEST_GRADIENT = 1.0
HEAD_RATE = 1e-3  # a head's weights are of the order of 1, those of a tower of 0.01

Places = NDArray[np.int64]
Batch = tuple[Places, NDArray[np.float32]]
Pictures = Callable[[Sequence[Places]], Iterator[Batch]]
"""From batches of places to, for each in order, the places that could be read and their (b, 3, size, size) pixels."""


class MaskedLoss(Protocol):
    """`loss(logits, labels).loss`: (b, C) terms, exactly 0 where the label is -1, unknown."""

    def __call__(self, logits: "Tensor", labels: "Tensor") -> Any: ...


@dataclass(frozen=True)
class TuningSettings:
    way: str = "last_blocks"
    """A key of TUNINGS."""
    blocks: int = 2
    """How many of the last blocks learn; all where there are fewer."""
    epochs: int = 10
    learning_rate: float | None = None
    """The tower's highest rate; None: that of the way. The head's goes with it."""
    batch: int = 32
    patience: int = 2
    """Epochs without a better held-out loss after which it ends."""
    seed: int = 0


@dataclass(frozen=True)
class Examples:
    """n pictures that can be read again and again, and their (n, C) labels: 1, 0, -1 unknown."""

    pictures: Pictures
    labels: NDArray[np.int8]


@dataclass(frozen=True)
class State:
    """Where a run remembers its last epoch. One with another `key` was another run, and is not gone on with."""

    file: Path
    key: str


@dataclass(frozen=True)
class Tuned:
    losses: tuple[float, ...]
    """Held-out loss, the mean over known labels: of the start, then of each epoch."""
    best: int
    """The epoch that was kept; 0: none was better than the start."""
    places: Places
    """(m,) held-out pictures that could be read"""
    before: NDArray[np.float32]
    """(m, C) logits of the start"""
    after: NDArray[np.float32]
    weights: NDArray[np.float32]
    """(C, D) of the head at the epoch kept"""
    bias: NDArray[np.float32]


def tune(
    model: Any,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    train: Examples,
    held_out: Examples,
    loss: MaskedLoss,
    settings: TuningSettings | None = None,
    *,
    device: str = "cpu",
    state: State | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Tune `model`, an open_clip model on `device`, in place; it ends with the weights of the best epoch, merged.

    `weights` (C, D) and `bias` (C,) are the head's on unit vectors. `progress` is called after each batch and may raise
    to end the run. With `state` a run that was killed goes on with the epoch after its last; on a CPU it ends as if
    undisturbed, to the bit. Raises UnknownNameError, UsageError for settings that do not fit, MissingError where no
    held-out picture can be read.
    """
    settings = settings or TuningSettings()
    if settings.way not in TUNINGS:
        raise UnknownNameError("way to tune", settings.way, TUNINGS)
    for name in ("blocks", "epochs", "batch", "patience"):
        if getattr(settings, name) < 1:
            raise UsageError(f"{name} is {getattr(settings, name)}; at least 1 is needed")
    if settings.learning_rate is not None and not 0 < settings.learning_rate < 1:
        raise UsageError(f"the learning rate is {settings.learning_rate}; it lies between 0 and 1, mostly near 0.0001")
    return _Run(model, weights, bias, train, held_out, loss, settings, device, state, progress).run()


@dataclass
class _Past:
    """What a run knows after an epoch: all it needs to go on, and all of it plain enough for `weights_only`."""

    losses: list[float]
    places: "Tensor"
    before: "Tensor"
    after: "Tensor"
    best: int
    best_weights: dict[str, "Tensor"]
    weights: dict[str, "Tensor"]
    optimiser: dict[str, Any]


class _Run:
    """The steps of one run, over what they share."""

    def __init__(
        self,
        model: Any,
        weights: NDArray[np.float32],
        bias: NDArray[np.float32],
        train: Examples,
        held_out: Examples,
        loss: MaskedLoss,
        settings: TuningSettings,
        device: str,
        state: State | None,
        progress: Progress,
    ) -> None:
        import torch

        self.model, self.train, self.held_out, self.loss = model, train, held_out, loss
        self.settings, self.device, self.state, self.progress = settings, device, state, progress
        self.way = TUNINGS[settings.way]
        model.eval().requires_grad_(False)
        self.way.free(model.visual, settings.blocks, torch.Generator().manual_seed(settings.seed))
        self.learned = {name: weight for name, weight in model.visual.named_parameters() if weight.requires_grad}
        self.learned["head.weights*"] = torch.tensor(weights, device=device, requires_grad=True)
        self.learned["head.bias*"] = torch.tensor(bias, device=device, requires_grad=True)
        self.optimiser = torch.optim.AdamW(self._groups(), betas=(0.9, 0.98))
        self.train_steps, self.held_steps = len(self._batches(train)), len(self._batches(held_out))
        self.done = 0

    def run(self) -> Tuned:
        past = self._resumed() or self._start()
        while not self._is_over(past):
            self._epoch(len(past.losses))
            self._judge(past)
            self._remember(past)
        self._put(past.best_weights)
        self.way.merge(self.model.visual)
        self.model.requires_grad_(False)
        self.progress(self.total, self.total, "fine-tuning")
        return Tuned(
            losses=tuple(past.losses),
            best=past.best,
            places=past.places.numpy(),
            before=past.before.numpy(),
            after=past.after.numpy(),
            weights=past.best_weights["head.weights*"].numpy(),
            bias=past.best_weights["head.bias*"].numpy(),
        )

    @property
    def total(self) -> int:
        return self.held_steps + self.settings.epochs * (self.train_steps + self.held_steps)

    def _groups(self) -> list[dict[str, Any]]:
        """What learns, with its highest rate: matrices and the rest of the tower, and the head."""
        rate = self.settings.learning_rate or self.way.learning_rate
        head_rate = HEAD_RATE * rate / self.way.learning_rate
        tower = [weight for name, weight in self.learned.items() if not name.endswith("*")]
        head = [weight for name, weight in self.learned.items() if name.endswith("*")]
        return [
            {"params": [one for one in tower if one.ndim > 1], "lr": rate, "highest": rate, "weight_decay": DECAY},
            {"params": [one for one in tower if one.ndim <= 1], "lr": rate, "highest": rate, "weight_decay": 0.0},
            {"params": head, "lr": rate, "highest": head_rate, "weight_decay": 0.0},
        ]

    def _start(self) -> _Past:
        places, logits = self._measure()
        if not len(places):
            raise MissingError("none of the held-out pictures can be read; bring their files back")
        now = self._weights()
        loss = self._held_out_loss(places, logits)
        return _Past([loss], places, logits, logits, 0, now, now, self.optimiser.state_dict())

    def _is_over(self, past: _Past) -> bool:
        ran = len(past.losses) - 1
        return ran >= self.settings.epochs or ran - past.best >= self.settings.patience

    def _epoch(self, number: int) -> None:
        """One pass over the training pictures, in an order and with mirrored ones that the seed and `number` say."""
        import torch

        rng = np.random.default_rng([self.settings.seed, number])
        order, mirrored = rng.permutation(len(self.train.labels)), rng.random(len(self.train.labels)) < 0.5
        batches = [order[start : start + self.settings.batch] for start in range(0, len(order), self.settings.batch)]
        for step, (places, pixels) in enumerate(self.train.pictures(batches)):
            if len(places):
                images = torch.from_numpy(pixels)
                flipped = torch.from_numpy(mirrored[places])[:, None, None, None]
                images = torch.where(flipped, images.flip(-1), images)
                self._set_rate((number - 1) * self.train_steps + step)
                self._step(images, torch.from_numpy(self.train.labels[places]))
            self._tick()

    def _step(self, images: "Tensor", labels: "Tensor") -> None:
        import torch

        labels = labels.to(self.device)
        known = (labels >= 0).sum()
        if not known:
            return  # not even the decay moves what nobody answered
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda" and _knows_bfloat16()):
            logits = self._logits(images)
        self.optimiser.zero_grad()
        (self.loss(logits.float(), labels).loss.sum() / known).backward()
        torch.nn.utils.clip_grad_norm_(list(self.learned.values()), LONGEST_GRADIENT)
        self.optimiser.step()

    def _logits(self, images: "Tensor") -> "Tensor":
        """(b, 3, size, size) to (b, C) in float32."""
        import torch
        from torch.nn.functional import normalize

        vectors = normalize(self.model.encode_image(images.to(self.device)).float(), dim=-1)
        with torch.autocast(self.device, enabled=False):
            logits: Tensor = vectors @ self.learned["head.weights*"].T + self.learned["head.bias*"]
            return logits

    def _set_rate(self, step: int) -> None:
        steps = self.settings.epochs * self.train_steps
        warm = max(1, round(WARM_UP * steps))
        share = (step + 1) / warm if step < warm else (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = group["highest"] * share

    def _measure(self) -> tuple["Tensor", "Tensor"]:
        """(m,) held-out places that could be read and their (m, C) logits, as embedding would make the vectors."""
        import torch

        found, parts = [np.empty(0, np.int64)], [torch.empty(0, self.held_out.labels.shape[1])]
        with torch.no_grad(), torch.autocast(self.device, torch.float16, enabled=self.device == "cuda"):
            for places, pixels in self.held_out.pictures(self._batches(self.held_out)):
                if len(places):
                    found.append(places)
                    parts.append(self._logits(torch.from_numpy(pixels)).cpu())
                self._tick()
        return torch.from_numpy(np.concatenate(found)), torch.cat(parts)

    def _held_out_loss(self, places: "Tensor", logits: "Tensor") -> float:
        import torch

        labels = torch.from_numpy(self.held_out.labels)[places]
        return float(self.loss(logits, labels).loss.double().sum() / (labels >= 0).sum().clamp(min=1))

    def _judge(self, past: _Past) -> None:
        """Measure the epoch, and keep its weights if they are the best so far."""
        import torch

        places, logits = self._measure()
        if not torch.equal(places, past.places):
            raise MissingError("held-out pictures came or went while the tower was tuned; run it again")
        past.losses.append(self._held_out_loss(places, logits))
        past.weights, past.optimiser = self._weights(), self.optimiser.state_dict()
        if past.losses[-1] < past.losses[past.best]:
            past.best, past.best_weights, past.after = len(past.losses) - 1, past.weights, logits

    def _batches(self, examples: Examples) -> list[Places]:
        count, size = len(examples.labels), self.settings.batch
        return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]

    def _tick(self) -> None:
        self.done += 1
        self.progress(self.done, self.total, "fine-tuning")

    def _weights(self) -> dict[str, "Tensor"]:
        return {name: weight.detach().to("cpu", copy=True) for name, weight in self.learned.items()}

    def _put(self, weights: dict[str, "Tensor"]) -> None:
        import torch

        with torch.no_grad():
            for name, weight in self.learned.items():
                weight.copy_(weights[name])

    def _remember(self, past: _Past) -> None:
        import torch

        if self.state is not None:
            buffer = io.BytesIO()
            torch.save({"key": self.state.key, "past": vars(past)}, buffer)
            write_whole(self.state.file, buffer.getvalue())

    def _resumed(self) -> _Past | None:
        """What the same run knew when it was killed, with weights and optimiser as they were then."""
        import torch

        if self.state is None or not self.state.file.is_file():
            return None
        stored = torch.load(self.state.file, map_location="cpu", weights_only=True)
        if stored["key"] != self.state.key:
            return None
        past = _Past(**stored["past"])
        self._put(past.weights)
        self.optimiser.load_state_dict(past.optimiser)
        self.done = self.held_steps + (len(past.losses) - 1) * (self.train_steps + self.held_steps)
        return past


def _knows_bfloat16() -> bool:
    import torch

    return bool(torch.cuda.is_bf16_supported())
