"""Low-rank adapters: W + (alpha / r) B A with B (rows, r), A (r, columns), W frozen (Hu et al. 2021, arXiv 2106.09685).

Laid on the stored matrix, not around the layer that multiplies by it: PyTorch's MultiheadAttention reads its matrices
itself and never calls `out_proj`, so a wrapped layer would learn nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

RANK, ALPHA = 8, 16.0


class LowRank(nn.Module):
    """Adds the adapter to a matrix; B begins at 0, so the first forward pass is that of the frozen matrix."""

    def __init__(self, weight: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        rows, columns = weight.shape
        rank = min(RANK, rows, columns)
        self.scale = ALPHA / rank
        start = torch.randn(rank, columns, generator=generator) * columns**-0.5
        self.down = nn.Parameter(start.to(weight.device))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):  # what is merged is exactly what was measured
            return weight + self.scale * (self.up @ self.down)


def adapt(module: nn.Module, generator: torch.Generator) -> None:
    """Lay an adapter on every matrix below `module`, biases and norms left as they are."""
    matrices = [(place, name) for place in module.modules() for name, own in _own(place) if own.ndim == 2]
    for place, name in matrices:
        weight = place.get_parameter(name)
        parametrize.register_parametrization(place, name, LowRank(weight, generator))


def merge(module: nn.Module) -> None:
    """Put W + (alpha / r) B A in the place of W: the module is again one of plain matrices."""
    for place in module.modules():
        if parametrize.is_parametrized(place):
            for name in list(place.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(place, name, leave_parametrized=True)


def _own(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return list(module.named_parameters(recurse=False))
